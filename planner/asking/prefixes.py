"""Prompts that begin alike: what caches of providers are told of them, and which of them goes ahead.

Siblings share the system message, the documents above them and the goal; these stand first. A request says so: by a
key, the same for all of a run, and by how far its siblings go along. What that becomes on the wire is the model's
affair. None of it is part of a request's hash, so what was recorded answers as before.

A server may refuse to be told: found out by the first request, said once, and remembered for the run.

Where a token that was read before is known to cost less, the first of those that begin alike goes ahead alone, for what
it has read is there once its reply comes. Nobody waits for longer than for it, and, if it fails, for the one after it.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from ramify.planner.errors import ModelError
from ramify.planner.models.prompt_cache import PromptCache
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest, prompt_cache_of
from ramify.planner.models.retry import FailureKind
from ramify.tasks import Task
from ramify.tasks.prompt_variables import is_part, materials_of
from ramify.tasks.tree.node import walk_up

from .schemas import words_of

Make = Callable[[Task, ModelRequest], Awaitable[ModelReply]]

KEPT_S = 240.0
"""For how long what was read is taken to be there, in seconds: less than the five minutes that providers say."""

_MOST_WAITS = 2
_BYTES_A_TOKEN = 4
_IN_QUESTION = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED})
_STATUSES = range(400, 500)
_ABOUT_CACHES = re.compile(r"prompt.?cache|cache.?(?:control|key|point|breakpoint|option)", re.IGNORECASE)


class Prefixes:
    """What is known of the cache of one model, in one run.

    Args:
        model: the model.
        tell: told what was found out, in a sentence, and by which task.
        seed: what the run's key is made from; the same on resume.
        now: the time, in seconds.
    """

    def __init__(
        self, model: Model, tell: Callable[[str, Task], None], *, seed: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._tell = tell
        self._key = f"ramify-{hashlib.sha256(f'{seed} cache'.encode()).hexdigest()[:24]}"
        self._now = now
        self._cache: PromptCache | None = None
        self._is_known = False
        self._is_taken = False
        self._is_refused = False
        self._leading: dict[int, asyncio.Event] = {}
        self._kept_until: dict[int, float] = {}

    async def ask(self, task: Task, request: ModelRequest, make: Make) -> ModelReply:
        """Return what `make` returns for `request`, with what the model's cache is told, and after who goes ahead."""
        if not self._is_known:
            self._cache, self._is_known = await prompt_cache_of(self._model), True
        if self._cache is None:
            return await make(task, request)
        told = replace(request, cache_key=self._key, shared=shared_characters(task, request))
        async with self._turn(told, self._cache):
            if self._is_refused or not self._cache.is_told:
                return await make(task, request)
            try:
                reply = await make(task, told)
            except ModelError as error:
                if not self._may_refuse(error):
                    raise
                refusal = error
            else:
                self._is_taken = True
                return reply
            reply = await make(task, request)
            self._drop(refusal, task)
            return reply

    def _may_refuse(self, error: ModelError) -> bool:
        """Return whether `error` may be about what was told, so that the same has to be asked without it."""
        is_said = error.status_code in _STATUSES and _ABOUT_CACHES.search(words_of(error)) is not None
        return is_said or (error.kind in _IN_QUESTION and not self._is_taken)

    def _drop(self, error: ModelError, task: Task) -> None:
        if not self._is_refused:
            self._is_refused = True
            self._tell(f"{words_of(error)}; prompt cache hints are off for the rest of the run", task)

    @asynccontextmanager
    async def _turn(self, request: ModelRequest, cache: PromptCache) -> AsyncIterator[None]:
        place = _place(request, cache)
        if place is None:
            yield
            return
        for _ in range(_MOST_WAITS):
            if (lead := self._leading.get(place)) is None or self._is_kept(place):
                break
            await lead.wait()
        mine = None
        if place not in self._leading and not self._is_kept(place):
            mine = self._leading[place] = asyncio.Event()
        try:
            yield
            self._kept_until[place] = self._now() + KEPT_S
        finally:
            if mine is not None:
                del self._leading[place]
                mine.set()

    def _is_kept(self, place: int) -> bool:
        return self._now() < self._kept_until.get(place, float("-inf"))


def shared_characters(task: Task, request: ModelRequest) -> int | None:
    """Return how many characters of the user's message of `request` those of its siblings begin with too.

    That is up to the last block of data that all of them show, at the front: documents from above, the goal, the goals
    above. 0 if it is the system message alone; None if there are no siblings, or what they show is cut, each its way.
    """
    if request.data_shown < request.data_given or not any(len(above.subtasks) > 1 for above in walk_up(task)):
        return None
    text = next((message["content"] for message in request.messages if message["role"] == "user"), "")
    left = {"material": 0 if is_part(task) or task.parent is None else len(materials_of(task.parent)), "goal": 1}
    left["ancestor"] = sum(1 for _ in walk_up(task))
    opens, closes = f'<data-{request.nonce} kind="', f"</data-{request.nonce}>"
    end = 0
    while request.nonce and (start := text.find(opens, end)) >= 0:
        kind = text[start + len(opens) : text.find('"', start + len(opens))]
        if not left.get(kind):
            break
        left[kind] -= 1
        end = text.find(closes, start) + len(closes)
    return end


def shared_text(request: ModelRequest) -> str:
    """Return what siblings of `request` begin with too; empty if nothing is known of that."""
    if request.shared is None:
        return ""
    lengths = {"system": None, "user": request.shared}
    return "".join(message["content"][: lengths.get(message["role"], 0)] for message in request.messages[:2])


def _place(request: ModelRequest, cache: PromptCache) -> int | None:
    """Return what tells the beginning of `request` from others; None where no one has to go ahead."""
    if not cache.pays or request.shared is None:
        return None
    text = shared_text(request)
    is_kept = len(text.encode("utf-8", "replace")) >= cache.least_tokens * _BYTES_A_TOKEN
    return hash((text, len(request.tools))) if is_kept else None
