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
  const inCall = (call) => has(call.reply) || call.messages.some(([, text]) => has(text)) || call.tools.flat().some(has);
  const inStep = (step) => has(step.input) || has(step.output);
  return (
    [details.content, details.result, details.error].some(has) ||
    (details.calls ?? []).some(inCall) ||
    (details.steps ?? []).some(inStep)
  );
}

new ReportedTasks(block("tasks"));
for (const id of ["graph", "timeline"]) new PictureView(byId(id)).settle();
