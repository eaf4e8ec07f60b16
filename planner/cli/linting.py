"""`lint`: what is wrong with plan files, and where, before anything is run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .flags import takes

if TYPE_CHECKING:
    from ramify.tasks import Task
    from ramify.tasks.plans.plans import Judge


@takes("worker_files", "as_json")
def lint(
    given: Mapping[str, Any],
    *,
    plans: Annotated[list[str], typer.Argument(metavar="PLAN...", help="Plan files: .yaml, .json or .md.")],
) -> int:
    """Check plan files, and print mistakes as FILE:LINE:COLUMN.

    With --workers, also check that each task type has a worker and each check its function. Exits with 2 if there is a
    mistake.

    Example: ramify lint plan.yaml
    """
    from ramify.tasks.counting import counted
    from ramify.tasks.plans.plans import lint_plan

    from .exits import DONE, USAGE
    from .output import print_json, print_text, tell

    judge = judge_of(given["worker_files"])
    findings = [(plan, finding) for plan in plans for finding in lint_plan(plan, judge=judge)]
    if given["as_json"]:
        print_json({"findings": [{"plan": plan, **finding._asdict()} for plan, finding in findings]})
    elif findings:
        print_text("\n".join(f"{plan}:{line}:{column}: {message}" for plan, (line, column, message) in findings))
    if findings:
        wrong = len({plan for plan, _ in findings})
        tell(f"{counted(len(findings), 'error')} in {wrong} of {counted(len(plans), 'plan')}")
        return USAGE
    tell(f"{counted(len(plans), 'plan')} checked, no errors")
    return DONE


def judge_of(files: Sequence[str]) -> "Judge":
    """Return what says why a task cannot be done; who does it is looked at if there are `files`, with the settings'.

    Raises:
        UsageError: if a file cannot be imported, or defines none.
    """
    from ramify.planner.errors import UsageError
    from ramify.planner.planning.policies import fault_of_policy
    from ramify.planner.running.run_settings import RunSettings
    from ramify.planner.running.runnable import workers_of
    from ramify.planner.settings.settings import load_settings

    def policy_judge(task: "Task") -> str | None:
        return None if task.config.policy is None else fault_of_policy(task.config.policy)

    if not files:
        return policy_judge
    workers = workers_of(RunSettings(worker_sources=tuple(files)), None, None, {})
    agents = load_settings().agents or {}

    def judge(task: "Task") -> str | None:
        if (fault := policy_judge(task)) is not None:
            return fault
        try:
            for check in task.checks:
                if check.predicate is not None:
                    workers.predicate(check.predicate, task)
            if task.type is not None and task.type not in agents:
                workers.of(task)
        except UsageError as error:
            return str(error)
        return None

    return judge


COMMANDS = {"lint": lint}
