// One run as it goes on: its head, and its tasks, of which only what has changed is sent.

const RUN = decodeURIComponent(location.pathname.split("/").pop());
const RUN_ADDRESS = `/api/runs/${encodeURIComponent(RUN)}`;
const STATES = JSON.parse(byId("data-states").textContent);
const DETAIL_DELAY_MS = 400;

/** Return the rows of a tree in its order, with the place of the parent in each, from rows with the ids of parents. */
function inOrder(byTask) {
  const children = new Map();
  for (const row of byTask.values()) {
    if (!children.has(row[1])) children.set(row[1], []);
    children.get(row[1]).push(row);
  }
  const rows = [];
  const open = (children.get(null) ?? []).map((row) => [row, -1]);
  while (open.length) {
    const [row, parent] = open.pop();
    const below = children.get(row[0]) ?? [];
    for (let i = below.length - 1; i >= 0; i--) open.push([below[i], rows.length]);
    rows.push([row[0], parent, ...row.slice(2)]);
  }
  return rows;
}

class LiveTasks extends TasksView {
  /** Show the tasks as they are now; `touched` are the ids of those that are different, null if any may be. */
  update(byTask, touched) {
    if (touched === null) this.adopt(new TreeModel(inOrder(byTask)));
    else this.change(byTask, touched);
    const current = this.rows[this.tree.current][0];
    if (touched === null || touched.has(current)) this.readAgain();
  }

  adopt(model) {
    model.carry(this.model);
    this.rows = model.rows;
    this.detail.model = model;
    this.model = model;
    const passes = this.filter();
    const found = model.filter(passes);
    this.tree.adopt(model);
    this.tellShown(passes, found);
  }

  change(byTask, touched) {
    let isOther = false;
    for (const id of touched) {
      const place = this.model.places.get(id);
      const [, , ...now] = byTask.get(id);
      isOther ||= this.rows[place][2] !== now[0] || Boolean(now[3]) !== Boolean(this.rows[place][5]);
      this.rows[place].splice(2, now.length, ...now);
    }
    if (isOther && (this.model.matches || !this.tree.hasCosts)) this.apply();
    else for (const id of touched) this.tree.touch(this.model.places.get(id));
  }

  /** What the pane shows is asked for; what comes too late, as another task was chosen since, is thrown away. */
  async showDetail(place) {
    const id = this.rows[place][0];
    const isOther = this.shown !== id;
    this.wanted = id;
    const details = await asked(`${RUN_ADDRESS}/task?id=${encodeURIComponent(id)}`);
    if (this.wanted !== id) return;
    if (details.error && !details.content) details.content = details.error;
    const words = JSON.stringify([this.rows[this.model.places.get(id)], details, Object.keys(acts.offered)]);
    if (words === this.words) return;
    this.words = words;
    this.shown = id;
    const { pane } = this.detail;
    const { scrollTop } = pane;
    const open = isOther ? [] : [...pane.querySelectorAll("details")].map((each) => each.open);
    this.detail.show(this.model.places.get(id), details, [...this.ownRun(details), ...this.actsFor(id)]);
    if (isOther) return;
    pane.querySelectorAll("details").forEach((each, i) => (each.open = open[i] ?? each.open));
    pane.scrollTop = scrollTop;
  }

  actsFor(id) {
    const [, , state] = this.rows[this.model.places.get(id)];
    return acts.forTask(id, this.states[state][0] !== "OPEN");
  }

  /** A trial of a study, and a variant of a sweep, is done by a run of its own. */
  ownRun({ run }) {
    if (!run) return [];
    const line = make("p", "own-run");
    line.append(runLink(run, `Open run ${run}`));
    return [line];
  }

  readAgain() {
    this.reading ??= settled(() => this.showDetail(this.tree.current), DETAIL_DELAY_MS);
    this.reading();
  }

  /** Words inside are looked for by the server, once for each words; what it has found passes. */
  hasDeepWords(place, words) {
    if (this.sought !== words) this.seek(words);
    return this.found?.has(this.rows[place][0]) ?? false;
  }

  async seek(words) {
    this.sought = words;
    this.found = null;
    const { tasks } = await asked(`${RUN_ADDRESS}/search?words=${encodeURIComponent(words)}`);
    if (this.sought !== words) return;
    this.found = new Set(tasks ?? []);
    this.apply();
  }
}

/** A picture that the server draws, asked for again when it is seen and something has changed. */
class LivePicture extends LoadedWhenSeen {
  constructor(section) {
    super(section);
    this.view = new PictureView(section);
    this.name = section.id;
    this.number = 0;
  }

  async load() {
    const image = new Image();
    image.alt = this.name === "graph" ? "The tree with the state of each task" : "When each task ran";
    image.src = `${RUN_ADDRESS}/${this.name}.svg?theme=${DARK.matches ? "dark" : "light"}&n=${++this.number}`;
    try {
      await image.decode();
      if (this.image) this.image.replaceWith(image);
      else this.view.box.replaceChildren(image);
      this.image = image;
      await this.view.settle();
    } catch {
      // the next change asks again
    }
    this.loaded();
  }
}

/** What stands above and around the tasks. */
class HeadView {
  show(run) {
    const words = JSON.stringify(run);
    if (words === this.words) return; // somebody may be marking what is there
    this.words = words;
    byId("goal").textContent = run.goal;
    document.title = `${run.goal} · Ramify`;
    byId("whole").hidden = !run.whole;
    byId("whole").querySelector(".words").textContent = run.whole;
    byId("status").className = `pill ${run.status}`;
    byId("status").textContent = run.status;
    byId("run-id").textContent = run.id;
    byId("made-by").textContent = run.made_by;
    byId("inside").hidden = !run.inside;
    byId("inside").querySelector("a").textContent = run.inside;
    byId("inside").querySelector("a").href = `/runs/${encodeURIComponent(run.inside)}`;
    byId("report").href = `${RUN_ADDRESS}/report.html`;
    byId("study-page").href = `${RUN_ADDRESS}/study.html`;
    for (const each of document.querySelectorAll(".of-study")) each.hidden = !run.is_study;
    for (const each of document.querySelectorAll(".not-of-study")) each.hidden = run.is_study; // it is in the tables
    byId("facts").replaceChildren(...run.facts.map(([name, words]) => this.fact(name, words)));
    byId("why").hidden = !run.why;
    byId("why").textContent = run.why;
    byId("answer-words").hidden = Boolean(run.why);
    byId("answer-words").textContent = run.answer;
    this.counts(run.counts);
  }

  fact(name, words) {
    const pair = make("div");
    pair.append(make("dt", "", name), make("dd", "", words));
    return pair;
  }

  counts(counts) {
    STATES.forEach(([state], i) => {
      const chip = document.querySelector(`.chip.${state}`);
      chip.hidden = !counts[i];
      chip.querySelector(".quiet").textContent = counts[i].toLocaleString("en");
    });
  }
}

/** The versions of the plan, each with what is different in it. */
class PlansView {
  async show() {
    const { plans } = await asked(`${RUN_ADDRESS}/plans`);
    if (plans) byId("plan-list").replaceChildren(...plans.map((plan) => this.plan(plan)));
  }

  plan(plan) {
    const item = make("li");
    const when = plan.at ? `${new Date(plan.at * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC` : "";
    const by = { person: "edited by a person", steer: "changed by the planner at a person's request", replan: "changed after a failure" }[plan.by];
    item.append(make("p", "quiet", [`plan ${plan.plan}`, by ?? "original plan", when].filter(Boolean).join(" · ")));
    if (plan.words) item.append(make("p", "words", plan.words));
    for (const [id, why] of Object.entries(plan.failed)) item.append(make("p", "words none", `${id} failed: ${why}`));
    for (const change of plan.changes) item.append(this.change(change));
    if (plan.redone.length) item.append(make("p", "quiet", `done again: ${plan.redone.join(", ")}`));
    return item;
  }

  change({ task, change, fields }) {
    const line = make("p", `words change ${change}`);
    const content = fields.content?.new ?? fields.content?.old ?? "";
    const others = Object.keys(fields).filter((name) => name !== "content");
    const more = change === "changed" && others.length ? ` (${others.join(", ")})` : "";
    line.append(make("span", "quiet", change), " ", make("span", "id", task), ` ${content}${more}`);
    return line;
  }
}

const DARK = matchMedia("(prefers-color-scheme: dark)");
const acts = new ActsView(RUN_ADDRESS);
const head = new HeadView();
const plans = new PlansView();
const study = new StudyView(RUN_ADDRESS);
const pictures = ["graph", "timeline"].map((id) => new LivePicture(byId(id)));
const byTask = new Map();
let tasks = null;

/** Take in a difference: the head, and the tasks that are new or different. */
function take({ run, whole, tasks: rows }) {
  if (!run.id) return;
  head.show(run);
  acts.show(run.acts);
  if (whole) byTask.clear();
  const isGrown = whole || rows.some(([id]) => !byTask.has(id));
  for (const row of rows) byTask.set(row[0], row);
  if (tasks === null) tasks = new LiveTasks({ rows: inOrder(byTask), states: STATES });
  else if (rows.length) tasks.update(byTask, isGrown ? null : new Set(rows.map(([id]) => id)));
  if (whole || !plans.isShown) plansSoon();
  plans.isShown = true;
  for (const picture of pictures) picture.changed();
  if (run.is_study) study.changed();
}

const plansSoon = settled(() => plans.show(), DETAIL_DELAY_MS);
new Stream(`${RUN_ADDRESS}/events`, take);
