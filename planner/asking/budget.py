"""What calls may cost: the limits of the run and of every task that has limits for what is below it."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Unpack

from ramify.planner.errors import LimitError
from ramify.planner.settings.option_fields import model_of
from ramify.planner.settings.options import OPTIONS, LimitOptions, options_of
from ramify.tasks import Task, TaskConfig, Usage
from ramify.tasks.counting import counted
from ramify.tasks.tree.config import NO_CONFIG, NO_USAGE

from .cost_gate import CostGate
from .rates import RateLimiter
from .soft_limits import SoftLimits


class RunLimits(model_of(options_of("limits"))):  # type: ignore[misc] # its fields are the options
    """The limits of a whole run; None is no limit. You can resume a run that reached one."""

    if TYPE_CHECKING:

        def __init__(self, **limits: Unpack[LimitOptions]) -> None: ...


def raised_limits(limits: RunLimits, spent: Usage) -> dict[str, float]:
    """Return the limits that a run has reached, each so high that it can take once more what it has taken.

    >>> raised_limits(RunLimits(max_calls=10, max_tokens=999), Usage(calls=10, input_tokens=500))
    {'max_calls': 20}
    """
    raised: dict[str, float] = {}
    for limit, used in used_of_limits(spent).items():
        allowed = getattr(limits, limit)
        if allowed is not None and used >= allowed:
            enough = float(f"{2 * used:.2g}")
            raised[limit] = enough if limit.endswith("_usd") else int(enough)
    return raised


def used_of_limits(spent: Usage) -> dict[str, float]:
    """Return how much of each limit a run has used that has `spent` so much, as far as that tells."""
    return dict((*_used(spent), ("ask_at_usd", spent.cost_usd)))


def _used(spent: Usage, in_flight: int = 0) -> tuple[tuple[str, float], ...]:
    """Return how much of each limit of a scope is used."""
    return (
        ("max_calls", spent.calls + in_flight), ("max_tokens", spent.tokens), ("max_cost_usd", spent.cost_usd),
    )  # fmt: skip


def raising_options(limits: RunLimits, spent: Usage) -> list[str]:
    """Return the words of `ramify resume` that raise the limits which a run has reached; none if it can go on so."""
    return [
        word
        for limit, enough in raised_limits(limits, spent).items()
        for word in (_flag(limit), f"{enough:g}" if isinstance(enough, float) else str(enough))
    ]


def _flag(limit: str) -> str:
    return OPTIONS[limit].option.flag or f"--{limit.replace('_', '-')}"


class _Account:
    """What one scope has spent and may spend."""

    def __init__(
        self, limits: RunLimits | TaskConfig, spent: Usage, soft: SoftLimits | None, task: Task | None = None
    ) -> None:
        self.owner = "the run" if task is None else f"task {task.id}"
        self.limits = limits
        self.spent = spent
        self.in_flight = 0
        self._soft = soft
        self._task = task

    @property
    def on_cost(self) -> tuple[str, float] | None:
        """Its first limit that is about cost, by name, with what it allows."""
        found = ((limit, getattr(self.limits, limit, None)) for limit in ("max_cost_usd", "ask_at_usd"))
        return next(((limit, allowed) for limit, allowed in found if allowed is not None), None)

    def warn(self) -> None:
        """Tell of limits that come near."""
        if self._soft is not None:
            for limit, used in _used(self.spent, self.in_flight):
                self._soft.used(limit, used, getattr(self.limits, limit), self._task)

    def check(self, *, is_over: bool = False) -> None:
        """Raise `LimitError` if a limit is reached; with `is_over`, only if more is used than it allows."""
        for limit, used in _used(self.spent, self.in_flight):
            allowed = getattr(self.limits, limit)
            if allowed is not None and (used > allowed if is_over else used >= allowed):
                raise self.reached(f"{self.owner} has reached {limit} = {allowed:g}", limit)

    def reached(self, told: str, limit: str, enough: int | None = None) -> LimitError:
        """Return the error for a limit, with what is spent when it is read, and the way out."""
        is_of_task = isinstance(self.limits, TaskConfig)
        way_out = "; raise it in its config, in an edited plan" if is_of_task else ""
        options = ("--plan", "FILE") if is_of_task else () if enough is None else (_flag(limit), str(enough))
        return LimitError(
            lambda: f"{told}; spent so far: {self.spent.text}{self._under_way()}{way_out}", limit=limit, options=options
        )

    def _under_way(self) -> str:
        return f", and {counted(self.in_flight, 'call')} in flight" if self.in_flight else ""


class Budget:
    """Keeps the accounts of a run: nothing is started that a limit forbids.

    Args:
        root: the tree.
        limits: the run's own limits.
        outer: where a run that this one is part of keeps its accounts, and the task there; they hold here too.
        soft: tells of limits that come near.
        gate: holds calls back at a cost at which a person is asked.

    Attributes:
        limits: the run's own limits.
        is_unpriced_told: whether it was said that a limit on cost cannot hold.
    """

    def __init__(
        self,
        root: Task,
        limits: RunLimits,
        *,
        outer: "tuple[Budget, Task] | None" = None,
        soft: SoftLimits | None = None,
        gate: CostGate | None = None,
    ) -> None:
        self.limits = limits
        self._outer = outer
        self._soft = soft
        self._gate = gate
        self._root = root
        self._run = _Account(limits, total_usage(root), soft)
        self._accounts: dict[Task, _Account] = {}
        self._rates: dict[Task, RateLimiter] = {}
        self.is_unpriced_told = False
        for task in root.walk():
            self.open(task)
        if outer is not None:
            self._tell_outer(*outer)

    @property
    def spent(self) -> Usage:
        """What the run has used so far."""
        return self._run.spent

    async def passed(self) -> None:
        """Return once a call may start, as far as a person has to be asked about what the run has cost.

        Raises:
            LimitError: if the run is to stop, or nobody can be asked.
        """
        if self._outer is not None:
            await self._outer[0].passed()
        if self._gate is not None:
            await self._gate.passed(lambda: self.spent.cost_usd)

    def change(self, limits: RunLimits) -> None:
        """Have other limits of the run hold from now on.

        Raises:
            LimitError: if more than one of them allows is used already; they hold all the same.
        """
        self.limits = self._run.limits = limits
        if self._gate is not None:
            self._gate.ask_at_usd = limits.ask_at_usd
        self._run.check(is_over=True)
        self._run.warn()

    def near(self, limit: str, used: float, allowed: float | None) -> None:
        """Tell that so much of a limit of the run is used that is not about calls, if that is near it."""
        if self._soft is not None:
            self._soft.used(limit, used, allowed)

    def reserve(self, task: Task) -> None:
        """Count a call for `task` that is about to start.

        Raises:
            LimitError: if a limit of the run, or of a task at or above `task`, is reached; nothing was counted.
        """
        accounts = list(self.over(task))
        for account in accounts:
            account.check()
        for account in accounts:
            account.in_flight += 1
            account.warn()

    def check_left(self, task: Task, what: str, **needed: int) -> None:
        """Check that so much is left for `task` and what is below it.

        Args:
            task: the task.
            what: what takes it at the least.
            **needed: how much, by limit: `max_calls`, `max_tokens`.

        Raises:
            LimitError: if a limit leaves less; nothing was counted.
        """
        for account in self.over(task):
            used = dict(_used(account.spent, account.in_flight))
            for limit, more in needed.items():
                allowed, enough = getattr(account.limits, limit), int(used[limit]) + more
                if allowed is not None and enough > allowed:
                    takes = f"{what} needs at least {more:,} {limit.removeprefix('max_')}"
                    raise account.reached(f"{takes}; {account.owner} has {limit} = {allowed:,}", limit, enough)

    def settle(self, task: Task, usage: Usage) -> None:
        """Count what a reserved call has used, whether or not a reply arrived."""
        for account in self.over(task):
            account.in_flight -= 1
            account.spent += usage
            account.warn()

    def told_unpriced(self, model: str, task: Task | None = None) -> str | None:
        """Return what there is to say of calls of `model` whose cost nobody knows, if a limit is on cost; once.

        Args:
            model: the model's name.
            task: the task that it was asked for; None before it is asked for any.
        """
        accounts = list(self.over(task or self._root))
        if task is None:
            accounts += self._accounts.values()
        limited = next((each for each in accounts if each.on_cost is not None), None)
        budgets = [self] if self._outer is None else [self, self._outer[0]]
        if limited is None or limited.on_cost is None or any(each.is_unpriced_told for each in budgets):
            return None
        limit, allowed = limited.on_cost
        for each in budgets:
            each.is_unpriced_told = True
        return (
            f"{limited.owner} has {limit} = {allowed:g}, which cannot be enforced: the price"
            f" of {model} is unknown; set max_calls or max_tokens too (--max-calls, --max-tokens)"
        )

    def rates(self, task: Task) -> list[AbstractAsyncContextManager[object]]:
        """Return the rate limiters that a call for `task` has to pass, the root's first."""
        above = [] if self._outer is None else self._outer[0].rates(self._outer[1])
        if not self._rates:
            return above
        return above + [self._rates[each] for each in (*[*task.ancestors()][::-1], task) if each in self._rates]

    def open(self, task: Task) -> None:
        """Keep an account for `task`, if it has limits for what is at and below it."""
        config = task.config
        if config is NO_CONFIG:
            return
        if config.max_calls or config.max_tokens or config.max_cost_usd:
            self._accounts[task] = _Account(config, total_usage(task), self._soft, task)
        if config.requests_per_second or config.concurrent_requests:
            self._rates[task] = RateLimiter(
                requests_per_second=config.requests_per_second, concurrent_requests=config.concurrent_requests
            )

    def over(self, task: Task) -> Iterator[_Account]:
        """Yield the accounts that a call for `task` is counted in, the run's first, then those of the run outside."""
        yield self._run
        if self._accounts:
            yield from (self._accounts[each] for each in (task, *task.ancestors()) if each in self._accounts)
        if self._outer is not None:
            yield from self._outer[0].over(self._outer[1])

    def _tell_outer(self, budget: "Budget", task: Task) -> None:
        """Have the run outside count what this one had used before, as far as it does not know of it."""
        unknown = self.spent - task.usage
        for account in budget.over(task):
            account.spent += unknown


DEFAULTS = TaskConfig(max_retries=2, retry_delay_seconds=1.0, max_check_rounds=2, recovery="retry", max_replans=2)
"""The limits of a task for which nobody says anything."""


class Configs:
    """The limits that hold for each task: its own, over those of the tasks above it.

    Args:
        defaults: what holds where neither says anything.
        instead: what holds whatever they say.
    """

    def __init__(self, defaults: TaskConfig, instead: TaskConfig = NO_CONFIG) -> None:
        self._defaults = instead.over(defaults)
        self._instead = instead
        self._known: dict[Task, TaskConfig] = {}

    def of(self, task: Task) -> TaskConfig:
        """Return the limits of `task`, with what it leaves open inherited."""
        line = []
        current: Task | None = task
        while current is not None and current not in self._known:
            if current is not task or current.config is not NO_CONFIG:  # else there would be an entry for each leaf
                line.append(current)
            current = current.parent
        config = self._defaults if current is None else self._known[current]
        for each in reversed(line):
            if each.config is not NO_CONFIG:
                config = self._instead.over(each.config.over(config))
            self._known[each] = config
        return config


def total_usage(top: Task) -> Usage:
    """Return what the calls for `top` and all below it have used together."""
    return Usage.sum_of([usage for task in top.walk() if (usage := task.usage) is not NO_USAGE])
