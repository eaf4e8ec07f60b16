"""The dependency graph of a tree: its order, its cycles, its waves and its critical path.

Every task has two events, its start and its end. A task starts after its parent and after the end of everything that
it depends on; it ends after its start and after the end of its subtasks. The whole meaning of a dependency on or from
a group of tasks lies in these two sentences; everything in this file follows from the order of the events.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ramify.tasks.errors import CycleError, DependencyError, TreeError

from .node import Node, T, index_of, walk, walk_up
from .states import FINISHED, TaskState
from .waiting import Event, before

if TYPE_CHECKING:
    import networkx as nx


def topological_order(tasks: Iterable[T]) -> list[T]:
    """Return `tasks` and all below them, subtasks before parents and dependencies before dependents.

    The order is stable: what nothing forces to move stays in tree order.

    Raises:
        CycleError: if tasks wait for each other.
        DependencyError: if one depends on a task that is not in its tree.

    Source: depth-first topological sort, Tarjan 1976, doi:10.1007/BF00268499; kept on a stack of its own.
    """
    tops = list(tasks)
    wanted = {task for top in tops for task in walk(top)}
    if not any(task.dependencies for task in wanted):
        return [task for task in _post_order(tops) if task in wanted]
    return [task for task, is_end in event_order(tops) if is_end and task in wanted]


def check_tree(root: Node) -> None:
    """Check every dependency of a tree, also those that were written into the lists by hand.

    Raises:
        DependencyError: if one is unknown, or is the task's own ancestor or descendant.
        CycleError: if tasks wait for each other.
    """
    _checked_dependents(root)


def _checked_dependents(root: T) -> list[T]:
    """Check every dependency as `check_tree` does, and return the tasks that have some."""
    dependent = [task for task in walk(root) if task.dependencies]
    by_id = index_of(root).by_id
    for task in dependent:
        for dependency in task.dependencies:
            if dependency not in by_id:
                _unknown(task, dependency)
    if dependent:
        topological_order([root])
    return dependent


def check_can_end(root: Node) -> None:
    """Check that the dependencies of a tree are sound, it has something to run, and nothing in it waits for ever.

    Raises:
        TreeError: if the root is DELETED.
        DependencyError: if a task needs one that will never run, or as `check_tree`.
        CycleError: if tasks wait for each other.
    """
    has_needs = bool(_checked_dependents(root))
    if root.state is TaskState.DELETED:
        raise TreeError(root_is_deleted(root), task_id=root.id)
    for task, needed in unmet_for_ever(root) if has_needs else ():
        raise DependencyError(never_met(task, needed), task_id=task.id, dependency=needed.id)


def unmet_for_ever(root: T) -> Iterator[tuple[T, T]]:
    """Yield (task, needed) where `task` still has to run, and `needed` never will, as it stands below what is finished.

    The dependencies of the tree are sound. A task that has FAILED has nothing to run for.
    """
    live = list(unfinished(root))
    members = set(live)
    for task in live:
        if not task.dependencies or task.state is TaskState.FAILED:
            continue
        by_id = index_of(root).by_id
        for needed in (by_id[dependency] for dependency in task.dependencies):
            if needed not in members and needed.state not in FINISHED:
                yield task, needed


def unfinished(top: T) -> Iterator[T]:
    """Yield the tasks at and below `top` that still have to run; below a finished task nothing has to."""
    stack = [top]
    while stack:
        task = stack.pop()
        if task.state not in FINISHED:
            yield task
            stack.extend(reversed(task._subtasks or ()))


def finished_above(task: T) -> T | None:
    """Return the nearest task above `task` that is finished, so that nothing below it runs; None if none is."""
    return next((above for above in walk_up(task) if above.state in FINISHED), None)


def never_met(task: Node, needed: Node) -> str:
    """Return the words for a need that nothing will ever meet."""
    above = finished_above(needed)
    why = "" if above is None else f": task {above.id} above it is {above.state.value}"
    return (
        f"task {task.id} needs task {needed.id}, which will never run{why}; remove the dependency, or set the state"
        " of task"
        f" {needed.id} to DELETED"
    )


def root_is_deleted(root: Node) -> str:
    """Return the words for a tree of which nothing is to be done."""
    return f"task {root.id} is the goal and is DELETED; set its state to OPEN"


def event_order(tops: Sequence[T]) -> list[Event[T]]:
    """Return the events of `tops`, and of all that must happen before them, in an order in which they can happen.

    Raises:
        CycleError: if tasks wait for each other.
        DependencyError: if one depends on a task that is not in its tree.
    """
    order: list[Event[T]] = []
    begun: dict[Event[T], bool] = {}  # False: on the stack; True: in the order
    stack: list[tuple[Event[T], Iterator[Event[T]]]] = []
    for top in tops:
        following: Event[T] | None = (top, True)
        while following is not None:
            done = begun.get(following)
            if done is None:
                begun[following] = False
                stack.append((following, _before(following)))
            elif not done:
                raise _cycle(stack, following)
            following = None
            while stack and following is None:
                event, rest = stack[-1]
                following = next(rest, None)
                if following is None:
                    stack.pop()
                    begun[event] = True
                    order.append(event)
    return order


def waves(root: T) -> list[list[T]]:
    """Return the tasks of a tree by the step in which they could run, if every task took one step.

    These are the topological generations: `waves(root)[0]` needs nothing, the last wave holds the root.
    """
    steps: dict[Event[T], int] = {}
    found: dict[int, list[T]] = {}
    for event in event_order([root]):
        task, is_end = event
        steps[event] = max((steps[earlier] for earlier in _before(event)), default=0) + is_end
        if is_end:
            found.setdefault(steps[event], []).append(task)
    return [found[step] for step in sorted(found)]


def critical_path(root: T, duration_s: Callable[[T], float] = lambda _: 1.0) -> list[T]:
    """Return the chain of tasks that decides how long the tree takes, first to last; the last is the root.

    Args:
        root: the tree.
        duration_s: how long a task itself takes, in seconds; all take the same unless given.
    """
    if root._parent is None and not any(task.dependencies for task in walk(root)):
        return _longest_way_up(root, duration_s)
    reached: dict[Event[T], tuple[float, Event[T] | None]] = {}
    for event in event_order([root]):
        at = 0.0
        cause: Event[T] | None = None
        for earlier in before(event):
            if cause is None or reached[earlier][0] > at:
                at, cause = reached[earlier][0], earlier
        reached[event] = (at + duration_s(event[0]) if event[1] else at, cause)
    path = []
    current: Event[T] | None = (root, True)
    while current is not None:
        if current[1]:
            path.append(current[0])
        current = reached[current][1]
    return path[::-1]


def _longest_way_up(root: T, duration_s: Callable[[T], float]) -> list[T]:
    """Return the critical path of a tree without dependencies: from each task through the subtask that ends last."""
    longest: dict[T, float] = {}
    last: dict[T, T] = {}
    for task in reversed(list(walk(root))):
        parent = task._parent
        took = longest.pop(task, 0.0) + duration_s(task)
        if parent is not None and took > 0.0 and took >= longest.get(parent, 0.0):  # of equal ones, the first
            longest[parent], last[parent] = took, task
    path = [root]
    while path[-1] in last:
        path.append(last[path[-1]])
    return path[::-1]


def longest_remaining(tops: Sequence[T], known: Callable[[T], int], time_of: Callable[[T], int]) -> dict[T, int]:
    """Return for every task in `tops` and below how long the longest way from its start to the root's end is.

    Args:
        tops: the tasks to rank; all that depends on them must be among them.
        known: the rank of a parent of one of them; 0 for no parent.
        time_of: how long a task itself takes, in whatever unit.

    Raises:
        DependencyError: if a dependency is unknown.
        CycleError: if tasks wait for each other.
    """
    inside = [task for top in tops for task in walk(top)]
    ends: dict[T, int] = {}
    if not any(task.dependencies for task in inside):
        for task in inside:
            parent = task._parent
            if parent is None:
                ends[task] = time_of(task)
            else:
                above = ends.get(parent)
                ends[task] = time_of(task) + (known(parent) if above is None else above)
        return ends
    order = event_order(tops)
    members = set(inside)
    starts: dict[T, int] = {}
    dependents: dict[T, list[T]] = {}
    by_id = index_of(tops[0]).by_id
    for task in inside:
        for dependency in task.dependencies:
            dependents.setdefault(by_id[dependency], []).append(task)
    for task, is_end in reversed(order):
        if task not in members:
            continue
        if is_end:
            parent = task._parent
            above = 0 if parent is None else ends[parent] if parent in ends else known(parent)
            ends[task] = time_of(task) + max([above, *(starts[other] for other in dependents.get(task, ()))])
        else:
            starts[task] = max((starts[child] for child in task._subtasks or ()), default=ends[task])
    return ends


def to_networkx(root: Node) -> "nx.DiGraph[str]":
    """Return the graph of a tree for networkx: an edge (u, v) says that u ends before v ends.

    Edges carry `kind`: "subtask" from a child to its parent, "dependency" from a task to one that depends on it.
    Nodes carry `content`, `state`, `type` and `priority`.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for task in walk(root):
        graph.add_node(
            task.id, content=task.content, state=task.state.value, type=task.type or "model", priority=task.priority
        )
    for task in walk(root):
        graph.add_edges_from(((child.id, task.id) for child in task._subtasks or ()), kind="subtask")
        graph.add_edges_from(((dependency, task.id) for dependency in task.dependencies), kind="dependency")
    return graph


def _before(event: Event[T]) -> Iterator[Event[T]]:
    task, is_end = event
    if task.dependencies and not is_end:
        by_id = index_of(task).by_id
        for dependency in task.dependencies:
            if dependency not in by_id:
                _unknown(task, dependency)
    return before(event)


def _unknown(task: Node, dependency: str) -> None:
    raise DependencyError(
        f"task {task.id} depends on task {dependency}, which is not in its tree",
        task_id=task.id,
        dependency=dependency,
    )


def _cycle(stack: list[tuple[Event[T], Iterator[Event[T]]]], again: Event[T]) -> CycleError:
    events = [event for event, _ in stack]
    path: list[str] = []
    for task, _ in events[events.index(again) :]:
        if not path or path[-1] != task.id:
            path.append(task.id)
    if len(path) > 1 and path[-1] == path[0]:
        path.pop()
    return CycleError([*path, path[0]])


def _post_order(tops: Sequence[T]) -> list[T]:
    order: list[T] = []
    seen: set[T] = set()
    for top in tops:
        stack: list[tuple[T, bool]] = [(top, False)]
        while stack:
            task, is_end = stack.pop()
            if is_end:
                order.append(task)
            elif task not in seen:
                seen.add(task)
                stack.append((task, True))
                if task._subtasks:
                    stack.extend((child, False) for child in reversed(task._subtasks))
    return order
