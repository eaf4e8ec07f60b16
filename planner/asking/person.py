"""The person behind a run: what may be asked of them while it goes on, by functions that whoever starts it gives.

The command line gives functions that ask at the terminal. One question is asked at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Self, TypedDict

from ramify.planner.engines.threads import Threads
from ramify.planner.runtime.border import border

if TYPE_CHECKING:
    from ramify.planner.work.unknown import StepAnswer, UnknownStep

OnAsk = Callable[[float], bool | float | Awaitable[bool | float]]
"""Is given what a run has cost, in US dollars; says whether it goes on, or at which cost it is to be asked again."""

Answers = str | Sequence[str] | None
Clarify = Callable[[list[str]], Answers | Awaitable[Answers]]
"""Is given the questions of a model about an ambiguous goal; gives an answer to each, or one to all, or None."""


OnUnknown = Callable[["UnknownStep"], "Awaitable[StepAnswer | None] | StepAnswer | None"]
"""Is given a step that may not be repeated, and of which nobody knows whether it was taken; says whether it was."""


class PersonGiven(TypedDict, total=False):
    """What asks a person, by keyword."""

    on_ask: OnAsk | None
    clarify: Clarify | None
    on_unknown: OnUnknown | None


@dataclass(slots=True)
class Person:
    """Who can be asked.

    Attributes:
        on_ask: says how the run goes on that has cost what it was given as `ask_at_usd`; None if nobody does.
        clarify: answers what a model asks about an ambiguous goal; None if nobody does.
        on_unknown: says whether a step was taken of which nobody knows that; None if nobody does.
        is_asked: whether a question waits for its answer.
    """

    on_ask: OnAsk | None = None
    clarify: Clarify | None = None
    on_unknown: OnUnknown | None = None
    is_asked: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def among(cls, given: Mapping[str, Any]) -> Self:
        """Return who can be asked, as keywords say."""
        return cls(given.get("on_ask"), given.get("clarify"), given.get("on_unknown"))

    async def answer(self, function: Callable[[Any], Any], question: Any) -> Any:
        """Return what a function says, which may be async; a plain one is called in a thread, as it may take hours.

        Raises:
            Exception: whatever it raises, as an ordinary exception.
        """
        async with self._turn:
            self.is_asked = True
            try:
                with border:
                    if iscoroutinefunction(function):
                        return await function(question)
                    said = await _in_thread(partial(function, question))
                    return await said if isawaitable(said) else said
            finally:
                self.is_asked = False


async def _in_thread(function: Callable[[], Any]) -> Any:
    threads = Threads("ramify-person", 1, asyncio.get_running_loop())
    job = threads.begin(function)
    try:
        return await threads.result(job)
    finally:
        threads.give_up(job)
        threads.close()
