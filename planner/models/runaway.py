"""When a reply has run away: it repeats itself word for word, or is a plan with far too many tasks, or past its end.

Only what is the same to the letter counts as repeated, and only what goes on: refrains, tables, lists and code repeat
too, and end. What is no prose, such as rules, labels and rows of zeros, has to go on longer, and the numbers that lines
begin with do not count, as a model in a loop goes on counting. Nobody wants the same sentence twenty times in a plan or
a verdict; in an answer somebody may, so there it takes a hundred. Knows nothing of servers.
"""

import re
from dataclasses import dataclass

from ramify.planner.runtime.terminal import one_printable_line
from ramify.prompts.variables import DecomposeVariables, PromptVariables

_STEP = 400
"""How many more characters have to be there before a reply is looked at again."""

_MARK = 24
_MOST_MARKS = 60
_SHORT, _LONG, _VERY_LONG = 16, 100, 300
_NUMBERED_TIMES = 2
_NUMBER = re.compile(r"^[ \t>*-]*(?:\w{1,12} )?\d{1,6}(?:[.):]|\. | -)", re.MULTILINE)
_PROSE = re.compile(r"[^\W\d_]{2,},?\s+[^\W\d_]{2,},?\s+[^\W\d_]{2,}|[\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]{6}")
"""Three words in a row, or so many letters of a script that puts no spaces between words."""

_CLOSING = re.compile(r"</\w{1,20}>$")
_CLOSERS = " \t\r\n`\"'})]"
_MOST_CLOSINGS = 4
_END = re.compile(r"[.!?]\s+|[\u3002\n]\s*")
_SHOWN = 60

_TASK, _TASK_END, _THOUGHTS, _THOUGHTS_END = "<task", "</task>", "<think", "</think"
_MANY, _MORE = 2, 8
"""How many times the tasks that there may be are too many, and how many more of them where there may be few."""

_PAST_END = 1_500
"""How many characters may follow the last task of a plan."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something may repeat itself until it is a loop.

    Attributes:
        sentences: how often a unit of up to 100 characters has to be there.
        paragraphs: how often one of up to 300 characters has to be.
        pages: how often a longer one has to be.
        least: how many characters all of them have to have.
        least_labels: the same for what is no prose.
        tail: how much of the end of a reply is looked at, in characters.
    """

    sentences: int
    paragraphs: int
    pages: int
    least: int
    least_labels: int
    tail: int

    def times(self, unit: str) -> int:
        """Return how often `unit` has to be there."""
        length = len(unit)
        return self.sentences if length <= _LONG else self.paragraphs if length <= _VERY_LONG else self.pages


IN_FORMS = Patience(sentences=20, paragraphs=8, pages=5, least=800, least_labels=2_000, tail=8_000)
"""For plans and verdicts."""

IN_ANSWERS = Patience(sentences=100, paragraphs=25, pages=10, least=4_000, least_labels=6_000, tail=12_000)

_FORMS = frozenset({"decompose", "fit", "verify"})


def patience_for(purpose: str) -> Patience:
    """Return how long a reply to a request of that purpose may repeat itself."""
    return IN_FORMS if purpose in _FORMS else IN_ANSWERS


@dataclass(frozen=True, slots=True)
class Runaway:
    """How a reply has run away.

    Attributes:
        words: what the model did, for people and models to read, without the model: "repeated itself ...".
        is_whole: whether the reply can be taken for whole, as all that counts in it had been said.
    """

    words: str
    is_whole: bool = False


class Watch:
    """Looks at one reply while it comes.

    Args:
        purpose: what it was asked for.
        variables: what was asked with.
    """

    def __init__(self, purpose: str, variables: PromptVariables | None = None) -> None:
        self._patience = patience_for(purpose)
        self._most_tasks = variables.max_tasks if isinstance(variables, DecomposeVariables) else None
        self._new: list[str] = []
        self._new_length = 0
        self._tail = ""
        self._is_thinking: bool | None = None
        self._tasks = 0

    def feed(self, piece: str) -> Runaway | None:
        """Take the next piece of the reply, and return how it has run away by now; None if it has not."""
        self._new.append(piece)
        self._new_length += len(piece)
        return self._look() if self._new_length >= _STEP else None

    def _look(self) -> Runaway | None:
        new = "".join(self._new)
        self._new.clear()
        self._new_length = 0
        before, self._tail = self._tail, (self._tail + new)[-self._patience.tail :]
        if self._most_tasks is not None and (found := self._look_at_plan(before, new, self._most_tasks)) is not None:
            return found
        return repetition_in(self._tail, self._patience)

    def _look_at_plan(self, before: str, new: str, asked: int) -> Runaway | None:
        if self._is_thinking is None:
            self._is_thinking = new.lstrip().startswith(_THOUGHTS)
        if self._is_thinking:
            self._is_thinking = _THOUGHTS_END not in before[1 - len(_THOUGHTS_END) :] + new
            return None
        self._tasks += (before[1 - len(_TASK) :] + new).count(_TASK)
        most = max(asked * _MANY, asked + _MORE)
        if self._tasks > most:
            return Runaway(f"wrote more than {most} tasks; at most {asked} were asked for")
        _, end, behind = self._tail.rpartition(_TASK_END)
        if end and len(behind) > _PAST_END and _TASK not in behind:
            return Runaway(f"went on for {len(behind):,} characters after the last task of its plan", is_whole=True)
        return None


def repetition_in(text: str, patience: Patience = IN_FORMS) -> Runaway | None:
    r"""Return how `text` repeats itself at its end, closing tags left out; None if it does not.

    >>> repetition_in("It is so. " + "And so it goes on and on. " * 40).words
    'repeated itself: "And so it goes on and on."'
    >>> repetition_in("| 1 | 2 |\n" * 40) is None
    True
    """
    if len(text) < patience.least:
        return None
    tail = text[-patience.tail :]
    unit = _unit_of(tail, patience) or _unit_of(tail := _without_closings(tail), patience)
    if unit is None and _NUMBER.search(tail, max(0, tail.rfind("\n", 0, -_MARK))):
        unit = _unit_of(_NUMBER.sub("", tail), patience, times=_NUMBERED_TIMES)
    return None if unit is None else Runaway(f'repeated itself: "{_shown(unit)}"')


def _without_closings(tail: str) -> str:
    for _ in range(_MOST_CLOSINGS):
        tail = _CLOSING.sub("", tail.rstrip(_CLOSERS))
    return tail


def _unit_of(tail: str, patience: Patience, *, times: int = 1) -> str | None:
    """Return what `tail` ends with again and again; None if there is nothing.

    Whatever its unit is, the last characters have to stand in front of themselves; so only these places are tried.

    Args:
        tail: the text.
        patience: how often it has to be there.
        times: how many times as often as that.
    """
    end = len(tail)
    mark = tail[-_MARK:]
    place = end - len(mark)
    for _ in range(_MOST_MARKS):
        place = tail.rfind(mark, 0, place + len(mark) - 1)
        if place < 0:
            return None
        length = end - len(mark) - place
        unit = tail[end - length :]
        span = _least_span(unit, patience) * times
        if span + length <= end and tail[-span:] == tail[-span - length : -length] and unit not in (unit * 2)[1:-1]:
            return unit  # and not several of a shorter one, which was not there often enough
    return None


def _least_span(unit: str, patience: Patience) -> int:
    """Return how many characters have to repeat those before them until `unit` is a loop."""
    is_prose = len(unit) >= _SHORT and _PROSE.search(unit + unit) is not None
    least = patience.least if is_prose else patience.least_labels
    return max(least, (patience.times(unit) - 1) * len(unit))


def _shown(unit: str) -> str:
    """Return the beginning of a unit, from where a sentence or a line of it begins."""
    end = _END.search(unit + unit)
    start = 0 if end is None else end.end() % len(unit)
    words = one_printable_line(unit[start:] + unit[:start]).strip()
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
