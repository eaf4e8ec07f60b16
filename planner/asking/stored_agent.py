"""An agent as it is stored with a run and written in a settings file: data, without its key."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_serializer
from ramify.planner.models.protocol import Sampling
from ramify.planner.runtime.address import is_hidden, shown_address
from ramify.planner.settings.option_fields import model_of
from ramify.planner.settings.options import options_of
from ramify.planner.settings.settings import load_settings
from ramify.prompts import PromptLibrary

from .agent import ASKED, Agent, AgentSettings

if TYPE_CHECKING:
    from pydantic import BaseModel as _Options
    from ramify.planner.tools.functions import ToolsGiven
else:
    _Options = model_of(options_of("agent"))


class StoredAgent(_Options):
    """An agent, as data; see `Agent` and `AgentSettings`. `tools` are names, and servers as `mcp:NAME`."""

    model: str | None = None
    base_url: str | None = None
    role_name: str = "assistant"
    about: str | None = None
    prompts: str | None = None
    sampling: dict[str, Any] = Field(default_factory=dict)
    tools: tuple[str, ...] = ()

    @field_serializer("base_url", when_used="json")
    def _shown(self, base_url: str | None) -> str | None:
        """Store an address without its secrets; `make` finds them again where they are set."""
        return None if base_url is None else shown_address(base_url)

    @classmethod
    def of(cls, agent: Agent, *, with_model: bool = True) -> "StoredAgent":
        """Describe `agent`; its key and its tools are left out, and its model if that is another's."""
        asking = agent.settings
        return cls(
            model=agent.opened_as if with_model else None,
            base_url=agent.base_url,
            role_name=agent.role_name,
            about=agent.about,
            prompts=str(agent.prompts.folder) if agent.prompts.folder else None,
            sampling=asking.sampling.given(),
            **{name: getattr(asking, name) for name in ASKED},
        )

    def make(self, *, api_key: str | None = None, store: str | Path | None = None, tools: "ToolsGiven" = ()) -> Agent:
        """Return the agent that this describes, with `tools`, for a run that is stored at `store`."""
        sampling = dict(self.sampling)
        if sampling.get("stop") is not None:
            sampling["stop"] = tuple(sampling["stop"])
        asking = AgentSettings(sampling=Sampling(**sampling), **{name: getattr(self, name) for name in ASKED})
        return Agent(
            self.model,
            role_name=self.role_name,
            about=self.about,
            prompts=PromptLibrary(self.prompts),
            base_url=whole_address(self.base_url),
            api_key=api_key,
            settings=asking,
            store=store,
            tools=tools,
        )


def whole_address(stored: str | None) -> str | None:
    """Return the address of a server with the secrets that were left out when it was stored, if the settings say it."""
    if stored is None or not is_hidden(stored):
        return stored
    known = load_settings().base_url
    return known if known is not None and shown_address(known) == stored else stored
