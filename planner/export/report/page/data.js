// The data that the page carries: blocks of JSON, packed where there is much, each parsed when it is first asked for.

const parsed = new Map();

function block(id) {
  if (!parsed.has(id)) {
    const { textContent, dataset } = document.getElementById(`data-${id}`);
    parsed.set(id, JSON.parse(dataset.size ? unpacked(textContent.trim(), Number(dataset.size)) : textContent));
  }
  return parsed.get(id);
}

/** Return all that is known of the task in row `place`. */
function detailsOf(place) {
  const { chunk } = block("tasks");
  return block(`details-${Math.floor(place / chunk)}`)[place % chunk];
}
