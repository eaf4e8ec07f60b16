"""OpenAI's own models, asked directly; what its chat API refuses, OpenAI's other API is asked through litellm.

Reasoning models from gpt-5.4 on call no tools over the chat API while they think: litellm asks the Responses API then,
and knows for which models. So requests with tools go through it, and nothing else does.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cached_property
from typing import cast

from .direct import OPENAI, DirectModel, prompt_cache_at
from .litellm import LiteLLMModel
from .prices import listed
from .prompt_cache import PromptCache
from .protocol import ModelReply, ModelRequest

_KEY = "OPENAI_API_KEY"


class OpenAIModel(DirectModel):
    """A language model of OpenAI's, at OpenAI; the arguments are those of `DirectModel`."""

    async def _complete(self, request: ModelRequest) -> ModelReply:
        if self._is_refused(request):
            return await self._through_litellm.complete(request)
        return await super()._complete(request)

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        pieces = super()._stream(request)
        if self._is_refused(request):
            pieces = cast("AsyncGenerator[str | ModelReply, None]", self._through_litellm.stream(request))
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    def _is_refused(self, request: ModelRequest) -> bool:
        return bool(request.tools) and bool(listed(self.name).get("supports_reasoning"))

    @cached_property
    def _cache(self) -> PromptCache | None:
        return prompt_cache_at(self.name, OPENAI)

    @cached_property
    def _through_litellm(self) -> LiteLLMModel:
        return LiteLLMModel(self.name, api_key=self._server.api_key, timeouts=self._server.timeouts)


def keys_missing_at_openai() -> tuple[str, ...]:
    """Return the variable that has to hold OpenAI's key, if it is not set."""
    return () if os.environ.get(_KEY) else (_KEY,)
