"""Embedding models, through litellm: the same servers, keys, delays and faults as for language models."""

import asyncio
import time
from typing import Any

from ramify.planner.runtime.background import on_background_loop
from ramify.tasks.counting import counted

from .deadline import late, until
from .embeddings import EmbeddingModel, is_vectors, texts_of_request, vectors_text
from .litellm_server import LiteLLMServer, loaded_litellm
from .protocol import ModelReply, ModelRequest
from .retry import Failure, FailureKind
from .server import Timeouts


class LiteLLMEmbeddings(EmbeddingModel):
    """An embedding model behind an API, by litellm's name for it; the arguments are those of `LiteLLMModel`."""

    keeps_deadline = True

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        dimensions: int | None = None,
    ) -> None:
        super().__init__(name, dimensions=dimensions)
        self._server = LiteLLMServer(model=name, base_url=base_url, api_key=api_key, timeouts=timeouts or Timeouts())

    def __repr__(self) -> str:
        return f"LiteLLMEmbeddings({str(self._server)!r})"

    async def prepare(self) -> None:
        """Load litellm, which may take longer than a call."""
        await on_background_loop(loaded_litellm())

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the vectors of the request's messages, as JSON.

        Raises:
            ModelError: if the call failed, or what came are no vectors.
        """
        return await on_background_loop(self._complete(request))

    async def _complete(self, request: ModelRequest) -> ModelReply:
        litellm = await loaded_litellm()
        started = time.perf_counter()
        texts = texts_of_request(request)
        arguments = self._server.arguments(litellm, request) | {
            "input": texts,
            "dimensions": self.dimensions,
            "encoding_format": "float",
            "allowed_openai_params": ["dimensions"],  # litellm knows which of OpenAI's models take it, but no others
        }
        timeout_s = self._server.timeout_s(request)
        response = None
        try:
            async with until(asyncio.get_running_loop().time() + timeout_s, late(timeout_s)):
                response = await litellm.aembedding(
                    **{name: value for name, value in arguments.items() if value is not None}
                )
            vectors = _vectors(response)
        except Exception as error:  # noqa: BLE001 - litellm lets anything through; none of it may pass as it is
            used = None if response is None else self._server.usage(litellm, response)
            raise self._server.failed(error, usage=used) from None
        used = self._server.usage(litellm, response)
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


def _vectors(response: Any) -> Any:
    """Return what a response says, in the order that was asked in."""
    rows = sorted(response.data, key=lambda row: row["index"])
    return [row["embedding"] for row in rows]
