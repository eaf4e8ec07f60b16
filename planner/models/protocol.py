"""The protocol between Ramify and whatever answers its prompts: one request, one reply."""

import hashlib
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, runtime_checkable

from ramify.planner.runtime.border import border
from ramify.prompts.rendered import Message
from ramify.prompts.variables import PromptVariables
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Usage
from ramify.tasks.json_text import json_text
from ramify.tasks.tree.config import NO_USAGE

from .prompt_cache import PromptCache
from .server_facts import NOTHING_KNOWN, ServerFacts

REQUIRED = "required"
"""The `tool_choice` of a request in which some tool has to be called."""

_set = object.__setattr__

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling settings; what is None is left out of the request, as some models refuse it."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    reasoning_effort: str | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings that are set."""
        names = ("temperature", "top_p", "max_output_tokens", "seed", "stop", "reasoning_effort")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Cap:
    """The most tokens that a reply may have.

    Attributes:
        option: the option that says so.
        tokens: how many.
        is_default: whether nobody has given it.
    """

    option: str
    tokens: int
    is_default: bool = False

    def __str__(self) -> str:
        return f"{self.option} = {self.tokens}{' (its default)' if self.is_default else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's wish to call a tool.

    Attributes:
        id: the provider's id of the call.
        name: the tool.
        arguments: its arguments, as the JSON text that the model wrote.
    """

    id: str
    name: str
    arguments: str

    def __post_init__(self) -> None:
        """Make the words whole."""
        for name in ("id", "name", "arguments"):
            _set(self, name, whole_text(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to a model.

    Attributes:
        purpose: the name of the template that it was rendered from: decompose, execute, compose, ...
        task_id: the task that it is asked for.
        messages: the rendered messages, in order.
        variables: what the template was rendered from; models without a language model read these.
        prompt_version: the template's version.
        prompt_sha256: the hash of the template's source.
        nonce: what delimits the data in the messages; empty where there is none.
        attempt: which attempt at the task it is made in, from 1; not sent.
        sample: which of several questions in the same words it is, from 0; not sent.
        tools: JSON schemas of the tools that may be called, in the chat APIs' form.
        tool_choice: "required", or the name of the one that has to be called; the messages say so too, so it is no part
            of the hash.
        schema: JSON schema that the reply must fit; None for text.
        sampling: sampling settings.
        timeout_s: the longest to wait for the whole reply, in seconds.
        data_shown: how many characters of data the messages show; not sent.
        data_given: how many they would show if nothing had to be left out; not sent.
        cache_key: what tells a provider's cache of prompts which requests belong together; no part of the hash. Empty
            if it is told nothing.
        shared: how many characters of the first user's message those of its siblings begin with too, after the system
            message; 0 if it is the latter alone, None if nothing is shared. For caches; no part of the hash.
        goes_on: whether another request may go on with the conversation, so that caches keep it to its end; no part of
            the hash.
        stop_runaway: whether a reply that runs away is stopped; not sent.
        cap: how long the reply may become by what is asked for, besides `sampling.max_output_tokens`; no part of the
            hash, as the words of a reply that is whole do not depend on it.
    """

    purpose: str
    task_id: str
    messages: tuple[Message, ...]
    variables: PromptVariables | None = None
    prompt_version: str = ""
    prompt_sha256: str = ""
    nonce: str = ""
    attempt: int = 1
    sample: int = 0
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | None = None
    schema: Mapping[str, Any] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    timeout_s: float | None = None
    data_shown: int = 0
    data_given: int = 0
    cache_key: str = ""
    shared: int | None = None
    goes_on: bool = False
    stop_runaway: bool = True
    cap: Cap | None = None

    @property
    def limit(self) -> Cap | None:
        """How long the reply may become, by whatever says the least."""
        most = self.sampling.max_output_tokens
        if most is None or (self.cap is not None and self.cap.tokens < most):
            return self.cap
        return Cap("max_output_tokens", most)

    def to_wire(self, model: str) -> dict[str, Any]:
        """Return what the reply depends on, as JSON data: the model, the messages, tools, schema, sampling."""
        wire: dict[str, Any] = {"model": model, "messages": list(self.messages), **self.sampling.given()}
        if self.tools:
            wire["tools"] = list(self.tools)
        if self.schema is not None:
            wire["schema"] = self.schema
        return wire

    def sha256(self, model: str) -> str:
        """Return the hash of `to_wire` without the nonce; two requests with one hash would be answered alike.

        Every run has nonces of its own, and the same question in two runs has to have one hash. So a message is hashed
        as the list of its parts around the nonce, which no data can imitate: the nonce occurs in none of them.
        """
        wire = self.to_wire(model)
        if self.nonce:
            wire["messages"] = [{**each, "content": each["content"].split(self.nonce)} for each in self.messages]
        words = json_text(wire, sort_keys=True, separators=(",", ":"))
        return _sha256(words.encode("utf-8", "surrogatepass"))


_PIECE, _LONG = 2_000, 100_000


def _sha256(data: bytes) -> str:
    """Return the hash of `data`, in pieces for which Python does not let go of its lock.

    It does so from 2,048 bytes on, and getting it back takes ten times as long as the hash of an ordinary prompt while
    another thread, such as the store's, has work to do.
    """
    if len(data) > _LONG:
        return hashlib.sha256(data).hexdigest()
    found = hashlib.sha256()
    for start in range(0, len(data), _PIECE):
        found.update(data[start : start + _PIECE])
    return found.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """One answer of a model.

    Attributes:
        text: the words; empty if it only called tools.
        model: the name of the model that answered.
        finish_reason: why it stopped: `length` means that the reply was cut.
        tool_calls: tools that it wants called.
        input_tokens: tokens sent; 0 when nobody counted.
        cached_tokens: how many of these the server had read before, as far as it says so.
        output_tokens: tokens received; 0 when nobody counted.
        cost_usd: what it cost in US dollars; None when unknown.
        latency_s: from the request to the last word, in seconds.
        taken_from: the run or recording that the reply was taken from; None if a model has made it for this request.
        stopped: how it had run away, if it had, and was not read on.
        has_thought: whether the model has thought before it answered, which takes tokens of its reply.
    """

    text: str
    model: str
    finish_reason: FinishReason = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    latency_s: float = 0.0
    taken_from: str | None = None
    cached_tokens: int = 0
    stopped: str = ""
    has_thought: bool = False

    def __post_init__(self) -> None:
        """Make the words whole; a cost that is no number is not known."""
        _set(self, "text", whole_text(self.text))
        if self.cost_usd is not None and not math.isfinite(self.cost_usd):
            _set(self, "cost_usd", None)

    def to_data(self) -> dict[str, Any]:
        """Return the reply as JSON data, for the journal."""
        data: dict[str, Any] = {name: getattr(self, name) for name in _REPLY_FIELDS}
        if self.taken_from is not None:
            data["taken_from"] = self.taken_from
        data |= {name: value for name in ("cached_tokens", "stopped", "has_thought") if (value := getattr(self, name))}
        if self.tool_calls:
            data["tool_calls"] = [
                {"id": call.id, "name": call.name, "arguments": call.arguments} for call in self.tool_calls
            ]
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return the reply that `to_data` wrote."""
        calls = tuple(ToolCall(**call) for call in data.get("tool_calls", ()))
        return cls(
            **{name: data[name] for name in _REPLY_FIELDS},
            tool_calls=calls,
            taken_from=data.get("taken_from"),
            cached_tokens=data.get("cached_tokens", 0),
            stopped=data.get("stopped", ""),
            has_thought=data.get("has_thought", False),
        )

    def usage(self) -> Usage:
        """Return what the call has used: nothing, if its reply was taken from another."""
        if self.taken_from is not None:
            return NO_USAGE
        return Usage(
            calls=1,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost_usd or 0.0,
            calls_without_cost=int(self.cost_usd is None),
            cached_tokens=self.cached_tokens,
        )


def usage_in(data: Mapping[str, Any]) -> Usage:
    """Return what a call has used whose reply `ModelReply.to_data` wrote, in a tenth of the time of making the reply.

    >>> usage_in(ModelReply(text="yes", model="m", output_tokens=1).to_data()).output_tokens
    1
    """
    cost_usd = data["cost_usd"]
    if data.get("taken_from") is not None:
        return NO_USAGE
    return Usage(
        1, data["input_tokens"], data["output_tokens"], cost_usd or 0.0, int(cost_usd is None),
        data.get("cached_tokens", 0),
    )  # fmt: skip


_REPLY_FIELDS = ("text", "model", "finish_reason", "input_tokens", "output_tokens", "cost_usd", "latency_s")


@runtime_checkable
class Model(Protocol):
    """Whatever answers requests.

    Attributes:
        name: how users name it, and how results name it.
        maker: who the words come from, for people to read: "gpt-5-mini", or "rules (no language model)".
        is_language_model: whether a language model answers.

    More may be there:
        prompt_budget: the most characters of results in one prompt; None is no limit, for a model that reads a
            request's variables instead of its words. `ramify.prompts.DEFAULT_BUDGET` where it is not there.
        keeps_schemas: an async function that says whether the model can be held to a request's `schema`; None if only
            a try can tell. It cannot where it is not there.
        prompt_cache: an async function that gives the `PromptCache` of its provider; None if nothing is known of one.
        schemas_sent: whether the questions that were asked before had a schema, by task, purpose, attempt and sample.
        calls_tools: whether it calls tools by itself, given their schemas. False where it is not there.
        facts: an async function that gives the `ServerFacts` of the server that answers.
        budgets: the budgets of prompts that were asked before, by task, purpose, attempt, sample and step.
        recorded_splits: the ids of the tasks that it is asked to split whatever their words say, as it was when it was
            recorded; the only ones where nothing else is known of it.
        recorded_heads: what plans begin with whose first reply had broken off when it was recorded, likewise.
        recorded_parts, recorded_steps: in which parts documents were read, and results composed, likewise.
        is_person: whether a person answers, who has all the time that it takes. False where it is not there.
        thinks: whether it is known to think before it answers. False where it is not there.
        has_price: whether it is known what its calls cost, before any is made; asked after `prepare`. Its replies say
            so where it is not there.
        caution: what is to be known before it is asked, such as that it is made for something else; a run warns of it.
        expects: a function that is told, before `prepare`, how many requests may be under way at once.
        prepare: an async function that loads what the first request needs; it is awaited before a run starts the clock.
        streams: whether its replies are to be streamed, so that a server stops when a reply is left. Taken for False
            where it is not there; they are asked for whole then.
        keeps_deadline: whether it ends a request after its `timeout_s` by itself. It is ended for it where it is not
            there.
    """

    name: str
    maker: str
    is_language_model: bool

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer `request`.

        Raises:
            ModelError: if the call failed; its `kind` says how.
            NoModelError: if this model cannot do such work at all.
        """
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Answer `request` piece by piece: texts as they arrive, then the whole reply, once, at the end."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; the model is not used afterwards."""
        ...


async def prepare(model: Model, *, at_once: int) -> None:
    """Have `model` load what its first request needs, of which so many may be under way at once."""
    expects = getattr(model, "expects", None)
    if expects is not None:
        expects(at_once)
    asked = getattr(model, "prepare", None)
    if asked is not None:
        await asked()


async def keeps_schemas(model: Model) -> bool | None:
    """Return whether `model` can be held to the `schema` of a request; None if nobody knows before it is tried."""
    asked = getattr(model, "keeps_schemas", None)
    if asked is None:
        return False
    with border:
        said = await asked()
    return None if said is None else bool(said)


async def prompt_cache_of(model: Model) -> PromptCache | None:
    """Return how the provider of `model` keeps the beginnings of prompts; None if nothing is known of that."""
    asked = getattr(model, "prompt_cache", None)
    if asked is None:
        return None
    with border:
        found: PromptCache | None = await asked()
    return found


async def facts_of(model: Model) -> ServerFacts:
    """Return what the server of `model` says of it.

    Raises:
        ModelError: if the server cannot be reached, or is not ready.
    """
    asked = getattr(model, "facts", None)
    return NOTHING_KNOWN if asked is None else await asked()
