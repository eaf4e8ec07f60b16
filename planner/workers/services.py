"""What the workers of one run share: its tree, its pen, its limits, its memory, and who can be asked."""

import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ramify.planner.asking.asker import Asker
from ramify.planner.asking.budget import Budget, Configs
from ramify.planner.engines.run_engines import RunEngines
from ramify.planner.errors import PlannerError
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.runtime.border import border, error_text
from ramify.planner.store.records import StepKey
from ramify.planner.work.grants import Grants
from ramify.planner.work.memory import RunMemory
from ramify.planner.work.pages import PageCount
from ramify.planner.work.steps import StepLog
from ramify.tasks import Task

from .tool_box import ToolBox

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.engines import Engine
    from ramify.planner.store import Store
    from ramify.planner.tools.protocol import OpenTools
    from ramify.planner.web.robots import SiteRules
    from ramify.planner.work.context import WorkContext
    from ramify.planner.work.protocol import Outcome, Worker
    from ramify.planner.work.share import Calls

_log = logging.getLogger("ramify.run")


@dataclass(kw_only=True)
class RunServices:
    """What the workers of one run share.

    Attributes:
        run_id: the run.
        root: its tree.
        store: where it is stored.
        asker: asks the run's own agent.
        asker_of: returns what asks another agent, under the same limits.
        recorder: writes what happens.
        configs: the limits of each task.
        budget: what calls may cost.
        grants: what workers may do.
        memory: what they remember.
        steps: the steps that they have taken.
        pages: how many pages they have fetched.
        toolbox: the tools of its agents.
        inner: what runs have of it that are part of this one, as `running.inside` reads it.
        spawn: adds a task beside another, in a step; see `WorkContext.spawn`.
        compose: has the run's model answer a task from its subtasks' results.
        engines: where functions are called.
        calls: the calls of the script that does the root, where one does.
        may_split: says whether a task is split if its model finds it too big.
    """

    run_id: str
    root: Task
    store: "Store"
    asker: Asker
    asker_of: "Callable[[Agent], Asker]"
    recorder: Recorder
    configs: Configs
    budget: Budget
    grants: Grants
    memory: RunMemory
    steps: StepLog
    pages: PageCount
    inner: object
    spawn: Callable[[Task, Task, StepKey], Task]
    compose: "Callable[[WorkContext], Awaitable[Outcome]]"
    engines: RunEngines
    calls: "Calls | None" = None
    may_split: Callable[[Task], bool] = lambda _: False
    toolbox: ToolBox = field(default_factory=ToolBox)
    _others: "dict[Hashable, Agent]" = field(default_factory=dict)

    @property
    def files(self) -> Path:
        """Where workers keep files."""
        return self.store.files

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

    async def aclose(self, workers: "Iterable[Worker]") -> None:
        """Let go of engines, tools and `workers`; one that cannot be closed is told of, and keeps no other open."""
        used: tuple[OpenTools | Engine | Worker, ...] = (*self.engines.used, *self.toolbox.used, *workers)
        for each in used:
            try:
                with border:
                    await each.aclose()
            except Exception as error:  # noqa: BLE001 - other people's code
                name = getattr(each, "name", None) or type(each).__name__
                _log.warning("%s could not be closed", name, exc_info=True)
                with suppress(PlannerError):  # the store may be gone
                    self.recorder.put(EventType.WARNING, message=f"{name} could not be closed: {error_text(error)}")


def services_of(context: "WorkContext") -> RunServices:
    """Return the services of the run that a context belongs to; for workers that come with Ramify."""
    return cast("RunServices", context.services)
