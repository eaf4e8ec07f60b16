"""What the options of `resume` say about the plan: a file, `ID=TEXT`, or an id."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue
from ramify.planner.errors import UsageError
from ramify.planner.running.editing import PlanEdit
from ramify.tasks.json_data import json_or_text
from ramify.tasks.plans.plans import load_plan


def edit_of(plan: Path | None, *, contents: Iterable[str], results: Iterable[str], again: Iterable[str]) -> PlanEdit:
    """Return what is to be changed in the plan of a run.

    Raises:
        UsageError: if a text does not say for which task it is, or two texts are for the same one.
        DocumentError: if the plan file cannot be used.
    """
    return PlanEdit(
        plan=None if plan is None else load_plan(plan),
        contents=_by_id(contents, "--set"),
        results=_by_id(results, "--set-result"),
        again=tuple(again),
    )


def results_of(given: Iterable[str]) -> dict[str, JsonValue]:
    """Return what came of steps, by what they go by; what is no JSON is text.

    Raises:
        UsageError: if a text does not say of which step it is, or two texts are of the same one.
    """
    return {name: json_or_text(words) for name, words in _by_id(given, "--step-done").items()}


def _by_id(given: Iterable[str], option: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for words in given:
        task_id, equals, text = words.partition("=")
        if not equals or not task_id.strip():
            raise UsageError(f'{option} needs ID=TEXT, such as {option} "0.2=Describe Oslo", not {words!r}')
        if task_id.strip() in texts:
            raise UsageError(f"{option} is given twice for task {task_id.strip()}")
        texts[task_id.strip()] = text
    return texts
