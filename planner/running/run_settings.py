"""What a run was started with and is resumed with; it is stored with the run, so no key ever goes in."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError
from ramify.planner.asking.budget import DEFAULTS, RunLimits
from ramify.planner.asking.stored_agent import StoredAgent
from ramify.planner.errors import UsageError
from ramify.planner.planning.split import PlanLimits
from ramify.planner.settings.option_fields import model_of, why_unusable
from ramify.planner.settings.options import STORED, options_of
from ramify.tasks import TaskConfig


class RunSettings(model_of(STORED)):  # type: ignore[misc] # the options that are stored are fields too
    """How a run runs.

    Attributes:
        agent: who answers; None if no task needs a model.
        agents: the agents that tasks can be given to, by name.
        plan: how the goal is split, and when; None if the tree is run as it is given.
        stops_when_planned: whether the run ends once its plan is complete, until it is resumed.
        limits: limits of the whole run.
        defaults: the limits of tasks that say nothing.
        name: what the run is called; empty unless it is a variation or a strategy.
        inside: the id of the run that it is part of; empty if it stands alone.
        tools: the names of the agent's tools, and of servers of tools.
        script: the file of the script that does its root, or "own:NAME" if it has to be given again; empty if none.
    """

    agent: StoredAgent | None = None
    agents: dict[str, StoredAgent] = Field(default_factory=dict)
    plan: PlanLimits | None = None
    stops_when_planned: bool = False
    limits: RunLimits = RunLimits()
    defaults: TaskConfig = DEFAULTS
    name: str = ""
    inside: str = ""
    tools: tuple[str, ...] = ()
    script: str = ""

    @property
    def instead(self) -> TaskConfig:
        """What holds for tasks whatever they say."""
        return TaskConfig(**{name: getattr(self, name) for name in options_of("task") if name in STORED})

    def changed(self, options: Mapping[str, Any], **changes: Any) -> "RunSettings":
        """Return settings with other `options`, by the names that they are stored under, and with other `changes`.

        Raises:
            UsageError: if a value cannot be used; its name comes first.
        """
        given = {name: value for name, value in options.items() if value is not None}
        stored = {name: value for name, value in given.items() if name in STORED}
        try:
            for part, kind in (("limits", RunLimits), ("plan", PlanLimits)):
                said = {name: value for name, value in given.items() if name in kind.model_fields}
                if said:
                    changes[part] = kind.model_validate({**dict(changes.get(part, getattr(self, part)) or ()), **said})
            changed: RunSettings = RunSettings.model_validate({**dict(self), **changes, **stored})
        except ValidationError as error:
            raise UsageError(why_unusable(error)) from None
        return changed
