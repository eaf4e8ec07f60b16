// The report: its tasks have their details in the page.

class ReportedTasks extends TasksView {
  showDetail(place) {
    this.detail.show(place, detailsOf(place));
  }

  hasDeepWords(place, words) {
    return hasDeepWords(detailsOf(place), words);
  }
}

/** Return whether a task's content, result, error, or its own part of a message holds `words`. */
function hasDeepWords(details, words) {
  const has = (text) => typeof text === "string" && text.toLowerCase().includes(words);
  const inCall = (call) =>
    has(call.reply) || call.messages.some(([, text]) => [text].flat().some(has)) || call.tools.flat().some(has);
  const inStep = (step) => has(step.input) || has(step.output);
  return (
    [details.content, details.result, details.error].some(has) ||
    (details.calls ?? []).some(inCall) ||
    (details.steps ?? []).some(inStep)
  );
}

/** Put the pictures in place that are packed: those for dark screens and for paper. */
function unpackPicture(source) {
  source.srcset = `data:image/svg+xml,${encodeURIComponent(textIn(source.dataset.block))}`;
}

new ReportedTasks(block("tasks"));
document.querySelectorAll("source[data-block]").forEach(unpackPicture);
for (const id of ["graph", "timeline"]) new PictureView(byId(id)).settle();
