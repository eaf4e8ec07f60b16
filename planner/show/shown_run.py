"""What a run can be seen as: data, a table, pictures of its tree, a timeline, and how a notebook shows it."""

import time
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ramify.planner.events.events import EventType
from ramify.planner.events.losses import Loss, losses_of
from ramify.planner.events.methods_used import TOLD_BY as METHODS_TOLD_BY
from ramify.planner.events.methods_used import MethodUse, methods_of
from ramify.planner.events.warned import Warned, warnings_of
from ramify.planner.runtime.output_files import write_bytes
from ramify.planner.store.records import RunStatus
from ramify.tasks import Task, Usage
from ramify.tasks.tree.documents import tree_to_data
from ramify.tasks.tree.notebook import folded_text

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    from ramify.planner.events.origins import Origin
    from ramify.planner.export.formats import Format
    from ramify.planner.export.render import LayoutName
    from ramify.planner.export.times import Timeline
    from ramify.planner.export.view import GraphView
    from ramify.planner.planning.piloting import Pilot
    from ramify.planner.store import StepRecord, Store

    from .versions import PlanVersion

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
        """The usage of its model calls so far."""

    @abstractmethod
    def _store_now(self) -> "Store":
        """Return the store with all that has happened so far in it, opened once more; the caller closes it."""

    @property
    def gaps(self) -> tuple[str, ...]:
        """What the answer does not cover: failed parts, and what the model says."""
        return self.task.gaps

    @property
    def plans(self) -> "list[PlanVersion]":
        """The versions of its plan, with the differences.

        Raises:
            StoreError: if the store cannot be read.
        """
        from .versions import TOLD_BY, versions_of

        with self._store_now() as store:
            return versions_of(store.events_of(self.id, TOLD_BY))

    @property
    def origin(self) -> "Origin | None":
        """What it was forked from, and what that cost; or None.

        Raises:
            StoreError: if the store cannot be read.
        """
        from ramify.planner.events.origins import origin_of

        with self._store_now() as store:
            return origin_of(store.events_of(self.id, (EventType.RUN_FORKED,)))

    @property
    def losses(self) -> list[Loss]:
        """Prompts that were shortened because the model cannot read more: see `Loss`.

        Raises:
            StoreError: if the store cannot be read.
        """
        with self._store_now() as store:
            return losses_of(store.events_of(self.id, (EventType.PROMPT_CUT,)))

    @property
    def warnings(self) -> list[Warned]:
        """What it was warned of, also where no display has shown it; see `Warned`.

        Raises:
            StoreError: if the store cannot be read.
        """
        with self._store_now() as store:
            return warnings_of(store.events_of(self.id, (EventType.WARNING,)))

    @property
    def effects(self) -> "list[StepRecord]":
        """Steps of workers and tools that must not repeat, with their state.

        Raises:
            StoreError: if the store cannot be read.
        """
        from ramify.planner.export.effects import effects_of

        with self._store_now() as store:
            return effects_of(store.steps(self.id, effects=True), is_running=self.status == "running")

    @property
    def methods(self) -> list[MethodUse]:
        """Methods found for its tasks: used ones, and those that do not fit, with why.

        Raises:
            StoreError: if the store cannot be read.
        """
        with self._store_now() as store:
            return methods_of(store.events_of(self.id, METHODS_TOLD_BY))

    def as_pilot(self) -> "Pilot":
        """Return this run's figures for `estimate`.

        Raises:
            UsageError: if it has neither votes nor checks of answers that a model gave.
            StoreError: if the store cannot be read.
        """
        from ramify.planner.planning.piloting import pilot_of

        with self._store_now() as store:
            return pilot_of(store.read_run(self.id))

    def to_data(self) -> dict[str, Any]:
        """Return the run as JSON data."""
        from ramify.planner.export.run_data import step_data

        return {
            "run": self.id,
            "status": self.status,
            "made_by": self.made_by,
            "error": self.error,
            "usage": asdict(self.usage),
            "losses": [loss.to_data() for loss in self.losses],
            "warnings": [warned.to_data() for warned in self.warnings],
            "effects": [step_data(step) for step in self.effects],
            **tree_to_data(self.task, next_tasks=True),
        }

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table with one row per task, indexed by id; needs the extra `dataframe`.

        Raises:
            ExportError: if pandas is not installed.
        """
        from ramify.planner.export.dataframe import tasks_frame

        return tasks_frame(self.task)

    def graph(self, form: str = "dot", **asked: Any) -> str:
        """Return the graph as text in the format `form`: see docs/reference.md.

        The keywords are those of `save`.

        Raises:
            UsageError: if there is no such format, or it is no text.
        """
        from ramify.planner.export.formats import format_of

        found = format_of("graph", form=form)
        return found.text(self._drawn_in(found, asked))

    def to_dot(self, **asked: Any) -> str:
        """Return the graph in the DOT language; the keywords are those of `save`."""
        return self.graph("dot", **asked)

    def to_mermaid(self, **asked: Any) -> str:
        """Return the graph as Mermaid text; the keywords are those of `save`."""
        return self.graph("mermaid", **asked)

    def to_graphml(self, **asked: Any) -> str:
        """Return the whole graph as GraphML, for other programs; the keywords are those of `save`."""
        return self.graph("graphml", **asked)

    def to_svg(self, **asked: Any) -> str:
        """Return a picture of the graph, drawn without other programs; the keywords are those of `save`."""
        return self.graph("svg", **asked)

    def save(self, path: str | Path, *, form: str | None = None, layout: "LayoutName" = "ramify", **asked: Any) -> Path:
        """Write the graph to a file; `form` or the ending sets the format: see docs/reference.md.

        Args:
            path: the file; one that is there is written over.
            form: the format.
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
        from ramify.planner.export.formats import format_of
        from ramify.planner.export.render import render

        path = Path(path)
        found = format_of("graph", path, form)
        drawn = self._drawn_in(found, asked)
        write_bytes(path, (found.write(drawn) if found.takes_data else render(drawn, found.name, layout=layout)).data)
        return path

    def timeline(self) -> "Timeline":
        """Return what ran when, up to now.

        Raises:
            StoreError: if the store cannot be read.
        """
        from ramify.planner.export.times import timeline_of

        until = time.time() if self.status == "running" else None
        with self._store_now() as store:
            events, jobs = store.events(self.id), store.find_run(self.id).settings.get("jobs")
        return timeline_of(self.task, events, made_by=self.made_by, until=until, jobs=jobs)

    def save_timeline(self, path: str | Path, *, form: str | None = None, **asked: Any) -> Path:
        """Write the timeline to a file; `form` or the ending sets the format: see docs/reference.md.

        Args:
            path: the file; one that is there is written over.
            form: the format.
            **asked: any of the following keywords.

        Keyword Args:
            theme: "light", "dark", or "print" for black and white.
            max_bars: the most tasks with a row of their own, 100 unless given; None gives one to each.

        Raises:
            UsageError: if there is no such format, or the ending names none.
            ExportError: if the picture cannot be made here, or the file cannot be written.
        """
        return self.timeline().save(path, form=form, **asked)

    def report(self, path: str | Path, *, form: str | None = None) -> Path:
        """Write a report to a file; its ending sets the format.

        The endings are those of docs/reference.md, unless `form` says another format. A file that is there is written
        over.

        Raises:
            UsageError: if there is no such format, or the ending names none.
            ExportError: if the file cannot be written, or needs a package that is not installed.
            StoreError: if the store cannot be read.
        """
        from ramify.planner.export.report import report_of

        with self._store_now() as store:
            stored = store.read_run(self.id)
        return report_of(stored).save(path, form=form)

    def _drawn_in(self, form: "Format", asked: dict[str, Any]) -> Any:
        """Return what a writer of the format is given."""
        if form.takes_data:
            if asked:
                from ramify.planner.errors import UsageError

                raise UsageError(f"{form.name} always contains the whole tree; leave out {', '.join(asked)}")
            return self.to_data()
        return self._view(**asked if form.folds else {"max_nodes": None, **asked})

    def _view(self, *, critical_path: bool | Literal["time", "steps"] = False, **asked: Any) -> "GraphView":
        from ramify.planner.export.critical import critical_path_of
        from ramify.planner.export.snapshot import graph_view
        from ramify.planner.export.view import ViewOptions

        by = critical_path if isinstance(critical_path, str) else None
        marked = critical_path_of(self.task, by=by) if critical_path else ()
        return graph_view(self.task, made_by=self.made_by, options=ViewOptions(critical_path=marked, **asked))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from ramify.planner.export.shapes import within_cell

        return {
            "text/plain": f"{self!r}\n{folded_text(self.task)}",
            "image/svg+xml": within_cell(self.to_svg(max_nodes=_DISPLAYED_BOXES)),
        }
