"""The errors of tasks, trees, plans and replies; the whole tree is drawn in `ramify.prompts.errors`."""

from collections.abc import Sequence

from ramify.prompts.errors import RamifyError

from .counting import counted


class TaskError(RamifyError):
    """Base of the errors about tasks, plans and replies."""


class TransitionError(TaskError):
    """Raised for an illegal change of state; nothing was changed.

    Attributes:
        task_id: the task.
        old: the state that it is in.
        new: the state that was asked for.
    """

    def __init__(self, task_id: str, old: str, new: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"task {task_id}: {old} -> {new} is not a legal move; from {old} a task can go to {', '.join(allowed)}"
        )
        self.task_id = task_id
        self.old = old
        self.new = new


class TreeError(TaskError):
    """Raised when a task cannot be added to, found in, or removed from a tree.

    Attributes:
        task_id: the task that was added, looked for or removed.
    """

    def __init__(self, message: str, *, task_id: str) -> None:
        super().__init__(message)
        self.task_id = task_id


class HeldError(TreeError):
    """Raised when a tree that a run holds is changed or run elsewhere; nothing was changed."""


class DependencyError(TaskError):
    """Raised when a task depends on one that is unknown, or that is its own ancestor or descendant.

    Attributes:
        task_id: the task that depends.
        dependency: the id that it depends on.
    """

    def __init__(self, message: str, *, task_id: str, dependency: str) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.dependency = dependency


class CycleError(DependencyError):
    """Raised when tasks depend on each other in a cycle.

    Attributes:
        path: the ids along the cycle, each waiting for the next; the first is repeated at the end.
    """

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__(
            f"these tasks wait for each other: {' -> '.join(path)}; remove one of the dependencies",
            task_id=path[0],
            dependency=path[1],
        )
        self.path = tuple(path)


class DocumentError(TaskError):
    """Raised when a plan file or a JSON document cannot be read as a task tree.

    Attributes:
        source: the name of the file, or where else the text came from.
        line: the line of the error, from 1; None if unknown.
        column: the column, from 1; None if unknown.
    """

    def __init__(self, message: str, *, source: str, line: int | None = None, column: int | None = None) -> None:
        place = source if line is None else f"{source}:{line}" if column is None else f"{source}:{line}:{column}"
        super().__init__(f"{place}: {message}")
        self.source = source
        self.line = line
        self.column = column


class ReplyError(TaskError):
    """Raised when a model's reply does not have the form that its prompt asks for.

    Attributes:
        complaint: what is wrong, in words that the model can be told.
        reply: the whole reply.
    """

    def __init__(self, complaint: str, *, reply: str) -> None:
        super().__init__(f"{complaint}; the reply was: {_quoted(reply)}")
        self.complaint = complaint
        self.reply = reply


class TruncatedReplyError(ReplyError):
    """Raised when a reply was cut by the length limit; what arrived is never taken for the whole."""


def _quoted(reply: str, limit: int = 300) -> str:
    text = reply if len(reply) <= limit else f"{reply[:limit]}... ({counted(len(reply) - limit, 'more character')})"
    return repr(text)
