"""Who asks which agent: one asker for each, one gate and one limiter for each model, one budget and journal for all."""

from collections.abc import Callable, Iterable
from functools import partial

from ramify.planner.events.recorder import Recorder
from ramify.planner.store.records import CallRecord

from .agent import Agent
from .asker import Asker
from .budget import Budget
from .caller import Cache, Caller
from .outage import OutageGate
from .rates import RateLimiter


class Askers:
    """The askers of one run.

    Args:
        recorder: where replies are written.
        budget: what calls may cost.
        nonce_seed: what the delimiters of data blocks are made from, and the run's key for caches of providers.
        base_s: the first delay before such a model is asked again, in seconds.
        on_waiting: told when calls wait.
        recorded: the calls whose replies had arrived before the run was resumed.
        cache: where answers to the same request are looked up; None asks every time.
    """

    def __init__(
        self,
        recorder: Recorder,
        budget: Budget,
        *,
        nonce_seed: str,
        base_s: float,
        on_waiting: Callable[[str, float], None],
        recorded: Iterable[CallRecord] = (),
        cache: Cache | None = None,
    ) -> None:
        self._recorder = recorder
        self._budget = budget
        self._nonce_seed = nonce_seed
        self._make_gate = partial(
            OutageGate,
            max_wait_s=lambda: budget.limits.max_wait_seconds,
            base_s=base_s,
            on_waiting=on_waiting,
            on_waited=lambda waited_s: budget.near(
                "max_wait_seconds", round(waited_s, 1), budget.limits.max_wait_seconds
            ),
        )
        self._recorded = tuple(recorded)
        self._cache = cache
        self._callers: dict[object, Caller] = {}
        self._askers: dict[int, tuple[Agent, Asker]] = {}

    def of(self, agent: Agent) -> Asker:
        """Return what asks `agent`; agents with one model share its gate and its limiter."""
        known = self._askers.get(id(agent))
        if known is None:
            model = agent.model
            caller = self._callers.get(id(model))
            if caller is None:
                caller = self._callers[id(model)] = Caller(
                    model, self._recorder, self._budget, self._make_gate(), RateLimiter(), seed=self._nonce_seed,
                    window=agent.settings.window, recorded=self._recorded, cache=self._cache,
                    redactor=self._recorder.redactor,
                )  # fmt: skip
            known = self._askers[id(agent)] = agent, Asker(agent, caller, nonce_seed=self._nonce_seed)
        return known[1]
