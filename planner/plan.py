"""The planner: from a goal to a tree.

The policy `upfront` splits breadth-first, until every leaf is atomic or as deep as it may be; a level's tasks are asked
for at once and attached in tree order, so that the same replies make the same tree whatever the order in which they
arrive.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from ramify.prompts import DecomposeVariables, WorkerCard
from ramify.tasks import ReplyError, Task, TaskState, TruncatedReplyError
from ramify.tasks.counting import counted
from ramify.tasks.decomposition import decompose_variables, tasks_of_plan
from ramify.tasks.replies import Plan, is_restatement, parse_plan
from ramify.tasks.running import take_in
from ramify.tasks.splitting import MODEL, split_of

from .asking import Asker
from .budget import Configs
from .errors import ModelError, WorkFailedError
from .events import EventType
from .models.protocol import ModelReply
from .recorder import Recorder
from .retry import FailureKind, delay_s, may_retry, stops_run
from .store.changes import TaskAdded, TaskChanged
from .together import together
from .tries import Tries, TryKind
from .workers.teams import JOINT


class PlanLimits(BaseModel):
    """How a goal is split.

    Attributes:
        policy: when tasks are split; `upfront`: before anything runs.
        max_depth: the deepest level that a task may stand on; the root's is 1, so 1 splits nothing.
        max_children: the most subtasks of one task.
        max_tasks: the most tasks of the whole tree, the root included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Literal["upfront"] = "upfront"
    max_depth: int = Field(default=3, ge=1)
    max_children: int = Field(default=8, ge=2)
    max_tasks: int = Field(default=200, ge=1)


@dataclass(frozen=True, slots=True)
class _Atomic:
    """A task that stays whole, and why."""

    why: str
    is_unusual: bool = False


class _Types(list[str]):
    """What a task can be given to: one of these, or several together, whose names are joined."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (
            isinstance(name, str) and JOINT in name and all(map(super().__contains__, name.split(JOINT)))
        )


class Planner:
    """Splits goals within limits.

    Args:
        limits: how far.
        workers: the workers that tasks can be given to, besides the model.
        tried: how often tasks were tried again before the run was resumed, by id.
    """

    def __init__(
        self,
        limits: PlanLimits | None = None,
        *,
        workers: tuple[WorkerCard, ...] = (),
        tried: Mapping[str, Tries] | None = None,
    ) -> None:
        self.limits = limits or PlanLimits()
        self.workers = workers
        self._tried = tried or {}
        self._is_stopping = False

    def stop(self) -> None:
        """Ask nothing more; `plan` returns once the replies that are under way have arrived."""
        self._is_stopping = True

    async def plan(self, root: Task, asker: Asker, recorder: Recorder, configs: Configs, *, jobs: int) -> None:
        """Split `root`, and what comes of it, until nothing is left to split; every plan is on disk once attached.

        Tasks that have subtasks already are kept as they are.

        Raises:
            WorkFailedError: if the model refuses to plan for the root.
            ModelError: if a call failed for good.
            LimitError: if a limit was reached.
        """
        slots = asyncio.Semaphore(jobs)
        total = sum(1 for _ in root.walk())
        level = [root]
        depth = root.get_depth()
        while level and depth < self.limits.max_depth and not self._is_stopping:
            fresh = [task for task in level if not task.subtasks and task.state is TaskState.OPEN and task.type is None]
            verdicts = await together(self._split(task, asker, recorder, configs, slots=slots) for task in fresh)
            for task, verdict in zip(fresh, verdicts, strict=True):
                if verdict is not None:
                    total += await self._attach(task, self._within_limit(verdict, total), recorder)
            level = [child for task in level for child in task.subtasks]
            depth += 1

    def _within_limit(self, verdict: Plan | _Atomic, total: int) -> Plan | _Atomic:
        if isinstance(verdict, _Atomic) or total + len(verdict.tasks) <= self.limits.max_tasks:
            return verdict
        why = f"its {counted(len(verdict.tasks), 'subtask')} would make more than max_tasks = {self.limits.max_tasks}"
        return _Atomic(why, is_unusual=True)

    async def _split(
        self, task: Task, asker: Asker, recorder: Recorder, configs: Configs, *, slots: asyncio.Semaphore
    ) -> Plan | _Atomic | None:
        """Return how `task` is split; None if the planner was stopped before it was asked."""
        variables = decompose_variables(
            task,
            workers=self.workers,
            depth_left=self.limits.max_depth - task.get_depth() - 1,
            max_tasks=self.limits.max_children,
            **asker.agent.manner,
        )
        known_ids = {result.id for result in variables.results}
        config = configs.of(task)
        first = task.attempts + 1
        attempt = first + (self._tried[task.id].plannings if task.id in self._tried else 0)
        while True:
            try:
                async with slots:
                    if self._is_stopping:
                        return None
                    plan = await asker.ask(
                        task, variables, lambda reply: self._read(reply, variables, known_ids), attempt=attempt
                    )
                return self._verdict(task, plan, variables)
            except (ModelError, TruncatedReplyError) as error:
                may_pass = isinstance(error, TruncatedReplyError) or may_retry(error.kind)
                if not may_pass or attempt - first >= (config.max_retries or 0):
                    return self._give_up(task, error)
                wait_s = delay_s(attempt - first, base_s=config.retry_delay_seconds or 0.0, random=0.5)
                recorder.put(
                    EventType.TASK_RETRYING,
                    task,
                    attempt=attempt,
                    error=str(error),
                    delay_s=round(wait_s, 3),
                    counts_as=TryKind.PLANNING.value,
                )
                attempt += 1
                await asyncio.sleep(wait_s)
            except ReplyError as error:
                return _Atomic(f"no plan could be read twice: {error}", is_unusual=True)

    def _read(self, reply: ModelReply, variables: DecomposeVariables, known_ids: set[str]) -> Plan:
        return parse_plan(
            reply.text,
            finish_reason=reply.finish_reason,
            max_tasks=variables.max_tasks,
            types=_Types([MODEL, *(worker.type for worker in self.workers)]) if self.workers else [],
            known_ids=known_ids,
        )

    def _give_up(self, task: Task, error: Exception) -> _Atomic:
        """Return that `task` stays whole as no plan for it could be had; raise `error` if that says more than that."""
        is_cut_off = isinstance(error, ModelError) and error.kind == FailureKind.CUT_OFF
        if isinstance(error, ModelError) and not is_cut_off and (task.parent is None or stops_run(error.kind)):
            raise error
        return _Atomic(str(error), is_unusual=True)

    def _verdict(self, task: Task, plan: Plan, variables: DecomposeVariables) -> Plan | _Atomic:
        if plan.failed is not None:
            reason, detail = plan.failed.reason, plan.failed.detail or "the model gave no reason"
            if task.parent is None and reason == "refused":
                raise WorkFailedError(f"{detail} ({reason})", task_id=task.id, reason=reason)
            return _Atomic(f"the model could not split it ({reason}): {detail}", is_unusual=True)
        if plan.atomic:
            return _Atomic("splitting it helps nothing")
        parts = split_of(plan, (variables.goal, *variables.ancestors))
        return parts if parts.tasks else _Atomic(_nothing_split(plan, variables.goal))

    async def _attach(self, task: Task, verdict: Plan | _Atomic, recorder: Recorder) -> int:
        if isinstance(verdict, _Atomic):
            if verdict.is_unusual:
                recorder.put(EventType.WARNING, task, message=f"task {task.id} is not split: {verdict.why}")
            await recorder.commit(EventType.PLAN_ATOMIC, task, TaskChanged.of(task), why=verdict.why)
            return 0
        for note in verdict.notes:
            recorder.put(EventType.WARNING, task, message=f"task {task.id}: in its plan, {note}")
        children = tasks_of_plan(task, verdict)
        take_in(task, children)
        await recorder.commit(
            EventType.PLAN_ATTACHED,
            task,
            *map(TaskAdded.of, children),
            TaskChanged.of(task),
            subtasks=[child.id for child in children],
        )
        return len(children)


def _nothing_split(plan: Plan, goal: str) -> str:
    if len(plan.tasks) > 1:
        return f"of its {len(plan.tasks)} subtasks, at most one would have been a part of it"
    if is_restatement(plan.tasks[0].content, goal):
        return "its only subtask would have been itself"
    return "it would have had only one subtask"
