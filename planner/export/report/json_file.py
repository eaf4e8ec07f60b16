"""A report as JSON: everything that is stored of the run, word for word, in a documented and versioned shape."""

from dataclasses import asdict
from json import JSONEncoder
from typing import Any, Final

from ramify.planner.events.losses import losses_of
from ramify.planner.events.methods_used import methods_of
from ramify.planner.events.warned import warnings_of
from ramify.planner.export.run_data import call_data, event_data, iso_time, run_data, step_data
from ramify.planner.export.times import timeline_data
from ramify.tasks.tree.collecting import collector_at_rest

from .content import Report
from .words import flat_settings

_write = JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode

REPORT_VERSION: Final = 1
"""The version of the shape; it grows when a reader of today could not read it."""


@collector_at_rest()
def to_json(report: Report) -> str:
    """Write `report` as a JSON document, a line for each task, call, step and event; `docs/reports.md` explains it."""
    return "{\n" + ",\n".join(f"{_write(key)}: {_lines(value)}" for key, value in report_data(report).items()) + "\n}\n"


def report_data(report: Report) -> dict[str, Any]:
    """Return `report` as JSON data."""
    return {
        "version": REPORT_VERSION,
        "written_by": report.written_by,
        "written_at": iso_time(report.made_at),
        "answer": report.answer,
        "worked_s": round(report.worked_s, 6),
        "timeline": timeline_data(report.timeline),
        "models": [{**asdict(model), "answered_as": list(model.answered_as)} for model in report.models],
        "prompts": [asdict(prompt) for prompt in report.prompts],
        "settings": dict(flat_settings(report.record.settings)),
        "methods": [use.to_data() for use in methods_of(report.notable)],
        "losses": [loss.to_data() for loss in losses_of(report.notable)],
        "warnings": [warned.to_data() for warned in warnings_of(report.notable)],
        **run_data(report.record, report.root, report.made_by),
        "calls": [call_data(call) for call in report.run.calls],
        "steps": [step_data(step) for step in report.run.steps],
        "events": [event_data(event) for event in report.run.events],
    }


def _lines(value: Any) -> str:
    """Return a value as JSON; of a list, a line for each of its items."""
    if not isinstance(value, list) or not value:
        return _write(value)
    return "[\n" + ",\n".join(map(_write, value)) + "\n]"
