"""The reply grammar: from a model's words to a plan, an answer or a task; nothing is guessed, or dropped unsaid.

A plan is `<task id="a" needs="b c" type="t">content</task>` elements, or `<atomic/>`, or `<failed reason="...">`; which
elements count is the rule of `.elements`. Where there are none, a JSON list or a numbered or bulleted list
is read (`.lists`). The JSON object of a plan that was asked for by a schema comes before all these (`.by_schema`).
What the tasks must keep is the rule of `.planned`. An answer is `<result>`, opaque up to the last closing tag, or plain
text. Phrases are never judged, only tags.

A reply that was cut raises `TruncatedReplyError`; one that breaks its contract raises `ReplyError`, whose `complaint`
says all that is wrong, for the model to put right. All is linear in the length of the reply.
"""

import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Unpack

from ramify.tasks.counting import counted
from ramify.tasks.errors import ReplyError

from .answers import REASONS, Answer, Failure, joined_failure, parse_answer, read_failure
from .by_schema import plan_in, without_dead_needs
from .elements import Element, ElementReader, close_reader
from .growing_json import GrowingTasks
from .json_lists import listing_of
from .lists import read_list
from .planned import Listing, PlanBuilder, PlannedTask, PlanRules, has_words, item_of
from .scanner import words_of

__all__ = [
    "REASONS",
    "Answer",
    "Failure",
    "Plan",
    "PlanRules",
    "PlanStream",
    "PlannedTask",
    "is_restatement",
    "parse_answer",
    "parse_evolved",
    "parse_plan",
    "plain_words",
]

_MOST_COMPLAINTS = 10
_LONGEST_WORD = 200
_EDGES = ".,;:!?\"'`()[]{}\u2026\u3001\u3002\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e\u300c\u300d\u00bf\u00a1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reply says about splitting a task: tasks, or that it is atomic, or that there can be no plan.

    Attributes:
        atomic: whether the task should not be split.
        tasks: the tasks, in the order of the reply.
        failed: why there is no plan; None if there is one.
        skipped: how many blank items were left out.
        notes: what else of the reply is not in the plan, in sentences.
    """

    atomic: bool = False
    tasks: tuple[PlannedTask, ...] = ()
    failed: Failure | None = None
    skipped: int = 0
    notes: tuple[str, ...] = ()


class PlanStream:
    """Reads a plan while it is being written.

    `close` gives what `parse_plan` gives for the whole text, wherever the chunks end. The tasks that `feed` has given
    are then the first ones of the plan; they mean nothing if `close` raises.

    Args:
        may_be_empty: whether a plan by a schema may have no tasks, as the rest of another one; it is atomic then.
        rules: what the plan must keep; see `PlanRules`.
    """

    def __init__(self, *, may_be_empty: bool = False, **rules: Unpack[PlanRules]) -> None:
        self._rules = rules
        self._may_be_empty = may_be_empty
        self._objects = GrowingTasks()
        self._growing = PlanBuilder(**rules)
        self._builder = PlanBuilder(**rules)
        self._reader = ElementReader(containers={"task", "failed"}, empties={"atomic"})
        self._chunks: list[str] = []
        self._begins_with = ""  # the first character of the reply that is not blank
        self._read = 0  # how many chunks the reader has
        self._is_atomic = False
        self._failures: list[Failure] = []
        self._notes: list[str] = []

    def feed(self, chunk: str) -> list[PlannedTask]:
        """Take the next piece of the reply, and return the tasks whose elements are closed now.

        A task waits, and those after it, as long as it needs one that is still to come. Once something is wrong, no
        task is given any more. Lists, and JSON that no schema has asked for, are read by `close` alone.
        """
        self._chunks.append(chunk)
        self._begins_with = self._begins_with or chunk.lstrip()[:1]
        if self._begins_with == "{":
            return self._grown(chunk)
        return [] if not self._begins_with else self._catch_up()

    def close(self, finish_reason: str = "stop") -> Plan:
        """Return the whole plan.

        Raises:
            TruncatedReplyError: if the reply was cut.
            ReplyError: if it holds no plan, or one that breaks the rules; the complaint names all faults.
        """
        reply = "".join(self._chunks)
        if not self._read_object(reply, finish_reason):
            self._catch_up()
            elements, body = close_reader(self._reader, reply, finish_reason)
            for element in elements:
                self._accept(element)
            if not self._has_something():
                self._read_without_tags(body, reply)
        tasks = self._builder.finish()
        complaints = [*self._reader.complaints, *self._mixture(), *self._builder.complaints]
        if not complaints and not self._has_something():
            complaints.append("the reply holds neither tasks nor `<atomic/>`")
        elif not complaints and self._builder.skipped and not tasks:
            complaints.append("all tasks are blank; say what is to be done")
        if complaints:
            raise ReplyError(_joined(complaints), reply=reply)
        failed = joined_failure(self._failures) if self._failures else None
        return Plan(
            atomic=self._is_atomic,
            tasks=tasks,
            failed=failed,
            skipped=self._builder.skipped,
            notes=(*self._notes, *self._builder.notes()),
        )

    def _grown(self, chunk: str) -> list[PlannedTask]:
        """Return the tasks of a plan by a schema whose objects are closed now."""
        found: list[PlannedTask] = []
        for value in self._objects.feed(chunk):
            with suppress(ReplyError):  # what is wrong is said by `close`
                listing = listing_of([value], "")
                found += [task for item in (listing.items if listing else ()) for task in self._growing.add(item)]
        return found

    def _catch_up(self) -> list[PlannedTask]:
        """Give the reader the chunks that were held back, and return the tasks whose elements are closed now."""
        chunks, self._read = self._chunks[self._read :], len(self._chunks)
        return [task for chunk in chunks for element in self._reader.feed(chunk) for task in self._accept(element)]

    def _read_object(self, reply: str, finish_reason: str) -> bool:
        """Take the plan that the JSON of a reply is; return whether it is one. What is whole was not cut."""
        plan = plan_in(reply, finish_reason=finish_reason)
        listing = None if plan is None else listing_of(plan, reply)
        if listing is None:
            return False
        self._builder = PlanBuilder(**self._rules)
        items, self._notes = without_dead_needs(listing.items)
        self._take_listing(replace(listing, items=tuple(items)))
        self._is_atomic = self._is_atomic or (self._may_be_empty and not items and not self._failures)
        return True

    def _accept(self, element: Element) -> list[PlannedTask]:
        if element.tag.name == "task":
            tasks = self._builder.add(item_of(words_of(element.content), element.tag.attributes()))
            return [] if self._reader.complaints or self._is_atomic or self._failures else tasks
        if element.tag.name == "atomic":
            self._is_atomic = True
        else:
            self._failures.append(read_failure(element.tag.attributes().get("reason"), words_of(element.content)))
        return []

    def _has_something(self) -> bool:
        return self._is_atomic or bool(self._failures) or self._builder.count > 0

    def _read_without_tags(self, body: str, reply: str) -> None:
        start = body.strip(" \t\r\n`").lower()
        if start.startswith("<atomic") or start.rstrip(".") == "atomic":
            self._is_atomic = True
            return
        listing = read_list(body, reply=reply)
        self._take_listing(listing)
        self._is_atomic = listing.atomic or (not listing.items and "atomic" in self._reader.mentioned)

    def _take_listing(self, listing: Listing) -> None:
        for item in listing.items:
            self._builder.add(item)
        self._is_atomic = listing.atomic
        if listing.failed is not None:
            self._failures.append(read_failure(*listing.failed))

    def _mixture(self) -> list[str]:
        count = self._builder.count
        found = [counted(count, "task")] if count else []
        found += ["`<failed>`"] if self._failures else []
        if self._is_atomic and found:
            return [f"`<atomic/>` stands beside {' and '.join(found)}; give one or the other"]
        return [f"`<failed>` stands beside {found[0]}; give one or the other"] if len(found) > 1 else []


def parse_plan(
    reply: str, *, finish_reason: str = "stop", may_be_empty: bool = False, **rules: Unpack[PlanRules]
) -> Plan:
    """Return the plan that a reply holds.

    Args:
        reply: the model's words.
        finish_reason: why the model stopped; "length" and "content_filter" mean that the reply was cut.
        may_be_empty: as `PlanStream` has it.
        rules: what the plan must keep: `max_tasks`, `types`, `known_ids`, `blank`; see `PlanRules`.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if it holds no plan, or one that breaks the rules; the complaint names all faults.

    >>> [(task.key, task.needs) for task in parse_plan('<task id="a">Look</task><task needs="a">Leap</task>').tasks]
    [('a', ()), ('2', ('a',))]
    """
    stream = PlanStream(may_be_empty=may_be_empty, **rules)
    stream.feed(reply)
    return stream.close(finish_reason)


def parse_evolved(reply: str, *, finish_reason: str = "stop") -> str:
    """Return the one task that a reply holds: its only `<task>`, or else its plain text.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if it holds several tasks, a blank one, or `<failed>`.

    >>> parse_evolved("Here it is: <task>Count the legs of two spiders.</task>")
    'Count the legs of two spiders.'
    """
    reader = ElementReader(containers={"task", "failed"})
    elements = reader.feed(reply)
    last, body = close_reader(reader, reply, finish_reason)
    elements += last
    complaints = list(reader.complaints)
    for element in elements:
        if element.tag.name == "failed":
            failure = read_failure(element.tag.attributes().get("reason"), words_of(element.content))
            complaints.append(f"no task was made: {failure.detail or 'no reason was given'} ({failure.reason})")
    if len(elements) > 1:
        complaints.append(f"there are {len(elements)} elements, and exactly one `<task>` was asked for")
    text = words_of(elements[0].content) if elements else body.strip()
    if not has_words(text):
        complaints.append("the task is blank; say what is to be done")
    if complaints:
        raise ReplyError(_joined(complaints), reply=reply)
    return text


def is_restatement(a: str, b: str) -> bool:
    """Return whether two texts say the same but for case, white space and the punctuation around words.

    >>> is_restatement("  Plan the *trip*", "plan the trip.")
    False
    >>> is_restatement("  Plan the 'trip'", "plan the trip.")
    True
    """
    return plain_words(a) == plain_words(b)


def plain_words(text: str) -> str:
    """Return `text` without case, the punctuation around words, and differences of white space.

    >>> plain_words("  Plan the 'Trip'! ")
    'plan the trip'
    """
    words = (_normal(word) for word in text.split())
    return " ".join(bare for word in words if (bare := word.strip(_EDGES)))


def _joined(complaints: list[str]) -> str:
    more = len(complaints) - _MOST_COMPLAINTS
    return "; ".join(complaints[:_MOST_COMPLAINTS]) + (f"; and {counted(more, 'more fault')}" if more > 0 else "")


def _normal(word: str) -> str:
    # the cost of normalising grows with the square of a run of combining marks
    return (unicodedata.normalize("NFKC", word) if len(word) <= _LONGEST_WORD else word).casefold()
