// The tasks: the tree, the detail pane, the search, the filters and the address, tied together.

const SEARCH_DELAY_MS = 120;
const NOTE_DELAY_MS = 250;

/** Have the address name a task; a page in a frame's `srcdoc` has no address that could. */
function noteAddress(id) {
  try {
    history.replaceState(null, "", `#task=${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
}

/** A page says in a class of its own what stands in the detail pane, and whether a task holds words deep inside. */
class TasksView {
  constructor({ rows, states }) {
    this.rows = rows;
    this.states = states;
    this.model = new TreeModel(rows);
    this.detail = new DetailView(byId("detail"), this.model, states, (place) => this.tree.choose(place));
    // browsers refuse too many changes of the address at a time
    this.noteAddress = settled(noteAddress, NOTE_DELAY_MS);
    this.tree = new TreeView(byId("tree"), this.model, states, (place) => {
      this.showDetail(place);
      this.noteAddress(this.rows[place][0]);
    });
    this.listenToTools();
    this.listenToKeys();
    addEventListener("hashchange", () => this.chooseFromAddress());
    addEventListener("beforeprint", () => this.tree.print(true));
    addEventListener("afterprint", () => this.tree.print(false));
    this.apply();
    if (!this.chooseFromAddress()) this.showDetail(0);
  }

  listenToTools() {
    const search = byId("search");
    search.addEventListener("input", settled(() => this.apply(), SEARCH_DELAY_MS));
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "ArrowDown") return;
      event.preventDefault();
      this.goToFirst();
    });
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    byId("tools").addEventListener("change", (event) => {
      if (event.target.type === "checkbox") this.apply();
    });
    byId("fold").addEventListener("click", () => this.foldAll(true));
    byId("unfold").addEventListener("click", () => this.foldAll(false));
  }

  listenToKeys() {
    byId("tree").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      byId("detail").focus();
      byId("detail").scrollIntoView({ block: "nearest" });
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target === byId("search");
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        byId("search").focus();
      } else if (event.key === "Escape" && isTyping && byId("search").value) {
        byId("search").value = "";
        this.apply();
      } else if (event.key === "Escape") byId("tree").focus();
    });
  }

  /** Show what passes the search and the filters, and say how much that is. */
  apply() {
    const passes = this.filter();
    const found = this.model.filter(passes);
    this.tree.refresh();
    this.tellShown(passes, found);
  }

  tellShown(passes, found) {
    const all = this.rows.length === 1 ? "1 task" : `${this.rows.length.toLocaleString("en")} tasks`;
    byId("shown").textContent = passes === null ? all : `${found.toLocaleString("en")} of ${all}`;
  }

  /** Return whether a row passes, as a function of its place; null if nothing is asked for. */
  filter() {
    const words = byId("search").value.trim().toLowerCase();
    const boxes = [...document.querySelectorAll('input[name="state"]')];
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    if (!words && wanted.size === boxes.length) return null;
    const isDeep = byId("deep").checked;
    return (place) =>
      wanted.has(this.states[this.rows[place][2]][0]) &&
      (!words || hasWords(this.rows[place], words) || (isDeep && this.hasDeepWords(place, words)));
  }

  goToFirst() {
    this.apply();
    const first = this.model.matches ? this.model.matches.indexOf(2) : this.tree.current;
    if (first < 0) return;
    this.tree.choose(first);
    byId("tree").focus();
  }

  foldAll(folded) {
    this.model.foldAll(folded);
    this.tree.refresh();
    this.tree.settle();
  }

  /** Choose the task that the address names; return whether it names one. */
  chooseFromAddress() {
    const place = this.model.places.get(new URLSearchParams(location.hash.slice(1)).get("task"));
    if (place !== undefined) this.tree.choose(place);
    return place !== undefined;
  }
}

function hasWords([id, , , content], words) {
  return id.toLowerCase().includes(words) || content.toLowerCase().includes(words);
}
