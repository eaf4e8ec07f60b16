"""Runs side by side: what each was asked with, what it gave, what that took, and where the answers differ."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue
from ramify.planner.asking.budget import total_usage
from ramify.planner.errors import RunError, UsageError
from ramify.planner.export.labels import format_cost, format_duration
from ramify.planner.export.making import who_made
from ramify.planner.store import RunRecord, Store
from ramify.tasks import Task, TaskState, Usage
from ramify.tasks.counting import counted

from .differences import Part, compared

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

    from .files import ComparisonFormat

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
        output: the structured answer, if there is one.
        error: why there is no answer; empty if there is one, or may yet be.
        made_by: who the words come from.
        usage: what its model calls have used.
        seconds: from its start to its end; None if it has not ended.
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

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table with a row a variant and a column a parameter; needs the extra `dataframe`.

        Raises:
            ExportError: if pandas is not installed.
        """
        from ramify.planner.export.dataframe import variants_frame

        return variants_frame(self)

    def to_text(self, *, width: int = 100) -> str:
        """Return the comparison for a terminal: the figures, then the answers side by side, `width` columns wide."""
        from .text import to_text

        return to_text(self, width=width)

    def to_markdown(self) -> str:
        """Return the comparison as Markdown."""
        from .text import to_markdown

        return to_markdown(self)

    def to_html(self) -> str:
        """Return the comparison as one HTML page that needs no network."""
        from .page import to_html

        return to_html(self)

    def to_svg(self) -> str:
        """Return a chart of the time, tokens and cost of each variant."""
        from .chart import to_svg

        return to_svg(self)

    def save(self, path: str | Path, *, form: "ComparisonFormat | None" = None) -> Path:
        """Write the comparison to a file; its ending says as what: .html, .md, .csv, .json, .svg or .txt.

        A file that is there is written over.

        Raises:
            UsageError: if the ending names no format.
            ExportError: if the file cannot be written.
        """
        from .files import save

        return save(self, Path(path), form=form)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from .page import to_fragment

        return {"text/plain": self.to_text(), "text/html": to_fragment(self), "text/markdown": self.to_markdown()}


def compare(*runs: str, store: str | Path | None = None) -> Comparison:
    """Return stored runs side by side; of a single run that is a strategy, its variations.

    Args:
        *runs: ids of runs, or the unique beginnings of ids.
        store: where they are stored; as for the executor.

    Raises:
        RunError: if there is no such run.
        UsageError: if there is nothing to compare.
    """
    from ramify.planner.executor import open_store

    with open_store(store, create=False) as opened:
        return compare_runs(opened, runs)


def compare_runs(store: Store, wanted: Sequence[str]) -> Comparison:
    """Return the runs `wanted` of `store` side by side; see `compare`."""
    records = [store.find_run(each) for each in wanted]
    if len(records) == 1:
        root = store.load_tree(records[0].id)
        strategies = [task for task in root.walk() if task.type == "strategy"]
        if not strategies:
            raise UsageError(f"run {records[0].id} is one run, and no strategy; name another run to compare it with")
        return compare_tree(store, strategies[0], records[0].id)
    if not records:
        raise UsageError("say which runs are to be compared; `ramify runs` lists them")
    goals = "\n".join(dict.fromkeys(each.goal for each in records))
    return Comparison(counted(len(records), "run"), tuple(_variant_of_run(store, each) for each in records), goals)


def compare_tree(store: Store, strategy: Task, run_id: str) -> Comparison:
    """Return the variations below the task `strategy` of the run `run_id` side by side."""
    variants = tuple(_variant_of_task(store, task, run_id) for task in strategy.subtasks)
    return Comparison(strategy.name or strategy.content, variants, strategy.content)


def _variant_of_task(store: Store, task: Task, run_id: str) -> Variant:
    name = task.name or task.id
    runs = inner_runs(store, run_id, task)
    if not runs:
        return Variant(name=name, parameters=dict(task.inputs), status=task.state.value.lower(), error=task.error or "")
    return _variant(store, runs[-1], name=name, parameters=dict(task.inputs))


def inner_id(run_id: str, task: Task, turn: int = 1) -> str:
    """Return the id of the run that does the variation `task` of the run `run_id` for the `turn`-th time.

    >>> inner_id("r1", Task(content="x", id="0.2")), inner_id("r1", Task(content="x", id="0.2"), 3)
    ('r1.2', 'r1.2-3')
    """
    place = task.id.rpartition(".")[2] if task.id.count(".") <= 1 else task.id
    return f"{run_id}.{place}" if turn == 1 else f"{run_id}.{place}-{turn}"


def inner_runs(store: Store, run_id: str, task: Task) -> list[RunRecord]:
    """Return the runs that were made for the variation `task` of the run `run_id`, the last one last."""
    found: list[RunRecord] = []
    while True:
        wanted = inner_id(run_id, task, len(found) + 1)
        try:
            record = store.find_run(wanted)
        except RunError:
            return found
        if record.id != wanted:
            return found
        found.append(record)


def _variant_of_run(store: Store, record: RunRecord) -> Variant:
    return _variant(store, record, name=f"{record.id} {record.made_by or ''}".strip(), parameters={})


def _variant(store: Store, record: RunRecord, *, name: str, parameters: dict[str, JsonValue]) -> Variant:
    root = store.load_tree(record.id)
    is_done = root.state is TaskState.DONE
    ended = root.completed_at.timestamp() if root.completed_at is not None else record.finished_at
    return Variant(
        name=name,
        run=record.id,
        status=record.status,
        parameters=parameters,
        answer=root.result if is_done else "",
        output=root.output,
        error="" if is_done else (record.error or root.error or ""),
        made_by=who_made(store, record, root),
        usage=total_usage(root),
        seconds=None if ended is None else max(0.0, ended - record.created_at),
    )
