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
    """The limits of a task, inherited down the tree; None means that nothing is said here.

    A limit that a task's worker cannot keep is refused before the run starts, never ignored.

    Attributes:
        policy: when tasks are split, this one and those below it: the name of a policy; see docs/decomposition.md.
        may_repeat: whether what a worker does for this task, and for none below it, may be done again if nobody knows
            whether it was done: True, False, or "with_key"; as its worker says unless given. See docs/effects.md.
        max_duration_seconds: time for one attempt at the task, in seconds.
        max_retries: attempts after the first one.
        retry_delay_seconds: the first delay between attempts; it doubles, with jitter, from one to the next.
        max_check_rounds: how often an answer that does not pass a check is sent back.
        recovery: how far it goes until the task has FAILED: it is tried again (retry), then split too, then the plan
            around it is changed too (replan).
        max_replans: how often what is open of the plan below a task is planned anew.
        vote_ahead: a leaf's question is put to its model until one answer leads by so many; see docs/checks.md.
        max_samples: answers that are asked for in one vote; ten times `vote_ahead` unless given.
        max_answer_characters: longer answers of a leaf's model are discarded, and neither cut nor repaired.
        requests_per_second: model calls and pages started in a second, over all tasks below.
        concurrent_requests: model calls and pages in flight, over all tasks below.
        max_turns: replies in one conversation of a model with its tools.
        tool_choice: which tool a leaf's model calls before it answers: auto, required, none, or the name of one.
        conversation: whether a leaf goes on with the conversation of a leaf that it needs (chain), or begins one of its
            own (fresh, as unless set).
        composing: how results are composed that one prompt does not hold: in steps (as unless set), or by a model that
            reads what it wants of them with a tool (read).
        max_calls: model calls, over all tasks below.
        max_tokens: input and output tokens, over all tasks below.
        max_cost_usd: cost of the model calls in US dollars, over all tasks below.
        max_memory_mb: memory of a subprocess worker, in MiB.
        max_pages: pages that HTTP workers may fetch, over all tasks below.
        allowed_domains: the only domains that HTTP workers may reach; their subdomains are meant too.
        blocked_domains: domains that HTTP workers may not reach.
        require_https: whether HTTP workers refuse plain HTTP.
        user_agent: how HTTP workers name themselves.
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
        """Return this configuration with what it leaves open taken from `inherited`, but for `may_repeat`."""
        said = self.model_dump(exclude_none=True)
        if inherited.may_repeat is not None:
            said.setdefault("may_repeat", None)
        return inherited.model_copy(update=said) if said else inherited


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls have used; sums with `+`.

    Attributes:
        calls: model calls that were sent, also those whose reply was refused or never came.
        input_tokens: tokens sent, as far as they were told.
        output_tokens: tokens received, as far as they were told.
        cost_usd: the sum of the costs that are known, in US dollars.
        calls_without_cost: calls whose cost nobody knows; the true cost is higher than `cost_usd` if there are any.
        cached_tokens: those of the input tokens that a server had read before, as far as it was told.
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
        """Return what `count` of it are together."""
        return Usage(**{each.name: getattr(self, each.name) * count for each in fields(self)})

    def to_data(self) -> dict[str, Any]:
        """Return what is not zero, as JSON data; `Usage(**data)` is the same again."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def text(self) -> str:
        """All of it for people to read.

        >>> Usage(calls=1, input_tokens=1200).text
        '1 call, 1,200 tokens, $0.0000'
        """
        return f"{counted(self.calls, 'call')}, {self.tokens_text}, {self.cost_text}"

    @property
    def tokens_text(self) -> str:
        """The tokens for people to read, and how many of them were cached.

        >>> Usage(calls=1, input_tokens=1200, cached_tokens=1000).tokens_text
        '1,200 tokens (1,000 cached)'
        """
        return f"{counted(self.tokens, 'token')}{self.cached_text}"

    @property
    def cached_text(self) -> str:
        """How many input tokens were cached, for people to read; empty if none were."""
        return f" ({self.cached_tokens:,} cached)" if self.cached_tokens else ""

    @property
    def cost_text(self) -> str:
        """The cost for people to read; an unknown cost is said to be unknown.

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
