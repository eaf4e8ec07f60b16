"""`ask_at_usd`: once a run has cost so much, no more calls start until a person has said how it goes on.

Where nobody can be asked, the run is stopped and can be resumed, as at a limit. What is said is on disk before the next
call starts, so that it is not asked again when the run is resumed.
"""

import asyncio
import math
from collections.abc import Callable

from ramify.planner.errors import LimitError
from ramify.planner.events.events import EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.runtime.border import error_text
from ramify.planner.store.changes import RunChanged

from .person import Person


class CostGate:
    """Holds the calls of a run back.

    Args:
        ask_at_usd: the cost at which it is asked; None asks nobody.
        person: who is asked.
        recorder: writes down what is asked and said.
        keep: returns the change of the run that keeps another `ask_at_usd`.

    Attributes:
        ask_at_usd: the cost at which it is asked from now on.
    """

    def __init__(
        self, ask_at_usd: float | None, person: Person, recorder: Recorder, keep: Callable[[float | None], RunChanged]
    ) -> None:
        self.ask_at_usd = ask_at_usd
        self._person = person
        self._recorder = recorder
        self._keep = keep
        self._turn = asyncio.Lock()
        self._stop: LimitError | None = None

    async def passed(self, cost_usd: Callable[[], float]) -> None:
        """Return once a call may start.

        Args:
            cost_usd: says what the run has cost so far.

        Raises:
            LimitError: if the run is to stop, or nobody can be asked.
        """
        if self.ask_at_usd is None or cost_usd() < self.ask_at_usd:
            return
        async with self._turn:
            while self.ask_at_usd is not None and cost_usd() >= self.ask_at_usd:
                await self._ask(cost_usd(), self.ask_at_usd)

    async def _ask(self, cost_usd: float, at: float) -> None:
        if self._stop is not None:
            raise self._stop
        told = f"the run has cost ${cost_usd:.4g}; ask_at_usd = {at:g}"
        if self._person.on_ask is None:
            raise self._stopped(f"{told}, and there is nobody to ask", cost_usd)
        self._recorder.put(EventType.PERSON_ASKED, about="cost", questions=[f"{told}. Continue?"])
        try:
            said = await self._person.answer(self._person.on_ask, cost_usd)
        except Exception as error:
            raise self._stopped(f"{told}; on_ask failed: {error_text(error)}", cost_usd) from error
        if said is False:
            raise self._stopped(f"{told}; a person stopped it", cost_usd)
        if not _is_answer(said, cost_usd):
            words = f"{told}; on_ask returned {said!r}: return True, False, or a higher cost to ask at"
            raise self._stopped(words, cost_usd)
        self.ask_at_usd = None if said is True else float(said)
        answer = "go on" if self.ask_at_usd is None else f"ask again at {self.ask_at_usd:g}"
        change = self._keep(self.ask_at_usd)
        await self._recorder.commit(EventType.PERSON_ANSWERED, None, change, about="cost", answers=[answer])

    def _stopped(self, words: str, cost_usd: float) -> LimitError:
        """Return the error that stops this call and those that wait for the same answer."""
        enough = float(f"{2 * cost_usd:.2g}")
        self._stop = LimitError(words, limit="ask_at_usd", options=("--ask-at", f"{enough:g}"))
        return self._stop


def _is_answer(said: object, cost_usd: float) -> bool:
    return said is True or (isinstance(said, int | float) and math.isfinite(said) and said > cost_usd)
