"""`run plan.py`: a plan that is code, begun from its file, in which a new process finds it again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ramify.planner.api import executor_of, plan_limits, with_config
from ramify.planner.asking.attachments import read_materials
from ramify.planner.errors import UsageError
from ramify.planner.run import Run
from ramify.planner.running.scripts import LIMITS
from ramify.planner.settings.settings import Settings
from ramify.planner.workers.script import script_in

from .asking import person_there


def script_run(plan: Path, settings: Settings, given: Mapping[str, Any], files: Sequence[str]) -> Run:
    """Return a new run of the script in the file `plan`.

    Raises:
        UsageError: if there is no script, or it is to be shown before it runs.
    """
    for name in ("dry_run", "estimate"):
        if given[name]:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{plan} is a script, so its tasks are unknown until it runs; leave out {option}")
    wider = {name: value for name, value in LIMITS.items() if settings.sources[name] == "default"}
    script = script_in(plan)
    executor = executor_of(settings, plan=plan_limits(settings, **wider), record=given["record"], **person_there())
    root = with_config(script.root(), settings)
    root.attachments = tuple(read_materials(files))
    return executor.new_run(root, script=script)
