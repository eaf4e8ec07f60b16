"""What a task may cost and take: its limits (`TaskConfig`) and what it has used (`Usage`)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from ramify.tasks.counting import counted

from .bounds import MOST_AHEAD, SLOWEST_RATE

_Count = Annotated[int, Field(ge=1)]
_Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TaskConfig(BaseModel):
    """The limits of a task, inherited down the tree; None means not set here.

    A limit that the task's worker cannot enforce is refused before the run starts.

    Attributes:
        policy: the policy that splits this task and those below it: see docs/plans.md.
        may_repeat: whether the worker's work for this task alone may repeat if its outcome is unknown: True, False or
            "with_key"; default: as its worker says. See docs/effects.md.
        max_duration_seconds: seconds for one attempt.
        max_retries: attempts after the first one.
        retry_delay_seconds: the first delay between attempts; it doubles each time, with jitter.
        max_check_rounds: how often a rejected answer is sent back.
        recovery: what to try before the task fails: retry, then also split, then also replan.
        max_replans: how often the open tasks below a task are replanned.
        vote_ahead: ask a leaf's question until one answer leads by this many votes: see docs/checks.md.
        max_samples: the most answers in one vote; default: ten times `vote_ahead`.
        max_answer_characters: longer answers of a leaf are discarded.
        requests_per_second: model calls and pages started in a second, over all tasks below.
        concurrent_requests: model calls and pages in flight, over all tasks below.
        max_turns: the most replies in one conversation with tools.
        tool_choice: which tool a leaf calls before it answers: auto, required, none, or a tool's name.
        conversation: whether a leaf continues the conversation of a leaf it depends on (chain), or starts a new one
            (fresh, the default).
        composing: how to compose results that do not fit into one prompt: in steps (the default), or by letting the
            model read them with a tool (read).
        max_calls: model calls, over all tasks below.
        max_tokens: input and output tokens, over all tasks below.
        max_cost_usd: cost of the model calls in US dollars, over all tasks below.
        max_memory_mb: memory of a subprocess worker, in MiB.
        max_pages: pages that HTTP workers may fetch, over all tasks below.
        allowed_domains: the only domains, with subdomains, that HTTP workers may reach.
        blocked_domains: domains, with subdomains, that HTTP workers may not reach.
        require_https: whether HTTP workers refuse plain HTTP.
        user_agent: the user agent of HTTP workers.
        viewport_width: width of a browser worker's page, in pixels.
        viewport_height: height of a browser worker's page, in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Annotated[str, Field(min_length=1)] | None = None
    may_repeat: bool | Literal["with_key"] | None = None
    max_duration_seconds: _Amount | None = None
    max_retries: Annotated[int, Field(ge=0)] | None = None
    retry_delay_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    max_check_rounds: Annotated[int, Field(ge=0)] | None = None
    recovery: Literal["retry", "split", "replan"] | None = None
    max_replans: Annotated[int, Field(ge=0)] | None = None
    vote_ahead: Annotated[int, Field(ge=1, le=MOST_AHEAD)] | None = None
    max_samples: _Count | None = None
    max_answer_characters: _Count | None = None
    requests_per_second: Annotated[float, Field(ge=SLOWEST_RATE, allow_inf_nan=False)] | None = None
    concurrent_requests: _Count | None = None
    max_turns: Annotated[int, Field(ge=2)] | None = None
    tool_choice: Annotated[str, Field(min_length=1)] | None = None
    conversation: Literal["chain", "fresh"] | None = None
    composing: Literal["steps", "read"] | None = None
    max_calls: _Count | None = None
    max_tokens: _Count | None = None
    max_cost_usd: _Amount | None = None
    max_memory_mb: _Count | None = None
    max_pages: _Count | None = None
    allowed_domains: tuple[str, ...] | None = None
    blocked_domains: tuple[str, ...] | None = None
    require_https: bool | None = None
    user_agent: str | None = None
    viewport_width: _Count | None = None
    viewport_height: _Count | None = None

    def over(self, inherited: "TaskConfig") -> "TaskConfig":
        """Return this configuration, with unset values from `inherited`, except for `may_repeat`."""
        said = self.model_dump(exclude_none=True)
        if inherited.may_repeat is not None:
            said.setdefault("may_repeat", None)
        return inherited.model_copy(update=said) if said else inherited


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of model calls; add with `+`.

    Attributes:
        calls: model calls that were sent, counting those whose reply was rejected or lost.
        input_tokens: tokens sent, as far as reported; estimated for replies that broke off.
        output_tokens: tokens received, as far as reported; estimated for replies that broke off.
        cost_usd: the sum of known costs, in US dollars.
        calls_without_cost: calls of unknown cost; if there are any, `cost_usd` is a lower bound.
        cached_tokens: cached input tokens, as far as reported.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    calls_without_cost: int = 0
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Return both together."""
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            calls_without_cost=self.calls_without_cost + other.calls_without_cost,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        """Return what is left without `other`."""
        return Usage(**{each.name: getattr(self, each.name) - getattr(other, each.name) for each in fields(self)})

    @classmethod
    def sum_of(cls, used: Sequence["Usage"]) -> "Usage":
        """Return all of `used` together; quicker than one sum after the other."""
        return cls(*(sum(getattr(each, name) for each in used) for name in _USAGE_NAMES)) if used else NO_USAGE

    def times(self, count: int) -> "Usage":
        """Return `count` times this usage."""
        return Usage(**{each.name: getattr(self, each.name) * count for each in fields(self)})

    def to_data(self) -> dict[str, Any]:
        """Return nonzero values as JSON data; `Usage(**data)` restores it."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}

    @property
    def tokens(self) -> int:
        """The sum of input and output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def text(self) -> str:
        """The usage in one line, for people.

        >>> Usage(calls=1, input_tokens=1200).text
        '1 call, 1,200 tokens, $0.0000'
        """
        return f"{counted(self.calls, 'call')}, {self.tokens_text}, {self.cost_text}"

    @property
    def tokens_text(self) -> str:
        """The tokens, and how many were cached, for people.

        >>> Usage(calls=1, input_tokens=1200, cached_tokens=1000).tokens_text
        '1,200 tokens (1,000 cached)'
        """
        return f"{counted(self.tokens, 'token')}{self.cached_text}"

    @property
    def cached_text(self) -> str:
        """The number of cached tokens, for people; empty if none."""
        return f" ({self.cached_tokens:,} cached)" if self.cached_tokens else ""

    @property
    def cost_text(self) -> str:
        """The cost, for people.

        >>> Usage(calls=2, cost_usd=0.5, calls_without_cost=1).cost_text
        'at least $0.5000 (cost unknown for 1 of 2 calls)'
        """
        if not self.calls_without_cost:
            return f"${self.cost_usd:.4f}"
        if self.calls_without_cost == self.calls:
            return "cost unknown"
        return f"at least ${self.cost_usd:.4f} (cost unknown for {self.calls_without_cost} of {self.calls} calls)"


_USAGE_NAMES = tuple(each.name for each in fields(Usage))
NO_CONFIG = TaskConfig()
NO_USAGE = Usage()
