"""Splitting one task: what is asked, and what the reply means for the task; nothing is attached here."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Unpack

from pydantic import model_validator
from ramify.planner.asking.asker import Asker
from ramify.planner.asking.reading import read_in_parts, reads_whole
from ramify.planner.errors import HeardError, ModelError, TooLongError, UsageError, WorkFailedError
from ramify.planner.models.protocol import ModelReply
from ramify.planner.models.retry import FailureKind, stops_run
from ramify.planner.runtime.border import error_text
from ramify.planner.settings.option_fields import model_of
from ramify.planner.settings.options import PlanOptions, options_of
from ramify.planner.work.special_types import SCRIPT
from ramify.planner.workers.teams import JOINT
from ramify.prompts.variables import WorkerCard
from ramify.tasks import ReplyError, Task
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.prompt_variables import around, decompose_variables, execute_variables, is_part, plan_text
from ramify.tasks.replies.by_schema import plan_schema
from ramify.tasks.replies.grammar import Plan, PlanRules, is_restatement, parse_plan
from ramify.tasks.replies.splitting import MODEL, Around, split_of

from .fitting import Fitting, Known
from .growing import Growth
from .worth import names_an_order, stays_whole

Asks = Callable[..., Awaitable[tuple[Plan, Around]]]
"""Asks how a task is split; as `Planner` does."""


class PlanLimits(model_of(options_of("plan"))):  # type: ignore[misc] # its fields are options
    """How and when to split a goal."""

    @model_validator(mode="before")
    @classmethod
    def _with_policy(cls, given: Any) -> Any:
        """Let the policy be the usual one, unless it is said, or that nothing is split; refuse contradictions."""
        if not isinstance(given, dict):
            return given
        policy, split = given.get("policy"), given.get("split")
        if split == "never" and policy not in {None, "upfront", "direct"}:
            raise UsageError(f"split is 'never', but policy {policy!r} splits tasks; leave one out")
        if split == "always" and policy == "direct":
            raise UsageError("split is 'always', but policy 'direct' splits nothing; leave one out")
        return {**given, "policy": "direct" if split == "never" else "upfront" if policy is None else policy}

    if TYPE_CHECKING:

        def __init__(self, **limits: Unpack[PlanOptions]) -> None: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A task that stays whole, and why."""

    why: str
    is_unusual: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """A task whose documents are too long for its model: subtasks that each read a part of them, in order."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Grown:
    """A task whose plan is whole now, and was attached while it was being written, but for its `rest`.

    Attributes:
        rest: the subtasks that are not attached yet.
        notes: what is to be said of the plan, in sentences.
        lacks: what the plan lacks, in a sentence; empty if it is whole.
    """

    rest: tuple[Task, ...] = ()
    notes: tuple[str, ...] = ()
    lacks: str = ""


class _Types(list[str]):
    """What a task can be given to: one of these, or several together, whose names are joined."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (
            isinstance(name, str) and JOINT in name and all(map(super().__contains__, name.split(JOINT)))
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of a plan that was there already.

    Attributes:
        words: what they have said, the first first.
        is_new: whether the plan does not follow the last of it yet.
        whole: why tasks stay whole, by id, as the plan has it so far; they are not asked about again.
        steers: whether the last of it is about what is open of a plan under way, and nothing has come of it yet.
        failed: why tasks had failed when that was said, by id.
        waits: whether the run then waits for a word.
    """

    words: tuple[str, ...] = ()
    is_new: bool = False
    whole: Mapping[str, str] = field(default_factory=dict)
    steers: bool = False
    failed: Mapping[str, str] = field(default_factory=dict)
    waits: bool = False


def types_of(workers: tuple[WorkerCard, ...]) -> Sequence[str]:
    """Return what a task of a plan can be given to: a worker, several together, or the model; else nothing."""
    return _Types([MODEL, *(worker.type for worker in workers)]) if workers else []


def types_by_schema(workers: tuple[WorkerCard, ...]) -> list[str]:
    """Return the same for a schema, which names each choice: also every two agents together."""
    agents = [worker.type for worker in workers if worker.is_agent]
    pairs = (JOINT.join(pair) for pair in combinations(agents, 2))
    return list(dict.fromkeys((*types_of(workers), *pairs)))


class Planner:
    """Splits single tasks within limits; when, and what becomes of a failure, is for others to say.

    Args:
        limits: how far.
        workers: the workers that tasks can be given to, besides the model.
        wishes: what a person wants of the plan.
        fitting: finds the methods that fit, which are tried before the model is asked.
    """

    def __init__(
        self,
        limits: PlanLimits | None = None,
        *,
        workers: tuple[WorkerCard, ...] = (),
        wishes: Wishes | None = None,
        fitting: Fitting | None = None,
    ) -> None:
        self.limits = limits or PlanLimits()
        self.workers = workers
        self.wishes = wishes or Wishes()
        self._fitting = fitting or Fitting()

    async def split(
        self, task: Task, asker: Asker, *, attempt: int, tried: str | None = None, growth: Growth | None = None
    ) -> Plan | Whole | Parts | Grown | Known:
        """Return how a method splits `task`, or else ask; not about one whose documents are too long for that.

        Args:
            task: the task.
            asker: who is asked.
            attempt: the attempt at splitting it, for the journal.
            tried: why doing it in one piece has failed; None if that was not tried.
            growth: attaches its subtasks while their plan is being written; None leaves all of them to the caller.

        Raises:
            WorkFailedError: if the model refuses to plan for the root, or has a question about it.
            TruncatedReplyError: if the reply was cut.
            ModelError: if the call failed.
            LimitError: if a limit was reached.
            TooLongError: if it is the root, and its documents are not to be read in parts.
        """
        is_fixed = (growth is not None and bool(growth.there)) or self._is_revised(task)
        is_open = not is_fixed and task.id not in self.wishes.whole
        if is_open and (known := await self._fitting.split(task, asker)) is not None:
            return known
        if not is_fixed and (why := self._kept_whole(task, asker, was_tried=tried is not None)) is not None:
            return Whole(why)
        ask = partial(self._ask, task, asker, attempt=attempt, tried=tried)
        try:
            if growth is not None:
                growth.goes_on_from(getattr(asker.agent.model, "recorded_heads", {}).get(task.id, ()))
                return await self._grow(growth, ask, asker.begun_before(task, attempt=attempt))
            return _verdict(task, *await ask())
        except TooLongError as error:
            return _in_parts(task, asker, error)
        except TruncatedReplyError:
            raise
        except ReplyError as error:
            return Whole(f"no readable plan in two tries: {error}", is_unusual=True)

    async def _ask(
        self,
        task: Task,
        asker: Asker,
        *,
        attempt: int,
        tried: str | None,
        growth: Growth | None = None,
        begun: int = 0,
        fault: str | None = None,
    ) -> tuple[Plan, Around]:
        """Return the plan for `task`, or what it lacks besides the `begun` tasks there are, and what it is made for."""
        there = growth.there[:begun] if growth is not None else []
        is_family_known = growth is None and (task.parent is None or task.parent.type != SCRIPT)
        made_for = around(task, is_family_known=is_family_known)
        variables = decompose_variables(
            task,
            is_family_known=is_family_known,
            workers=self.workers,
            depth_left=max(0, self.limits.max_depth - task.get_depth() - 1),
            max_tasks=self.limits.max_children - begun,
            tried=tried,
            begun={child.id: child.content for child in there},
            fault=fault,
            revisions=self.wishes.words,
            plan=plan_text(task) if self._is_revised(task) else None,
            **asker.agent.prompt_settings,
        )
        known_ids = dict.fromkeys([*(result.id for result in variables.results), *variables.begun])
        types = types_of(self.workers)
        rules: PlanRules = {"max_tasks": variables.max_tasks, "types": types, "known_ids": known_ids}
        if growth is not None:
            growth.expect(made_for, begun=begun, **rules)
        plan = await asker.ask(
            task,
            variables,
            growth.read if growth is not None else partial(_read, rules=rules),
            attempt=attempt,
            schema=plan_schema(
                max_tasks=variables.max_tasks,
                types=types_by_schema(self.workers),
                known_ids=known_ids,
                may_be_empty=begun > 0,
            ),
            whole=reads_whole(variables.materials, asker.agent),
            listener=growth,
        )
        return plan, made_for

    async def _grow(self, growth: Growth, ask: Asks, recorded: Collection[int]) -> Whole | Grown:
        """Return what comes of a plan that is attached while it is written; where it breaks off, it is gone on with.

        Args:
            growth: attaches it.
            ask: asks for it, or for what it lacks.
            recorded: how many tasks were there in the questions whose replies had arrived before.
        """
        task, begun, fault = growth.task, min(recorded, default=len(growth.there)), None
        while begun < self.limits.max_children:
            try:
                plan, made_for = await ask(growth=growth, begun=begun, fault=fault)
            except HeardError as error:
                if isinstance(error.cause, ModelError) and error.cause.kind != FailureKind.CUT_OFF:
                    raise error.cause from error
                words = getattr(error.cause, "complaint", str(error.cause))
                if fault is not None and growth.reached == begun:
                    return Grown(lacks=f"everything after its first {begun} tasks is unreadable and missing: {words}")
                begun = growth.reached if growth.reached in recorded else len(growth.there)
                fault = words
                continue
            if not begun:
                verdict = _verdict(task, plan, made_for)
                return Grown(tuple(growth.rest(verdict)), verdict.notes) if isinstance(verdict, Plan) else verdict
            failed = plan.failed
            lacks = "" if failed is None else f"nothing more is planned ({failed.reason}: {failed.detail})"
            return Grown(tuple(growth.rest(plan)), plan.notes, lacks)
        return Grown(lacks="" if fault is None else f"everything after its first {begun} tasks is left out: {fault}")

    def _is_revised(self, task: Task) -> bool:
        """Return whether a person wants another plan for `task` than there is."""
        return self.wishes.is_new and task.parent is None

    def _kept_whole(self, task: Task, asker: Asker, *, was_tried: bool) -> str | None:
        """Return why `task` stays whole unasked; what is no language model is always asked, as it judges well."""
        if task.id in self.wishes.whole:
            return self.wishes.whole[task.id]
        if is_part(task):
            return "it reads part of a document"
        if not was_tried and (why := self._fitting.why_whole(task)) is not None:
            return why
        model = asker.agent.model
        recorded: frozenset[str] | None = getattr(model, "recorded_splits", None)
        is_judge = not model.is_language_model if recorded is None else task.id in recorded
        is_asked = was_tried or self.limits.split == "always" or self.workers or is_judge
        return None if is_asked else stays_whole(task.content)

    def given_up(self, task: Task, error: Exception) -> Whole | None:
        """Return that `task` stays whole as no plan for it could be had; None if `error` says more than that."""
        if isinstance(error, WorkFailedError) and error.question:
            return Whole(f"the model could not split it: {error.question} (ambiguous)", is_unusual=True)
        is_cut_off = isinstance(error, TruncatedReplyError) or (
            isinstance(error, ModelError) and error.kind == FailureKind.CUT_OFF
        )
        ends_run = isinstance(error, ModelError) and stops_run(error.kind)
        if not is_cut_off and (ends_run or task.parent is None):
            return None
        return Whole(error_text(error), is_unusual=True)


def _read(reply: ModelReply, *, rules: PlanRules) -> Plan:
    return parse_plan(reply.text, finish_reason=reply.finish_reason, **rules)


def _in_parts(task: Task, asker: Asker, error: TooLongError) -> Parts | Whole:
    root = [task, *task.ancestors()][-1]
    variables = execute_variables(task, root=root, **asker.agent.prompt_settings)
    try:
        parts = read_in_parts(task, asker, variables, error)
    except TooLongError as refusal:
        if task is root:
            raise
        return Whole(error_text(refusal), is_unusual=True)
    return Parts(tuple(parts)) if parts else Whole("its documents leave no room for planning")


def _verdict(task: Task, plan: Plan, made_for: Around) -> Plan | Whole:
    if plan.failed is not None:
        reason = plan.failed.reason
        question = plan.failed.detail if reason == "ambiguous" else ""
        if task.parent is None and (reason == "refused" or question):
            raise WorkFailedError(plan.failed.words, task_id=task.id, reason=reason, question=question)
        return Whole(f"the model could not split it: {plan.failed.words}", is_unusual=True)
    if plan.atomic:
        return Whole("splitting does not help")
    parts = split_of(plan, made_for)
    if not parts.tasks:
        return Whole(_nothing_split(plan, task.content), is_unusual=len(plan.tasks) > 1)
    is_unordered = not any(each.needs for each in parts.tasks)
    return _one_by_one(parts) if is_unordered and names_an_order(task.content) else parts


def _one_by_one(plan: Plan) -> Plan:
    """Let each task of a plan need the one before it."""
    tasks = [plan.tasks[0], *(replace(each, needs=(before.key,)) for before, each in pairwise(plan.tasks))]
    note = "its goal names an order but the plan does not, so each task depends on the one before it"
    return replace(plan, tasks=tuple(tasks), notes=(*plan.notes, note))


def _nothing_split(plan: Plan, goal: str) -> str:
    if len(plan.tasks) > 1:
        return f"of its {len(plan.tasks)} subtasks, all but one at most repeat the goal, each other, or other tasks"
    if is_restatement(plan.tasks[0].content, goal):
        return "its only subtask would have been the task itself"
    return "it would have had only one subtask"
