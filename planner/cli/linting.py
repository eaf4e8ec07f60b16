"""`lint`: what is wrong with plan files, and where, before anything is run."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from .options import takes


@takes("as_json")
def lint(
    given: Mapping[str, Any],
    *,
    plans: Annotated[list[str], typer.Argument(metavar="PLAN...", help="Plans: .yaml, .json or .md.")],
) -> int:
    """Check plan files, and print what is wrong.

    Each mistake is a line FILE:LINE:COLUMN; exits with 2 if there is one.

    Example: ramify lint plan.yaml
    """
    from ramify.tasks.counting import counted
    from ramify.tasks.plans.plans import lint_plan

    from .exits import DONE, USAGE
    from .output import print_json, print_text, tell

    findings = [(plan, finding) for plan in plans for finding in lint_plan(plan)]
    if given["as_json"]:
        print_json({"findings": [{"plan": plan, **finding._asdict()} for plan, finding in findings]})
    elif findings:
        print_text("\n".join(f"{plan}:{line}:{column}: {message}" for plan, (line, column, message) in findings))
    if findings:
        wrong = len({plan for plan, _ in findings})
        tell(f"{counted(len(findings), 'finding')} in {wrong} of {counted(len(plans), 'plan')}")
        return USAGE
    tell(f"nothing is wrong with {counted(len(plans), 'plan')}")
    return DONE


COMMANDS = {"lint": lint}
