// The tree as rows: only those that can be seen are in the page, and the keys are those of the WAI-ARIA tree pattern.
// Source: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/

const ROW_PX = 28;
const SPARE_ROWS = 12;
const DEEPEST_STEP = 10;
const TYPED_TOGETHER_MS = 700;

class TreeView {
  constructor(box, model, states, onChoose) {
    this.box = box;
    this.model = model;
    this.states = states;
    this.onChoose = onChoose;
    this.sheet = make("div", "sheet");
    this.sheet.setAttribute("role", "presentation");
    this.shown = new Map();
    this.current = 0;
    this.typed = "";
    this.isPrinting = false;
    box.append(this.sheet);
    box.addEventListener("scroll", () => this.drawSoon());
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("click", (event) => this.onClick(event));
    new ResizeObserver(() => this.drawSoon()).observe(box);
    this.refresh();
  }

  /** Show what the model says now; rows that stay are the same elements, as somebody may be clicking on one. */
  refresh() {
    this.hasCosts = this.model.rows.some(([, , , , , cost]) => cost);
    this.places = this.model.visible();
    this.lines = new Map(this.places.map((place, line) => [place, line]));
    this.sheet.style.height = `${this.places.length * ROW_PX}px`;
    for (const [place, row] of this.shown) {
      if (this.lines.has(place)) this.fill(row, place);
    }
    this.draw();
  }

  /** Show `model`, of the same tree at a later time; the row at the top stays there, and the current task is the same. */
  adopt(model) {
    const before = this.model;
    const now = (place) => model.places.get(before.rows[place]?.[0]);
    const line = Math.floor(this.box.scrollTop / ROW_PX);
    const top = now(this.places[line]);
    const shown = [...this.shown].map(([place, row]) => [now(place), row]);
    for (const [place, row] of shown) if (place === undefined) row.remove();
    this.shown = new Map(shown.filter(([place]) => place !== undefined));
    this.current = now(this.current) ?? 0;
    this.model = model;
    this.refresh();
    const moved = this.lines.has(top) ? this.lines.get(top) - line : 0;
    if (moved && this.box.scrollTop) {
      this.box.scrollTop += moved * ROW_PX;
      this.draw();
    }
  }

  /** Show what has changed in the row of a task, if that is in the page. */
  touch(place) {
    const row = this.shown.get(place);
    if (!row) return;
    this.fill(row, place);
    this.mark();
  }

  drawSoon() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  /** Have exactly the rows in the page that can be seen, some more above and below, and the current one. */
  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_PX) - SPARE_ROWS);
    const last = Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW_PX) + SPARE_ROWS;
    const wanted = new Set(this.isPrinting ? this.places : this.places.slice(first, last));
    if (this.lines.has(this.current)) wanted.add(this.current);
    for (const [place, row] of this.shown) {
      if (!wanted.has(place)) {
        row.remove();
        this.shown.delete(place);
      }
    }
    const fresh = document.createDocumentFragment();
    for (const place of wanted) {
      if (this.shown.has(place)) continue;
      const row = make("div");
      this.fill(row, place);
      this.shown.set(place, row);
      fresh.append(row);
    }
    this.sheet.append(fresh);
    this.mark();
  }

  /** Let an element be the row of a task. */
  fill(row, place) {
    const { model } = this;
    const [id, , state, content, took, cost] = model.rows[place];
    const [name, glyph] = this.states[state];
    row.className = `row ${name}`;
    row.id = `row-${place}`;
    row.style.top = `${this.lines.get(place) * ROW_PX}px`;
    row.style.setProperty("--step", Math.min(model.level[place] - 1, DEEPEST_STEP));
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", model.level[place]);
    row.setAttribute("aria-setsize", model.siblings(place));
    row.setAttribute("aria-posinset", model.number[place]);
    row.setAttribute("aria-label", [id, name.toLowerCase(), content, took, cost].filter(Boolean).join(", "));
    if (model.canOpen(place)) row.setAttribute("aria-expanded", model.isOpen(place));
    else row.removeAttribute("aria-expanded");
    if (model.matches && model.matches[place] === 1) row.classList.add("way");
    row.replaceChildren(
      make("span", "twist", model.canOpen(place) ? (model.isOpen(place) ? "▾" : "▸") : ""),
      make("span", "glyph", glyph),
      make("span", "id", shortened(id)),
      make("bdi", "content", content),
    );
    if (model.level[place] > DEEPEST_STEP + 1) row.append(make("span", "amount", `level ${model.level[place]}`));
    if (model.canOpen(place) && !model.isOpen(place)) {
      row.append(make("span", "amount more", `+${(model.end[place] - place - 1).toLocaleString("en")}`));
    }
    if (this.hasCosts) row.append(make("span", "amount cost", cost));
    row.append(make("span", "amount took", took));
  }

  /** Say which row is the current one. */
  mark() {
    for (const [place, row] of this.shown) {
      row.setAttribute("aria-selected", place === this.current);
    }
    if (this.shown.has(this.current)) this.box.setAttribute("aria-activedescendant", `row-${this.current}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** Make the task in row `place` the current one, and bring its row into view. */
  choose(place) {
    if (!this.lines.has(place)) {
      this.model.reveal(place);
      this.refresh();
    }
    this.current = place;
    const top = (this.lines.get(place) ?? 0) * ROW_PX;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const under = top + ROW_PX - this.box.clientHeight;
    if (under > this.box.scrollTop) this.box.scrollTop = under;
    this.draw();
    this.onChoose(place);
  }

  toggle(place, folded) {
    this.model.fold(place, folded);
    this.refresh();
  }

  /** Make a task that has a row the current one; after a filter or a fold, the old one may have none. */
  settle() {
    let place = this.current;
    while (place >= 0 && !this.lines.has(place)) place = this.model.parent(place);
    if (this.places.length) this.choose(place >= 0 ? place : this.places[0]);
  }

  onClick(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const place = Number(row.id.slice("row-".length));
    this.choose(place);
    if (event.target.classList.contains("twist") || event.detail === 2) this.toggle(place, this.model.isOpen(place));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.places.length) return;
    const line = this.lines.get(this.current) ?? 0;
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW_PX) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) {
      const next = Math.min(this.places.length - 1, Math.max(0, line + moves[event.key]));
      this.choose(this.places[next]);
    } else if (event.key === "ArrowRight") this.goIn();
    else if (event.key === "ArrowLeft") this.goOut();
    else if (event.key === "*") this.unfoldBeside();
    else if (event.key === " ") this.toggle(this.current, this.model.isOpen(this.current));
    else if (event.key.length === 1 && event.key !== "/") this.typeAhead(event.key, line);
    else return;
    event.preventDefault();
  }

  goIn() {
    const place = this.current;
    if (this.model.isOpen(place)) this.choose(this.places[this.lines.get(place) + 1]);
    else if (this.model.canOpen(place)) this.toggle(place, false);
  }

  goOut() {
    const place = this.current;
    if (this.model.isOpen(place)) this.toggle(place, true);
    else if (this.model.parent(place) >= 0) this.choose(this.model.parent(place));
  }

  unfoldBeside() {
    const parent = this.model.parent(this.current);
    for (let i = 0; i < this.model.rows.length; i++) if (this.model.parent(i) === parent) this.model.fold(i, false);
    this.refresh();
  }

  /** Go to the next row whose id or content begins with what was typed in one go. */
  typeAhead(letter, line) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.typed = ""), TYPED_TOGETHER_MS);
    const isNew = this.typed === "";
    this.typed += letter.toLowerCase();
    for (let step = isNew ? 1 : 0; step < this.places.length + (isNew ? 1 : 0); step++) {
      const place = this.places[(line + step) % this.places.length];
      const [id, , , content] = this.model.rows[place];
      if (id.toLowerCase().startsWith(this.typed) || content.toLowerCase().startsWith(this.typed)) {
        this.choose(place);
        return;
      }
    }
  }

  /** Put all rows into the page for a printer, or only those that can be seen. */
  print(isPrinting) {
    this.isPrinting = isPrinting;
    this.draw();
  }
}

const LONGEST_ID = 20;

/** Return an id with its middle left out, if it is long. */
function shortened(id) {
  return id.length <= LONGEST_ID ? id : `${id.slice(0, 8)}…${id.slice(-10)}`;
}
