"""The `hashing` embeddings: no language model, but the words of a text counted into a vector by an exact algorithm.

Each word, and each pair of neighbouring words, adds 1 to or takes 1 from a place of the vector, both chosen by a hash;
then the vector is given the length 1. Texts with words in common have vectors that are close; what words mean is not
known. Source: the hashing trick (Weinberger et al., 2009, arXiv 0902.2206).
"""

import hashlib
import math
import re
from itertools import pairwise

from .embeddings import EmbeddingModel, Vector, texts_of_request, vectors_text
from .protocol import ModelReply, ModelRequest

NAME = "hashing"
DIMENSIONS = 256
_WORD = re.compile(r"\w+")


class HashingEmbeddings(EmbeddingModel):
    """Makes vectors without a model, a key or a network; see the module."""

    def __init__(self, *, dimensions: int | None = None) -> None:
        super().__init__(NAME, dimensions=dimensions)
        self.maker = f"{self.name}, no language model"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the vectors of the request's messages, as JSON."""
        vectors = [hashed(text, self.dimensions or DIMENSIONS) for text in texts_of_request(request)]
        return ModelReply(text=vectors_text(vectors), model=self.name, cost_usd=0.0)


def hashed(text: str, dimensions: int = DIMENSIONS) -> Vector:
    """Return the vector of a text; all zeros if there is no word in it.

    >>> hashed("one", 4), hashed("one two", 4) == hashed("One, two!", 4)
    ([1.0, 0.0, 0.0, 0.0], True)
    """
    words = _WORD.findall(text.casefold())
    counts = [0] * dimensions
    for feature in (*words, *(f"{one} {next_one}" for one, next_one in pairwise(words))):
        number = int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        counts[(number >> 1) % dimensions] += 1 if number & 1 else -1
    length = math.sqrt(sum(count * count for count in counts))
    return [round(count / length, 6) if length else 0.0 for count in counts]
