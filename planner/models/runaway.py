"""When a reply has run away: it repeats itself word for word, or is a plan with far too many tasks, or past its end.

Only what is the same to the letter counts as repeated, and only what goes on: refrains, tables, lists and code repeat
too, and end. What is no prose, such as rules, labels and rows of zeros, has to go on longer. The numbers that lines
begin with do not count, as a model in a loop goes on counting. Knows nothing of servers.
"""

import re
from dataclasses import dataclass

from ramify.planner.runtime.terminal import one_printable_line
from ramify.prompts.variables import DecomposeVariables, PromptVariables

_TAIL = 8_000
"""How much of the end of a reply is looked at, in characters."""

_STEP = 400
"""How many more characters have to be there before it is looked at again."""

_MARK = 24
_MOST_MARKS = 60
_SHORT, _LONG, _VERY_LONG = 16, 100, 300
_FEWEST = ((_LONG, 20), (_VERY_LONG, 8), (_TAIL, 5))
"""How often a unit of up to so many characters has to follow itself."""

_LONGEST_LABELS = 2_000
_LEAST = 800
_NUMBERED_TIMES = 2
_NUMBER = re.compile(r"^[ \t>*-]*(?:\w{1,12} )?\d{1,6}(?:[.):]|\. | -)", re.MULTILINE)
_PROSE = re.compile(r"[^\W\d_]{2,},?\s+[^\W\d_]{2,},?\s+[^\W\d_]{2,}|[\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]{6}")
"""Three words in a row, or so many letters of a script that puts no spaces between words."""

_CLOSING = re.compile(r"</\w{1,20}>$")
_CLOSERS = " \t\r\n`\"'})]"
_MOST_CLOSINGS = 4
_END = re.compile(r"[.!?]\s+|[\u3002\n]\s*")
_SHOWN = 60

_TASK = "<task"
_MANY = 2
"""How many times the tasks that there may be have to be there."""

_PAST_END = 1_500
"""How many characters may follow the last task of a plan."""


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
        variables: what was asked with.
    """

    def __init__(self, variables: PromptVariables | None = None) -> None:
        self._most_tasks = variables.max_tasks * _MANY if isinstance(variables, DecomposeVariables) else None
        self._new: list[str] = []
        self._new_length = 0
        self._tail = ""
        self._tasks = 0
        self._past_end = 0

    def feed(self, piece: str) -> Runaway | None:
        """Take the next piece of the reply, and return how it has run away by now; None if it has not."""
        self._new.append(piece)
        self._new_length += len(piece)
        return self._look() if self._new_length >= _STEP else None

    def _look(self) -> Runaway | None:
        new = "".join(self._new)
        self._new.clear()
        self._new_length = 0
        if self._most_tasks is not None and (found := self._look_at_plan(new, self._most_tasks)) is not None:
            return found
        self._tail = (self._tail + new)[-_TAIL:]
        return repetition_in(self._tail)

    def _look_at_plan(self, new: str, most: int) -> Runaway | None:
        joined = self._tail[1 - len(_TASK) :] + new if self._tail else new
        self._tasks += joined.count(_TASK)
        self._past_end = len(joined) - joined.rfind("<") if "<" in joined else self._past_end + len(new)
        if self._tasks > most:
            return Runaway(f"wrote more than {most} tasks, and had been asked for at most {most // _MANY}")
        if self._tasks and self._past_end > _PAST_END:
            return Runaway(f"went on for {self._past_end:,} characters after the last task of its plan", is_whole=True)
        return None


def repetition_in(text: str) -> Runaway | None:
    r"""Return how `text` repeats itself at its end, closing tags left out; None if it does not.

    >>> repetition_in("It is so. " + "And so it goes on and on. " * 40).words
    'repeated itself: "And so it goes on and on."'
    >>> repetition_in("| 1 | 2 |\n" * 40) is None
    True
    """
    if len(text) < _LEAST:
        return None
    tail = text[-_TAIL:]
    unit = _unit_of(tail, times=1) or _unit_of(tail := _without_closings(tail), times=1)
    if unit is None and _NUMBER.search(tail, max(0, tail.rfind("\n", 0, -_MARK))):
        unit = _unit_of(_NUMBER.sub("", tail), times=_NUMBERED_TIMES)
    return None if unit is None else Runaway(f'repeated itself: "{_shown(unit)}"')


def _without_closings(tail: str) -> str:
    for _ in range(_MOST_CLOSINGS):
        tail = _CLOSING.sub("", tail.rstrip(_CLOSERS))
    return tail


def _unit_of(tail: str, *, times: int) -> str | None:
    """Return what `tail` ends with again and again; None if there is nothing.

    Whatever its unit is, the last characters have to stand in front of themselves; so only these places are tried.

    Args:
        tail: the text.
        times: how many times as often as otherwise it has to be there.
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
        span = _least_span(unit) * times
        if span + length <= end and tail[-span:] == tail[-span - length : -length] and unit not in (unit * 2)[1:-1]:
            return unit  # and not several of a shorter one, which was not there often enough
    return None


def _least_span(unit: str) -> int:
    """Return how many characters have to repeat those before them until `unit` is a loop."""
    fewest = next(fewest for longest, fewest in _FEWEST if len(unit) <= longest)
    is_prose = len(unit) >= _SHORT and _PROSE.search(unit + unit) is not None
    return max(_LEAST if is_prose else _LONGEST_LABELS, (fewest - 1) * len(unit))


def _shown(unit: str) -> str:
    """Return the beginning of a unit, from where a sentence or a line of it begins."""
    end = _END.search(unit + unit)
    start = 0 if end is None else end.end() % len(unit)
    words = one_printable_line(unit[start:] + unit[:start]).strip()
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
