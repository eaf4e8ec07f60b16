"""What an answer leaves out: the subtasks that failed before it was composed from what there was, and why they did.

It also leaves out what was to be planned and could not be read, which the metadata of its task say.
A DONE task is answered in part if it stands above FAILED tasks and its gaps say so. A person's own result has no gaps:
it needs nothing of what is below it.
"""

from collections.abc import Iterator

from ramify.tasks.counting import counted

from .node import Node, T, walk
from .states import TaskState

MOST_MISSING = 20
"""How many of the missing parts are named in a prompt, and among the gaps of an answer; the others are counted."""

LACKS = "plan_lacks"
"""The key in the metadata of a task that says what its plan lacks, as a part of it could not be read."""

_LONGEST_WORDS = 160
_LONGEST_WHY = 300
_UNSAID = "unknown reason"


def missing_below(task: T) -> Iterator[T]:
    """Yield the FAILED tasks that an answer of `task` has to do without, in tree order.

    These are its own subtasks, and those that the answers of its subtasks already do without.
    """
    stack = list(reversed(task._subtasks or ()))
    while stack:
        child = stack.pop()
        if child.state is TaskState.FAILED:
            yield child
        elif child.state is TaskState.DONE and child.gaps:
            stack.extend(reversed(child._subtasks or ()))


def is_partial(task: Node) -> bool:
    """Return whether `task` was answered without some of what is below it."""
    return task.state is TaskState.DONE and bool(task.gaps) and next(missing_below(task), None) is not None


def partial_tasks(root: T) -> list[T]:
    """Return the tasks of a tree that were answered in part and would be made again, parents first."""
    return [task for task in walk(root) if is_partial(task)]


def plans_that_lack(root: Node) -> str:
    """Return which plans in a tree are not whole, and what they lack; empty if all are."""
    return "; ".join(
        f"the plan of task {task.id} is not whole: {task.metadata[LACKS]}"
        for task in walk(root)
        if LACKS in task.metadata
    )


def missing_words(task: Node) -> tuple[str, ...]:
    """Return what an answer of `task` has to do without, a line each: which part, and why it failed.

    >>> from ramify.tasks import Task
    >>> root = Task("Compare", id="0")
    >>> root.add_subtask(Task("Count the museums of Linz.", id="0.1", state="FAILED", error="no page was found"))
    >>> missing_words(root)
    ('task 0.1 (Count the museums of Linz.) failed: no page was found',)
    """
    missing = list(missing_below(task))
    lines = [f"the plan of task {task.id} is not whole: {task.metadata[LACKS]}"] if LACKS in task.metadata else []
    lines += [
        f"task {each.id} ({_line(each.content, _LONGEST_WORDS)}) failed: {_line(each.error or _UNSAID, _LONGEST_WHY)}"
        for each in missing[:MOST_MISSING]
    ]
    more = len(missing) - MOST_MISSING
    return (*lines, f"and {counted(more, 'more task')} failed") if more > 0 else tuple(lines)


def _line(text: str, most: int) -> str:
    line = " ".join(text[: 2 * most].split())
    return line if len(line) <= most and len(text) <= 2 * most else f"{line[:most]}..."
