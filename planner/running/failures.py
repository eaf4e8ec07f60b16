"""What follows for other tasks when tasks have failed: what needs them fails too, and what is above goes on without.

With `on_error="partial"` a parent is composed from what there is. Where a worker leads the run, what cannot be done any
more fails at once, as the leader may go on then. Otherwise nothing follows: what waits for a failed task stays OPEN.
"""

from collections.abc import Iterable, Sequence

from ramify.planner.events.recorder import Recorder
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.schedule import Scheduler

from .endings import because_of
from .replanning import Replanning


class Failures:
    """Carries failures of tasks on to those that they keep from running.

    Args:
        root: the tree.
        scheduler: which tasks wait for which.
        recorder: writes which tasks fail too.
        replanning: the failures that may still be mended by another plan; these are left alone.
        leader: the task whose worker calls for the others; None if there is none.
        are_partial: whether parents are composed from what there is.
    """

    def __init__(
        self,
        root: Task,
        scheduler: Scheduler,
        recorder: Recorder,
        replanning: Replanning,
        *,
        leader: Task | None,
        are_partial: bool,
    ) -> None:
        self._root = root
        self._scheduler = scheduler
        self._recorder = recorder
        self._replanning = replanning
        self._leader = leader
        self._are_partial = are_partial

    @property
    def are_carried_on(self) -> bool:
        """Whether anything follows for other tasks at all."""
        return self._are_partial or self._leader is not None

    def carry_on(self, failed: Iterable[Task]) -> None:
        """Let what needs tasks that have `failed` fail too, and what is above them go on without, if that is wanted."""
        if not self._are_partial:
            self._end_calls(failed)
            return
        for task in failed:
            if self._replanning.waits_for(task):
                continue
            for other, needed in self._scheduler.given_up(task):
                why = f"it needs task {needed.id}, which has failed" if needed else _why_all_failed(other)
                self._recorder.fail_too(other, error=why)

    def needed_by(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the failed tasks that `tasks`, or tasks below them, need and never get, where anything follows."""
        if not self.are_carried_on:
            return []
        needs = {need: None for top in tasks for task in top.walk() for need in task.dependencies}
        return [task for task in map(self._root.find, needs) if task.state is TaskState.FAILED]

    def _end_calls(self, failed: Iterable[Task]) -> None:
        queue = [] if self._leader is None else [task for task in failed if not self._replanning.waits_for(task)]
        for task in queue:
            above = task.parent
            if above is not None and above is not self._leader and above.state is TaskState.OPEN:
                self._recorder.fail_too(above, error=because_of(task))
                queue.append(above)
            for other, needed in self._scheduler.given_up(task):
                self._recorder.fail_too(other, error=f"it needs task {(needed or task).id}, which has failed")
                queue.append(other)


def _why_all_failed(parent: Task) -> str:
    """Return why `parent` fails, whose subtasks have all failed: because of the first one, whichever failed last."""
    first = next(child for child in parent.subtasks if child.state is TaskState.FAILED)
    is_by_itself = any(child.state is TaskState.DONE for child in first.subtasks)
    return first.error if first.error and first.subtasks and not is_by_itself else because_of(first)
