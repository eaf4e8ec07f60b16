"""Whether a model is asked for JSON by a schema, or for tags: found out once, and remembered for the run.

Some models are known to take schemas, some not to. Of others, nobody knows until one is sent: the first such question
goes ahead alone. A server may refuse a schema with an error, or take it and do nothing about it; then the model is
asked for tags from there on, and that is told. One that has kept to schemas may refuse a single one that it cannot do:
that one is not sent again.

A question that was answered before is asked in the form that it had then, so that the answer is found again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from ramify.planner.errors import ModelError
from ramify.planner.models.protocol import Model, ModelReply, keeps_schemas
from ramify.planner.models.retry import RULES, FailureKind
from ramify.planner.store.records import CallRecord
from ramify.tasks import Task
from ramify.tasks.json_text import json_text
from ramify.tasks.replies.answers import without_thoughts

Wish = Literal["auto", "always", "never"]
"""Whether schemas are sent where they are taken, whatever is known, or not at all."""

Place = tuple[str, str, int, int]
"""What tells a question from others, in whatever words it is asked: task, purpose, attempt, sample."""

Tell = Callable[[str, Task], None]

_IN_QUESTION = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED})
_STATUSES = range(400, 600)
_ABOUT_SCHEMAS = re.compile(
    r"response.?format|schema|grammar|structured|guided|json.?(?:mode|object)|requested parameters", re.IGNORECASE
)
_PURPOSES = frozenset({"decompose", "fit", "verify"})
"""What is asked by a schema wherever one is taken."""

_BEGINNINGS = ("{", "```")


class Schemas:
    """What is known of one model.

    Args:
        model: the model.
        tell: told what was found out, in a sentence, and by which task.
    """

    def __init__(self, model: Model, tell: Tell) -> None:
        self._model = model
        self._tell = tell
        self._are_taken: bool | None = None
        self._refused: set[str] = set()
        self._places: dict[Place, bool] = dict(getattr(model, "schemas_sent", ()))
        self._first = asyncio.Lock()
        self._first_place: Place | None = None

    def recall(self, call: CallRecord) -> None:
        """Learn from a call that was made before."""
        is_held = "schema" in call.request
        place = call.key[:4]
        self._places[place] = is_held or self._places.get(place, False)
        if call.model != self._model.name or (self._are_taken is not None and not is_held):
            return
        if is_held:
            self._are_taken = self._are_taken or _is_json(call.reply["text"])
        elif call.key.purpose in _PURPOSES:
            self._are_taken = False

    @asynccontextmanager
    async def turn(self, schema: Mapping[str, Any], wish: Wish, place: Place) -> AsyncIterator[bool]:
        """Give whether the question at `place` is asked by `schema`, after any other that finds out about schemas."""
        if self._are_taken is None and wish == "auto":
            await self._first.acquire()
            self._first_place = place
        try:
            is_sent = await self.is_sent(schema, wish, place)
            if not is_sent:
                self._let_others(place)
            yield is_sent
        finally:
            self._let_others(place)

    def begins(self, words: str, *, place: Place) -> None:
        """Learn from the first words of a reply, at `place`, that is still to come."""
        if self._first_place == place and words.lstrip().startswith("{"):
            self._are_taken = True
            self._let_others(place)

    def _let_others(self, place: Place) -> None:
        """Let others ask by schemas, if it was the question at `place` that went ahead alone."""
        if self._first_place == place:
            self._first_place = None
            self._first.release()

    async def is_sent(self, schema: Mapping[str, Any], wish: Wish, place: Place) -> bool:
        """Return whether the question at `place` is asked by `schema`."""
        if (before := self._places.get(place)) is not None:
            return before
        if wish != "auto":
            return wish == "always"
        if self._are_taken is False or json_text(schema) in self._refused:
            return False
        if self._are_taken is None and await keeps_schemas(self._model) is False:
            self._are_taken = False
        return self._are_taken is not False

    def answered(self, reply: ModelReply, wish: Wish, task: Task) -> None:
        """Learn from a reply whether the model keeps to a schema that was sent."""
        if _is_json(reply.text):
            self._are_taken = True
        elif wish == "auto" and reply.finish_reason == "stop" and self._are_taken is None:
            self._drop(f"{self._model.name}: the reply is not JSON, so the server ignores the schema", task)

    def refused(self, error: ModelError, schema: Mapping[str, Any], task: Task) -> None:
        """Learn that a question was refused by its schema: its twin in tags was not, or not in that way."""
        words = words_of(error)
        if self._are_taken:
            self._refused.add(json_text(schema))
            self._tell(f"{words}; using tags for this request", task)
        else:
            self._drop(words, task)

    def may_refuse(self, error: ModelError, wish: Wish) -> bool:
        """Return whether `error` may be about the schema, so that the same has to be asked in tags."""
        if wish == "always":
            return False
        is_said = error.status_code in _STATUSES and _ABOUT_SCHEMAS.search(words_of(error)) is not None
        return is_said or (error.kind in _IN_QUESTION and not self._are_taken)

    def _drop(self, why: str, task: Task) -> None:
        self._are_taken = False
        self._tell(f"{why}; using tags for the rest of the run (--constrain never skips the try)", task)


def _is_json(text: str) -> bool:
    """Return whether a reply has the form that a schema asks for, as far as its first characters say."""
    return text.lstrip().startswith("{") or without_thoughts(text).startswith(_BEGINNINGS)


def words_of(error: ModelError) -> str:
    """Return what a server has said, without the advice on it.

    >>> words_of(ModelError("m: refused; check the sampling settings, tools and schema", kind="bad_request", model="m"))
    'm: refused'
    """
    rule = next((rule for kind, rule in RULES.items() if kind == error.kind), None)
    return str(error).removesuffix(rule.advice if rule else "").rstrip("; ")
