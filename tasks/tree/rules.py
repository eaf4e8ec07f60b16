"""The rules of a tree: each id once, each task in one place, no dependency that can never be met.

When two trees become one, the smaller index is poured into the larger, so that n tasks put together in any order cost
O(n log n) in all.
"""

from collections.abc import Collection, Iterable, Sequence

from ramify.tasks.errors import CycleError, DependencyError, HeldError, TreeError

from .graph import event_order
from .node import Node, T, TreeIndex, index_of, is_below, walk, walk_up
from .waiting import Waiters

_SEARCHES_FOR_ORDER = 4
"""How many events a task are looked at for circles until an order is looked for, which costs about as much."""

_set = object.__setattr__
"""Sets what `Task.__setattr__` would set too, in a fifth of the time: trees are made of very many tasks."""


def attach(parent: T, tasks: Sequence[T]) -> None:
    """Make `tasks` belong to the tree of `parent`; the caller puts them into its list.

    Raises:
        TreeError: if a task has a parent, is above `parent`, or brings an id that is taken.
        DependencyError: if a task needs one that is unknown, or that is its ancestor or descendant.
        CycleError: if tasks would wait for each other. Whatever is raised, nothing was changed.
    """
    if len(tasks) == 1 and tasks[0]._tree is None and not tasks[0].dependencies:
        _link(parent, tasks[0])
        return
    linked: list[T] = []
    dependent: list[tuple[T, T]] = []
    for task in tasks:
        if task.dependencies:
            dependent.append((task, task))
        if task._tree is not None:
            dependent += [(task, stray) for stray in task._tree.strays]
    try:
        for task in tasks:
            _link(parent, task)
            linked.append(task)
        if dependent:
            _check_new_dependencies(parent, dependent)
    except Exception:
        for task in reversed(linked):
            _unlink(task)
        raise
    tree = index_of(parent)
    for task in tasks if dependent else ():
        tree.note_dependencies(task)


def detach(task: Node) -> None:
    """Make `task` and everything below it a tree of its own; the caller takes it out of its parent's list.

    Raises:
        TreeError: if tasks elsewhere depend on it or on something below it; nothing was changed.
    """
    tree = index_of(task)
    for inside in walk(task) if tree.dependents else ():
        for other in tree.dependents_of(inside):
            if not is_below(other, task):
                raise TreeError(
                    f"task {inside.id} cannot be removed: task {other.id} needs its result; remove that dependency"
                    f" first, or set the state of task {inside.id} to DELETED",
                    task_id=inside.id,
                )
    _unlink(task)


def detach_all(tasks: Iterable[Node]) -> None:
    """Make trees of their own of all subtasks of a task, which may need each other; otherwise as `detach`."""
    for task in tasks:
        _unlink(task)


def add_dependency(task: Node, dependency: str) -> None:
    """Let `task` wait for the task with id `dependency`.

    Raises:
        DependencyError: if it is unknown, or an ancestor or a descendant of `task`.
        CycleError: if the two would wait for each other.
    """
    if dependency in task.dependencies:
        return
    tree = index_of(task)
    needed = _needed(task, dependency)
    if not _is_in_order(tree, needed, task):
        waiters = Waiters((task, False), {(above, True) for above in walk_up(needed)})
        _check_wait(task, needed, waiters)
        tree.order = None
        tree.searched += waiters.looked_at
    task.dependencies.append(dependency)
    tree.dependents.setdefault(dependency, {})[task] = None
    if tree.searched > _SEARCHES_FOR_ORDER * len(tree.by_id):
        tree.order, tree.searched = _order_of(tree.root), 0


def drop_dependency(task: Node, dependency: str) -> None:
    """Let `task` not wait for the task with id `dependency` any more."""
    task.dependencies.remove(dependency)
    others = index_of(task).dependents.get(dependency, {})
    others.pop(task, None)


def rename(task: Node, new_id: str) -> None:
    """Give `task` another id; dependencies on the old one follow.

    Raises:
        TreeError: if another task of the tree has that id.
    """
    tree = task._tree
    if tree is None or new_id == task.id:
        return
    if new_id in tree.by_id:
        raise TreeError(f"task {task.id} cannot be renamed: id {new_id} is taken", task_id=new_id)
    dependents = tree.dependents_of(task)
    tree.dependents.pop(task.id, None)
    for other in dependents:
        other.dependencies[other.dependencies.index(task.id)] = new_id
    if dependents:
        tree.dependents[new_id] = dict.fromkeys(dependents)
    del tree.by_id[task.id]
    tree.by_id[new_id] = task


def waiters_of(tasks: Iterable[T]) -> dict[T, T | None]:
    """Return every task that cannot be finished before one of `tasks` is, each with the one that it waits for.

    A parent waits for its subtasks; a dependent, and all that is below it, waits for what it depends on.
    """
    waits_for: dict[T, T | None] = dict.fromkeys(tasks)
    queue = list(waits_for)
    held: set[T] = set()  # those that cannot even start; of the others in `waits_for` only the end has to wait
    tree = index_of(queue[0])
    for current in queue:
        above = current._parent
        if above is not None and above not in waits_for:
            waits_for[above] = current
            queue.append(above)
        stack = tree.dependents_of(current) if tree.dependents else []
        while stack:
            inside = stack.pop()
            if inside in held:
                continue
            held.add(inside)
            if inside not in waits_for:
                waits_for[inside] = current
                queue.append(inside)
            stack.extend(inside._subtasks or ())
    return waits_for


def _link(parent: T, task: T) -> None:
    if task._parent is not None:
        raise TreeError(
            f"task {task.id} is already a subtask of task {task._parent.id}; remove it there first", task_id=task.id
        )
    host = index_of(parent)
    guest = task._tree
    if guest is not None and guest.holder is not None:
        raise HeldError(f"task {task.id} is part of {guest.holder.by}, which is still running", task_id=task.id)
    if task is parent or guest is host:
        raise TreeError(f"task {task.id} cannot be put below itself (under task {parent.id})", task_id=task.id)
    if guest is None:
        if task.id in host.by_id:
            raise TreeError(_taken(host, task.id), task_id=task.id)
        host.by_id[task.id] = task
        _set(task, "_tree", host)
    else:
        _merge(host, guest)
    _set(task, "_parent", parent)


def _merge(host: TreeIndex[T], guest: TreeIndex[T]) -> None:
    large, small = (host, guest) if len(host.by_id) >= len(guest.by_id) else (guest, host)
    for task_id in small.by_id:
        if task_id in large.by_id:
            raise TreeError(_taken(host, task_id), task_id=task_id)
    large.by_id.update(small.by_id)
    for task_id, dependents in small.dependents.items():
        large.dependents.setdefault(task_id, {}).update(dependents)
    for task in small.by_id.values():
        task._tree = large
    large.root = host.root
    large.hold = host.hold
    large.strays = host.strays


def _taken(host: TreeIndex[T], task_id: str) -> str:
    return f"id {task_id} is taken by another task of this tree ({host.root.id}); choose another"


def _unlink(task: Node) -> None:
    tree = index_of(task)
    tree.order = None  # as the task may come back elsewhere
    task._parent = None
    if not task._subtasks:
        del tree.by_id[task.id]
        _forget_dependents(tree, (task,))
        task._tree = None
        return
    own = TreeIndex(task)
    inside = list(walk(task))
    _forget_dependents(tree, inside)
    for each in inside:
        del tree.by_id[each.id]
        each._tree = own
        own.by_id[each.id] = each
    for each in inside[1:]:
        own.note_dependencies(each)
    own.strays = [each for each in inside[1:] if any(needed not in own.by_id for needed in each.dependencies)]


def _forget_dependents(tree: TreeIndex[T], tasks: Iterable[T]) -> None:
    for task in tasks:
        for dependency in task.dependencies:
            others = tree.dependents.get(dependency, {})
            others.pop(task, None)
            if not others:
                tree.dependents.pop(dependency, None)


def _check_new_dependencies(parent: T, dependent: Sequence[tuple[T, T]]) -> None:
    """Check tasks, each with the one that was added: itself, or the one that it stands below."""
    waiters = Waiters((parent, True))
    for _, task in dependent:
        for dependency in task.dependencies:
            needed = _needed(task, dependency)
            if not is_below(needed, parent):  # as `parent` waits for what is below it, that does not wait for `parent`
                _check_wait(task, needed, waiters)
    _check_siblings(dependent)


def _needed(task: T, dependency: str) -> T:
    """Return what `task` is to depend on.

    Raises:
        DependencyError: if it is unknown, or an ancestor or a descendant of `task`.
    """
    needed = index_of(task).by_id.get(dependency)
    if needed is None:
        raise DependencyError(
            f"task {task.id} depends on task {dependency}, which is not in its tree",
            task_id=task.id,
            dependency=dependency,
        )
    if is_below(task, needed) or is_below(needed, task):
        relation = (
            "itself" if needed is task else "its own ancestor" if is_below(task, needed) else "its own descendant"
        )
        raise DependencyError(
            f"task {task.id} cannot depend on {relation} ({dependency})", task_id=task.id, dependency=dependency
        )
    return needed


def _check_wait(task: T, needed: T, waiters: Waiters[T]) -> None:
    """Make sure that `needed` does not wait for `task`, on which `waiters` wait.

    What is above both cannot be on the way: its start waits for nothing below it, and nothing below it for its end.

    Raises:
        CycleError: if it does.
    """
    path = waiters.path_from((needed, True), {(above, False) for above in walk_up(task)})
    if path is not None:
        waiting = [each.id for each, is_end in path if is_end]
        raise CycleError([task.id, *waiting, *([] if waiting[-1] == task.id else [task.id])])


def _is_in_order(tree: TreeIndex[T], needed: T, task: T) -> bool:
    """Return whether it is known that `needed` can end before `task` starts."""
    if tree.order is None:
        return False
    starts, ends = tree.order
    return needed in ends and task in starts and ends[needed] < starts[task]


def _order_of(root: T) -> tuple[dict[T, int], dict[T, int]] | None:
    """Return the places of the starts and ends of all tasks in an order; None if somebody has written a circle."""
    try:
        events = event_order([root])
    except DependencyError:
        return None
    starts: dict[T, int] = {}
    ends: dict[T, int] = {}
    for place, (task, is_end) in enumerate(events):
        (ends if is_end else starts)[task] = place
    return starts, ends


def _check_siblings(dependent: Sequence[tuple[T, T]]) -> None:
    """Raise `CycleError` if tasks that are added together wait for each other."""
    needs: dict[T, list[T]] = {top: [] for top, _ in dependent}
    for top, task in dependent:
        found = (_top_within(task, dependency, needs) for dependency in task.dependencies)
        needs[top] += [needed for needed in found if needed is not None and needed is not top]
    open_path: dict[T, bool] = {}
    for first, needed_by_first in needs.items():
        stack = [] if first in open_path else [(first, iter(needed_by_first))]
        open_path.setdefault(first, True)
        while stack:
            task, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                open_path[task] = False
                stack.pop()
            elif following not in open_path:
                open_path[following] = True
                stack.append((following, iter(needs[following])))
            elif open_path[following]:
                path = [each.id for each, _ in stack]
                raise CycleError([*path[path.index(following.id) :], following.id])


def _top_within(task: T, dependency: str, group: Collection[T]) -> T | None:
    needed: T | None = index_of(task).by_id[dependency]
    while needed is not None and needed not in group:
        needed = needed._parent
    return needed
