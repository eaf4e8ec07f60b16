"""An embedding model behind a server: what is the same whether litellm asks it or we do ourselves."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic

from ramify.planner.runtime.background import on_background_loop
from ramify.tasks import Usage
from ramify.tasks.counting import counted

from .deadline import late, until
from .embeddings import EmbeddingModel, is_vectors, texts_of_request, vectors_text
from .protocol import ModelReply, ModelRequest
from .retry import Failure, FailureKind
from .served import ServerT


class ServedEmbeddings(EmbeddingModel, Generic[ServerT]):
    """An embedding model behind a server; a subclass makes the one request."""

    keeps_deadline = True

    def __init__(self, server: ServerT, *, dimensions: int | None = None) -> None:
        super().__init__(server.model, dimensions=dimensions)
        self._server = server

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._server)!r})"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the vectors of the request's messages, as JSON.

        Raises:
            ModelError: if the call failed, or what came are no vectors.
        """
        return await on_background_loop(self._complete(request))

    @abstractmethod
    async def prepare(self) -> None:
        """Load what the first request needs."""

    @abstractmethod
    async def _ask(self, request: ModelRequest, body: Mapping[str, Any]) -> Any:
        """Send one request, and return the response."""

    @abstractmethod
    def _rows(self, response: Any) -> Sequence[Mapping[str, Any]]:
        """Return the vectors that a response holds, each with its place among the texts."""

    @abstractmethod
    def _used(self, response: Any) -> Usage:
        """Return what a request has used."""

    async def _complete(self, request: ModelRequest) -> ModelReply:
        await self.prepare()
        started = time.perf_counter()
        texts = texts_of_request(request)
        body: dict[str, Any] = {"input": texts, "encoding_format": "float"}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        timeout_s = self._server.timeout_s(request)
        response = None
        try:
            async with until(asyncio.get_running_loop().time() + timeout_s, late(timeout_s)):
                response = await self._ask(request, body)
            vectors = [row["embedding"] for row in sorted(self._rows(response), key=lambda row: row["index"])]
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with a call is told as a failure of the model
            used = None if response is None else self._used(response)
            raise self._server.failed(error, usage=used) from None
        used = self._used(response)
        if not is_vectors(vectors, len(texts)):
            detail = f"what came is not {counted(len(texts), 'vector')} of one length"
            raise self._server.error(Failure(FailureKind.MALFORMED), detail, usage=used)
        return ModelReply(
            text=vectors_text(vectors),
            model=self.name,
            input_tokens=used.input_tokens,
            cost_usd=None if used.calls_without_cost else used.cost_usd,
            latency_s=time.perf_counter() - started,
        )
