"""What a worker gives back for a task: the answer as text, as data if there is any, and what it leaves open."""

from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a task.

    Attributes:
        text: the answer as text.
        output: the answer as data, if any.
        gaps: what the answer does not cover or is unsure of, for people.
    """

    text: str
    output: JsonValue = None
    gaps: tuple[str, ...] = ()
