"""What the workers of one run share: its tree, its pen, its limits, its memory, and who can be asked."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ramify.planner.asking.asker import Asker
from ramify.planner.asking.budget import Budget, Configs
from ramify.planner.engines.run_engines import RunEngines
from ramify.planner.errors import LimitError, PlannerError, UsageError
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.running.attaching import Attaching
from ramify.planner.runtime.border import border, error_text
from ramify.planner.store.records import StepKey
from ramify.planner.work.grants import Grants
from ramify.planner.work.memory import RunMemory
from ramify.planner.work.pages import PageCount
from ramify.planner.work.steps import StepLog
from ramify.tasks import DependencyError, Task, TaskError, TaskState, TreeError
from ramify.tasks.prompt_variables import next_child_number
from ramify.tasks.tree.fields import keep_data
from ramify.tasks.tree.graph import finished_above, never_met
from ramify.tasks.tree.node import index_of
from ramify.tasks.tree.states import FINISHED

from .tool_box import ToolBox

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.engines import Engine
    from ramify.planner.running.options import RunSettings
    from ramify.planner.store import Store
    from ramify.planner.tools.protocol import OpenTools
    from ramify.planner.web.robots import SiteRules
    from ramify.planner.work.protocol import Worker

    from .registry import Workers

_log = logging.getLogger("ramify.run")


@dataclass(kw_only=True)
class RunServices:
    """What the workers of one run share.

    Attributes:
        run_id: the run.
        root: its tree.
        store: where it is stored.
        files: where workers keep files.
        asker: asks the run's own agent.
        asker_of: returns what asks another agent, under the same limits.
        recorder: writes what happens.
        configs: the limits of each task.
        budget: what calls may cost.
        workers: who does which type of task.
        grants: what workers may do.
        memory: what they remember.
        steps: the steps that they have taken.
        pages: how many pages they have fetched.
        settings: how the run runs.
        toolbox: the tools of its agents.
        inner_slots: places for the tasks of runs that are part of this one.
        closes_workers: whether workers are closed when the run ends.
        attaching: puts new tasks into the tree.
        engines: where functions are called.
    """

    run_id: str
    root: Task
    store: "Store"
    files: Path
    asker: Asker
    asker_of: "Callable[[Agent], Asker]"
    recorder: Recorder
    configs: Configs
    budget: Budget
    workers: "Workers"
    grants: Grants
    memory: RunMemory
    steps: StepLog
    pages: PageCount
    settings: "RunSettings"
    inner_slots: asyncio.Semaphore
    attaching: Attaching
    engines: RunEngines
    toolbox: ToolBox = field(default_factory=ToolBox)
    closes_workers: bool = True
    _others: "dict[Hashable, Agent]" = field(default_factory=dict)

    @cached_property
    def site_rules(self) -> "SiteRules":
        """What is known of the robots.txt of sites, for all tasks that fetch pages."""
        from ramify.planner.web.robots import SiteRules

        return SiteRules()

    def asker_named(self, model: str | None) -> Asker:
        """Return what asks the model of that name, in the manner of the run's own agent; that one for None.

        Raises:
            NoModelError: if there is no such model.
        """
        agent = self.asker.agent
        return (
            self.asker if model is None or agent.is_replay else self.asker_like(model, lambda: agent.with_model(model))
        )

    def asker_like(self, key: Hashable, make: "Callable[[], Agent]") -> Asker:
        """Return what asks the agent that `make` makes; it is made once for each `key`."""
        if key not in self._others:
            self._others[key] = make()
        return self.asker_of(self._others[key])

    def stored_events(self, after: int, limit: int) -> list[Event]:
        """Return the run's events after a number, no more than `limit`; not for the thread that carries the run on."""
        self.recorder.writer.flush()
        return self.store.events(self.run_id, after, limit=limit)

    def spawn(self, spawner: Task, task: Task, key: StepKey) -> Task:
        """Add `task` beside `spawner`, in the step `key`; see `WorkContext.spawn`."""
        parent = spawner.parent
        if parent is None:
            raise UsageError(f"task {spawner.id} is the root, so nothing can stand beside it; make it a subtask")
        known = self.steps.find(key, task.content)
        if known is not None:
            return self.root.find(str(known.output))
        new = list(task.walk())
        self._check_new(spawner, task, new)
        own_id = task.id
        task.set_id(f"{parent.id}.{next_child_number(parent)}")
        try:
            added = self.attaching.attach(parent, [task], origin="added")
        except TaskError:
            task.set_id(own_id)
            raise
        note = self.steps.note(key, task.id, given=task.content)
        self.recorder.put(EventType.TASK_ADDED, task, *added, note, by=spawner.id, tasks=len(new))
        return task

    async def aclose(self) -> None:
        """Let go of threads, tools and workers; one that cannot be closed is told of, and keeps no other open."""
        used: tuple[OpenTools | Engine | Worker, ...] = (*self.engines.used, *self.toolbox.used)
        for each in (*used, *self.workers.used) if self.closes_workers else used:
            try:
                with border:
                    await each.aclose()
            except Exception as error:  # noqa: BLE001 - other people's code
                name = getattr(each, "name", None) or type(each).__name__
                _log.warning("%s could not be closed", name, exc_info=True)
                with suppress(PlannerError):  # the store may be gone
                    self.recorder.put(EventType.WARNING, message=f"{name} could not be closed: {error_text(error)}")

    def _check_new(self, spawner: Task, task: Task, new: list[Task]) -> None:
        """Refuse what cannot be added, before anything of it is changed."""
        if spawner.state is not TaskState.RUNNING:
            raise UsageError(f"task {spawner.id} is {spawner.state.value}, so its worker can add nothing any more")
        if task.parent is not None:
            raise TreeError(
                f"task {task.id} is a subtask of task {task.parent.id} already; make a new Task for each one that is"
                " added",
                task_id=task.id,
            )
        self._check_room(task)
        by_id = index_of(self.root).by_id
        for each in new:
            if each.state in {TaskState.RUNNING, TaskState.FAILED}:
                raise UsageError(f"task {each.id} is {each.state.value}; what is added is OPEN, or has its result")
            for needed in (by_id[name] for name in each.dependencies if name in by_id):
                if needed.state not in FINISHED and finished_above(needed) is not None:
                    raise DependencyError(never_met(each, needed), task_id=each.id, dependency=needed.id)
            self.workers.check(each, self.grants)
        for each in new:
            keep_data(each)

    def _check_room(self, task: Task) -> None:
        count = sum(1 for _ in task.walk())
        if not self.attaching.has_room(count):
            total = self.attaching.total + count
            raise LimitError(
                f"adding task {task.id} would make {total} tasks, and max_tasks = {self.attaching.max_tasks}",
                limit="max_tasks",
                options=("--max-tasks", str(2 * total)),
            )
