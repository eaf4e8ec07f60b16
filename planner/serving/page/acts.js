// What can be done to a run: the buttons, the dialog that asks for words, and what came of it.

const ACTS = {
  approve: { name: "Approve the plan", main: true },
  revise: { name: "Revise the plan…", asks: "What should change in the plan?", yes: "Ask for another plan" },
  answer: { name: "Answer…", main: true, asks: "Your answer to all the questions", yes: "Answer" },
  go_on: { name: "Resume", main: true },
  retry: { name: "Retry what failed", main: true },
  steer: { name: "Steer…", asks: "What should change in the unfinished part of the plan?", yes: "Ask the planner" },
  pause: { name: "Pause" },
  limits: { name: "Limits…", yes: "Change", warns: "Usage so far counts. Leave a limit empty to keep it." },
  cancel: { name: "Cancel", warns: "Stops the tasks in progress. You can resume the run later." },
  fork: { name: "Fork", warns: "Continues a copy of the run. Finished tasks are shared and cost nothing." },
};

const TASK_ACTS = {
  again: { name: "Run again", warns: "Runs this task, its subtasks and its dependents again." },
  fork: { name: "Fork from here", warns: "Runs this task and its dependents again in a copy of the run." },
};

class ActsView {
  constructor(runAddress) {
    this.runAddress = runAddress;
    this.offered = {};
    this.drawn = "";
    byId("dialog-no").addEventListener("click", () => byId("dialog").close(""));
    byId("dialog-words").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("dialog-form").requestSubmit();
    });
  }

  /** Show what the run offers now; buttons that stay are not made anew, as somebody may be about to press one. */
  show(offered) {
    this.offered = offered;
    const names = Object.keys(ACTS).filter((name) => name in offered);
    if (names.join() === this.drawn) return;
    this.drawn = names.join();
    byId("acts").replaceChildren(...names.map((name) => this.button(name, ACTS[name], {})));
  }

  /** Return the buttons for one task; for one that has not begun, there is nothing to do again. */
  forTask(id, isBegun) {
    const names = Object.keys(TASK_ACTS).filter((name) => isBegun && name in this.offered);
    if (!names.length) return [];
    const box = make("p", "task-acts");
    box.append(...names.map((name) => this.button(name, TASK_ACTS[name], { task: id })));
    return [box];
  }

  button(name, act, given) {
    const button = make("button", act.main ? "main" : "", act.name);
    button.type = "button";
    button.addEventListener("click", () => this.start(name, act, given));
    return button;
  }

  async start(name, act, given) {
    const limits = this.offered[name]?.limits ?? {};
    const asks = act.asks || act.warns || Object.keys(limits).length;
    const more = asks ? await this.askedFor(name, act, given, limits) : {};
    if (more === null) return;
    byId("said").textContent = "…";
    const body = JSON.stringify({ ...given, ...more });
    const headers = { "content-type": "application/json" };
    const done = await asked(`${this.runAddress}/acts/${name}`, { method: "POST", headers, body });
    byId("said").classList.toggle("none", "error" in done);
    byId("said").textContent = done.error ?? done.said;
    if (done.run) {
      const link = make("a", "", `Open run ${done.run}`);
      link.href = `/runs/${encodeURIComponent(done.run)}`;
      byId("said").append(" ", link);
    }
  }

  /** Return what is said in the dialog, as data; null if it was left. */
  askedFor(name, act, { task }, limits) {
    const dialog = byId("dialog");
    const fields = Object.entries(limits).map(([limit, most]) => this.field(limit, most));
    const questions = this.offered[name]?.questions ?? [];
    byId("dialog-title").textContent = act.name.replace("…", "") + (task ? `: task ${task}` : "");
    byId("dialog-about").replaceChildren(
      ...questions.map((question) => make("p", "words", question)),
      ...(act.warns ? [make("p", "quiet", act.warns)] : []),
      ...fields,
    );
    byId("dialog-label").hidden = !act.asks;
    byId("dialog-label").querySelector("span").textContent = act.asks ?? "";
    byId("dialog-words").required = Boolean(act.asks);
    byId("dialog-words").value = "";
    byId("dialog-yes").textContent = act.yes ?? act.name;
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      const settle = () => resolve(dialog.returnValue === "yes" ? this.said(act, fields) : null);
      dialog.addEventListener("close", settle, { once: true });
    });
  }

  /** Return an input for a limit; an empty one leaves the limit as it is. */
  field(limit, most) {
    const label = make("label", "limit", `${limit} `);
    const input = make("input");
    Object.assign(input, { type: "number", name: limit, min: 0, step: "any", value: most ?? "" });
    label.append(input);
    return label;
  }

  said(act, fields) {
    const inputs = fields.map((field) => field.querySelector("input")).filter((input) => input.value !== "");
    const limits = Object.fromEntries(inputs.map((input) => [input.name, Number(input.value)]));
    return { ...(act.asks ? { words: byId("dialog-words").value } : {}), ...(fields.length ? { limits } : {}) };
  }
}
