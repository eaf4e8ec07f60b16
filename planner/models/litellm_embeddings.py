"""Embedding models, through litellm: the same servers, keys, delays and faults as for language models."""

from collections.abc import Mapping, Sequence
from typing import Any

from ramify.planner.runtime.background import on_background_loop
from ramify.tasks import Usage

from .litellm_server import LiteLLMServer, load_litellm, loaded_litellm
from .protocol import ModelRequest
from .served_embeddings import ServedEmbeddings
from .server import Timeouts


class LiteLLMEmbeddings(ServedEmbeddings[LiteLLMServer]):
    """An embedding model behind an API, by litellm's name for it; the arguments are those of `LiteLLMModel`."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        dimensions: int | None = None,
    ) -> None:
        server = LiteLLMServer(model=name, base_url=base_url, api_key=api_key, timeouts=timeouts or Timeouts())
        super().__init__(server, dimensions=dimensions)

    async def prepare(self) -> None:
        """Load litellm, which may take longer than a call."""
        await on_background_loop(loaded_litellm())

    async def _ask(self, request: ModelRequest, body: Mapping[str, Any]) -> Any:
        litellm = load_litellm()
        arguments = {
            **self._server.arguments(litellm, request),
            **body,
            "allowed_openai_params": ["dimensions"],  # litellm knows which of OpenAI's models take it, but no others
        }
        return await litellm.aembedding(**{name: value for name, value in arguments.items() if value is not None})

    def _rows(self, response: Any) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = response.data
        return rows

    def _used(self, response: Any) -> Usage:
        return self._server.usage(load_litellm(), response)
