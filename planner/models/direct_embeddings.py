"""Embedding models of servers that speak OpenAI's API, asked by ourselves."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ramify.tasks import Usage
from ramify.tasks.json_text import json_text, read_json

from .connections import ask, load_aiohttp
from .direct import DirectServer, is_direct, wrong
from .litellm_embeddings import LiteLLMEmbeddings
from .prices import cost_listed
from .protocol import ModelRequest
from .served_embeddings import ServedEmbeddings
from .server import Timeouts
from .unanswered import usage_of


class DirectEmbeddings(ServedEmbeddings[DirectServer]):
    """An embedding model of a server that speaks OpenAI's API; the arguments are those of `DirectModel`."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        dimensions: int | None = None,
    ) -> None:
        server = DirectServer(model=name, base_url=base_url, api_key=api_key, timeouts=timeouts or Timeouts())
        super().__init__(server, dimensions=dimensions)

    async def prepare(self) -> None:
        """Load aiohttp."""
        await load_aiohttp()

    async def _ask(self, request: ModelRequest, body: Mapping[str, Any]) -> Any:  # noqa: ARG002 - has no more to say
        sent = json_text({"model": self._server.known_as, **body}).encode("utf-8", "replace")
        text = await ask(self._server.endpoint("embeddings"), sent)
        try:  # numbers that are none are found when the vectors are looked at
            response = read_json(text, parse_float=None)
        except (ValueError, RecursionError):
            raise wrong(text) from None
        if not isinstance(response, dict) or "data" not in response:
            raise wrong(text)
        return response

    def _rows(self, response: Any) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = response["data"]
        return rows

    def _used(self, response: Any) -> Usage:
        reported = response.get("usage")
        used = usage_of(SimpleNamespace(**reported) if isinstance(reported, dict) else None, None)
        if not used.input_tokens:
            return used
        cost_usd = cost_listed(self._server.model, input_tokens=used.input_tokens, output_tokens=0)
        return usage_of(SimpleNamespace(prompt_tokens=used.input_tokens), cost_usd)


def open_embeddings(
    name: str, *, base_url: str | None = None, api_key: str | None = None, dimensions: int | None = None
) -> DirectEmbeddings | LiteLLMEmbeddings:
    """Return the embedding model that `name` means; see `is_direct`."""
    kind = DirectEmbeddings if is_direct(name, base_url, mode="embedding") else LiteLLMEmbeddings
    return kind(name, base_url=base_url, api_key=api_key, dimensions=dimensions)


def needs_litellm(name: str) -> bool:
    """Return whether `name` is that of another provider than OpenAI, wherever the server is.

    >>> needs_litellm("voyage/voyage-3"), needs_litellm("nomic-embed-text")
    (True, False)
    """
    return not is_direct(name, "http://somewhere/v1")
