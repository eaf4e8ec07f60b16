"""Effects: steps that may not simply be repeated, and what is known of each, for people to read."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ramify.planner.runtime.terminal import one_printable_line
from ramify.planner.store import StepRecord

_MOST_NAMED = 5


def effects_of(steps: Iterable[StepRecord], *, is_running: bool) -> list[StepRecord]:
    """Return those of `steps` that may not simply be repeated; nobody knows the end of one that was broken off.

    Args:
        steps: steps of a run.
        is_running: whether a process carries the run on.
    """
    found = [step for step in steps if step.is_effect]
    return found if is_running else [replace(step, is_unknown=step.state != "done") for step in found]


def effects_text(effects: Sequence[StepRecord]) -> str:
    """Return how many effects there are in which state, and which of them nobody knows the end of; nothing if none.

    >>> from ramify.planner.store import StepKey
    >>> pay = StepRecord(key=StepKey("0.1", 0, "pay#1"), started_at=1.0, may_repeat=False, is_unknown=True)
    >>> effects_text([pay, replace(pay, key=StepKey("0.2", 0, "pay#1"), ended_at=2.0)])
    '1 done, 1 unknown (0.1 pay#1)'
    """
    counts = Counter(step.state for step in effects)
    names = [one_printable_line(f"{each.key.task_id} {each.key.key}") for each in effects if each.state == "unknown"]
    more = ", ..." if len(names) > _MOST_NAMED else ""
    told = f" ({', '.join(names[:_MOST_NAMED])}{more})" if names else ""
    parts = [f"{counts[state]} {state}" for state in ("done", "intended", "unknown") if counts[state]]
    return f"{', '.join(parts)}{told}"


def effect_text(step: StepRecord) -> str:
    """Return what is known of one effect, without its name."""
    key = f"idempotency key {step.idempotency_key}" if step.idempotency_key else ""
    again = "may repeat with its key" if step.may_repeat == "with_key" else "must not repeat"
    return ", ".join(filter(None, (step.state, again if step.state != "done" else "", key)))
