"""The near end of an engine: what the run answers to the messages of a function that works elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

from ramify.planner.errors import LeaseError, StoreError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.work.context import WorkContext

from .far import packed
from .protocol import Message


class Hearing:
    """Answers the messages about one attempt at a task; any thread may call it.

    Args:
        context: the context of the attempt.

    Attributes:
        fatal: why nothing can be kept any more, if that is so; it ends the attempt, whatever the function makes of it.
    """

    def __init__(self, context: WorkContext) -> None:
        self._context = context
        self.fatal: Exception | None = None

    def __call__(self, message: Message) -> Message:
        """Return what a message asks for, or what was wrong with it."""
        more = dict(message)
        answer: Callable[..., Any] = _ANSWERS.get(str(more.pop("ask", None)), _unknown)
        try:
            return {"value": answer(self._context, **more)}
        except Exception as error:  # noqa: BLE001 - it crosses as data
            if isinstance(error, StoreError | LeaseError):
                self.fatal = error
            return {"error": packed(error)}


def _unknown(_: WorkContext, **_more: Any) -> None:
    raise UsageError(f"a run cannot be asked that; it answers {', '.join(_ANSWERS)}")


_ANSWERS: Mapping[str, Callable[..., Any]] = {
    EventType.TASK_PROGRESS.value: lambda context, fraction, doing: context.progress(fraction, doing),
    EventType.EMITTED.value: lambda context, name, data: context.emit(name, **data),
    EventType.ALERT.value: lambda context, message, data: context.alert(message, **data),
    "recall": lambda context, key, scope: context.memory.get(key, scope=scope),
    "recall_all": lambda context, scope: context.memory.all(scope=scope),
    "remember": lambda context, key, value, scope: context.memory.set(key, value, scope=scope),
    "results": lambda context: context.results,
    "idempotency_key": lambda context: context.idempotency_key,
    "storage": lambda context: str(context.storage),
    "secret": lambda context, name: context.secret(name),
}
