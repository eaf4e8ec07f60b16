"""The workers behind a study: one does an item in an arm, as a run of its own; one samples; one sums the study up.

A trial is done when its run has ended and its answer was judged. A run that fails for what a model has said is a wrong
answer: so would it be in use. One that fails for its server is none; it can be done again (`--retry-failed`).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ramify.planner.asking.agent import Agent
from ramify.planner.checks.commands import PERMISSION
from ramify.planner.checks.findings import Finding
from ramify.planner.errors import LimitError, ModelError, UsageError, WaitingError, WorkFailedError
from ramify.planner.export.study.content import ArmSpec, is_study
from ramify.planner.export.study.study import study_of_tree
from ramify.planner.models.protocol import Model
from ramify.planner.models.retry import FailureKind
from ramify.planner.planning.split import PlanLimits
from ramify.planner.run import Run
from ramify.planner.running.inside import inner_of
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.store import Store
from ramify.planner.store.records import status_words
from ramify.planner.strategies.comparing import inner_id, inner_runs, next_inner_id
from ramify.planner.strategies.nested import run_inside
from ramify.planner.workers import Outcome, WorkContext, Worker
from ramify.planner.workers.services import services_of
from ramify.planner.workers.texts import GenerateInputs, generate
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.edits import Difference
from ramify.tasks.tree.running import put

from .answers import answer_of, key_of
from .arms import tree_of, varied
from .grading import graded, inner_settings
from .items import Item
from .judging import COMMAND, Judge, stored_judge
from .plan import StudyPlan

if TYPE_CHECKING:
    from pydantic import JsonValue

_LONGEST_TEXT = 4_000
_LONGEST_ANSWER = 200
_OF_THE_SERVER = frozenset(
    {
        FailureKind.RATE_LIMITED, FailureKind.OVERLOADED, FailureKind.LOADING, FailureKind.SERVER_ERROR,
        FailureKind.UNREACHABLE, FailureKind.MALFORMED, FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED,
        FailureKind.CANCELLED, FailureKind.UNKNOWN,
    }
)  # fmt: skip
"""Failures that say nothing of an arm."""


@dataclass(slots=True)
class _Reading:
    """A study as the worker has read it, once for its run."""

    run_id: str
    plan: StudyPlan
    judge: Judge
    agents: dict[str, tuple[Agent, PlanLimits | None]]


class TrialWorker(Worker):
    """Does one item in one arm as a run of its own, and has the answer judged.

    Args:
        models: models of the user's own that arms name.
        check: a function of the user's own that judges.
    """

    about = "runs one item of a study in one arm"

    def __init__(self, models: Mapping[str, Model] | None = None, check: Callable[..., Any] | None = None) -> None:
        self._models = dict(models or {})
        self._check = check
        self._reading: _Reading | None = None
        self._judges: dict[str, Judge] = {}

    def needs(self, task: Task) -> frozenset[str]:
        """Return the permission to start programs, if one judges.

        Raises:
            UsageError: if what judges is not there.
        """
        if task.parent is None or not is_study(task.parent):
            return frozenset()
        judge = self._judge(str(task.parent.inputs["check"]))
        return frozenset({PERMISSION}) if judge.check.startswith(COMMAND) else frozenset()

    def _judge(self, check: str) -> Judge:
        if check not in self._judges:
            self._judges[check] = stored_judge(check, self._check)
        return self._judges[check]

    def check_edit(self, task: Task, difference: Difference, *, store: Store, run_id: str) -> None:
        """Refuse to change what it is called, or what came of it, which is its run's."""
        if {"content", "result"} & difference.fields.keys():
            made = inner_runs(store, run_id, task)
            way = f"; its run is {made[-1].id}" if made else ""
            raise UsageError(f"task {task.id} is a trial of a study and has its own run{way}; start another study")

    def check_fork(self, task: Task, *, run_id: str) -> None:
        """Refuse to fork a study: each trial is a run of its own."""
        raise UsageError(
            f"run {run_id} is a study, whose trials have their own runs; fork one: {inner_id(run_id, task)}"
        )

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Run the trial, or go on with its run, and judge its answer.

        Raises:
            WorkFailedError: if the server failed, not the arm.
            LimitError: if a limit was reached.
        """
        reading = self._read(task, context)
        item, arm = reading.plan.trial(task)
        run_id = await context.step("run", lambda: next_inner_id(services_of(context).store, context.run_id, task))
        is_new = run_id not in [each.id for each in inner_runs(services_of(context).store, context.run_id, task)]
        started = time.monotonic()
        run = await run_inside(context, run_id, partial(self._made, reading, item, arm, task, context))
        seconds = round(time.monotonic() - started, 3) if is_new else None
        put(task, usage=run.usage)
        error = _error_of(run, task)
        reply = "" if error else run.task.result
        samples = [each.result for each in run.task.subtasks if each.state is TaskState.DONE] if arm.samples > 1 else []
        replies = [*samples, *([reply] if reply else [])]
        found, judging = await graded(replies, reading.judge, item, run_id, context)
        put(task, usage=run.usage + judging)
        form = reading.judge.form(item)
        finding, answer = found.get(reply, Finding("fail")), answer_of(reply, form)[:_LONGEST_ANSWER]
        is_right = finding.outcome == "pass"
        is_unsure = finding.outcome == "unsure"
        told = {"unsure": (finding.complaint or "no reason given")[:_LONGEST_ANSWER]} if is_unsure else {}
        output: dict[str, JsonValue] = {
            "run": run_id,
            "right": is_right,
            "answer": answer,
            "split": arm.splits and bool(run.task.subtasks),
            "usage": run.usage.to_data(),
            "seconds": seconds,
            **({"error": error} if error else {}),
            **told,
            **({"samples": [_sample(each, found[each], form) for each in samples]} if samples else {}),
        }
        context.emit("trial", item=item.id, arm=arm.name, right=is_right, answer=answer, run=run_id, **told)
        return Outcome(f"{'right' if is_right else 'wrong'}: {reply[:_LONGEST_TEXT] or error}", output)

    def _read(self, task: Task, context: WorkContext) -> _Reading:
        if self._reading is None or self._reading.run_id != context.run_id:
            plan = StudyPlan.of(task.parent)
            self._reading = _Reading(context.run_id, plan, self._judge(plan.check), {})
        return self._reading

    def _made(
        self, reading: _Reading, item: Item, arm: ArmSpec, task: Task, context: WorkContext
    ) -> tuple[Task, Agent, RunSettings]:
        """Return the tree of a trial's run, who answers, and how it runs."""
        if arm.name not in reading.agents:
            found = varied(arm, services_of(context).asker.agent, reading.plan.plan, models=self._models)
            reading.agents[arm.name] = (found.agent, found.plan)
        agent, limits = reading.agents[arm.name]
        root = tree_of(arm, item.question, ask=reading.plan.ask, form=reading.judge.form(item))
        name = task.name or task.id
        changes = {"plan": limits, **({} if arm.splits else {"on_error": "partial"})}
        return root, agent, inner_settings(context, name=name, **changes)


class SampleWorker(Worker):
    """Has the model answer a text as it stands; with subtasks, these are answers to the same text, which vote."""

    about = "samples an answer, or several that vote"

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Ask the model, without a template."""
        asker = services_of(context).asker
        inputs = GenerateInputs(system=asker.agent.settings.system)
        sample = int(context.inputs.get("sample", 0))
        return Outcome(await generate(task.content, inputs, task, context, purpose="sample", sample=sample))

    async def compose(self, task: Task, context: WorkContext) -> Outcome:  # noqa: ARG002 - the tree says it all
        """Return the first answer of those that most samples have given."""
        form = str(task.inputs.get("form", "exact"))
        replies = [each.result for each in task.subtasks if each.state is TaskState.DONE]
        keys = [key_of(reply, form) for reply in replies]
        counts = Counter(key for key in keys if key)
        if not counts:
            raise WorkFailedError(f"none of the samples of task {task.id} gives an answer", task_id=task.id)
        winner = counts.most_common(1)[0][0]
        votes = cast("JsonValue", dict(counts.most_common(10)))
        return Outcome(replies[keys.index(winner)], {"votes": votes})


class StudyWorker(Worker):
    """Sums a study up; it asks no model."""

    about = "compares the arms of a study"

    async def perform(self, task: Task, _: WorkContext) -> Outcome:
        """Refuse a study without trials."""
        raise WorkFailedError(f"task {task.id} is a study without trials", task_id=task.id)

    async def compose(self, task: Task, context: WorkContext) -> Outcome:
        """Return the study as Markdown, and what it advises."""
        made_by = services_of(context).asker.agent.model.maker
        study = study_of_tree(
            task, run=context.run_id, status="done", made_by=made_by, jobs=inner_of(context).settings.jobs
        )
        text = await asyncio.to_thread(study.to_text)
        advice = study.advice
        return Outcome(text, {"verdict": advice.verdict, "arm": advice.arm, "advice": advice.words})


def _sample(reply: str, found: Finding, form: str) -> "JsonValue":
    """Return what stands in a trial of one of its samples: what it answers, and whether that is right."""
    return [key_of(reply, form)[:_LONGEST_ANSWER], found.outcome == "pass"]


def _error_of(run: Run, task: Task) -> str:
    """Return why a trial has no answer; empty if it has one.

    Raises:
        WorkFailedError: if its run did not end, or its server failed.
        LimitError: if a limit was reached.
    """
    if run.status in {"done", "partial"}:
        return ""
    if isinstance(run.cause, LimitError | WaitingError):
        raise run.cause
    is_of_server = isinstance(run.cause, ModelError) and run.cause.kind in _OF_THE_SERVER
    if run.status != "failed" or is_of_server:
        raise run.cause or WorkFailedError(f"its run {run.id} {status_words(run.status)}: {run.error}", task_id=task.id)
    return run.error or "its run failed"
