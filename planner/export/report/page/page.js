// The page: ties the tree, the detail pane, the search and the filters together.

const SEARCH_DELAY_MS = 120;

function startPage() {
  const byId = (id) => document.getElementById(id);
  const { rows, states } = block("tasks");
  const model = new TreeModel(rows);
  const detail = new DetailView(byId("detail"), model, states, (place) => tree.choose(place));
  const tree = new TreeView(byId("tree"), model, states, (place) => {
    detail.show(place);
    history.replaceState(null, "", `#task=${encodeURIComponent(rows[place][0])}`);
  });

  function wantedStates() {
    const boxes = [...document.querySelectorAll('input[name="state"]')];
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    return wanted.size === boxes.length ? null : wanted;
  }

  /** Return whether a row passes, as a function of its place; null if nothing is asked for. */
  function filter() {
    const words = byId("search").value.trim().toLowerCase();
    const wanted = wantedStates();
    if (!words && !wanted) return null;
    const isDeep = byId("deep").checked;
    return (place) =>
      (!wanted || wanted.has(states[rows[place][2]][0])) &&
      (!words || hasWords(rows[place], words) || (isDeep && hasDeepWords(detailsOf(place), words)));
  }

  function apply() {
    const passes = filter();
    const found = model.filter(passes);
    tree.refresh();
    byId("shown").textContent =
      passes === null ? `${rows.length.toLocaleString("en")} tasks` : `${found.toLocaleString("en")} of ${rows.length.toLocaleString("en")} tasks`;
    return found;
  }

  let timer;
  byId("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, SEARCH_DELAY_MS);
  });
  byId("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    clearTimeout(timer);
    if (apply() === 0) return;
    const first = model.matches ? model.matches.indexOf(2) : tree.current;
    tree.choose(first);
    tree.box.focus();
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("tools").addEventListener("change", (event) => {
    if (event.target.type === "checkbox") apply();
  });
  for (const [id, folded] of [["fold", true], ["unfold", false]]) {
    byId(id).addEventListener("click", () => {
      model.foldAll(folded);
      tree.refresh();
      tree.settle();
    });
  }

  tree.box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      byId("detail").focus();
      byId("detail").scrollIntoView({ block: "nearest" });
    }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      byId("search").focus();
    } else if (event.key === "Escape" && event.target === byId("search") && byId("search").value) {
      byId("search").value = "";
      apply();
    } else if (event.key === "Escape") tree.box.focus();
  });
  addEventListener("beforeprint", () => tree.print(true));
  addEventListener("afterprint", () => tree.print(false));

  function chooseFromAddress() {
    const wanted = location.hash.match(/^#task=(.+)$/);
    const place = wanted ? model.places.get(decodeURIComponent(wanted[1])) : undefined;
    if (place === undefined) return false;
    tree.choose(place);
    return true;
  }

  apply();
  addEventListener("hashchange", chooseFromAddress);
  if (!chooseFromAddress()) detail.show(0);
}

const LEAST_SCALE = 0.6;

/** Show a picture whole where it can be read so, else at its own size; a button changes that. */
function startPicture(section) {
  const box = section.querySelector(".picture");
  const image = section.querySelector("img");
  const button = section.querySelector(".size");
  if (!image) return;
  const fit = (isFitted) => {
    box.classList.toggle("fitted", isFitted);
    button.setAttribute("aria-pressed", isFitted);
    // the root stands half way down
    if (!isFitted && section.id === "graph") box.scrollTop = (image.naturalHeight - box.clientHeight) / 2;
  };
  image.decode().then(() => {
    const room = Math.min(box.clientWidth / image.naturalWidth, box.clientHeight / image.naturalHeight);
    button.hidden = room >= 1;
    fit(room >= LEAST_SCALE);
  });
  button.addEventListener("click", () => fit(!box.classList.contains("fitted")));
}

function hasWords(row, words) {
  return row[0].toLowerCase().includes(words) || row[3].toLowerCase().includes(words);
}

/** Return whether a task's content, result, error, or its own part of a message holds `words`. */
function hasDeepWords(details, words) {
  const has = (text) => typeof text === "string" && text.toLowerCase().includes(words);
  if (has(details.content) || has(details.result) || has(details.error)) return true;
  return (details.calls ?? []).some(
    (call) => has(call.reply) || call.messages.some(([, text]) => has(text)) || call.tools.some((tool) => tool.some(has)),
  );
}

startPage();
document.querySelectorAll("main > section:has(.picture)").forEach(startPicture);
