// The data that the page carries: blocks of JSON, packed where there is much, each parsed when it is first asked for.

const WINDOW = 32768;
const parsed = new Map();
const models = new Map();

function block(id) {
  if (!parsed.has(id)) parsed.set(id, JSON.parse(textIn(id)));
  return parsed.get(id);
}

/** Return the text in a block. */
function textIn(id) {
  const { textContent, dataset } = document.getElementById(`data-${id}`);
  return dataset.size ? new TextDecoder().decode(bytesOf(id)) : textContent;
}

/** Return the bytes that are packed in a block; it may repeat what stands at the end of the one that it is like. */
function bytesOf(id) {
  const { textContent, dataset } = document.getElementById(`data-${id}`);
  return unpacked(textContent.trim(), Number(dataset.size), dataset.like ? endOf(dataset.like) : new Uint8Array());
}

function endOf(id) {
  if (!models.has(id)) models.set(id, bytesOf(id).slice(-WINDOW));
  return models.get(id);
}

/** Return all that is known of the task in row `place`. */
function detailsOf(place) {
  const { chunk } = block("tasks");
  return block(`details-${Math.floor(place / chunk)}`)[place % chunk];
}
