"""The items of a study: questions with their answers, read from JSON lines, a JSON list, a table, or a call.

Nothing is left out unsaid: a line that holds no item is an error that names the line and the field.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from ramify.planner.asking.attachments import read_text
from ramify.planner.asking.data_rows import DELIMITERS, JSON_LINES, json_at, json_lines, table_rows
from ramify.planner.errors import UsageError

from .answers import ITEM_CHECKS

QUESTION_FIELDS = ("question", "problem", "prompt", "input", "goal", "query", "content")
ANSWER_FIELDS = ("answer", "final_answer", "expected", "target", "output", "label", "solution")
"""Where questions and answers are looked for, in this order, unless somebody says otherwise."""

MOST_ITEMS = 100_000
MOST_CHARACTERS = 100_000
"""The longest question."""

_GSM8K = "#### "
_SEED = 0

ItemSource = str | Path | Iterable[Mapping[str, Any]]
"""A file, or items as data, each with a question and an answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a study.

    Attributes:
        id: what it is called; once in a study.
        question: what is asked.
        answers: the right answer; several if any of them is right.
        check: how its answer is judged, if otherwise than those of the others: exact, number or regex.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    check: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data; `Item.of` reads it again."""
        return {**asdict(self), "answers": list(self.answers)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Item":
        """Return the item that `to_data` wrote."""
        return cls(data["id"], data["question"], tuple(data["answers"]), data.get("check", ""))


def read_items(
    source: ItemSource, *, question: str | None = None, answer: str | None = None, most: int | None = None
) -> list[Item]:
    """Return the items of `source`, in order; of more than `most`, so many that are drawn, the same each time.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, .tsv), or data.
        question: the field or column of the question; the first of `QUESTION_FIELDS` that is there unless given.
        answer: that of the answer; of `ANSWER_FIELDS` likewise. What follows a `####`, as in GSM8K, counts.
        most: how many are wanted at the most.

    Raises:
        UsageError: if a file cannot be read, or something in it is no item; the line and the field are named.
    """
    items: dict[str, Item] = {}
    for origin, data in _rows(source):
        item = _item(data, origin, len(items) + 1, question, answer)
        if item.id in items:
            raise UsageError(f"{origin} has the id {item.id!r} of an earlier item; ids must be unique")
        items[item.id] = item
        if len(items) > MOST_ITEMS:
            raise UsageError(f"there are more than {MOST_ITEMS:,} items; draw some with --items N (in Python: items=N)")
    if not items:
        raise UsageError("there are no items; give a file with one question and answer per line")
    return drawn(list(items.values()), most)


def drawn(items: list[Item], most: int | None) -> list[Item]:
    """Return `most` of the items, drawn at random but the same each time; all of them, in order, if that is enough."""
    return items if most is None or most >= len(items) else Random(_SEED).sample(items, most)  # noqa: S311 - no secret


def _rows(source: ItemSource) -> Iterator[tuple[str, Any]]:
    if not isinstance(source, str | Path):
        yield from ((f"item {number}", data) for number, data in enumerate(source, 1))
        return
    path = Path(source)
    kind, text = path.suffix.lower(), read_text(path)
    if kind in JSON_LINES:
        yield from json_lines(text, str(path))
    elif kind in DELIMITERS:
        rows = table_rows(text, str(path), delimiter=DELIMITERS[kind])
        next(rows)
        yield from rows
    elif kind == ".json":
        data = json_at(text, str(path))
        if not isinstance(data, list):
            raise UsageError(f"{path} is not a list of items; write [{{...}}, {{...}}], or one item per line (.jsonl)")
        yield from ((f"{path}: item {number}", each) for number, each in enumerate(data, 1))
    else:
        endings = ", ".join(sorted([*JSON_LINES, ".json", *DELIMITERS]))
        raise UsageError(f"{path}: unknown file ending; use one of {endings}")


def _item(data: Any, origin: str, number: int, question: str | None, answer: str | None) -> Item:
    if not isinstance(data, Mapping):
        raise UsageError(f"{origin} is not an object with a question and an answer")
    asked = _text(data, _field(data, question, QUESTION_FIELDS, origin, "question"), origin)
    if len(asked) > MOST_CHARACTERS:
        raise UsageError(f"{origin}: the question has {len(asked):,} characters; {MOST_CHARACTERS:,} are allowed")
    name = _field(data, answer, ANSWER_FIELDS, origin, "answer")
    given = data[name] if isinstance(data[name], list) else [data[name]]
    answers = tuple(_answer(each, name, origin) for each in given)
    if not answers:
        raise UsageError(f"{origin}: the field {name!r} is an empty list; give at least one right answer")
    check = data.get("check") or ""
    if check not in ("", *ITEM_CHECKS):
        raise UsageError(f"{origin}: the field 'check' is {check!r}; use one of {', '.join(ITEM_CHECKS)}")
    own_id = data.get("id")
    return Item(str(number) if own_id in (None, "") else str(own_id), asked, answers, check)


def _field(data: Mapping[str, Any], given: str | None, known: tuple[str, ...], origin: str, what: str) -> str:
    """Return the field that holds the question or the answer."""
    wanted = known if given is None else (given,)
    found = next((name for name in wanted if data.get(name) not in (None, "")), None)
    if found is None:
        there = ", ".join(map(str, data)) or "none"
        blank = next((name for name in wanted if name in data), None)
        if blank is not None:
            raise UsageError(f"{origin}: the field {blank!r} is blank; it must hold the {what}")
        asked = f"no field {given!r}" if given is not None else f"no {what} in a field such as {known[0]!r}"
        raise UsageError(f"{origin} has {asked}; its fields: {there} (--{what} NAME chooses one)")
    return found


def _text(data: Mapping[str, Any], name: str, origin: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{origin}: the field {name!r} is {_shown(value)}; a question must be text")
    return value.strip()


def _answer(value: Any, name: str, origin: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(
            f"{origin}: the field {name!r} is {_shown(value)}; an answer must be text, a number, or a list of these"
        )
    text = str(value).rpartition(_GSM8K)[2].strip()
    if not text:
        raise UsageError(f"{origin}: the field {name!r} has a blank answer")
    return text


def _shown(value: Any) -> str:
    return "blank" if value == "" else f"of the type {type(value).__name__}"
