// Which tasks the tree shows: what is folded, what a filter lets through, and the way up to it.

const MOST_ROWS_AT_FIRST = 400;

class TreeModel {
  /** `rows[i]` is [id, parent, state, content, took, cost]; parents come before their subtasks. */
  constructor(rows) {
    const count = rows.length;
    this.rows = rows;
    this.level = new Uint32Array(count);
    this.end = new Uint32Array(count); // the place behind the last task below this one
    this.number = new Uint32Array(count); // its place among its siblings, from 1
    this.children = new Uint32Array(count);
    this.matches = null; // 2: passes the filter, 1: something below it does
    this.leads = null; // 1: something below it passes the filter
    this.beforeFilter = null;
    for (let i = 0; i < count; i++) {
      const parent = rows[i][1];
      this.level[i] = parent < 0 ? 1 : this.level[parent] + 1;
      this.number[i] = parent < 0 ? 1 : ++this.children[parent];
    }
    for (let i = count - 1; i >= 0; i--) {
      this.end[i] = Math.max(this.end[i], i + 1);
      const parent = rows[i][1];
      if (parent >= 0) this.end[parent] = Math.max(this.end[parent], this.end[i]);
    }
    this.folded = this.foldedAtFirst();
    this.places = new Map(rows.map((row, i) => [row[0], i]));
  }

  /** Fold the deeper levels, as far as it takes for the rest to be looked through. */
  foldedAtFirst() {
    const sizes = [];
    for (const level of this.level) sizes[level] = (sizes[level] || 0) + 1;
    let deepest = 2;
    let shown = 1 + (sizes[2] || 0);
    while (deepest + 1 < sizes.length && shown + sizes[deepest + 1] <= MOST_ROWS_AT_FIRST) shown += sizes[++deepest];
    return this.level.map((level) => (level >= deepest ? 1 : 0));
  }

  /** Take over what is folded in a model of the same tree at an earlier time; what is new is folded as at first. */
  carry(earlier) {
    const folded = earlier.beforeFilter ?? earlier.folded;
    for (let i = 0; i < this.rows.length; i++) {
      const before = earlier.places.get(this.rows[i][0]);
      if (before !== undefined && earlier.children[before]) this.folded[i] = folded[before];
    }
  }

  parent(i) {
    return this.rows[i][1];
  }

  siblings(i) {
    const parent = this.parent(i);
    return parent < 0 ? 1 : this.children[parent];
  }

  /** Return whether there are rows to show below a task. */
  canOpen(i) {
    return this.leads ? this.leads[i] === 1 : this.children[i] > 0;
  }

  isOpen(i) {
    return this.canOpen(i) && !this.folded[i];
  }

  fold(i, folded) {
    if (this.canOpen(i)) this.folded[i] = folded ? 1 : 0;
  }

  foldAll(folded) {
    this.folded.fill(folded ? 1 : 0);
    if (folded) this.folded[0] = 0;
  }

  /** Unfold what is above a task. */
  reveal(i) {
    for (let up = this.parent(i); up >= 0; up = this.parent(up)) this.folded[up] = 0;
  }

  /** Show only tasks for which `passes(i)` holds, and what is above them; null shows all, folded as before. */
  filter(passes) {
    if (passes === null) {
      this.matches = this.leads = null;
      if (this.beforeFilter) this.folded = this.beforeFilter;
      this.beforeFilter = null;
      return this.rows.length;
    }
    if (!this.beforeFilter) this.beforeFilter = this.folded.slice();
    this.folded.fill(0);
    this.matches = new Uint8Array(this.rows.length);
    this.leads = new Uint8Array(this.rows.length);
    let found = 0;
    for (let i = this.rows.length - 1; i >= 0; i--) {
      if (passes(i)) {
        this.matches[i] = 2;
        found++;
      }
      const parent = this.parent(i);
      if (!this.matches[i] || parent < 0) continue;
      this.matches[parent] ||= 1;
      this.leads[parent] = 1;
    }
    return found;
  }

  /** Return the places of the tasks that have a row, in order. */
  visible() {
    const places = [];
    let i = 0;
    while (i < this.rows.length) {
      if (this.matches && !this.matches[i]) {
        i = this.end[i];
        continue;
      }
      places.push(i);
      i = this.folded[i] ? this.end[i] : i + 1;
    }
    return places;
  }
}
