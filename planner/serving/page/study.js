// A study: what it has found so far, asked for again when it is seen and something has changed.

class StudyView extends LoadedWhenSeen {
  constructor(runAddress) {
    super(byId("study"));
    this.address = `${runAddress}/study`;
  }

  async load() {
    const study = await asked(this.address);
    const words = JSON.stringify([study, DARK.matches]);
    if (!study.error && words !== this.words) this.show(study);
    this.words = study.error ? this.words : words;
    this.loaded();
  }

  show({ facts, advice, plots, tables, notes }) {
    byId("advice").textContent = advice;
    byId("study-facts").replaceChildren(...facts.map((each) => make("p", "quiet", each)));
    this.showPlots(plots);
    const found = tables.flatMap((table) => this.table(table));
    const told = notes.map((each) => make("p", "quiet", each));
    byId("study-tables").replaceChildren(...found, ...told);
  }

  /** A picture that is there stays until the next one has come. */
  showPlots(plots) {
    const box = byId("plots");
    this.number = (this.number ?? 0) + 1;
    plots.forEach(async ([name, words], place) => {
      const image = new Image();
      image.alt = words;
      image.src = `${this.address}/${name}.svg?theme=${DARK.matches ? "dark" : "light"}&n=${this.number}`;
      const old = box.children[place];
      if (old) await image.decode().catch(() => {});
      if (old) old.replaceWith(image);
      else box.append(image);
    });
    while (box.children.length > plots.length) box.lastChild.remove();
  }

  table({ title, head, rows }) {
    const table = make("table");
    const top = make("tr");
    top.append(...head.map((name, place) => this.head(name, place)));
    const body = make("tbody");
    body.append(...rows.map((row) => this.row(row, head)));
    const thead = make("thead");
    thead.append(top);
    table.append(thead, body);
    const wide = make("div", "wide");
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", title]]) wide.setAttribute(name, value);
    wide.append(table);
    return [make("h3", "", title), wide];
  }

  head(name, place) {
    const cell = make("th", place ? "number" : "", name);
    cell.scope = "col";
    return cell;
  }

  row(words, head) {
    const row = make("tr");
    row.append(...words.map((each, place) => this.cell(each, place, head[place])));
    return row;
  }

  cell(words, place, name) {
    const look = ["helped", "hurt"].includes(words) ? ` ${words}` : "";
    const cell = make("td", `${place ? "number" : ""}${look}`, name === "run" ? "" : words);
    cell.dir = "auto";
    if (name === "run" && words) cell.append(runLink(words));
    return cell;
  }
}

/** Return a link to a run. */
function runLink(id, words = id) {
  const link = make("a", "id", words);
  link.href = `/runs/${encodeURIComponent(id)}`;
  return link;
}
