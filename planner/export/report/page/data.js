"use strict";

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

/** Return a text of a message: itself, or the one that is shared under its number. */
function textOf(words) {
  return typeof words === "number" ? block("texts")[words] : words;
}

/** Return a new element with words in it, which never become markup. */
function make(tag, className, words) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (words !== undefined) made.textContent = words;
  return made;
}
