"""What a run was started with and is resumed with; it is stored with the run, so no key ever goes in."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer
from ramify.planner.asking.agent import Agent, Asking
from ramify.planner.asking.budget import DEFAULTS, RunLimits
from ramify.planner.errors import UsageError
from ramify.planner.models.protocol import Sampling
from ramify.planner.planning.split import PlanLimits
from ramify.planner.runtime.address import is_hidden, shown_address
from ramify.planner.settings.option_fields import model_of, why_unusable
from ramify.planner.settings.options import STORED, options_of
from ramify.planner.settings.settings import load_settings
from ramify.prompts import PromptLibrary
from ramify.prompts.variables import Examples
from ramify.tasks import TaskConfig

if TYPE_CHECKING:
    from ramify.planner.tools.functions import ToolsGiven


class AgentSettings(BaseModel):
    """An agent, as data; see `Agent` and `Asking` for the meanings. `tools` are names, and servers as `mcp:NAME`."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str | None = None
    base_url: str | None = None
    role_name: str = "assistant"
    about: str | None = None
    prompts: str | None = None
    system: str | None = None
    language: str | None = None
    examples: Examples = "few"
    sampling: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float | None = 600.0
    native_tools: bool | None = None
    tools: tuple[str, ...] = ()

    @field_serializer("base_url", when_used="json")
    def _shown(self, base_url: str | None) -> str | None:
        """Store an address without its secrets; `make` finds them again where they are set."""
        return None if base_url is None else shown_address(base_url)

    @classmethod
    def of(cls, agent: Agent, *, with_model: bool = True) -> "AgentSettings":
        """Describe `agent`; its key and its tools are left out, and its model if that is another's."""
        asking = agent.asking
        return cls(
            model=agent.opened_as if with_model else None,
            base_url=agent.base_url,
            role_name=agent.role_name,
            about=agent.about,
            prompts=str(agent.prompts.folder) if agent.prompts.folder else None,
            system=asking.system,
            language=asking.language,
            examples=asking.examples,
            sampling=asking.sampling.given(),
            timeout_s=asking.timeout_s,
            native_tools=asking.native_tools,
        )

    def make(self, *, api_key: str | None = None, store: str | Path | None = None, tools: "ToolsGiven" = ()) -> Agent:
        """Return the agent that this describes, with `tools`, for a run that is stored at `store`."""
        sampling = dict(self.sampling)
        if sampling.get("stop") is not None:
            sampling["stop"] = tuple(sampling["stop"])
        asking = Asking(
            system=self.system,
            language=self.language,
            examples=self.examples,
            sampling=Sampling(**sampling),
            timeout_s=self.timeout_s,
            native_tools=self.native_tools,
        )
        return Agent(
            self.model,
            role_name=self.role_name,
            about=self.about,
            prompts=PromptLibrary(self.prompts),
            base_url=whole_address(self.base_url),
            api_key=api_key,
            asking=asking,
            store=store,
            tools=tools,
        )


class RunSettings(model_of(STORED)):  # type: ignore[misc] # the options that are stored are fields too
    """How a run runs.

    Attributes:
        agent: who answers; None if no task needs a model.
        agents: the agents that tasks can be given to, by name.
        plan: how the goal is split before anything runs; None if the tree is run as it is given.
        stops_when_planned: whether the run ends once its plan is complete, until it is resumed.
        limits: what the whole run may take.
        defaults: the limits of tasks that say nothing.
        name: what the run is called; empty unless it is a variation or a strategy.
        inside: the id of the run that it is part of; empty if it stands alone.
        tools: the names of the agent's tools, and of servers of tools.
    """

    agent: AgentSettings | None = None
    agents: dict[str, AgentSettings] = Field(default_factory=dict)
    plan: PlanLimits | None = None
    stops_when_planned: bool = False
    limits: RunLimits = RunLimits()
    defaults: TaskConfig = DEFAULTS
    name: str = ""
    inside: str = ""
    tools: tuple[str, ...] = ()

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
                    changes[part] = kind.model_validate({**dict(changes.get(part, getattr(self, part))), **said})
            changed: RunSettings = RunSettings.model_validate({**dict(self), **changes, **stored})
        except ValidationError as error:
            raise UsageError(why_unusable(error)) from None
        return changed


def whole_address(stored: str | None) -> str | None:
    """Return the address of a server with the secrets that were left out when it was stored, if the settings say it."""
    if stored is None or not is_hidden(stored):
        return stored
    known = load_settings().base_url
    return known if known is not None and shown_address(known) == stored else stored
