"""One group commit: everything that waits goes into one transaction, grouped by kind, in the order of arrival.

The transaction first proves that the run is still ours (see `ramify.planner.store.lease`), then writes changes of the
run, texts, new tasks, edits, calls, what workers keep, progress, events; each kind by one statement for all its rows.
Writing a batch twice does what writing it once does.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, assert_never, cast

from ramify.planner.runtime.failpoints import failpoint
from ramify.tasks.tree.states import TaskState
from sqlalchemy import Connection, update

from .changes import (
    CallMade,
    Change,
    ControlsDone,
    EventHappened,
    MemoryCleared,
    MemorySet,
    RunChanged,
    StepsForgotten,
    StepTaken,
    TaskAdded,
    TaskChanged,
    TaskEdited,
    TimesLearned,
)
from .control import dump_controls, load_controls
from .keeping import Kept, write_kept
from .lease import Lease
from .records import PLAN_EDITED
from .rows import progress_row
from .sharing import IN_EDIT, IN_PROGRESS, IN_TASK, share
from .statements import Statements
from .tables import RUNS

if TYPE_CHECKING:
    from .rows import Row


class LeaseLostError(Exception):
    """Raised inside the writer when the run is no longer ours; nothing was written."""


class Batch:
    """Changes that are committed together.

    Attributes:
        size: how many they are.
    """

    def __init__(self, run_id: str) -> None:
        self.size = 0
        self._run_id = run_id
        self._run_changes: list[dict[str, Any]] = []
        self._done: list[ControlsDone] = []
        self._texts: dict[str, str] = {}
        self._added: list[Row] = []
        self._edited: list[Row] = []
        self._calls: list[Row] = []
        self._progress: dict[str, Row] = {}  # as it was seen; most of what a task goes through is never written
        self._events: list[Row] = []
        self._kept: list[Kept] = []

    @property
    def is_edit(self) -> bool:
        """Whether it changes the plan, or opens tasks again."""
        return any(event[3] == PLAN_EDITED for event in self._events)

    @property
    def is_running(self) -> bool:
        """Whether it sets a task RUNNING."""
        return any(progress[0] is TaskState.RUNNING for progress in self._progress.values())

    def add(self, changes: Iterable[Change]) -> None:
        """Take changes in; of several progress reports of one task only the last is kept."""
        run_id = self._run_id
        for change in changes:
            self.size += 1
            match change:
                case EventHappened():
                    self._events.append((run_id, *change.row))
                case TaskChanged():
                    self._progress[change.task_id] = change.progress
                case CallMade():
                    self._calls.append((run_id, *change.row))
                    self._texts.update(change.texts)
                case TaskAdded():
                    self._added.append((run_id, *share(change.row, IN_TASK, self._texts)))
                case TaskEdited():
                    self._edited.append((*share(change.row, IN_EDIT, self._texts), run_id, change.task_id))
                case StepTaken() | StepsForgotten() | MemorySet() | MemoryCleared() | TimesLearned():
                    self._kept.append(change)
                case RunChanged():
                    self._run_changes.append(dict(change.columns))
                case ControlsDone():
                    self._done.append(change)
                case _:
                    assert_never(change)

    def write(self, connection: Connection, statements: Statements, lease: Lease, known_texts: set[str]) -> str | None:
        """Write everything in the transaction that `connection` is in; return what is asked of the run.

        Args:
            connection: in a transaction.
            statements: compiled for its database.
            lease: what proves that the run is ours.
            known_texts: hashes of texts that are stored already; not written again.

        Raises:
            LeaseLostError: if the run is not ours; nothing was written.
        """
        fence = statements.touch if self.size else statements.heartbeat
        row = fence.first(connection, (lease.run_id, lease.token))
        if row is None:
            raise LeaseLostError
        left = [{"controls": self._left_of(row[0])}] if self._done else []
        for values in (*self._run_changes, *left):
            connection.execute(update(RUNS).where(RUNS.c.id == lease.run_id).values(values))
        changed = [
            (*share(progress_row(progress), IN_PROGRESS, self._texts), self._run_id, task_id)
            for task_id, progress in self._progress.items()
        ]
        new_texts = [(self._run_id, sha256, text) for sha256, text in self._texts.items() if sha256 not in known_texts]
        statements.add_text.execute(connection, new_texts)
        statements.add_task.execute(connection, self._added)
        if self._added:
            failpoint("during-plan-commit")
        statements.edit_task.execute(connection, self._edited)
        if self._calls:
            seq = max((event[1] for event in self._events), default=lease.last_seq)
            statements.add_call.execute(connection, [(*call, seq) for call in self._calls])
        write_kept(connection, statements, self._run_id, self._kept)
        statements.change_task.execute(connection, changed)
        if self.is_edit:
            failpoint("during-edit-commit")
        statements.add_event.execute(connection, self._events)
        return cast("str | None", row[0])

    def _left_of(self, asked: str | None) -> str | None:
        """Return what is left of what was `asked` of the run."""
        left = load_controls(asked)
        for done in self._done:
            left = tuple(each for each in left if each.id not in done.ids and each.action not in done.actions)
        return dump_controls(left)

    @property
    def texts(self) -> Iterable[str]:
        """The hashes of the texts that are stored when it is."""
        return self._texts.keys()
