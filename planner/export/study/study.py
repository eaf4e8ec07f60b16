"""A study: arms side by side on the same items, with all that is worked out of that, and the ways to see it.

It is read off the tree of its run, whether that still goes on or not.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify.planner.export.formats import format_of, save_as
from ramify.tasks import Task

from .advice import Advice, advice_of
from .content import ArmSpec, StudyData, place_in, trial_data, trial_of
from .equal import equals_of
from .figures import Equal, Figures, Versus, comparisons_of, figures_of

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

STUDY_VERSION = 1
"""The version of a study as data; it grows when a reader of today could not read it."""


@dataclass(frozen=True)
class Study(StudyData):
    """Arms side by side on the same items; a notebook shows it, and `save` writes it to a file."""

    @cached_property
    def figures(self) -> list[Figures]:
        """What each arm got right, and what that took."""
        return [figures_of(self, arm) for arm in self.arms]

    @cached_property
    def comparisons(self) -> list[Versus]:
        """Each other arm beside the first one, item by item."""
        return comparisons_of(self)

    @cached_property
    def equals(self) -> list[Equal]:
        """Each arm that splits beside as many samples as have cost the same, in tokens and in dollars."""
        return equals_of(self)

    @cached_property
    def advice(self) -> Advice:
        """What to do, in a sentence, and how sure that is."""
        return advice_of(self.base, self.figures, self.comparisons, self.equals)

    def to_data(self) -> dict[str, Any]:
        """Return the study as JSON data."""
        return {
            "version": STUDY_VERSION,
            "title": self.title,
            "run": self.run,
            "status": self.status,
            "made_by": self.made_by,
            "check": self.check,
            "jobs": self.jobs,
            "pilot": self.pilot,
            "advice": asdict(self.advice),
            "arms": [asdict(each) for each in self.figures],
            "comparisons": [_named(asdict(each)) for each in self.comparisons],
            "at_equal": [_named(asdict(each)) for each in self.equals],
            "trials": [trial_data(each) for each in self.trials],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each item in each arm."""
        return [
            {
                "item": each.item,
                "arm": each.arm,
                "right": each.right,
                "answer": each.answer,
                "expected": each.expected,
                "split": each.is_split,
                "run": each.run,
                "calls": each.usage.calls,
                "input_tokens": each.usage.input_tokens,
                "cached_tokens": each.usage.cached_tokens,
                "output_tokens": each.usage.output_tokens,
                "cost_usd": each.cost_usd,
                "seconds": each.seconds,
                "samples": len(each.samples),
                "samples_right": sum(right for _, right in each.samples),
                "question": each.question,
                "error": each.error,
                "unsure": each.unsure,
            }
            for each in self.trials
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table with a row for each item in each arm; needs the extra `dataframe`.

        Raises:
            ExportError: if pandas is not installed.
        """
        from ramify.planner.export.dataframe import trials_frame

        return trials_frame(self.rows())

    def to_text(self) -> str:
        """Return the study for a terminal."""
        return format_of("study", form="txt").text(self)

    def to_markdown(self) -> str:
        """Return the study as Markdown."""
        return format_of("study", form="md").text(self)

    def to_html(self) -> str:
        """Return the study as one HTML page that needs no network."""
        return format_of("study", form="html").text(self)

    def to_svg(self) -> str:
        """Return a chart of accuracy against tokens."""
        return format_of("study", form="svg").text(self)

    def save(self, path: str | Path, *, form: str | None = None) -> Path:
        """Write the study to a file; its ending says as what, unless `form` does: see docs/reference.md.

        A file that is there is written over.

        Raises:
            UsageError: if there is no such format, or the ending names none.
            ExportError: if the file cannot be written.
        """
        return save_as("study", self, path, form=form)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        html = format_of("study", form="html")
        return {"text/plain": self.to_text(), html.media_type: html.text(self, in_cell=True)}


def study_of_tree(root: Task, *, run: str, status: str = "", made_by: str = "", jobs: int = 1) -> Study:
    """Return the study that the tree of a run holds, as far as it is.

    Args:
        root: the tree.
        run: the run's id.
        status: where it stands.
        made_by: who the answers come from.
        jobs: how many trials run at the same time.
    """
    given: dict[str, Any] = root.inputs
    arms = tuple(ArmSpec(**each) for each in given["arms"])
    trials = (trial_of(task, given["items"], arms) for task in root.subtasks)
    return Study(
        title=root.content,
        run=run,
        status=status,
        made_by=made_by,
        check=given["check"],
        jobs=jobs,
        arms=arms,
        trials=tuple(sorted(trials, key=place_in(given["items"], arms))),
        pilot=given.get("pilot", 0),
    )


def _named(data: dict[str, Any]) -> dict[str, Any]:
    """Return data in which arms stand by their names."""
    names = {key: value["name"] for key, value in data.items() if key in {"arm", "base", "samples_of"}}
    return {**data, **names}
