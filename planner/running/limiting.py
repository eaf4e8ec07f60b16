"""The limits of a whole run as they hold now: somebody may change them while it goes on, and they hold at once.

Calls, tokens and cost are counted by the budget, time by the clock here. Lowering one below what is used reaches it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ramify.planner.asking.budget import Budget, RunLimits
from ramify.planner.asking.cost_gate import CostGate
from ramify.planner.asking.person import Person
from ramify.planner.asking.soft_limits import NEAR, SoftLimits
from ramify.planner.errors import LimitError
from ramify.planner.events.events import Event
from ramify.planner.events.recorder import Recorder
from ramify.planner.store.changes import RunChanged
from ramify.tasks import Task

from .endings import Ending

Changes = dict[str, dict[str, Any]]
"""The limits that are different: old and new, by name."""


def changed_limits(limits: RunLimits, new: Mapping[str, Any]) -> tuple[RunLimits, Changes]:
    """Return `limits` with `new` ones, and what is different.

    >>> changed_limits(RunLimits(max_calls=5), {"max_calls": 9, "max_tokens": None})[1]
    {'max_calls': {'old': 5, 'new': 9}}

    Raises:
        ValidationError: if a value cannot be used.
    """
    given = {name: value for name, value in new.items() if value is not None}
    changed = RunLimits.model_validate({**dict(limits), **given})
    old, now = dict(limits), dict(changed)
    return changed, {name: {"old": old[name], "new": now[name]} for name in given if old[name] != now[name]}


class Limiting:
    """Has the limits of one run hold.

    Args:
        limits: what holds as it begins.
        keep: lets the run's settings have other ones, and returns what is written of it.
        stop: stops the run.
    """

    def __init__(
        self, limits: RunLimits, *, keep: Callable[[RunLimits], RunChanged], stop: Callable[..., None]
    ) -> None:
        self._limits = limits
        self._keep = keep
        self._stop = stop
        self._budget: Budget | None = None
        self._soft: SoftLimits | None = None
        self._began = 0.0
        self._timers: list[asyncio.TimerHandle] = []

    def begin(
        self,
        root: Task,
        recorder: Recorder,
        person: Person,
        *,
        outer: tuple[Budget, Task] | None = None,
        near: Iterable[Event] = (),
    ) -> Budget:
        """Let time count from now on, and return what keeps the accounts.

        Args:
            root: the tree.
            recorder: writes down which limits come near.
            person: who is asked at `ask_at_usd`.
            outer: where a run that this one is part of keeps its accounts, and the task there.
            near: the events that have told before of limits that come near.
        """
        self._began = asyncio.get_running_loop().time()
        self._soft = SoftLimits(recorder, near)
        gate = CostGate(self._limits.ask_at_usd, person, recorder, self._asks_at)
        self._budget = Budget(root, self._limits, outer=outer, soft=self._soft, gate=gate)
        self._set_timers()
        return self._budget

    def change(self, new: Mapping[str, Any]) -> tuple[RunChanged, Changes]:
        """Take other limits over, for the run to go on with; return what is written of it, and what is different.

        Raises:
            ValidationError: if a value cannot be used.
        """
        self._limits, changes = changed_limits(self._limits, new)
        return self._keep(self._limits), changes

    def hold(self) -> None:
        """Have the limits hold that were taken over, and stop the run if more than one of them allows is used."""
        if self._budget is None:
            return
        self._set_timers()
        try:
            self._budget.change(self._limits)
        except LimitError as error:
            self._stop(Ending("stopped", str(error), error))

    def end(self) -> None:
        """Let no more time count."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _set_timers(self) -> None:
        self.end()
        seconds, soft = self._limits.max_seconds, self._soft
        if seconds is None or soft is None:
            return
        loop = asyncio.get_running_loop()
        error = LimitError(f"the run has reached max_seconds = {seconds:g}", limit="max_seconds")
        over = Ending("stopped", str(error), error)
        self._timers = [
            loop.call_at(self._began + NEAR * seconds, soft.used, "max_seconds", NEAR * seconds, seconds),
            loop.call_at(self._began + seconds, lambda: self._stop(over, cancel=True)),
        ]

    def _asks_at(self, cost_usd: float | None) -> RunChanged:
        """Let a person be asked at another cost from here on; return what is written of it."""
        self._limits = self._limits.model_copy(update={"ask_at_usd": cost_usd})
        return self._keep(self._limits)
