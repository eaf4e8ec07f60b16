"""`estimate`: what a plan, or the rest of a run, will take, and how to vote so that all of it is right, by a pilot."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .completing import run_ids
from .flags import SHOWN, Last, flags, refuse_others, takes

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.executor import Executor
    from ramify.planner.planning.expecting import Pace
    from ramify.planner.planning.piloting import Pilot
    from ramify.tasks import Task

_OF_RUNS = frozenset({"source", "last", "target", "steps", "model", "base_url", "store", "as_json"})
_OF_PLANS = _OF_RUNS | {"jobs", "pilot_run", "prompts", "vote_ahead", "max_output_tokens"}
_USUAL_LEAD = 3


@takes(*flags("asking", "agents", "voting", "limits", "running", "store", "working", "reusing"), *SHOWN, "as_json")
def estimate(
    given: Mapping[str, Any],
    *,
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="RUN|PLAN", help="A run's id, or a plan file.", autocompletion=run_ids)
    ] = None,
    last: Last = False,
    pilot: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Run N leaves of the plan first, and learn from them.")
    ] = None,
    pilot_run: Annotated[
        str | None,
        typer.Option("--from", metavar="RUN", help="Learn from this run instead.", autocompletion=run_ids),
    ] = None,
    target: Annotated[
        float | None, typer.Option(metavar="SHARE", help="How often all leaves should be right; default: 0.95.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Assume N leaves like these.")] = None,
) -> int:
    """Estimate calls, tokens and cost, and the votes needed.

    For a run, it estimates the rest from what is done. For a plan, --pilot runs some leaves first and learns from them.

    Example: ramify estimate plan.yaml --pilot 20 --target 0.99
    """
    from ramify.planner.asking.odds import TARGET, check_target
    from ramify.planner.errors import UsageError
    from ramify.planner.planning.estimating import estimate as estimated

    from .goals import is_plan_file
    from .output import print_json, print_text

    if target is not None:
        check_target(target)
    if source is not None and not last and is_plan_file(source):
        if pilot is not None and pilot_run is not None:
            raise UsageError("--pilot starts a run to learn from, --from names one; leave out one of them")
        if pilot is None:
            refuse_others(context, "without --pilot nothing runs", kept=_OF_PLANS)
        code, root, agent, shown, pace = _of_plan(source, pilot, pilot_run, given)
    else:
        refuse_others(context, "an existing run needs no pilot", kept=_OF_RUNS)
        code, root, agent, shown, pace = _of_run(source, last=last, given=given)
    if code:
        return code
    if shown is None and (target is not None or steps is not None):
        raise UsageError("--target and --steps need measurements; add --pilot N, or --from RUN")
    aim = TARGET if target is None else target
    expected = estimated(root, agent=agent, pilot=shown, steps=steps, target=aim, pace=pace)
    if given["as_json"]:
        print_json({"estimate": expected.to_data()})
    else:
        print_text(str(expected))
    if shown is not None and pilot_run is None and expected.voting is not None and expected.tasks:
        from .carrying import resume_command
        from .output import tell

        ahead = str(expected.voting.ahead)
        tell(f"`{resume_command(shown.run_id, given['store'], '--vote-ahead', ahead)}` runs the rest with these votes")
    return 0


COMMANDS = {"estimate": estimate}

Found = tuple[int, "Task", "Agent", "Pilot | None", "Pace"]
"""An exit code if it is not 0, the tree, who is asked, what was learned, and how fast the tree is run."""


def _of_plan(source: str, leaves: int | None, pilot_run: str | None, given: Mapping[str, Any]) -> Found:
    """Return the tree of a plan file, after a pilot of so many leaves if there is to be one."""
    from ramify.planner.api import executor_of, with_config
    from ramify.planner.planning.piloting import check_pilot, pilot_of
    from ramify.planner.settings.settings import load_settings
    from ramify.tasks import TaskConfig
    from ramify.tasks.plans.plans import load_plan

    from .finding import opened_run
    from .solving import settings_given

    settings = load_settings(**settings_given(given))
    executor = executor_of(settings)
    root = with_config(load_plan(source), settings)
    executor.check(root)
    if leaves is None:
        if pilot_run is None:
            return 0, root, executor.agent, None, executor.pace()
        with opened_run(pilot_run, last=False, store=given["store"]) as (store, record):
            return 0, root, executor.agent, pilot_of(store.read_run(record.id)), executor.pace()
    if root.config.vote_ahead is None and not any(task.config.vote_ahead or task.checks for task in root.walk()):
        root.config = root.config.over(TaskConfig(vote_ahead=_USUAL_LEAD))
    check_pilot(root)
    return _piloted(executor, root, leaves, given)


def _piloted(executor: "Executor", root: "Task", leaves: int, given: Mapping[str, Any]) -> Found:
    """Run the first leaves of a plan, and return what they have shown; the exit code if that was cut short."""
    from .carrying import carry, tell_ending
    from .exits import DONE, FAILED

    run = executor.new_run(root).end_after(leaves)
    code = carry(run, given)
    if code in {DONE, FAILED} or (run.status == "stopped" and run.cause is None):
        return 0, run.task, executor.agent, run.as_pilot(), executor.pace()
    tell_ending(run, code, given["store"])
    return code, root, executor.agent, None, executor.pace()


def _of_run(source: str | None, *, last: bool, given: Mapping[str, Any]) -> Found:
    """Return the tree of a stored run, who is asked there, and what it has shown."""
    from ramify.planner.asking.agent import Agent
    from ramify.planner.asking.stored_agent import StoredAgent
    from ramify.planner.planning.expecting import Pace
    from ramify.planner.planning.piloting import pilot_of
    from ramify.planner.running.run_settings import RunSettings
    from ramify.planner.running.timing import times_known

    from .finding import opened_run

    with opened_run(source, last=last, store=given["store"]) as (store, record):
        stored, settings = store.read_run(record.id), RunSettings.model_validate(record.settings)
        pace = Pace(settings.jobs, times_known(store, record.model, settings))
    if given["model"] is not None:
        agent = Agent(given["model"], base_url=given["base_url"])
    else:
        agent = (settings.agent or StoredAgent()).make(store=given["store"])
    return 0, stored.root, agent, pilot_of(stored), pace
