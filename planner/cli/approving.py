"""`--approve plan`: a person sees a plan before it is run, and may change it in an editor, or say what to change.

The run waits in the store all the while, with its plan: whatever ends this process, nothing is lost. An edit is checked
before it is stored; what is wrong with it is shown, and the editor opens again.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Protocol

from ramify.planner.errors import UsageError
from ramify.planner.executor import Executor
from ramify.planner.run import Run
from ramify.planner.running.editing import PlanEdit
from ramify.planner.runtime.output_files import write_text
from ramify.tasks import DocumentError, Task, TaskState, TreeError
from ramify.tasks.counting import counted
from ramify.tasks.plans.plans import load_plan, plan_text, write_plan
from ramify.tasks.tree.text import tree_text

from .carrying import resume_command
from .editor import is_saved
from .exits import RunCancelledError
from .output import tell, tell_error

_MOST_LINES = 200
_HEAD = """\
# The plan of run {run}. Save the file and close the editor to run it; tasks that you remove are not run.
"""


class Opener(Protocol):
    """Opens a run again that has ended with its plan complete."""

    def go_on(self, run_id: str, plan: Task | None = None) -> Run:
        """Return the run, which goes on with its plan, or with another one."""

    def revise(self, run_id: str, words: str) -> Run:
        """Return the run, in which the planner is asked for another plan in a person's words, and no more."""


class Steered:
    """Opens a run again whose plan was changed while it was under way.

    Args:
        store: where it is stored.
        **options: with which it is carried on; see `ResumeOptions`.
    """

    def __init__(self, store: str | None, **options: Any) -> None:
        self._store = store
        self._options = options

    def go_on(self, run_id: str, plan: Task | None = None) -> Run:
        """Return the run, which goes on with its plan, or with another one."""
        return Executor.reopen(self._store, run_id, edit=PlanEdit(plan=plan, approves=True), **self._options)

    def revise(self, run_id: str, words: str) -> Run:
        """Return the run, in which the planner is asked to change what is open in a person's words, and no more."""
        return Executor.reopen(self._store, run_id, edit=PlanEdit(steer=words, waits=True), **self._options)


def approved_run(executor: Opener, run: Run, store: str | None) -> Run | None:
    """Return the run that goes on with the plan of `run`, edited or not; None if nobody says that it may.

    Args:
        executor: opens it again.
        run: a run that has ended with its plan complete.
        store: where it is stored, as it was said.
    """
    _show(run.task)
    if not sys.stdin.isatty():
        tell("nobody was asked: this is not a terminal")
        return None
    while True:
        answer = _answer("Run this plan? [y]es, [e]dit and run, [r]evise: WORDS, [n]o: ", "yern")
        if answer[0] != "n" and Executor.status(store, run.id).status == "cancelled":
            raise RunCancelledError(
                f"run {run.id} was cancelled meanwhile; run its plan with `{resume_command(run.id, store)}`"
            )
        if answer[0] == "y":
            return executor.go_on(run.id)
        if answer[0] == "n":
            return None
        go_on = _edited_run(executor, run, store) if answer[0] == "e" else _revised_run(executor, run, answer)
        if go_on is not None:
            return go_on


def _revised_run(executor: Opener, run: Run, answer: str) -> Run | None:
    """Return the run in which the planner is asked for the plan that a person wants; None if they want none."""
    words = answer.partition(":")[2].strip() or _line("What should change? ").strip()
    if words.partition(":")[0].strip().lower() in {"r", "revise"}:
        words = words.partition(":")[2].strip()
    if not words:
        return None
    try:
        return executor.revise(run.id, words)
    except UsageError as error:
        tell_error(str(error))
        return None


def _edited_run(executor: Opener, run: Run, store: str | None) -> Run | None:
    """Return the run that goes on with what the person has made of the plan; None if nothing was made of it."""
    folder = Path(tempfile.mkdtemp(prefix="ramify-"))
    path = folder / f"{run.id}.yaml"
    written = _HEAD.format(run=run.id) + write_plan(run.task)
    write_text(path, written)
    tell(f"the plan is in {path}; if this process ends, run the saved file with")
    tell(resume_command(run.id, store, "--plan", str(path)))
    while is_saved(path, "the plan"):
        try:
            if plan_text(path) == written:
                tell("no changes")
                break
            edited = executor.go_on(run.id, load_plan(path))
        except (DocumentError, TreeError, UsageError) as error:
            tell_error(str(error))
            if _answer("[e]dit again, or [n]o changes: ", "en")[0] == "n":
                break
        else:
            shutil.rmtree(folder, ignore_errors=True)
            return edited
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _answer(question: str, letters: str) -> str:
    """Return a person's answer, from the first of the letters; the last letter if there is no answer."""
    while True:
        line = _line(question)
        if not line:
            return letters[-1]
        answer = line.strip()
        if (letter := answer.lower()[:1]) and letter in letters:
            return f"{letter}{answer[1:]}"


def _line(question: str) -> str:
    """Return the line that a person answers; nothing if there is no answer."""
    sys.stderr.write(question)
    sys.stderr.flush()
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    if not line:
        tell("")
    return line


def _show(root: Task) -> None:
    """Show a plan as it would be run; of one that is under way all that there is, with its states."""
    kept = {task for task in root.walk() if task.state is not TaskState.DELETED}
    has_begun = any(task.state is not TaskState.OPEN for task in kept)
    shown = root.to_string(state=True) if has_begun else tree_text(root, "", state=False, kept=kept, others="removed")
    lines = shown.rstrip().splitlines()
    tell("\n".join(lines[:_MOST_LINES]))
    if len(lines) > _MOST_LINES:
        tell(f"... and {counted(len(lines) - _MOST_LINES, 'more line')}")
