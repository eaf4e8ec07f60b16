"""How answers are judged: by their words, by a Python function, by a program, or by a model; what is stored is a text.

    exact, number, regex      the words alone; see `answers`
    checks.py:is_right        a function of a file, given the reply and the answer; it says True, False, or why not
    command=./check {expected}   a program, given the reply on its standard input; exit code 0 is right
    model, model=NAME         a model, asked whether the reply says what the answer does

The first three cost nothing. A program needs the permission `subprocess`; a model's calls are not counted to the arm.
"""

import asyncio
import inspect
import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ramify.planner.checks.commands import judge_by_command
from ramify.planner.checks.findings import Finding
from ramify.planner.checks.predicates import finding_of
from ramify.planner.errors import UsageError
from ramify.planner.runtime.border import words_of
from ramify.planner.work.modules import imported
from ramify.tasks.checks import Check
from ramify.tasks.patterns import check_pattern

from .answers import ITEM_CHECKS, is_number, is_right
from .items import Item

AUTO = "auto"
OWN = "own:"
"""What the stored check begins with that only whoever has begun the study can give."""

MODEL, COMMAND = "model", "command="

_PLACES = ("expected", "question")
"""What is filled in where it stands in braces in a command."""
_IN_BRACES = re.compile(rf"\{{({'|'.join(_PLACES)})\}}")

_ASKS = {
    "number": "End with a line `Answer: ` and the number alone.",
    "exact": "End with a line `Answer: ` and the answer alone.",
    "regex": "End with a line `Answer: ` and the answer alone.",
}

CheckGiven = str | Callable[..., Any]
"""What users give as a check: one of the texts above, or a function of their own."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the replies to the items of a study.

    Attributes:
        check: how, as it is stored.
        function: the function, if one judges.
    """

    check: str
    function: Callable[..., Any] | None = None

    def form(self, item: Item) -> str:
        """Return how the answer to an item is read: number, exact, regex, or freely."""
        return item.check or self.check

    def is_plain(self, item: Item) -> bool:
        """Return whether the words alone decide about an item."""
        return self.form(item) in ITEM_CHECKS

    @property
    def model(self) -> str | None:
        """The name of the model that judges, or "" for that of the study; None if none does."""
        kind, _, name = self.check.partition("=")
        return name if kind == MODEL else None

    async def judge(self, reply: str, item: Item, call: Callable[..., Awaitable[Any]]) -> Finding:
        """Return whether a reply is right; "unsure" if the function raised; not for a model, which is asked elsewhere.

        Args:
            reply: the whole reply.
            item: what was asked.
            call: has a function called where functions are called.

        Raises:
            UsageError: if the check cannot be carried out.
        """
        if self.is_plain(item):
            try:
                said = await asyncio.to_thread(is_right, reply, item.answers, self.form(item))
            except ValueError as error:  # a pattern that takes too long
                return Finding("unsure", str(error))
            return Finding.of("" if said else "it is another answer")
        if self.function is not None:
            return await self._called(self.function, reply, item, call)
        words = shlex.split(self.check.removeprefix(COMMAND))
        given = dict(zip(_PLACES, (item.answers[0], item.question), strict=True))
        filled = (_IN_BRACES.sub(lambda found: given[found[1]], word) for word in words)
        return await judge_by_command(Check(command=tuple(filled)), reply)

    async def _called(
        self, function: Callable[..., Any], reply: str, item: Item, call: Callable[..., Awaitable[Any]]
    ) -> Finding:
        more = {"question": item.question} if "question" in inspect.signature(function).parameters else {}
        try:
            said = await call(function, reply, item.answers[0], **more)
        except (ValueError, AssertionError) as error:
            return Finding("unsure", f"{type(error).__name__}: {words_of(error)}".removesuffix(": "))
        return finding_of(said, self.check)


def demand_of(item: Item) -> str:
    """Return what a model that judges looks for."""
    return f"It gives this answer, in whatever words, and no other: {' or '.join(item.answers)}"


def judge_of(check: CheckGiven, items: Sequence[Item]) -> Judge:
    """Return the judge that `check` names; "auto" is number if all answers are numbers, else exact.

    Raises:
        UsageError: if it names none, or an answer does not fit it; the item is named.
    """
    if not isinstance(check, str):
        if not callable(check):
            raise UsageError(f"check is {type(check).__name__}; give one of {_KNOWN}, or a function")
        return Judge(f"{OWN}{getattr(check, '__name__', type(check).__name__)}", check)
    if check == AUTO:
        are_numbers = all(is_number(answer) for item in items for answer in item.answers)
        check = "number" if are_numbers else "exact"
    judge = stored_judge(check)
    for item in items:
        _check_answers(item, judge)
    return judge


def stored_judge(check: str, own: Callable[..., Any] | None = None) -> Judge:
    """Return the judge that is stored as `check`; `own` is the function of whoever has begun the study.

    Raises:
        UsageError: if there is none, or it has to be given again.
    """
    if check.startswith(OWN):
        if own is None:
            raise UsageError(
                f"the study uses your own check, {check.removeprefix(OWN)}; continue it in Python:"
                " resume_study(RUN, check=...)"
            )
        return Judge(check, own)
    if check in ITEM_CHECKS or check == MODEL or (check.startswith(f"{MODEL}=") and check != f"{MODEL}="):
        return Judge(check)
    if check.startswith(COMMAND) and shlex.split(check.removeprefix(COMMAND)):
        _check_places(check)
        return Judge(check)
    file, colon, name = check.rpartition(":")
    if colon and file.endswith(".py"):
        return Judge(f"{Path(file).absolute()}:{name}", _function(file, name))
    raise UsageError(f"there is no check {check!r}; it is one of {_KNOWN}")


def _check_places(check: str) -> None:
    """Refuse a word in braces that was meant to be one of those that are filled in."""
    for word in re.findall(r"\{(\w+)\}", check):
        meant = get_close_matches(word.lower(), _PLACES, n=1)
        if word not in _PLACES and meant:
            raise UsageError(f"the check {check!r} has {{{word}}}; did you mean {{{meant[0]}}}?")


def ask_of(judge: Judge, items: Sequence[Item]) -> str:
    """Return what every arm is told besides the question, unless somebody says otherwise: how an answer ends."""
    forms = {judge.form(item) for item in items}
    return _ASKS.get(forms.pop(), "") if len(forms) == 1 else _ASKS["exact"] if forms <= set(ITEM_CHECKS) else ""


def _function(file: str, name: str) -> Callable[..., Any]:
    if not Path(file).is_file():
        raise UsageError(f"the file {file} of the check {name} does not exist")
    found = getattr(imported(file, "check"), name, None)
    function = getattr(found, "function", found)  # under @predicate
    if not callable(function):
        raise UsageError(f"{file} has no function {name}; write FILE.py:FUNCTION")
    return function  # type: ignore[no-any-return]


def _check_answers(item: Item, judge: Judge) -> None:
    form = judge.form(item)
    for answer in item.answers:
        if form == "number" and not is_number(answer):
            raise UsageError(
                f"item {item.id}: its answer {answer[:60]!r} is not a number; use --check exact, or another"
            )
        if form == "regex":
            try:
                check_pattern(answer)
            except ValueError as error:
                raise UsageError(
                    f"item {item.id}: its answer cannot be used as a regular expression: {error}"
                ) from None


_KNOWN = f"{AUTO}, {', '.join(ITEM_CHECKS)}, FILE.py:FUNCTION, {COMMAND}..., {MODEL}, {MODEL}=NAME"
