// The list of runs: rows come and change as the store does; filters and search are made here.

const SEARCH_DELAY_MS = 120;
const AT_FIRST = ["running", "waiting", "stopped", "interrupted", "cancelled", "failed", "partial", "done"];

class RunsView {
  constructor() {
    this.runs = new Map();
    this.rows = new Map();
    this.body = byId("runs").tBodies[0];
    this.listen();
  }

  listen() {
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    byId("tools").addEventListener("change", () => this.filter());
    byId("search").addEventListener("input", settled(() => this.filter(), SEARCH_DELAY_MS));
    document.addEventListener("keydown", (event) => this.onKey(event));
  }

  take({ whole, runs, store }) {
    if (store) byId("store").textContent = store;
    if (whole) {
      this.runs.clear();
      this.rows.clear();
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
    if (known) return;
    this.rows.set(id, row);
    if (isInOrder) this.body.append(row);
    else this.body.prepend(row);
  }

  fill(row, [id, status, goal, name, maker, started, cost, done, all, error, fork]) {
    const link = row.querySelector("a") ?? make("a", "id", id);
    link.href = `/runs/${encodeURIComponent(id)}`;
    const cells = [[link], [make("span", `pill ${status}`, status)], [name ? `${name}: ${goal}` : goal], [maker]];
    if (fork) cells[2].unshift(make("span", "quiet", `fork of ${fork} `));
    if (error) cells[2].push(make("p", "quiet", error));
    const numbers = [all ? `${done.toLocaleString("en")} / ${all.toLocaleString("en")}` : "", cost];
    const made = cells.map((inside) => this.cell("", inside));
    made[2].dir = "auto";
    row.replaceChildren(...made, ...numbers.map((words) => this.cell("number", [words])), this.cell("time", [started]));
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
    let shown = 0;
    for (const [id, row] of this.rows) {
      const [, status, goal, name, maker] = this.runs.get(id);
      const has = [id, goal, name, maker].some((text) => text.toLowerCase().includes(words));
      row.hidden = off.has(status) || !has;
      shown += !row.hidden;
    }
    const all = this.runs.size === 1 ? "1 run" : `${this.runs.size.toLocaleString("en")} runs`;
    const none = "There is no run yet; `ramify solve` starts one, and it comes up here.";
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

const runs = new RunsView();
new Stream("/api/events", (change) => runs.take(change));
