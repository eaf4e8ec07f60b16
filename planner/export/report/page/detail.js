// The detail pane: everything about one task. Long texts are put in place when they are opened.

const OPEN_AT_ONCE = 4000;

class DetailView {
  constructor(pane, model, states, onChoose) {
    this.pane = pane;
    this.model = model;
    this.states = states;
    this.onChoose = onChoose;
  }

  /** Show all that is known of a task, with the elements `more` below its content. */
  show(place, details, more = []) {
    const [id, , state] = this.model.rows[place];
    const [name, glyph] = this.states[state];
    const head = make("h3", `title ${name}`);
    head.append(make("span", "glyph", glyph), make("span", "id", id), make("span", "state", name.toLowerCase()));
    const content = make("p", "words", details.content);
    content.dir = "auto";
    this.pane.replaceChildren(
      head,
      content,
      ...more,
      ...this.problem(details),
      ...this.result(details),
      this.facts(place, details),
      ...this.calls(details.calls ?? []),
      ...this.steps(details.steps ?? []),
      ...this.events(details.events ?? []),
    );
    this.pane.scrollTop = 0;
  }

  problem(details) {
    if (!details.error) return [];
    const box = make("div", "problem");
    box.append(make("h4", "", "Error"), this.words(details.error));
    return [box];
  }

  result(details) {
    return details.result ? [make("h4", "", "Result"), this.words(details.result)] : [];
  }

  facts(place, details) {
    const list = make("dl", "facts");
    for (const [name, words] of details.facts ?? []) list.append(this.fact(name, make("dd", "", words)));
    const related = [
      ["part of", this.model.parent(place) < 0 ? [] : [this.model.rows[this.model.parent(place)][0]]],
      ["needs", details.needs ?? []],
    ];
    for (const [name, ids] of related) {
      if (!ids.length) continue;
      const links = make("dd", "links");
      for (const id of ids) links.append(this.link(id));
      list.append(this.fact(name, links));
    }
    for (const [name, words] of details.data ?? []) list.append(this.fact(name, make("dd", "code", words), "broad"));
    return list;
  }

  fact(name, words, className) {
    const pair = make("div", className);
    pair.append(make("dt", "", name), words);
    return pair;
  }

  link(id) {
    const button = make("button", "link", shortened(id));
    button.type = "button";
    const place = this.model.places.get(id);
    button.disabled = place === undefined;
    button.addEventListener("click", () => this.onChoose(place));
    return button;
  }

  calls(calls) {
    if (!calls.length) return [];
    const parts = [make("h4", "", calls.length === 1 ? "1 call" : `${calls.length} calls`)];
    for (const call of calls) {
      const box = make("article", "call");
      box.append(make("h5", "", call.title), make("p", "quiet", call.facts.join(" · ")));
      for (const [role, words] of call.messages) box.append(this.opening(role, textOf(words), false));
      for (const [name, words] of call.tools) box.append(this.opening(`tool call: ${name}`, words, true));
      if (call.reply || !call.tools.length) box.append(this.opening("reply", call.reply, true));
      parts.push(box);
    }
    return parts;
  }

  steps(steps) {
    if (!steps.length) return [];
    const parts = [make("h4", "", steps.length === 1 ? "1 step" : `${steps.length} steps`)];
    for (const step of steps) {
      const box = make("article", "call");
      box.append(make("h5", "", step.title), make("p", "quiet", step.facts.join(" · ")));
      if (step.input) box.append(this.opening("input", step.input, false));
      if (step.output) box.append(this.opening("output", step.output, true));
      parts.push(box);
    }
    return parts;
  }

  /** Return a text that can be opened and closed. */
  opening(name, words, isOpen) {
    const details = make("details", `said ${name.split(":")[0].replaceAll(" ", "-")}`);
    const summary = make("summary", "", name);
    summary.append(make("span", "quiet", ` ${words.length.toLocaleString("en")} characters`));
    details.append(summary);
    const fill = () => {
      if (details.childElementCount === 1) details.append(this.words(words));
    };
    details.addEventListener("toggle", fill);
    if (isOpen && words.length <= OPEN_AT_ONCE) {
      fill();
      details.open = true;
    }
    return details;
  }

  words(words) {
    const box = make("div", "words said-words", words);
    box.dir = "auto";
    return box;
  }

  events(events) {
    if (!events.length) return [];
    const list = make("ol", "events");
    for (const [at, type, words] of events) {
      const item = make("li");
      item.append(make("span", "at", at), make("span", "type", type), make("bdi", "", words));
      list.append(item);
    }
    return [make("h4", "", "What happened"), list];
  }
}

/** Return a text of a message: itself, or the lines that it is made of, of which a number is one that many share. */
function textOf(words) {
  if (typeof words === "string") return words;
  return [words].flat().map((part) => (typeof part === "number" ? block("texts")[part] : part)).join("\n");
}
