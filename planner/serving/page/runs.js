// The list of runs: rows come and change as the store does; filters and search are made here.

const SEARCH_DELAY_MS = 120;
const MEMBERS_DELAY_MS = 2000;
const AT_FIRST = ["running", "waiting", "stopped", "interrupted", "cancelled", "failed", "partial", "done"];

class RunsView {
  constructor() {
    this.runs = new Map();
    this.rows = new Map();
    this.members = new Map(); // of runs that are unfolded: the rows of their members, by id
    this.open = openInAddress();
    this.body = byId("runs").tBodies[0];
    this.listen();
  }

  listen() {
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    byId("tools").addEventListener("change", () => this.filter());
    byId("search").addEventListener("input", settled(() => this.filter(), SEARCH_DELAY_MS));
    document.addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("hashchange", () => openInAddress().forEach((id) => this.open.has(id) || this.toggle(id)));
  }

  take({ whole, runs, store }) {
    if (store) byId("store").textContent = store;
    if (whole) {
      this.runs.clear();
      this.rows.clear();
      this.members.clear();
      this.body.replaceChildren();
    }
    for (const run of whole ? runs : runs.toReversed()) this.put(run, whole);
    this.chips();
    this.filter();
  }

  /** Put a run into the list: where it stands, or, if it is new, on top; a whole list comes in order. */
  put(run, isInOrder) {
    const [id] = run;
    this.runs.set(id, run);
    const known = this.rows.get(id);
    const row = known ?? make("tr");
    this.fill(row, run);
    if (run[11] && this.open.has(id)) this.loadSoon(id);
    if (known) return;
    this.rows.set(id, row);
    if (isInOrder) this.body.append(row);
    else this.body.prepend(row);
  }

  fill(row, [id, status, goal, name, maker, started, cost, done, all, error, fork, members]) {
    const link = row.querySelector("a") ?? make("a", "id", id);
    link.href = `/runs/${encodeURIComponent(id)}`;
    const cells = [[link], [make("span", `pill ${status}`, status)], [name ? `${name}: ${goal}` : goal], [maker]];
    if (fork) cells[2].unshift(make("span", "quiet", `fork of ${fork} `));
    if (error) cells[2].push(make("p", "quiet", error));
    if (members) cells[2].push(this.folding(row, id, members));
    const numbers = [all ? `${done.toLocaleString("en")} / ${all.toLocaleString("en")}` : "", cost];
    const made = cells.map((inside) => this.cell("", inside));
    made[2].dir = "auto";
    row.replaceChildren(...made, ...numbers.map((words) => this.cell("number", [words])), this.cell("time", [started]));
  }

  /** Return what unfolds the members of a study or sweep; one that is there stays, as somebody may be pressing it. */
  folding(row, id, members) {
    const known = row.querySelector(".fold");
    const fold = known ?? make("button", "fold");
    if (!known) {
      fold.type = "button";
      fold.addEventListener("click", () => this.toggle(id));
    }
    fold.setAttribute("aria-expanded", String(this.open.has(id)));
    fold.textContent = `${this.open.has(id) ? "▾" : "▸"} ${members}`;
    const line = make("p", "folding-line");
    line.append(fold);
    return line;
  }

  toggle(id) {
    if (!this.open.delete(id)) this.open.add(id);
    history.replaceState(null, "", this.open.size ? `#open=${[...this.open].join(",")}` : location.pathname);
    if (!this.rows.has(id)) return;
    this.fill(this.rows.get(id), this.runs.get(id));
    if (this.open.has(id)) this.load(id);
    else this.showMembers(id, []);
    this.rows.get(id).querySelector(".fold")?.focus();
  }

  loadSoon(id) {
    this.loads ??= new Map();
    if (this.loads.has(id)) return;
    this.loads.set(id, setTimeout(() => this.load(id), this.members.has(id) ? MEMBERS_DELAY_MS : 0));
  }

  async load(id) {
    this.loads?.delete(id);
    const { runs } = await asked(`/api/runs/${encodeURIComponent(id)}/members`);
    if (runs && this.open.has(id)) this.showMembers(id, runs);
  }

  /** Put the members of a run below it, in order. */
  showMembers(id, runs) {
    const known = this.members.get(id) ?? new Map();
    const rows = new Map();
    let last = this.rows.get(id);
    for (const run of runs) {
      const row = known.get(run[0])?.row ?? make("tr", "member");
      this.fill(row, run);
      if (last.nextSibling !== row) last.after(row);
      last = row;
      rows.set(run[0], { row, run });
    }
    for (const [each, { row }] of known) if (!rows.has(each)) row.remove();
    this.members.set(id, rows);
    this.filter();
  }

  cell(className, inside) {
    const cell = make("td", className);
    cell.append(...inside);
    return cell;
  }

  /** Have a box for each status that there is, ticked unless somebody has taken the tick away. */
  chips() {
    const counts = new Map();
    for (const [, status] of this.runs.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const status of AT_FIRST) {
      const known = byId(`status-${status}`);
      if (!known && counts.has(status)) byId("statuses").append(this.chip(status));
      const chip = byId(`status-${status}`);
      if (chip) chip.querySelector(".quiet").textContent = counts.get(status) ?? 0;
    }
  }

  chip(status) {
    const chip = make("label", "chip");
    chip.id = `status-${status}`;
    const box = make("input");
    Object.assign(box, { type: "checkbox", name: "status", value: status, checked: true });
    chip.append(box, `${status} `, make("span", "quiet"));
    return chip;
  }

  filter() {
    const words = byId("search").value.trim().toLowerCase();
    const off = new Set([...document.querySelectorAll('input[name="status"]:not(:checked)')].map((box) => box.value));
    const passes = ([id, status, goal, name, maker]) =>
      !off.has(status) && [id, goal, name, maker].some((text) => text.toLowerCase().includes(words));
    let shown = 0;
    for (const [id, row] of this.rows) {
      const inside = [...(this.members.get(id)?.values() ?? [])];
      for (const each of inside) each.row.hidden = !passes(each.run);
      const isWanted = passes(this.runs.get(id)) || words.startsWith(`${id}.`);
      row.hidden = !isWanted && inside.every((each) => each.row.hidden);
      shown += !row.hidden;
    }
    const all = this.runs.size === 1 ? "1 run" : `${this.runs.size.toLocaleString("en")} runs`;
    const none = "No runs yet. `ramify solve` starts one, and it appears here.";
    byId("shown").textContent = !this.runs.size ? none : shown === this.runs.size ? all : `${shown} of ${all}`;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target === byId("search");
    if (event.key === "/" && !isTyping) byId("search").focus();
    else if (event.key === "Escape" && isTyping) {
      byId("search").value = "";
      this.filter();
      this.links()[0]?.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") this.move(event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
  }

  links() {
    return [...this.body.querySelectorAll("tr:not([hidden]) a")];
  }

  move(step) {
    const links = this.links();
    const at = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
  }
}

/** Return the ids of the runs whose members the address has unfolded. */
function openInAddress() {
  return new Set(new URLSearchParams(location.hash.slice(1)).get("open")?.split(",") ?? []);
}

const runs = new RunsView();
new Stream("/api/events", (change) => runs.take(change));
