"""How much of its data a prompt may show a model that refuses longer ones: computed from what its server says.

A refusal tells how many tokens the prompt has and how many there may be. The bytes of a token differ little from text
to text, so what fits is computed at once: all of the window but a part for the reply. What one prompt has taught holds
for the rest of the run. Where a server tells no numbers, a prompt loses a quarter each time.
"""

from collections.abc import Callable

from ramify.planner.errors import ModelError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.models.watching import USUAL_BYTES
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.tasks.parts import Room

SMALLEST_BUDGET = 200
"""Characters of data below which a prompt is not cut further: that would be to answer without them."""

_REPLY_SHARE = 8
_LONGEST_REPLY = 4_096
_SAFE_SHARE = 0.97
_STEP = 0.75
_PARTS_REPLY_SHARE = 4
_USUAL_MOST = 4
"""The most bytes of a character."""

_CAREFUL_BYTES = 3.0
"""Bytes of a token that parts of documents are made by as long as nobody has counted any."""

Make = Callable[[int], ModelRequest]
"""Makes a request whose data have at most so many characters."""


class Window:
    """What is known of the window of one model.

    Args:
        tokens: how many tokens it has; None as long as nobody has said.
        is_said: whether the user says so, and not a server: then the first prompt is made to fit already.

    Attributes:
        tokens: likewise; less than the user says only where a server refuses that.
    """

    def __init__(self, tokens: int | None = None, *, is_said: bool = False) -> None:
        self.tokens = tokens
        self._is_said = is_said
        self._has_refused = False
        self._bytes_per_token = USUAL_BYTES
        self._most_bytes: int | None = None
        self._counted_bytes: float | None = None
        self._least_refused: int | None = None

    def holds(self, request: ModelRequest) -> bool:
        """Return whether `request` shows all of its data, and may fit as far as anybody knows."""
        if request.data_shown < request.data_given:
            return False
        return self.tokens is None or size_of(request) <= self._bytes_for(request, self._bytes_per_token)

    def room(self, bare: ModelRequest) -> Room:
        """Return how much of documents a prompt may show that is `bare` of them, and leaves more room for a reply."""
        most = None
        if self.tokens is not None:
            most = self._bytes_for(bare, self._counted_bytes or _CAREFUL_BYTES, reply_share=_PARTS_REPLY_SHARE)
        if self._least_refused is not None and (most is None or self._counted_bytes is None):
            most = min(most or self._least_refused // 2, self._least_refused // 2)
        characters = DEFAULT_BUDGET - bare.data_given
        return Room(characters, characters * _USUAL_MOST if most is None else most - size_of(bare))

    def first_budget(self, make: Make, budget: int) -> int:
        """Return with which budget to begin: `budget`, or less if it is known already that so much does not fit."""
        if not self._has_refused and not self._is_said:  # before that, what fits is a guess
            return budget
        request = make(budget)
        size = size_of(request)
        most = self._most_bytes if self.tokens is None else self._bytes_for(request, self._bytes_per_token)
        return budget if most is None or size <= most else _fitted(make, request, budget, most) or budget

    def refused(self, make: Make, request: ModelRequest, budget: int, error: ModelError) -> int | None:
        """Return the budget of the next try, after `request`, which was made with `budget`, was refused.

        None is returned if there is nothing left to leave out.
        """
        size = size_of(request)
        self._has_refused = True
        self._least_refused = min(size, self._least_refused or size)
        known = (error.window_tokens, self.tokens if self._is_said or not error.window_tokens else None)
        self.tokens = min(filter(None, known), default=None)
        if self.tokens is not None and error.prompt_tokens is not None:
            ratio = self._counted_bytes = size / error.prompt_tokens
            self._bytes_per_token = max(self._bytes_per_token, ratio)
            most = self._bytes_for(request, ratio)
        else:
            most = size if self.tokens is None else self._bytes_for(request, self._bytes_per_token)
        most = min(most, int(size * (_SAFE_SHARE if error.prompt_tokens and self.tokens else _STEP)))
        return _fitted(make, request, budget, most)

    def with_room(self, make: Make, request: ModelRequest, budget: int, *, share: float) -> int:
        """Return the budget of a prompt that leaves `share` of the window to the reply, as far as data can be left out.

        Args:
            make: makes the request.
            request: the one that was made with `budget`.
            budget: the budget so far.
            share: how much of the window the reply is to have, from 0 to 1.
        """
        if self.tokens is None:
            return budget
        most = int(self.tokens * (1 - share) * self._bytes_per_token)
        return budget if size_of(request) <= most else _fitted(make, request, budget, most) or budget

    def tokens_of(self, request: ModelRequest) -> int:
        """Return about how many tokens a request has."""
        return round(size_of(request) / (self._counted_bytes or USUAL_BYTES))

    def passed(self, request: ModelRequest) -> None:
        """Learn from a request that was refused in a longer form, and not in this one."""
        if self.tokens is None:
            self._most_bytes = max(self._most_bytes or 0, size_of(request))

    def _bytes_for(self, request: ModelRequest, bytes_per_token: float, *, reply_share: int = _REPLY_SHARE) -> int:
        """Return how many bytes a prompt may have that leaves room for a reply: one part in `reply_share` at most."""
        tokens = self.tokens or 0
        reply = request.sampling.max_output_tokens or min(_LONGEST_REPLY, tokens // reply_share)
        return int(max(tokens - reply, tokens // 4) * bytes_per_token * _SAFE_SHARE)


def size_of(request: ModelRequest) -> int:
    """Return how many bytes the words of a request have, and the tools in it."""
    said = sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in request.messages)
    return said + sum(len(str(each)) for each in request.tools)


def _fitted(make: Make, request: ModelRequest, budget: int, most_bytes: int) -> int | None:
    """Return the budget with which a request has at most so many bytes; None if that leaves next to no data."""
    bare = size_of(make(0))
    data = size_of(request) - bare
    room = most_bytes - bare
    if data <= 0 or room <= 0:
        return None
    smaller = int(min(budget, request.data_shown) * room / data)
    return smaller if SMALLEST_BUDGET <= smaller < budget else None
