"""What a run can be seen as: data, a table, pictures of its tree, a timeline, and how a notebook shows it."""

import time
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ramify.planner.events.events import EventType
from ramify.planner.events.losses import Loss, losses_of
from ramify.planner.runtime.output_files import write_text
from ramify.planner.store.records import RunStatus
from ramify.tasks import Task, Usage
from ramify.tasks.json_text import json_text
from ramify.tasks.tree.documents import tree_to_data
from ramify.tasks.tree.notebook import folded_text

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    from ramify.planner.export import GraphView, LayoutName, ThemeName, Timeline
    from ramify.planner.export.report import ReportFormat
    from ramify.planner.store import Store

_DISPLAYED_BOXES = 60
"""Boxes of the picture in a notebook: what can be read there without scrolling far."""


class ShownRun(ABC):
    """The side of a run that shows it; everything here reads and nothing changes.

    Attributes:
        id: its id in the store.
        task: the tree.
    """

    id: str
    task: Task

    @property
    @abstractmethod
    def status(self) -> RunStatus:
        """Where it stands, in a word."""

    @property
    @abstractmethod
    def error(self) -> str | None:
        """Why it was not answered; None if it was, or may yet be."""

    @property
    @abstractmethod
    def made_by(self) -> str:
        """Who the words come from, for people to read."""

    @property
    @abstractmethod
    def usage(self) -> Usage:
        """What its model calls have used so far."""

    @abstractmethod
    def _store_now(self) -> "Store":
        """Return the store with all that has happened so far in it, opened once more; the caller closes it."""

    @property
    def losses(self) -> list[Loss]:
        """The prompts that showed less than all of their data, as the model cannot read so much; see `Loss`.

        Raises:
            StoreError: if the store cannot be read.
        """
        with self._store_now() as store:
            return losses_of(store.events_of(self.id, (EventType.PROMPT_CUT,)))

    def to_data(self) -> dict[str, Any]:
        """Return the run as JSON data: what made it, where it stands, what was not read, and the tasks."""
        return {
            "run": self.id,
            "status": self.status,
            "made_by": self.made_by,
            "error": self.error,
            "usage": asdict(self.usage),
            "losses": [loss.to_data() for loss in self.losses],
            **tree_to_data(self.task, next_tasks=True),
        }

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table with a row for each task, indexed by their ids; needs the extra `dataframe`.

        Raises:
            ExportError: if pandas is not installed.
        """
        from ramify.planner.export.dataframe import tasks_frame

        return tasks_frame(self.task)

    def to_dot(self, **asked: Any) -> str:
        """Return the graph in the DOT language; the keywords are those of `save`."""
        from ramify.planner.export import to_dot

        return to_dot(self._view(**asked))

    def to_mermaid(self, **asked: Any) -> str:
        """Return the graph as Mermaid text; the keywords are those of `save`."""
        from ramify.planner.export import to_mermaid

        return to_mermaid(self._view(**asked))

    def to_graphml(self, **asked: Any) -> str:
        """Return the whole graph as GraphML, for other programs; the keywords are those of `save`."""
        from ramify.planner.export import to_graphml

        return to_graphml(self._view(max_nodes=None, **asked))

    def to_svg(self, **asked: Any) -> str:
        """Return a picture of the graph, drawn without other programs; the keywords are those of `save`."""
        from ramify.planner.export import to_svg

        return to_svg(self._view(**asked))

    def save(self, path: str | Path, *, layout: "LayoutName" = "ramify", **asked: Any) -> Path:
        """Write the graph to a file; its ending says as what: .dot, .svg, .png, .pdf, .mmd, .graphml or .json.

        Args:
            path: the file; one that is there is written over.
            layout: who places the boxes of .svg, .png and .pdf: "ramify", or "dot" for that program of Graphviz.
            **asked: any of the following keywords.

        Keyword Args:
            direction: "LR" puts subtasks to the right of their parent, "TB" below it.
            theme: "light", "dark", or "print" for black and white.
            max_depth: levels to show, the root's being 1.
            focus: the id of one task: only what has to do with it is shown.
            max_nodes: boxes to show, 300 unless given; what does not fit is folded. None shows all.
            critical_path: True marks the path that decides how long the run takes: by measured times where there are
                any, else by steps; "time" and "steps" choose.

        Raises:
            UsageError: if the ending names no format, or the format has no layout.
            ExportError: if the picture cannot be made here, or the file cannot be written.
        """
        from ramify.planner.export import save

        path = Path(path)
        if path.suffix.lower() == ".json":
            write_text(path, json_text(self.to_data(), indent=2))
            return path
        if path.suffix.lower() == ".graphml":
            asked = {"max_nodes": None, **asked}
        save(self._view(**asked), path, layout=layout)
        return path

    def timeline(self) -> "Timeline":
        """Return what ran when, as the store has it; a run that goes on is shown up to now.

        Raises:
            StoreError: if the store cannot be read.
        """
        from ramify.planner.export import timeline_of

        until = time.time() if self.status == "running" else None
        with self._store_now() as store:
            events = store.events(self.id)
        return timeline_of(self.task, events, made_by=self.made_by, until=until)

    def save_timeline(self, path: str | Path, *, theme: "ThemeName" = "light", max_bars: int | None = 100) -> Path:
        """Write the timeline to a file; its ending says as what: .svg, .png or .pdf.

        Args:
            path: the file; one that is there is written over.
            theme: "light", "dark", or "print" for black and white.
            max_bars: the most tasks with a row of their own; None gives one to each.

        Raises:
            UsageError: if the ending names no format.
            ExportError: if the picture cannot be made here, or the file cannot be written.
        """
        from ramify.planner.export import save_timeline

        path = Path(path)
        save_timeline(self.timeline(), path, theme=theme, max_bars=max_bars)
        return path

    def report(self, path: str | Path, *, form: "ReportFormat | None" = None) -> Path:
        """Write everything about the run, as far as it has come, to a file; its ending says as what.

        The endings are .html, .md, .csv, .json and .xlsx, unless `form` says another format. A file that is there is
        written over.

        Raises:
            UsageError: if the ending names no format.
            ExportError: if the file cannot be written, or needs a package that is not installed.
            StoreError: if the store cannot be read.
        """
        from ramify.planner.export.report import report_of, save_report

        with self._store_now() as store:
            stored = store.read_run(self.id)
        return save_report(report_of(stored), path, form=form)

    def _view(self, *, critical_path: bool | Literal["time", "steps"] = False, **asked: Any) -> "GraphView":
        from ramify.planner.export import ViewOptions, critical_path_of, graph_view

        by = critical_path if isinstance(critical_path, str) else None
        marked = critical_path_of(self.task, by=by) if critical_path else ()
        return graph_view(self.task, made_by=self.made_by, options=ViewOptions(critical_path=marked, **asked))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from ramify.planner.export.shapes import within_cell

        return {
            "text/plain": f"{self!r}\n{folded_text(self.task)}",
            "image/svg+xml": within_cell(self.to_svg(max_nodes=_DISPLAYED_BOXES)),
        }
