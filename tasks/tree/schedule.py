"""The one readiness rule, kept up to date as tasks finish; a pure data structure that knows no clock and no loop.

A task is ready when it is OPEN, every dependency of it and of its ancestors is DONE or DELETED, and every subtask is
DONE or DELETED. A ready leaf is executed, a ready parent is composed. Over a whole run the work is O(tasks + edges),
and a logarithm for the heap that picks the next one. Where parents are composed from what there is, a FAILED subtask
that was given up holds its parent up no more; what needs it still never runs.

Tasks are ranked by the longest way to the end, in time (see `times`). What finished tasks took is looked at whenever a
64th of the tree has ended, and tasks are ranked anew only where that changes how long they are beside each other: so
what learning costs a task does not grow with the tree.
"""

from typing import TYPE_CHECKING

from ramify.tasks.errors import TaskError

from .graph import longest_remaining, never_met, unfinished
from .node import index_of, walk
from .ready import ReadyQueue, Waiting
from .states import FINISHED, TaskState
from .times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .task import Task


_LOOKS = 64
"""How often what tasks took is looked at while as many end as there are in the tree."""


class Scheduler:
    """Says which task may run next.

    Of the ready tasks it picks the one with the highest priority, then the one from which the longest way leads to the
    root, then the one that became ready first. The caller moves states; the scheduler only reads them.

    Args:
        root: the tree; nothing in it is RUNNING.
        is_led: whether the worker of `root` leads the tasks below it: it is ready whatever these are, and what stands
            below it already is ready when it has called for it.
        times: how long tasks take; it learns from those that finish.

    Raises:
        DependencyError: if a dependency is unknown.
        CycleError: if tasks wait for each other.
    """

    def __init__(self, root: "Task", *, is_led: bool = False, times: Times | None = None) -> None:
        self._root = root
        self._leader = root if is_led else None
        self._uncalled = set(root._subtasks or ()) if is_led else set()
        self._nodes: dict[Task, Waiting] = {}
        self._ready = ReadyQueue()
        self._given_up: set[Task] = set()
        self._times = times or Times()
        self._ended = self._times.ended
        self._look_after = 0
        self._take_in([root])

    @property
    def ready(self) -> int:
        """How many tasks are ready."""
        while (waiting := self._ready.first()) is not None and not self._may_go(waiting):
            self._ready.pop()
        return len(self._ready)

    @property
    def unfinished(self) -> int:
        """How many tasks are neither DONE nor DELETED."""
        return len(self._nodes)

    def pop(self) -> "Task | None":
        """Return the ready task to run next, and count it as taken; None if none is ready."""
        while (waiting := self._ready.pop()) is not None:
            if self._may_go(waiting):
                return waiting.task
        return None

    def finished(self, task: "Task") -> None:
        """Note that `task` is DONE or DELETED now: whatever waited only for it becomes ready."""
        node = self._nodes.pop(task, None)
        if node is None:
            return
        if task.state not in FINISHED:
            raise TaskError(f"task {task.id} is {task.state.value}; only DONE and DELETED tasks release others")
        node.gate_open = False
        self._ended.append(task)
        if len(self._ended) > self._look_after:
            self._look_at_times()
        parent = self._nodes.get(task._parent) if task._parent is not None else None
        if parent is not None:
            parent.unfinished_subtasks -= 1
            if not parent.unfinished_subtasks or parent.task is self._leader:
                self._offer(parent)
        for dependent in node.dependents or ():
            dependent.unmet -= 1
            self._open_gate(dependent)

    def given_up(self, task: "Task") -> "Iterator[tuple[Task, Task | None]]":
        """Note that `task` is FAILED for good: its parent is composed without it, and what needs it never runs.

        Yield what fails with it: (a task, the failed one that it needs), or (a parent, None) if all of its subtasks
        have failed. The caller lets each be FAILED before it asks for the next one.
        """
        queue = [task]
        for failed in queue:
            node = self._nodes.get(failed)
            for dependent in (node.dependents or ()) if node is not None else ():
                for other in walk(dependent.task):
                    if other.state is TaskState.OPEN:
                        yield other, failed
                        queue.append(other)
            above = self._nodes.get(failed._parent) if failed._parent is not None else None
            if node is None or above is None or above.task is self._leader:
                continue
            if failed not in self._given_up:
                self._given_up.add(failed)
                above.unfinished_subtasks -= 1
            if above.unfinished_subtasks or above.task.state is not TaskState.OPEN:
                continue
            if any(child.state is TaskState.DONE for child in above.task._subtasks or ()):
                self._offer(above)
            else:
                yield above.task, None
                queue.append(above.task)

    def released(self, task: "Task") -> None:
        """Note that a task that was taken is OPEN again."""
        node = self._nodes.get(task)
        if node is not None:
            self._offer(node)

    def added(self, tasks: "Sequence[Task]") -> None:
        """Take in tasks that were attached below a task of the tree, with all that is below them."""
        self._take_in(tasks)

    def called(self, task: "Task") -> None:
        """Note that the worker of the root has called for `task`, which was there before."""
        self._uncalled.discard(task)
        if (node := self._nodes.get(task)) is not None:
            self._open_gate(node)

    def needs(self, task: "Task", needed: "Task") -> None:
        """Note that `task`, which has not begun, needs `needed` too: it, and all below it, waits for that."""
        node, other = self._nodes[task], self._nodes.get(needed)
        if other is None:
            return
        node.unmet += 1
        other.dependents = [*(other.dependents or ()), node]
        closed = {each for each in walk(task) if each in self._nodes}
        for each in closed:
            self._nodes[each].gate_open = False
        self._ready.sort(lambda waiting: waiting.gate_open)

    def held_up(self) -> "list[Task]":
        """Return the unfinished tasks that are not ready, in tree order."""
        ready = {waiting.task for waiting in self._ready}
        return [task for task in self._nodes if task not in ready]

    def _look_at_times(self) -> None:
        """Rank what is unfinished anew, if tasks turned out to be longer or shorter than they were ranked by."""
        if not self._times.has_moved():
            return
        ranks = longest_remaining([self._root], lambda _: 0, self._times.of)
        for task, node in self._nodes.items():
            node.rank = ranks.get(task, node.rank)
        self._ready.sort(self._may_go)

    def _take_in(self, tops: "Sequence[Task]") -> None:
        ranks = longest_remaining(
            tops, lambda task: self._nodes[task].rank if task in self._nodes else 0, self._times.of
        )
        new = [Waiting(task, ranks[task]) for top in tops for task in unfinished(top)]
        nodes = self._nodes
        by_id = index_of(tops[0]).by_id if tops else {}  # asked for each time: a larger tree brings its own
        self._look_after = max(self._look_after, len(by_id) // _LOOKS)
        nodes.update({node.task: node for node in new})
        parent, above = None, None
        for node in new:
            task = node.task
            if task._parent is not parent:  # siblings stand together
                parent = task._parent
                above = None if parent is None else nodes.get(parent)
            if above is not None:
                above.unfinished_subtasks += 1
            if task.dependencies:
                self._note_needs(node, by_id)
        for top in tops:
            if top in nodes:
                self._open_gate(nodes[top])

    def _note_needs(self, node: Waiting, by_id: "dict[str, Task]") -> None:
        for dependency in dict.fromkeys(node.task.dependencies):
            needed_task = by_id[dependency]
            needed = self._nodes.get(needed_task)
            if needed is None:
                if needed_task.state in FINISHED or node.task.state is TaskState.FAILED:
                    continue
                raise TaskError(never_met(node.task, needed_task))
            node.unmet += 1
            if needed.dependents is None:
                needed.dependents = []
            needed.dependents.append(node)

    def _open_gate(self, node: Waiting) -> None:
        nodes = self._nodes
        parent = node.task._parent
        above = nodes.get(parent) if parent is not None else None
        if above is not None and not above.gate_open:
            return
        stack = [node]
        while stack:
            node = stack.pop()
            if node.gate_open or node.unmet or node.task in self._uncalled:
                continue
            node.gate_open = True
            if not node.unfinished_subtasks or node.task is self._leader:
                self._offer(node)
            if node.task._subtasks and node.task is not self._leader:
                stack.extend([nodes[child] for child in reversed(node.task._subtasks) if child in nodes])

    def _offer(self, node: Waiting) -> None:
        if self._may_go(node):
            self._ready.push(node)

    def _may_go(self, node: Waiting) -> bool:
        if not node.gate_open or node.task.state is not TaskState.OPEN:
            return False
        return not node.unfinished_subtasks or node.task is self._leader


def is_ready(task: "Task") -> bool:
    """Return whether the readiness rule holds for `task` now, read from the tree alone."""
    if task.state is not TaskState.OPEN or any(child.state not in FINISHED for child in task._subtasks or ()):
        return False
    by_id = index_of(task).by_id
    current: Task | None = task
    while current is not None:
        if any(by_id[dependency].state not in FINISHED for dependency in current.dependencies):
            return False
        current = current._parent
        if current is not None and current.state in FINISHED:
            return False
    return True
