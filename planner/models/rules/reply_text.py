"""The words of the reply contract, as the grammar in `ramify.tasks.replies.grammar` reads them back."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from .outlines import Part

ATOMIC = "<atomic/>"


def plan_text(parts: Sequence[Part]) -> str:
    """Return a plan of these parts; one without a second part leaves the goal whole."""
    if len(parts) < 2:  # noqa: PLR2004 - a plan has two tasks or more
        return ATOMIC
    lines = []
    for number, part in enumerate(parts, 1):
        needs = f' needs="{number - 1}"' if part.is_after_previous else ""
        lines.append(f'<task id="{number}"{needs}>{escape(part.content)}</task>')
    return "\n".join(lines)


def result_text(result: str, gaps: Sequence[str] = ()) -> str:
    """Return an answer, and what is missing from it."""
    lines = [f"<result>{result}</result>", *(f"<gap>{escape(' '.join(gap.split()))}</gap>" for gap in gaps)]
    return "\n".join(lines)


def failed_text(reason: str, detail: str) -> str:
    """Return that the task cannot be done, and why."""
    return f"<failed reason={quoteattr(reason)}>{escape(detail)}</failed>"
