"""Judging the replies of a trial: at once where words, a function or a program decide, in a run of its own by a model.

A run of its own is paid for once, whatever becomes of the process, and its calls are not counted to the arm.
"""

from functools import partial
from typing import Any, cast

from ramify.planner.asking.agent import Agent
from ramify.planner.checks.findings import CheckOutcome, Finding
from ramify.planner.checks.verifying import judge_by_model
from ramify.planner.errors import WorkFailedError
from ramify.planner.running.inside import inner_of
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.store.records import status_words
from ramify.planner.strategies.nested import run_inside
from ramify.planner.workers import Outcome, WorkContext, Worker
from ramify.planner.workers.services import services_of
from ramify.tasks import Task, Usage
from ramify.tasks.checks import Check
from ramify.tasks.tree.config import NO_USAGE

from .answers import key_of
from .items import Item
from .judging import Judge, demand_of

JUDGEMENT = "judgement"
"""The type of a task that has a model say whether an answer is right."""


async def graded(
    replies: list[str], judge: Judge, item: Item, run_id: str, context: WorkContext
) -> tuple[dict[str, Finding], Usage]:
    """Return what is found of each reply, and what a model that judges has used; what says the same is judged once.

    Args:
        replies: the replies of one trial.
        judge: how they are judged.
        item: what was asked.
        run_id: the trial's run.
        context: the trial's.
    """
    is_plain, used = judge.is_plain(item), NO_USAGE
    by_key: dict[str, Finding] = {}
    found: dict[str, Finding] = {}
    for reply in replies:
        key = key_of(reply, judge.form(item)) if is_plain else reply
        if key not in by_key and judge.model is not None and not is_plain:
            inner_id = f"{run_id}-judge{len(by_key) + 1}"
            by_key[key], usage = await _by_model(reply, judge.model, item, inner_id, context)
            used += usage
        elif key not in by_key:
            call = partial(services_of(context).engines.call, context.task)
            by_key[key] = await judge.judge(reply, item, call)
        found[reply] = by_key[key]
    return found, used


async def _by_model(reply: str, model: str, item: Item, run_id: str, context: WorkContext) -> tuple[Finding, Usage]:
    """Return what a model says of a reply, in a run of its own, and what that has used."""

    def made() -> tuple[Task, Agent, RunSettings]:
        agent = services_of(context).asker.agent
        inputs = {"reply": reply, "demand": demand_of(item)}
        root = Task(content=item.question, id="0", type=JUDGEMENT, inputs=inputs)
        settings = inner_settings(context, name=f"judge of item {item.id}", plan=None)
        return root, agent.with_model(model) if model else agent, settings

    run = await run_inside(context, run_id, made)
    if run.status != "done":
        why = f"its judge, run {run.id}, {status_words(run.status)}: {run.error}"
        raise run.cause or WorkFailedError(why, task_id=context.task.id)
    said = cast("dict[str, str]", run.task.output)
    return Finding(cast("CheckOutcome", run.task.result), said["complaint"]), run.usage


def inner_settings(context: WorkContext, **changes: Any) -> RunSettings:
    """Return how a run inside that of `context` runs: under its limits, and none of its own."""
    limits = RunSettings().limits
    settings: RunSettings = inner_of(context).settings.model_copy(
        update={"limits": limits, "inside": context.run_id, **changes}
    )
    return settings


class JudgementWorker(Worker):
    """Asks a model whether a reply gives the right answer."""

    about = "asks a model to judge an answer of a study"

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Return "pass", "fail" or "unsure"."""
        services, given = services_of(context), context.inputs
        check, config = Check(verify=given["demand"]), services.configs.of(task)
        found = await judge_by_model(check, given["reply"], task, asker=services.asker, config=config)
        return Outcome(found.outcome, {"complaint": found.complaint})
