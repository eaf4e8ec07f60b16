"""What a run was started with and is resumed with; it is stored with the run, so no key ever goes in."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_serializer
from ramify.planner.asking.agent import Agent, Asking
from ramify.planner.asking.budget import DEFAULTS, RunLimits
from ramify.planner.models.protocol import Sampling
from ramify.planner.planning.split import PlanLimits
from ramify.planner.runtime.address import is_hidden, shown_address
from ramify.planner.settings.settings import load_settings
from ramify.prompts import PromptLibrary
from ramify.prompts.variables import Examples
from ramify.tasks import TaskConfig

from .loop import OnError

if TYPE_CHECKING:
    from ramify.planner.tools.functions import ToolsGiven


MOST_JOBS = 10_000
"""The most tasks that run at the same time; each takes memory even when it only waits."""


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


class RunSettings(BaseModel):
    """How a run runs.

    Attributes:
        agent: who answers; None if no task needs a model.
        agents: the agents that tasks can be given to, by name.
        plan: how the goal is split before anything runs; None if the tree is run as it is given.
        stops_when_planned: whether the run ends once its plan is complete, until it is resumed.
        jobs: tasks that run at the same time.
        on_error: whether other tasks go on when one has failed ("continue"), or nothing new is started ("stop").
        limits: what the whole run may take.
        defaults: the limits of tasks that say nothing.
        max_turns: replies in one conversation with tools, whatever tasks say; None leaves it to them.
        cache: whether an answer to the same request in any run of the store is taken instead of a new call.
        name: what the run is called; empty unless it is a variation or a strategy.
        inside: the id of the run that it is part of; empty if it stands alone.
        allow: what workers may do, by name.
        worker_sources: Python files and modules that define workers.
        tool_sources: Python files and modules that define tools, and servers of tools.
        tools: the names of the agent's tools, and of servers of tools.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: AgentSettings | None = None
    agents: dict[str, AgentSettings] = Field(default_factory=dict)
    plan: PlanLimits | None = None
    stops_when_planned: bool = False
    jobs: int = Field(default=8, ge=1, le=MOST_JOBS)
    on_error: OnError = "continue"
    limits: RunLimits = RunLimits()
    defaults: TaskConfig = DEFAULTS
    max_turns: int | None = Field(default=None, ge=2)
    cache: bool = False
    name: str = ""
    inside: str = ""
    allow: tuple[str, ...] = ()
    worker_sources: tuple[str, ...] = ()
    tool_sources: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


def whole_address(stored: str | None) -> str | None:
    """Return the address of a server with the secrets that were left out when it was stored, if the settings say it."""
    if stored is None or not is_hidden(stored):
        return stored
    known = load_settings().base_url
    return known if known is not None and shown_address(known) == stored else stored
