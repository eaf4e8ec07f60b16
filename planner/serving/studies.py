"""What the page shows of a study while it runs: the words, tables and pictures of its HTML page."""

from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.export.report.markup import visible_in
from ramify.planner.export.study.content import is_study
from ramify.planner.export.study.plots import plots_of
from ramify.planner.export.study.study import Study, study_of_tree
from ramify.planner.export.study.text import figure_tables, item_table, notes, study_facts
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.show.following import FollowedRun

from .live_runs import LiveRun

STUDY = "study"
"""What a study is called among what is made of a run."""

_MOST_ITEMS = 500


def study_of(live: LiveRun) -> Study:
    """Return the study that a run is, as it stands.

    Raises:
        UsageError: if it is none.
    """

    def read(run: FollowedRun) -> Study:
        with live.lock:
            if not is_study(run.root):
                raise UsageError(f"run {run.record.id} is not a study; `ramify bench` runs studies")
            jobs = RunSettings.model_validate(run.record.settings).jobs
            made_by = run.record.made_by or ""
            return study_of_tree(run.root, run=run.record.id, status=run.status, made_by=made_by, jobs=jobs)

    return live.made(STUDY, read)


def study_data(live: LiveRun) -> dict[str, Any]:
    """Return what a page shows of a study, as JSON data.

    Raises:
        UsageError: if it is none.
    """

    def read(_: FollowedRun) -> dict[str, Any]:
        study = study_of(live)
        tables = [*figure_tables(study), item_table(study)]
        data: dict[str, Any] = visible_in(
            {
                "facts": study_facts(study),
                "advice": study.advice.words,
                "tables": [
                    {"title": title, "head": head, "rows": rows[:_MOST_ITEMS]} for title, head, rows in tables if rows
                ],
                "notes": list(notes(study)),
                "plots": [[plot.name, plot.words] for plot in plots_of(study)],
            }
        )
        return data

    return live.made(f"{STUDY} data", read)
