"use strict";

// What every script of a page uses: elements by id, new elements with words in them, and actions that wait.

const byId = (id) => document.getElementById(id);

/** Return a new element with words in it, which never become markup. */
function make(tag, className, words) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (words !== undefined) made.textContent = words;
  return made;
}

/** Have `action` done once nobody has asked for it for some time. */
function settled(action, delayMs) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), delayMs);
  };
}
