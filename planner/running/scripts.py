"""How the root of a run comes to its script: when it is begun, and in a new process that goes on with it."""

from collections.abc import Mapping
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.planning.policies import OWN
from ramify.planner.planning.split import PlanLimits
from ramify.planner.workers.script import Script, script_in, script_of

from .run_settings import RunSettings

LIMITS: Mapping[str, int] = {"max_depth": 4, "max_tasks": 100_000}
"""What holds for plans below the calls of scripts unless somebody says otherwise: the script's own level counts."""


def scripted(settings: RunSettings, script: Script) -> RunSettings:
    """Return the settings of a run whose root `script` does."""
    changed: RunSettings = settings.model_copy(
        update={
            "script": script.source or f"{OWN}{script.name}",
            "plan": settings.plan or PlanLimits(**LIMITS),  # type: ignore[arg-type] # two whole numbers
        }
    )
    return changed


def script_again(settings: RunSettings, given: Any, run_id: str) -> Script | None:
    """Return the script that a stored run goes on with; None if it has none.

    Raises:
        UsageError: if it has to be given again and is not, its file is gone, or it is given to a run that has none.
    """
    stored = settings.script
    if not stored:
        if given is not None:
            raise UsageError(f"run {run_id} is not a script; leave out script")
        return None
    if given is not None:
        return script_of(given)
    if not stored.startswith(OWN):
        return script_in(stored)
    name = stored.removeprefix(OWN)
    raise UsageError(
        f"run {run_id} runs the script {name}, a function that you must pass again in Python:"
        f" Executor.resume(store, {run_id!r}, script={name}), or Executor.fork for a fork; scripts from"
        " `ramify run FILE` are found in their file"
    )
