"""A language model in a GGUF file, run on this machine: asked as any server is, for it is llama.cpp's own.

What differs from `direct`: it is loaded when it is first needed, a request waits for one of its slots before its time
runs, it costs nothing, and only the whole reply has a limit of time, as no network is between us that could hang.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from ramify.planner.errors import ModelError, NoModelError
from ramify.planner.models.direct import DirectModel
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.models.retry import Failure, FailureKind
from ramify.planner.models.server import Timeouts
from ramify.planner.models.server_facts import ServerFacts
from ramify.planner.models.unanswered import usage_of
from ramify.planner.runtime.background import on_background_loop
from ramify.tasks import Usage

from .files import GgufFile, open_gguf
from .fitting import free_memory
from .host import HOSTS, HostError, Running

_MOST_SLOTS = 4
_LOST = frozenset({FailureKind.UNREACHABLE, FailureKind.TRUNCATED})


class GgufModel(DirectModel):
    """A language model in a GGUF file; nothing is loaded yet.

    Args:
        file: a path, a folder with one such file, or a name in one of the usual caches.
        timeouts: how long to wait for a reply.
        window: how many tokens it is to read at once, its reply included; what fits unless given.

    Raises:
        NoModelError: if there is no such file, or it cannot be run here.
    """

    def __init__(self, file: str | Path, *, timeouts: Timeouts | None = None, window: int | None = None) -> None:
        name = f"gguf:{file}"
        whole_s = (timeouts or Timeouts()).whole_s
        super().__init__(name, timeouts=Timeouts(whole_s=whole_s))
        self.streams = True
        self.file: GgufFile = open_gguf(name, str(file))
        self._host = HOSTS.host_for(
            self, self.file.path, window,
            lambda: self.file.fit(name, wanted=window, at_once=_MOST_SLOTS, free=free_memory()),
        )  # fmt: skip

    @property
    def has_price(self) -> bool:
        """Whether it is known what its calls cost: nothing."""
        return True

    @property
    def thinks(self) -> bool:
        """Whether its template has a place for thoughts."""
        return "</think>" in self.file.header.chat_template

    def expects(self, at_once: int) -> None:
        """Have no more slots than requests that come at once; what is loaded stays as it is."""
        self._host.expects(at_once)

    @property
    def caution(self) -> str:
        """What is to be known before it is asked; empty if there is nothing."""
        if self.file.header.chat_template:
            return ""
        return (
            f"{self.name} is a base model without a chat template: Ramify uses a general format, and the model may"
            " not stop"
            " after its answer; prefer a chat version (its name often ends in -Instruct or -it)"
        )

    async def prepare(self) -> None:
        """Load the model.

        Raises:
            NoModelError: if it cannot be loaded.
        """
        await super().prepare()
        await on_background_loop(self._ready())

    async def keeps_schemas(self) -> bool:
        """Return that it can be held to a JSON schema."""
        return True

    async def facts(self) -> ServerFacts:
        """Return how much it reads, and whether its template has a place for tools; it is not loaded for that."""
        return ServerFacts(window=self._host.fit.window, takes_tools="tools" in self.file.header.chat_template)

    async def aclose(self) -> None:
        """Let go of the memory, if no other model of this process is in the same file."""
        await on_background_loop(HOSTS.leave(self, self._host))

    async def _complete(self, request: ModelRequest) -> ModelReply:
        """Answer in one piece; it streams inside, as llama.cpp notices at once when nobody reads any more."""
        reply: str | ModelReply = ""
        async with aclosing(self._stream(request)) as pieces:
            async for piece in pieces:
                reply = piece
        if isinstance(reply, str):  # never: the reply comes last, or an error
            raise self._server.error(Failure(FailureKind.EMPTY), "the reply is empty")
        return reply

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        async with self._slot(), aclosing(super()._stream(request)) as pieces:
            async for piece in pieces:
                yield piece

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        """Have a slot of the loaded model."""
        running = await self._ready()
        async with running.slots:
            self._endpoint = running.endpoint
            try:
                yield
            except ModelError as error:
                words = await running.death() if error.kind in _LOST else ""
                if not words:
                    raise
                raise self._server.error(Failure(FailureKind.UNREACHABLE), words, usage=error.usage) from None

    async def _ready(self) -> Running:
        try:
            return await self._host.running()
        except HostError as error:
            raise NoModelError(f"{self.name} cannot be loaded: {error}") from None

    def _priced(self, reported: Any) -> Usage:
        return usage_of(reported, 0.0)
