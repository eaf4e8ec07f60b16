"""What an embedding model is asked and gives: a request like any other, whose reply is its vectors as JSON.

So embeddings go the way of all calls: one journal, one budget, one cache, one replay.
"""

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ramify.planner.errors import ModelError
from ramify.tasks.counting import counted
from ramify.tasks.json_text import json_text, read_json

from .protocol import ModelReply, ModelRequest
from .retry import RULES, FailureKind

PURPOSE = "embed"

Vector = list[float]


class EmbeddingModel:
    """Answers requests for vectors; a subclass makes them in `complete`.

    Args:
        name: how users name it.
        dimensions: how long its vectors are to be; None leaves it to the model.

    Attributes:
        name: the name, with the length if one was asked for.
        maker: the same; who the vectors come from.
        is_language_model: False; it says nothing.
    """

    is_language_model = False

    def __init__(self, name: str, *, dimensions: int | None = None) -> None:
        self.name = name if dimensions is None else f"{name} ({dimensions} dimensions)"
        self.maker = self.name
        self.dimensions = dimensions

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the vectors of the request's messages, as JSON; see `embedding_request` and `read_vectors`.

        Raises:
            ModelError: if the call failed.
        """
        raise NotImplementedError

    async def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Give the reply in one piece: vectors do not come in words."""
        yield await self.complete(request)

    async def aclose(self) -> None:
        """Let go of connections."""


def embedding_request(task_id: str, texts: Sequence[str], *, timeout_s: float | None = None) -> ModelRequest:
    """Return the request for the vectors of `texts`."""
    messages = tuple({"role": "user", "content": text} for text in texts)
    return ModelRequest(purpose=PURPOSE, task_id=task_id, messages=messages, timeout_s=timeout_s)  # type: ignore[arg-type]


def texts_of_request(request: ModelRequest) -> list[str]:
    """Return the texts that vectors are asked for."""
    return [message["content"] for message in request.messages]


def vectors_text(vectors: Sequence[Vector]) -> str:
    """Return vectors as the text of a reply."""
    return json_text(vectors, separators=(",", ":"))


def read_vectors(reply: ModelReply, count: int) -> list[Vector]:
    """Return the vectors that a reply holds.

    Args:
        reply: the reply.
        count: how many texts were asked about.

    Raises:
        ModelError: if these are not `count` lists of numbers of one length.
    """
    try:
        vectors: Any = read_json(reply.text)
    except (ValueError, RecursionError):
        vectors = None
    if not is_vectors(vectors, count):
        raise ModelError(
            f"{reply.model}: {RULES[FailureKind.MALFORMED].means}; expected: {counted(count, 'vector')}",
            kind=FailureKind.MALFORMED,
            model=reply.model,
        )
    return [list(map(float, vector)) for vector in vectors]


def is_vectors(value: Any, count: int) -> bool:
    """Return whether `value` is `count` lists of finite numbers, all of one length that is not 0."""
    if not isinstance(value, list) or len(value) != count or not all(isinstance(each, list) for each in value):
        return False
    numbers = (number for each in value for number in each)
    are_numbers = all(type(number) in {int, float} and math.isfinite(number) for number in numbers)
    return are_numbers and len({len(each) for each in value}) == 1 and len(value[0]) > 0
