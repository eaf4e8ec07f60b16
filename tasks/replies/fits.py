"""What a reply says of a method: what each of its parameters stands for, in words of the goal, or that it does not fit.

In tags: `<parameter name="first">Oslo</parameter>` for each, or `<failed reason="other">why</failed>`; by a schema:
`{"fit": {"parameters": {"first": "Oslo"}}}`. What is not in the goal is made up, and refused.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ramify.tasks.errors import ReplyError

from .answers import read_failure
from .by_schema import Schema, failed_schema, object_in, object_schema, text_schema
from .elements import ElementReader, close_reader
from .grammar import plain_words
from .json_lists import failure_in
from .planned import shown
from .scanner import words_of

FIT = "fit"
LONGEST_VALUE = 400


@dataclass(frozen=True, slots=True)
class Fit:
    """What the parameters of a method stand for.

    Attributes:
        values: by name; None if the method does not fit.
        why: why it does not.
    """

    values: Mapping[str, str] | None
    why: str = ""


def fit_schema(names: Collection[str]) -> Schema:
    """Return the schema of what the parameters `names` stand for, or that they stand for nothing in the goal."""
    filled = object_schema(parameters=object_schema(**{name: text_schema(LONGEST_VALUE) for name in names}))
    return object_schema(fit={"anyOf": [filled, failed_schema()]})


def parse_fit(reply: str, *, names: Collection[str], goal: str, finish_reason: str = "stop") -> Fit:
    """Return what a reply says.

    Args:
        reply: the model's words.
        names: the parameters.
        goal: what their words are taken from.
        finish_reason: why the model stopped.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if it says neither, leaves a parameter out, or fills it with words that the goal does not have.

    >>> parse_fit('<parameter name="town">Oslo</parameter>', names=["town"], goal="Tell me of Oslo")
    Fit(values={'town': 'Oslo'}, why='')
    """
    found = _in_object(reply, finish_reason) or _in_tags(reply, finish_reason)
    if isinstance(found, Fit):
        return found
    values, complaints = found
    said = f" {plain_words(goal)} "
    for name in names:
        if not values.get(name, "").strip():
            complaints.append(f"the parameter {shown(name)} is not filled in")
        elif f" {plain_words(values[name])} " not in said:
            complaints.append(f"the parameter {shown(name)} is {shown(values[name])}, which is not in the goal")
    if complaints:
        raise ReplyError("; ".join(complaints), reply=reply)
    return Fit({name: values[name].strip() for name in names})


_Said = Fit | tuple[dict[str, str], list[str]]


def _in_tags(reply: str, finish_reason: str) -> _Said:
    reader = ElementReader(containers={"parameter", "failed"})
    elements = reader.feed(reply)
    last, _ = close_reader(reader, reply, finish_reason)
    values: dict[str, str] = {}
    for each in [*elements, *last]:
        attributes = each.tag.attributes()
        words = words_of(each.content)
        if each.tag.name == "failed":
            return _failed(attributes.get("reason"), words)
        values.setdefault(attributes.get("name") or "", words)
    return values, list(reader.complaints)


def _in_object(reply: str, finish_reason: str) -> _Said | None:
    found = object_in(reply, FIT, finish_reason=finish_reason)
    said = None if found is None else found[FIT]
    if not isinstance(said, dict):
        return None
    if "failed" in said:
        return _failed(*failure_in(said["failed"]))
    listed: Any = said.get("parameters")
    pairs = listed.items() if isinstance(listed, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}, []


def _failed(reason: str | None, words: str) -> Fit:
    failure = read_failure(reason, words)
    return Fit(None, failure.detail or failure.reason)
