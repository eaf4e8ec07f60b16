"""What a person is asked at the terminal while a run goes on; where there is none, nobody is asked, and the run waits.

The words of a question come from a model: nothing of them steers the terminal. Ctrl-C while a question stands gives the
run up, as everywhere; it can be resumed.
"""

import math
import sys
from typing import TYPE_CHECKING

from ramify.planner.models.reply_lines import StreamReplies
from ramify.planner.runtime.terminal import printable, terminal_taken

if TYPE_CHECKING:
    from ramify.planner.asking.person import PersonGiven
    from ramify.planner.work.unknown import StepAnswer, UnknownStep

_DONE, _AGAIN, _LEAVE = frozenset({"d", "done"}), frozenset({"a", "again"}), frozenset({"", "l", "leave"})
_GO_ON, _STOP = frozenset({"g", "go", "go on"}), frozenset({"", "s", "stop"})


def person_there() -> "PersonGiven":
    """Return what asks the person at the terminal, as keywords of a run; nothing if nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return {}
    terminal = _Terminal()
    return {"on_ask": terminal.on_ask, "clarify": terminal.clarify, "on_unknown": terminal.on_unknown}


class _Terminal:
    def __init__(self) -> None:
        self._lines = StreamReplies(sys.stdin)  # as it is now: nobody else reads it while a run goes on

    async def on_ask(self, cost_usd: float) -> bool | float:
        """Ask how a run goes on that has cost so much; no answer stops it."""
        with terminal_taken():
            while True:
                said = await self._answer(
                    f"the run has cost ${cost_usd:.4g}. [g]o on, [s]top, or enter the cost in USD at which to ask"
                    " again: "
                )
                word = (said or "").strip().lower()
                if word in _GO_ON:
                    return True
                if word in _STOP:
                    return False
                if (amount := _amount(word)) > cost_usd:
                    return amount

    async def clarify(self, questions: list[str]) -> list[str]:
        """Ask what a model has to know of the goal, a line for each question; nothing if the input ends."""
        answers = []
        with terminal_taken():
            sys.stderr.write("the goal is ambiguous; the model asks:\n")
            for question in questions:
                said = await self._answer(f"{question}\n> ")
                if said is None:
                    return []
                answers.append(said)
        return answers

    async def on_unknown(self, step: "UnknownStep") -> "StepAnswer | None":
        """Ask whether a step was done, and what came of it; no answer leaves the run waiting."""
        from ramify.tasks.json_data import json_or_text

        from .records import unknown_step_text

        with terminal_taken():
            sys.stderr.write(printable(unknown_step_text(step)))
            while True:
                said = await self._answer("[d]one, do it [a]gain, or decide [l]ater: ")
                word = (said or "").strip().lower()
                if word in _LEAVE:
                    return None
                if word in _AGAIN:
                    return step.again()
                if word in _DONE:
                    result = await self._answer("its result, as text or JSON: ")
                    return None if result is None else step.done(json_or_text(result))

    async def _answer(self, question: str) -> str | None:
        """Return the line that a person answers; None if the input has ended."""
        sys.stderr.write(printable(question))
        sys.stderr.flush()
        line = await self._lines.next_line()
        if not line:
            sys.stderr.write("\n")
        return line.rstrip("\r\n") if line else None


def _amount(word: str) -> float:
    """Return the amount that a word names; 0 if it is none."""
    try:
        amount = float(word.removeprefix("$"))
    except ValueError:
        return 0.0
    return amount if math.isfinite(amount) else 0.0
