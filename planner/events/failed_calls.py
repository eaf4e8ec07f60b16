"""Calls that ended without a reply: the events that tell of them hold what they have used, so that it stays counted.

The journal has the replies; what a run has used in all is both together. The last process of a run may have been killed
while calls were under way: those were begun and not ended, and are written down as lost before the run goes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ramify.planner.runtime.border import words_of
from ramify.prompts.errors import RamifyError
from ramify.tasks import Usage
from ramify.tasks.tree.config import NO_USAGE

from .events import Event, EventType

if TYPE_CHECKING:
    from ramify.planner.store.reader import StoreReader

LOST = "its process was killed before a reply came"
_GIVEN_UP = "given up while it was under way"

_ENDS_OF_PROCESSES = (EventType.RUN_STARTED, EventType.RUN_FINISHED, EventType.RUN_FORKED)
_CALLS = (EventType.CALL_STARTED, EventType.CALL_DONE, EventType.CALL_FAILED)


class Begun(NamedTuple):
    """Calls that are alike: for which task, what for, and who was asked."""

    task_id: str
    purpose: str
    model: str


def failed_call(call: Begun, error: BaseException | str, used: Usage, *, latency_s: float = 0.0) -> dict[str, Any]:
    """Return what the event of a call that has ended without a reply holds."""
    return {
        "purpose": call.purpose,
        "model": call.model,
        "error": error if isinstance(error, str) else _words(error),
        "latency_s": round(latency_s, 6),
        "calls": used.calls,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost_usd": None if used.calls_without_cost else used.cost_usd,
    } | ({"cached_tokens": used.cached_tokens} if used.cached_tokens else {})


def usage_of_failed(data: Mapping[str, Any]) -> Usage:
    """Return what a call has used whose event holds `data`.

    >>> usage_of_failed(failed_call(Begun("0", "execute", "m"), "cut", Usage(calls=1, output_tokens=5))).tokens
    5
    """
    return Usage(
        calls=data["calls"],
        input_tokens=data["input_tokens"],
        output_tokens=data["output_tokens"],
        cost_usd=data["cost_usd"] or 0.0,
        calls_without_cost=data["calls"] if data["cost_usd"] is None else 0,
        cached_tokens=data.get("cached_tokens", 0),
    )


class FailedCalls(NamedTuple):
    """What became of the calls of a run that have no reply.

    Attributes:
        used: what those have used of which is written down how they ended, by task.
        lost: those that the run's last process had under way when it was killed.
        was_killed: whether it was.
    """

    used: Mapping[str, Usage]
    lost: Sequence[Begun]
    was_killed: bool


NO_FAILED_CALLS = FailedCalls({}, (), was_killed=False)


def read_failed_calls(store: "StoreReader", run_id: str) -> FailedCalls:
    """Return what became of the calls of a run that have no reply, before its next process begins.

    Raises:
        StoreError: if the events cannot be read.
    """
    used: dict[str, Usage] = {}
    for event in store.events_of(run_id, (EventType.CALL_FAILED,)):
        task_id = str(event.task_id)
        used[task_id] = used.get(task_id, NO_USAGE) + usage_of_failed(event.data)
    ends = store.events_of(run_id, _ENDS_OF_PROCESSES)
    if not ends or ends[-1].type != EventType.RUN_STARTED:  # a fork has no calls in flight: they are another run's
        return FailedCalls(used, (), was_killed=not ends)
    return FailedCalls(used, _under_way(store.events_of(run_id, _CALLS, after=ends[-1].seq)), was_killed=True)


def _under_way(events: Iterable[Event]) -> list[Begun]:
    """Return the calls that `events` tell the beginning of, and not the end."""
    begun: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        models = begun[str(event.task_id), event.data["purpose"]]
        if event.type == EventType.CALL_STARTED:
            models.append(event.data["model"])
        elif models and not event.data.get("recorded"):
            models.pop()
    return [Begun(*key, model) for key, models in begun.items() for model in models]


def _words(error: BaseException) -> str:
    if isinstance(error, RamifyError):
        return words_of(error)
    return _GIVEN_UP if type(error).__name__ == "CancelledError" else type(error).__name__
