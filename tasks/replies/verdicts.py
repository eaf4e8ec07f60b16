"""What a verifying reply says: `<issue>demand | evidence</issue>` for each fault, then one `<verdict value="..."/>`.

Only the tags count, or the JSON object that was asked for by a schema. A fail without an issue is no verdict, since
nobody could act on it; nor is a pass with issues.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

from ramify.tasks.errors import ReplyError

from .by_schema import VERDICT, object_in
from .elements import ElementReader, close_reader
from .scanner import words_of

VerdictValue = Literal["pass", "fail", "unsure"]
VALUES: tuple[VerdictValue, ...] = ("pass", "fail", "unsure")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement of an answer.

    Attributes:
        value: "fail" if a demand is not met, "unsure" if that could not be settled.
        issues: the demands that are not met, with the evidence; at least one if it is a fail.
    """

    value: VerdictValue
    issues: tuple[str, ...] = ()


def parse_verdict(reply: str, *, finish_reason: str = "stop") -> Verdict:
    """Return the verdict that a reply holds.

    Raises:
        TruncatedReplyError: if the reply was cut.
        ReplyError: if it holds no verdict, several that differ, or one that its issues contradict.

    >>> parse_verdict('<issue>one word | "two words"</issue><verdict value="fail"/>')
    Verdict(value='fail', issues=('one word | "two words"',))
    """
    issues, verdicts, complaints = _in_object(reply, finish_reason) or _in_tags(reply, finish_reason)
    said = {verdict.strip().lower() for verdict in verdicts}
    value = next(iter(said), "")
    if not said:
        complaints.append('there is no `<verdict value="..."/>`')
    elif len(said) > 1:
        complaints.append("there are several verdicts that differ; give one")
    elif value not in VALUES:
        complaints.append(f"the verdict's value is {value!r}; it is one of {', '.join(VALUES)}")
    elif value == "fail" and not issues:
        complaints.append("the verdict is fail, and no `<issue>` says why")
    elif value == "pass" and issues:
        complaints.append("the verdict is pass, and there are issues; the verdict is fail if a demand is not met")
    if complaints:
        raise ReplyError("; ".join(complaints), reply=reply)
    return Verdict(cast("VerdictValue", value), issues)


_Said = tuple[tuple[str, ...], list[str], list[str]]


def _in_tags(reply: str, finish_reason: str) -> _Said:
    """Return the issues, the verdicts, and what is wrong with the form."""
    reader = ElementReader(containers={"issue"}, empties={"verdict"})
    elements = reader.feed(reply)
    last, _ = close_reader(reader, reply, finish_reason, may_end_open=False)  # the verdict comes last
    elements += last
    issues = tuple(words for each in elements if each.tag.name == "issue" and (words := words_of(each.content).strip()))
    verdicts = [each.tag.attributes().get("value") or "" for each in elements if each.tag.name == "verdict"]
    return issues, verdicts, list(reader.complaints)


def _in_object(reply: str, finish_reason: str) -> _Said | None:
    """Return the same of a JSON object; None if the reply is none."""
    found = object_in(reply, VERDICT, finish_reason=finish_reason)
    if found is None:
        return None
    said = found[VERDICT]
    fields = said if isinstance(said, dict) else {**found, "value": said}
    listed = fields.get("issues")
    issues = tuple(words for each in listed if (words := _words(each))) if isinstance(listed, list) else ()
    value = fields.get("value")
    return issues, [value] if isinstance(value, str) else [], []


def _words(issue: Any) -> str:
    parts = issue.values() if isinstance(issue, dict) else [issue]
    return " | ".join(part.strip() for part in parts if isinstance(part, str)).strip()
