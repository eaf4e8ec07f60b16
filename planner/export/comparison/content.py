"""Runs side by side: what each was asked with, what it gave, what that took, and where the answers differ."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue
from ramify.planner.export.formats import format_of, save_as
from ramify.planner.export.labels import format_cost
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import Usage
from ramify.tasks.json_text import json_text

from .differences import Part, compared

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

COMPARISON_VERSION = 1
"""The version of a comparison as data; it grows when a reader of today could not read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One run of a comparison.

    Attributes:
        name: what it is called: its parameters, or the run's id and model.
        run: the run's id; empty if it has not begun.
        status: where it stands.
        parameters: what it was done with, by name.
        answer: the answer; empty if there is none.
        output: the answer as data, if any.
        error: why there is no answer; empty if there is one, or may yet be.
        made_by: who the words come from.
        usage: what its model calls have used.
        seconds: from its start to its end; None if it has not ended.
        tasks: the tasks that differ from those of the first run, where one of the two was forked from the other, each
            with what is different in it, old and new.
    """

    name: str
    run: str = ""
    status: str = "open"
    parameters: dict[str, JsonValue] = field(default_factory=dict)
    answer: str = ""
    output: JsonValue = None
    error: str = ""
    made_by: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float | None = None
    tasks: tuple[dict[str, Any], ...] = ()

    def cells(self) -> tuple[str, ...]:
        """Return the figures as texts, under `HEAD`."""
        took = "" if self.seconds is None else format_duration(self.seconds)
        cost = format_cost(self.usage)
        return (self.name, self.status, self.made_by, f"{self.usage.calls:,}", f"{self.usage.tokens:,}", cost, took)


HEAD = ("variant", "status", "made by", "calls", "tokens", "cost", "took")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Variants side by side; a notebook shows them, and `save` writes them to a file.

    Attributes:
        title: what is compared.
        variants: the runs, in order; the first is what the others are compared with.
        goal: what they were to do; several goals stand on lines of their own.
    """

    title: str
    variants: tuple[Variant, ...]
    goal: str = ""

    def __len__(self) -> int:
        return len(self.variants)

    def __iter__(self) -> Iterator[Variant]:
        return iter(self.variants)

    def differences(self) -> list[list[Part]]:
        """Return the answer of each variant in parts that are marked as the same as in the first one, or not."""
        first = self.variants[0].answer if self.variants else ""
        return [compared(first, each.answer) for each in self.variants]

    def to_data(self) -> dict[str, Any]:
        """Return the comparison as JSON data."""
        rows = [{**asdict(each), "usage": each.usage.to_data()} for each in self.variants]
        return {"version": COMPARISON_VERSION, "title": self.title, "goal": self.goal, "variants": rows}

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a variant: a column a parameter, then the figures and the answer."""
        names = list(dict.fromkeys(name for each in self.variants for name in each.parameters))
        return [
            {
                "variant": each.name,
                **{name: _flat(each.parameters.get(name)) for name in names},
                "run": each.run,
                "status": each.status,
                "made_by": each.made_by,
                "calls": each.usage.calls,
                "tokens": each.usage.tokens,
                "cost_usd": None if each.usage.calls_without_cost else each.usage.cost_usd,
                "seconds": each.seconds,
                "answer": each.answer,
                "error": each.error,
            }
            for each in self.variants
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table with a row a variant and a column a parameter; needs the extra `dataframe`.

        Raises:
            ExportError: if pandas is not installed.
        """
        from ramify.planner.export.dataframe import variants_frame

        return variants_frame(self.rows())

    def to_text(self, *, width: int = 100) -> str:
        """Return the comparison for a terminal: the figures, then the answers side by side, `width` columns wide."""
        return format_of("comparison", form="txt").text(self, width=width)

    def to_markdown(self) -> str:
        """Return the comparison as Markdown."""
        return format_of("comparison", form="md").text(self)

    def to_html(self) -> str:
        """Return the comparison as one HTML page that needs no network."""
        return format_of("comparison", form="html").text(self)

    def to_svg(self) -> str:
        """Return a chart of the time, tokens and cost of each variant."""
        return format_of("comparison", form="svg").text(self)

    def save(self, path: str | Path, *, form: str | None = None) -> Path:
        """Write the comparison to a file; `form` or the ending sets the format: see docs/reference.md.

        A file that is there is written over.

        Raises:
            UsageError: if there is no such format, or the ending names none.
            ExportError: if the file cannot be written.
        """
        return save_as("comparison", self, path, form=form)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        html = format_of("comparison", form="html")
        in_cell = html.text(self, in_cell=True)
        return {"text/plain": self.to_text(), html.media_type: in_cell, "text/markdown": self.to_markdown()}


def _flat(value: JsonValue) -> JsonValue:
    return json_text(value) if isinstance(value, dict | list) else value
