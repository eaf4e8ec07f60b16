"""Language models of servers that speak OpenAI's chat API, asked by ourselves: what is sent, and how answers are read.

Every server has its own way to say what is wrong: in the body of an error status (OpenAI, vLLM, llama.cpp, Ollama), in
the middle of a stream, or in the body of a success (gateways). All of them become a `StatusError`, and are told apart
where litellm's are, in `retry`.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from ramify.planner.runtime.address import Address
from ramify.tasks import Usage
from ramify.tasks.counting import counted
from ramify.tasks.json_text import json_text

from .completion import Completion, loose
from .connections import Endpoint, StatusError, ask, ask_for_lines, drained, load_aiohttp
from .deadline import StreamClock, late, until
from .prices import cost_listed, is_provider, listed, prices_listed
from .prompt_cache import BREAKPOINT, PromptCache
from .protocol import ModelReply, ModelRequest
from .retry import FailureKind
from .served import ServedModel, wire_arguments
from .server import Server, Timeouts
from .unanswered import usage_of, written_tokens_of

OPENAI = "https://api.openai.com/v1"
"""Where OpenAI's own models are asked, unless `OPENAI_BASE_URL` says otherwise."""

_TAKE_KEYS = ("api.openai.com", "api.mistral.ai")
"""The hosts whose documentation knows `prompt_cache_key`, with those below them, such as `eu.api.openai.com`."""

_DONE = b"[DONE]"
_ERRORS = range(400, 600)
_REFUSALS = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED})
_LONGEST_QUOTE = 120
_NO_ADDRESS = "that is not an address"


def is_direct(name: str, base_url: str | None, *, mode: str = "chat") -> bool:
    """Return whether a model is asked directly, without litellm.

    At a `base_url` that is every name but those of other providers; else those of OpenAI's chat (or `mode`) models.

    >>> is_direct("Qwen/Qwen3-8B", "http://127.0.0.1:8000/v1"), is_direct("ollama/qwen3", "http://127.0.0.1:11434")
    (True, False)
    >>> [is_direct(name, None) for name in ("gpt-5-mini", "openai/gpt-5-mini", "gpt-5-pro", "claude-sonnet-4-5")]
    [True, True, False, False]
    """
    prefix, slash, _ = name.partition("/")
    if base_url is not None:
        return not (slash and prefix != "openai" and is_provider(prefix))
    entry = listed(name)  # models that were tuned are listed by the model that they were made of
    return entry.get("mode") == mode if entry else name.startswith("openai/") and not name.startswith("openai/ft:")


def prompt_cache_at(name: str, base_url: str | None) -> PromptCache | None:
    """Return how prompts that begin alike are kept for a model that is asked directly; None if nothing is known of it.

    >>> prompt_cache_at("gpt-5-mini", None).read, prompt_cache_at("qwen3", "http://127.0.0.1:8080/v1")
    (0.1, None)
    """
    entry = listed(name)
    if not entry and not _takes_key(base_url or ""):
        return None
    mark = BREAKPOINT if entry.get("supports_prompt_cache_breakpoint") else None
    return PromptCache.of(entry, takes_key=True, mark=mark)


def _takes_key(base_url: str) -> bool:
    try:
        host = f".{urlsplit(base_url).hostname}"
    except ValueError:  # no address, which is told when it is asked
        return False
    return host.endswith(tuple(f".{each}" for each in _TAKE_KEYS))


class NoAddressError(Exception):
    """Raised when what was given as the address of a server is none."""


class NotAReplyError(Exception):
    """Raised when what a server sends is neither a reply nor an error of a chat API."""

    def __init__(self, text: bytes) -> None:
        begins = text[:_LONGEST_QUOTE].decode("utf-8", "replace").strip()
        what = "what came"
        try:
            text.decode()
        except UnicodeDecodeError as error:
            what += f" is not UTF-8 (byte {error.start:,} is 0x{text[error.start]:02x}), and"
        super().__init__(f"{what} begins with: {begins}" if begins else "the answer has no body")


class BrokenOffError(Exception):
    """Raised when a stream ends in the middle of an event, after a reply had begun."""


class DirectServer(Server):
    """Where a model is asked, and how it is called there."""

    __slots__ = ()

    @property
    def known_as(self) -> str:
        """The name that the server knows the model by."""
        return self.model.removeprefix("openai/")

    def endpoint(self, path: str) -> Endpoint:
        """Return where requests go: the address, with all that proves who asks.

        Raises:
            NoAddressError: if it is none.
        """
        given = self.base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE") or OPENAI
        try:
            address = Address.of(given)
        except ValueError:
            raise NoAddressError(_NO_ADDRESS) from None
        return Endpoint.of(
            f"{address.url.rstrip('/')}/{path}",
            query=address.query,
            headers={"Authorization": f"Bearer {self.key()}"} | self._whose() | dict(address.headers),
            connect_s=self.timeouts.connect_s,
        )

    def _whose(self) -> dict[str, str]:
        """Return what tells OpenAI on whose account a call is made, if the environment says so."""
        said = {
            "OpenAI-Organization": os.environ.get("OPENAI_ORGANIZATION") or os.environ.get("OPENAI_ORG_ID"),
            "OpenAI-Project": os.environ.get("OPENAI_PROJECT_ID"),
        }
        return {} if self.base_url is not None else {name: value for name, value in said.items() if value}

    def words_of(self, error: Exception) -> str:
        """Return what is worth quoting of an exception; aiohttp's own words may hold the whole address."""
        if hasattr(error, "url"):
            return _NO_ADDRESS
        behind = getattr(error.__cause__, "message", None)  # aiohttp puts a status before it that no server has sent
        if isinstance(behind, str):
            return behind
        return str(getattr(error, "message", error)) if hasattr(error, "request_info") else str(error)


class DirectModel(ServedModel[DirectServer]):
    """A language model of a server that speaks OpenAI's chat API.

    Args:
        name: the name that the server knows; `openai/` before it is left out.
        base_url: the server's address, for example `http://127.0.0.1:8080/v1`; OpenAI's own if None.
        api_key: the key; None takes `OPENAI_API_KEY`, which is not sent over plain HTTP to a `base_url`.
        timeouts: how long to wait.

    Attributes:
        streams: whether its replies are streamed: those of a server at an address, as long as it takes that and says
            how many tokens they have.
    """

    def __init__(
        self, name: str, *, base_url: str | None = None, api_key: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        super().__init__(DirectServer(model=name, base_url=base_url, api_key=api_key, timeouts=timeouts or Timeouts()))
        self._endpoint: Endpoint | None = None
        self.streams = base_url is not None

    @property
    def calls_tools(self) -> bool:
        """Whether it is known to call tools by itself."""
        return bool(listed(self.name).get("supports_function_calling"))

    @property
    def thinks(self) -> bool:
        """Whether it is known to think before it answers."""
        return bool(listed(self.name).get("supports_reasoning"))

    @property
    def has_price(self) -> bool:
        """Whether litellm's list has its prices."""
        return prices_listed(self.name) is not None

    async def prepare(self) -> None:
        """Load aiohttp."""
        await load_aiohttp()

    async def keeps_schemas(self) -> bool | None:
        """Return whether OpenAI holds replies of this model to a JSON schema; None for a server's own models."""
        entry = listed(self.name)
        return bool(entry.get("supports_response_schema")) if entry else None

    async def prompt_cache(self) -> PromptCache | None:
        """Return how prompts that begin alike are kept for it; None for a server's own models."""
        return self._cache

    @cached_property
    def _cache(self) -> PromptCache | None:
        return prompt_cache_at(self.name, self._server.base_url)

    async def _complete(self, request: ModelRequest) -> ModelReply:
        await load_aiohttp()
        started = time.perf_counter()
        timeout_s = self._server.timeout_s(request)
        try:
            async with until(asyncio.get_running_loop().time() + timeout_s, late(timeout_s)):
                text = await ask(self._chat(), self._body(request))
            said = _said_whole(text)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with a call is told as a failure of the model
            raise self._server.failed(error) from None
        return self._reply(said, request, started=started)

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        await load_aiohttp()
        started = time.perf_counter()
        said = Completion()
        clock = StreamClock.started(self._server.timeouts, self._server.timeout_s(request))
        try:
            lines = ask_for_lines(self._chat(), self._body(request, stream=True))
            async with aclosing(lines), aclosing(_events(lines)) as events:
                while True:
                    async with clock.next_piece(has_begun=said.has_begun):
                        event = await anext(events, _DONE)
                    if event == _DONE:
                        break
                    try:
                        piece = _add(said, event)
                    except NotAReplyError:
                        async with clock.next_piece(has_begun=True):
                            is_last = said.has_begun and await anext(events, None) is None
                        if is_last:
                            raise _broken_off(said) from None
                        raise
                    if piece:
                        yield piece
                await drained(lines)
        except Exception as error:  # noqa: BLE001 - as above
            failed = self._failed(error, said)
            is_refused = failed.kind in _REFUSALS and "stream" in self._server.words_of(error)
            if not self.streams or said.has_begun or not is_refused:
                raise failed from None
            reply = await DirectModel._complete(self, request)  # a subclass may stream in its own
            self.streams = False
        else:
            self.streams = self.streams and said.has_streamed and said.usage is not None
            reply = self._reply(said, request, started=started)
        yield reply

    def _chat(self) -> Endpoint:
        if self._endpoint is None:
            self._endpoint = self._server.endpoint("chat/completions")
        return self._endpoint

    def _body(self, request: ModelRequest, *, stream: bool = False) -> bytes:
        arguments = wire_arguments(request, has_bounds=not listed(self.name), cache=self._cache)
        body = {"model": self._server.known_as, **arguments}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if "max_tokens" in body and listed(self.name).get("supports_reasoning"):
            body["max_completion_tokens"] = body.pop("max_tokens")  # OpenAI's reasoning models know no other
        return json_text(body).encode("utf-8", "replace")

    def _priced(self, reported: Any) -> Usage:
        used = usage_of(reported, None)
        if not used.input_tokens:  # without tokens, nobody knows the cost
            return used
        cost_usd = cost_listed(
            self.name,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cached_tokens=used.cached_tokens,
            written_tokens=written_tokens_of(reported),
        )
        return usage_of(reported, cost_usd)


async def _events(lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield what the events of a stream hold; one that holds none is a whole body, and stands for one event.

    Comments, with which gateways show that they live, are no events. Older llama.cpp says `error:` before its errors.
    Source: HTML, 9.2.6, Interpreting an event stream.
    """
    others: list[bytes] = []
    has_events = False
    async for line in lines:
        name, _, value = line.partition(b":")
        if name in {b"data", b"error"}:
            has_events = True
            yield value.strip()
        elif not has_events:
            others.append(line)
    if not has_events and (whole := b"\n".join(others).strip()):
        yield whole


def _broken_off(said: Completion) -> BrokenOffError:
    return BrokenOffError(f"the stream ended in the middle of an event, after {counted(len(said.text), 'character')}")


def _add(said: Completion, event: bytes) -> str:
    """Take one event of a stream, and return its words.

    Raises:
        StatusError: if it tells an error.
        NotAReplyError: if it is none of a chat.
    """
    if not event:
        return ""
    chunk = loose(event)
    if chunk is None:
        raise NotAReplyError(event)
    if chunk.error or chunk.object == "error":
        raise wrong(event)
    try:
        return said.add(chunk)
    except (TypeError, AttributeError):
        raise NotAReplyError(event) from None


def _said_whole(text: bytes) -> Completion:
    said = Completion.of_text(text)
    if said is None:
        raise wrong(text)
    return said


def wrong(text: bytes) -> Exception:
    """Return what is wrong where no error status was sent: an error all the same, or nothing that can be read."""
    words = text.decode("utf-8", "replace")
    error = StatusError(500, words)
    told = (error.body or {}).get("error")
    if error.body is None or (not told and error.body.get("object") != "error"):
        return NotAReplyError(text)
    code = (told if isinstance(told, dict) else error.body).get("code")
    if isinstance(code, int) and code in _ERRORS:
        error.status_code = code
    return error
