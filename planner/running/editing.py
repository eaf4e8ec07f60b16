"""Changing the plan of a stored run: a change is written whole or not at all, by whoever holds the run, as an event.

What the run goes on with afterwards stands in `ramify.tasks.tree.edits`: results that nothing has changed for are kept,
all others are made again, in attempts with new numbers.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from ramify.planner.errors import UsageError
from ramify.planner.events.events import EventType
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.runtime.terminal import printable
from ramify.planner.store import Store, StoreReader
from ramify.planner.store.changes import (
    Change,
    EventHappened,
    RunChanged,
    StepsForgotten,
    TaskAdded,
    TaskChanged,
    TaskEdited,
)
from ramify.planner.store.records import REVISING_PHASE, RUNNING_PHASE, EventRecord
from ramify.planner.store.rows import PROGRESS_COLUMNS, rows_of_tree
from ramify.planner.work.special_types import SCRIPT
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.edits import Difference, carry_over, give_result, open_failed, redo
from ramify.tasks.tree.partial import partial_tasks

from .asking_steps import said_of_steps
from .clarifying import answers_of, open_questions, with_answers
from .steering import KEPT, failed_tasks, pending_steer, steer_data

HISTORY = (
    EventType.PLANNED,
    EventType.PLAN_EDITED,
    EventType.PLAN_APPROVED,
    EventType.PLAN_REVISED,
    EventType.PLAN_STEERED,
)
"""The events that tell how a plan became what it is."""

LONGEST_WISH = 4_000
"""The most characters of the words that are put to the planner."""

_BEGUN = frozenset({TaskState.RUNNING, TaskState.DONE, TaskState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEdit:
    """What is to be changed in the plan of a run.

    Attributes:
        plan: the whole plan as it is to be; None changes only what is said besides.
        contents: new contents, by task id.
        results: a person's own results, by task id.
        again: ids of tasks that are done again, with all below them, although nothing is different.
        failed: whether tasks that have failed are done again, and those that were answered without them.
        approves: whether this is the word that the plan may be run.
        answer: the answer to what the model has asked about the goal.
        wish: how the plan is to be, in words for the planner; nothing of it may have begun.
        step_done: what came of steps of which nobody knew whether they were taken; see `ResumeOptions`.
        step_again: which of them are to be taken again.
        steer: how what is open of the plan is to be, in words for the planner; tasks that have failed are open too.
        waits: whether the run waits for a word once the plan has been changed so.
    """

    plan: Task | None = None
    contents: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    again: Sequence[str] = ()
    failed: bool = False
    approves: bool = False
    answer: str | None = None
    wish: str | None = None
    step_done: Mapping[str, JsonValue] = field(default_factory=dict)
    step_again: Sequence[str] = ()
    steer: str | None = None
    waits: bool = False

    def __bool__(self) -> bool:
        is_said = any(words is not None for words in (self.answer, self.wish, self.steer))
        return bool(self.changes_tasks or self.says_of_steps or self.approves or is_said)

    @property
    def changes_tasks(self) -> bool:
        """Whether tasks are others than before, or done again."""
        return bool(self.plan or self.contents or self.results or self.again or self.failed)

    @property
    def says_of_steps(self) -> bool:
        """Whether it says what became of steps."""
        return bool(self.step_done or self.step_again)

    def applied(self, old: Task) -> Task:
        """Return the tree `old` as it is to be; neither `old` nor a given plan is changed.

        Raises:
            TreeError: if there is no task with one of the ids; ids that come near are shown.
            UsageError: if a content or result is blank, or its task is DELETED.
        """
        new = deepcopy(old if self.plan is None else self.plan)
        for task_id, content in self.contents.items():
            _living(new, task_id, content, "content").content = content
        for task_id, result in self.results.items():
            if task_id in self.again:
                raise UsageError(f"task {task_id} gets a result and is also to run again; leave one out")
            give_result(_living(new, task_id, result, "result"), result)
        return new


def edit_run(
    store: Store,
    run_id: str,
    edit: PlanEdit,
    *,
    check: Callable[[Task, list[Difference]], None],
    redact: Callable[[str], str] = str,
) -> None:
    """Change the plan of a run that nobody holds; afterwards it waits to be resumed.

    Args:
        store: where it is.
        run_id: its whole id.
        edit: what is to be changed.
        check: raises if the changed tree could not be run here, or what is different in it would change nothing;
            nothing is written then.
        redact: blots secrets out of words.

    Raises:
        LeaseError: if another process holds the run.
        RunError: if there is no such run.
        TreeError: if there is no task with one of the ids, or the plan is of another task.
        UsageError: if the edit, or the tree that it makes, cannot be used.
        StoreError: if it cannot be written; the run is as it was.
    """
    with store.change(run_id) as writer:
        changes = changes_of(edit, store, run_id, check=check, next_seq=writer.next_seq, redact=redact)
        writer.put(*changes)
    failpoint("after-edit-commit")


def changes_of(
    edit: PlanEdit,
    store: StoreReader,
    run_id: str,
    *,
    check: Callable[[Task, list[Difference]], None],
    next_seq: Callable[[], int],
    redact: Callable[[str], str] = str,
) -> list[Change]:
    """Return what is written when the plan of a run is changed; its events get numbers of `next_seq`.

    Raises as `edit_run`.
    """
    old = store.load_tree(run_id)
    new = edit.applied(old)
    said = said_of_steps(store, run_id, old, edit.step_done, edit.step_again)
    before = list(rows_of_tree(old))
    differences = carry_over(old, new)
    # An answer is no difference: what was done before the question came up stays done, as where it is answered at once.
    answers = [] if edit.answer is None else _answer(store, run_id, new, edit.answer)
    check(new, differences)
    attempts = store.last_attempts(run_id)
    again = [_living(new, task_id, "again", "attempt") for task_id in edit.again]
    failed, opens_failed = failed_tasks(new), edit.failed or edit.steer is not None
    partial = partial_tasks(new) if opens_failed else ()
    redone = redo(
        new, differences, again=again, partial=partial, results=edit.results,
        last_attempt=lambda task_id: attempts.get(task_id, 0),
    )  # fmt: skip
    opened = redone + (open_failed(new) if opens_failed else [])
    spoken = list(_words_said(store, run_id, edit, new, failed=failed, redact=redact))
    changes = [*_run_changes(edit, new, is_different=bool(differences or opened))]
    changes += _task_changes(before, new)
    for task_id, of_task in said.items():
        changes += [*of_task.changes, _event(next_seq, EventType.PERSON_ANSWERED, of_task.data, new.find(task_id))]
    changes += [StepsForgotten(task.id) for task in redone if task.type != SCRIPT or task in again]
    changes += _events(next_seq, edit, differences, opened)
    if answers:
        spoken.append((EventType.PERSON_ANSWERED, {"about": "goal", "answers": answers}))
    return changes + [_event(next_seq, kind, data) for kind, data in spoken]


def plan_history(store: Store, run_id: str) -> list[EventRecord]:
    """Return the events that tell how the plan of a run became what it is, in order: made, edited, approved, kept.

    Raises:
        RunError: if there is no such run.
        StoreError: if they cannot be read.
    """
    return [event for event in store.events(run_id) if event.type in HISTORY or event.data.get("plan") == KEPT]


def _answer(store: StoreReader, run_id: str, root: Task, said: str) -> list[str]:
    """Let `root` have the answer to what was asked about it, and return that."""
    questions = open_questions(store.events_of(run_id, [EventType.PERSON_ASKED, EventType.PERSON_ANSWERED]))
    if not questions:
        raise UsageError(f"run {run_id} has no open question about its goal; leave out the answer")
    answers = answers_of(said, questions)
    if not answers:
        raise UsageError(f"the answer is blank; run {run_id} asks: {' '.join(questions)}")
    with_answers(root, questions, answers)
    return answers


def _words_said(
    store: StoreReader, run_id: str, edit: PlanEdit, root: Task, *, failed: dict[str, str], redact: Callable[[str], str]
) -> Iterator[tuple[EventType, dict[str, Any]]]:
    """Yield the events of words that the planner is asked in; none for words that it has still to be asked in."""
    if edit.wish is not None:
        words = redact(_words_for_planner(edit.wish))
        if any(task.state in _BEGUN for task in root.walk()):
            raise UsageError(
                f"the plan of run {run_id} is in progress; `ramify resume {run_id} --steer TEXT` changes it"
            )
        yield EventType.PLAN_REVISED, {"words": words}
    if edit.steer is not None:
        words = redact(_words_for_planner(edit.steer))
        data = steer_data(run_id, root, words, store.find_run(run_id).phase, failed)
        pending = pending_steer(store, run_id)
        if pending is None or pending.data["words"] != words:
            yield EventType.PLAN_STEERED, data | ({"waits": True} if edit.waits else {})


def _words_for_planner(words: str) -> str:
    """Return what a person says without what steers a terminal; refuse what cannot be put to the planner."""
    found = printable(words).strip()
    if not found:
        raise UsageError("the request to the planner is blank; say what should change")
    if len(words) > LONGEST_WISH:
        raise UsageError(
            f"the request to the planner has {len(words):,} characters; {LONGEST_WISH:,} are allowed; edit the plan"
        )
    return found


def _living(root: Task, task_id: str, words: str, what: str) -> Task:
    task = root.find(task_id)
    if not words.strip():
        raise UsageError(f"the new {what} of task {task_id} is blank; give ID=TEXT")
    if task.state is TaskState.DELETED:
        raise UsageError(f"task {task_id} is DELETED; set it to OPEN in the plan first")
    return task


def _run_changes(edit: PlanEdit, root: Task, *, is_different: bool) -> Iterator[Change]:
    if edit.wish is not None:
        why = "another plan was requested and is not made yet"
        yield RunChanged.of(phase=REVISING_PHASE, status="waiting", error=why, finished_at=None)
    elif edit.plan is not None:
        yield RunChanged.of(phase=RUNNING_PHASE)
    if edit.steer is not None:
        why = "a change of its plan was requested and is not made yet"
        yield RunChanged.of(status="waiting", error=why, finished_at=None)
    if is_different:
        why = "its plan was edited, or tasks were reopened, and it has not run since"
        yield RunChanged.of(status="waiting", error=why, finished_at=None, goal=root.content)


def _task_changes(before: list[tuple[Any, ...]], new: Task) -> Iterator[Change]:
    """Yield what has to be written of the tasks: those that are new, and of the others what is different."""
    old_rows = {row[0]: row for row in before}
    end = -len(PROGRESS_COLUMNS)
    for task, row in zip(new.walk(), rows_of_tree(new), strict=True):
        old = old_rows.get(task.id)
        if old is None:
            yield TaskAdded(row)
            continue
        if old[:end] != row[:end]:
            yield TaskEdited.of(task)
        if old[end:] != row[end:]:
            yield TaskChanged.of(task)


def _events(
    next_seq: Callable[[], int], edit: PlanEdit, differences: list[Difference], opened: list[Task]
) -> Iterator[EventHappened]:
    if differences or opened:
        data = {"changes": [each.to_data() for each in differences], "redone": [task.id for task in opened]}
        yield _event(next_seq, EventType.PLAN_EDITED, data)
    if edit.approves:
        yield _event(next_seq, EventType.PLAN_APPROVED, {})


def _event(
    next_seq: Callable[[], int], kind: EventType, data: dict[str, Any], task: Task | None = None
) -> EventHappened:
    task_id = None if task is None else task.id
    return EventHappened.of(EventRecord(next_seq(), time.time(), kind, task_id, data))
