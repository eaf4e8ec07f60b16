"""An agent: a model, the role that it plays, and the prompts that it is asked with."""

from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, Unpack

from pydantic import ValidationError
from ramify.planner.errors import UsageError
from ramify.planner.models.deadline import complete_in_time
from ramify.planner.models.prompt_cache import PromptCache
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest, Sampling
from ramify.planner.models.registry import OWN_MODELS, cache_of, open_model, prices_of
from ramify.planner.runtime.background import run_sync
from ramify.planner.runtime.several import several
from ramify.planner.settings.layers import GIVEN
from ramify.planner.settings.option_fields import model_of, why_unusable
from ramify.planner.settings.options import AgentOptions, options_of
from ramify.planner.settings.settings import Settings, load_settings
from ramify.prompts import PromptLibrary
from ramify.prompts.rendered import Message, RenderedPrompt
from ramify.prompts.variables import PromptVariables
from ramify.tasks.errors import TruncatedReplyError

from .caps import cap_of

if TYPE_CHECKING:
    from ramify.planner.tools.functions import ToolsGiven
    from ramify.planner.tools.protocol import Tool, ToolSource


class _Given(AgentOptions, total=False):
    sampling: Sampling


class AgentSettings(model_of(options_of("agent"))):  # type: ignore[misc] # its fields are options
    """How an agent asks its model: see docs/settings.md.

    Attributes:
        sampling: sampling settings.

    Raises:
        UsageError: if a value cannot be used; it is named.
    """

    sampling: Sampling = Sampling()

    def __init__(self, **given: Unpack[_Given]) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise UsageError(why_unusable(error)) from None

    def other(self, **changes: Unpack[_Given]) -> Self:
        """Return a copy with these changes."""
        fields: dict[str, Any] = dict(self)
        return type(self)(**{**fields, **changes})


ASKED = tuple(options_of("agent"))
"""How an agent asks, besides sampling: the names that the fields of `AgentSettings` have everywhere."""


class Agent:
    """Answers prompts with a model.

    Args:
        model: a name from `ramify models`, or your own model; default: from the settings, such as `RAMIFY_MODEL`.
        role_name: its role, for the system prompt.
        about: what it can do, in one line, for planners; default: its role.
        prompts: the prompt library, or a folder of templates; default: from the settings.
        base_url: the address of an OpenAI-compatible server; default: from the settings, if no model is given.
        api_key: its key; default: the provider's environment variable.
        settings: how it asks.
        store: where `replay:RUN` finds the run; default: from the settings.
        tools: tools it may call: functions, `Tool`s, and `mcp_tools(...)`.

    The model and the settings are loaded when first needed.

    Raises:
        NoModelError: on first use, if the model cannot be used; the message says what to do.
    """

    def __init__(
        self,
        model: str | Model | None = None,
        *,
        role_name: str = "assistant",
        about: str | None = None,
        prompts: PromptLibrary | str | Path | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        settings: AgentSettings | None = None,
        store: str | Path | None = None,
        tools: "ToolsGiven" = (),
    ) -> None:
        self.role_name = role_name
        self.about = about
        self._given_tools = several(tools)
        self._prompts = PromptLibrary(prompts) if isinstance(prompts, str | Path) else prompts
        self.base_url = base_url
        self.settings = settings or AgentSettings()
        self._api_key = api_key
        self._store = store
        self._given = None if isinstance(model, Model) else model
        self._model = model if isinstance(model, Model) else None

    def __repr__(self) -> str:
        return f"Agent({self.model_name!r}, role_name={self.role_name!r})"

    @property
    def model(self) -> Model:
        """The model, opened if necessary."""
        if self._model is None:
            if self._given is None:
                self._given, self.base_url = model_and_server(load_settings(base_url=self.base_url))
            self._model = open_model(
                self._given, base_url=self.base_url, api_key=self._api_key, store=self._store,
                window=self.settings.window,
            )  # fmt: skip
        return self._model

    @property
    def prompts(self) -> PromptLibrary:
        """The prompt library."""
        if self._prompts is None:
            self._prompts = PromptLibrary(load_settings().prompts)
        return self._prompts

    @property
    def model_name(self) -> str:
        """The model's name, without opening it."""
        return self._model.name if self._model is not None else str(self._given)

    @property
    def has_model(self) -> bool:
        """Whether it names a model; otherwise it uses that of the settings or the run."""
        return self._given is not None or self._model is not None

    @property
    def opened_as(self) -> str:
        """The name to open the model with again, such as `human:FILE`."""
        return self._given or self.model.name

    @property
    def named(self) -> str | None:
        """The model's name, without opening it; None if none is set."""
        return self._said()[0]

    @property
    def prices(self) -> tuple[float, float] | None:
        """The prices of an input and an output token, in US dollars, or None; the model is not opened."""
        name, base_url = self._listed()
        return None if name is None else prices_of(name, base_url=base_url)

    @property
    def prompt_cache(self) -> PromptCache | None:
        """How its provider caches prompts, or None if unknown; the model is not opened."""
        name, base_url = self._listed()
        return None if name is None else cache_of(name, base_url=base_url)

    def _listed(self) -> tuple[str | None, str | None]:
        """Return the name and the address by which lists know the model; no name for a model of the user's own."""
        is_users_own = self._given is None and not getattr(self._model, "is_language_model", True)
        return (None, None) if is_users_own else self._said()

    def _said(self) -> tuple[str | None, str | None]:
        """Return the model's name and the address of its server, as they were given or the settings say."""
        if self._given is not None or self._model is not None:
            return self.model_name, self.base_url
        return model_and_server(load_settings(base_url=self.base_url))

    @cached_property
    def tools(self) -> "tuple[Tool | ToolSource, ...]":
        """What it may have called.

        Raises:
            UsageError: if something of it is no tool, or two have one name.
        """
        from ramify.planner.tools.functions import as_tools

        return as_tools(self._given_tools)

    @property
    def calls_tools(self) -> bool:
        """Whether its model has native tool calls; otherwise it is asked for `<call>` elements."""
        said = self.settings.native_tools
        return bool(getattr(self.model, "calls_tools", False)) if said is None else said

    @property
    def is_replay(self) -> bool:
        """Whether it answers from recorded calls."""
        return self.model.name.startswith("replay:")

    @property
    def server(self) -> tuple[str | None, str | None]:
        """Its model's address and key, as given."""
        return self.base_url, self._api_key

    def with_model(self, name: str) -> "Agent":
        """Return an agent with another model of the same server."""
        return self._twin(name, settings=self.settings, tools=self._given_tools)

    def with_tools(self, tools: "ToolsGiven") -> "Agent":
        """Return an agent that also has `tools`, except for names it already has."""
        from ramify.planner.tools.functions import names_of

        own = names_of(self.tools)
        more = [each for each in tools if own.isdisjoint(names_of([each]))]
        tools = (*self._given_tools, *more)
        return self._twin(self._given, settings=self.settings, tools=tools, opened=self._model)

    @property
    def prompt_settings(self) -> dict[str, Any]:
        """The variables for every template."""
        lines = [] if self.role_name == "assistant" else [f"Your role: {self.role_name}."]
        lines += [self.settings.system] if self.settings.system else []
        return {
            "language": self.settings.language,
            "instructions": "\n".join(lines) or None,
            "examples": self.settings.examples,
        }

    def render(self, variables: PromptVariables, *, nonce: str) -> RenderedPrompt:
        """Return the prompt for `variables`, from this agent's library."""
        return self.prompts.render(variables, nonce=nonce)

    def request(self, prompt: RenderedPrompt, *, asked: PromptVariables | None = None) -> ModelRequest:
        """Return the request that asks the model `prompt`.

        Args:
            prompt: the prompt.
            asked: what the reply is to say, where the prompt repairs one; the prompt's own variables otherwise.
        """
        return ModelRequest(
            purpose=prompt.name,
            task_id=prompt.variables.task_id,
            messages=prompt.messages,
            variables=prompt.variables,
            prompt_version=prompt.version,
            prompt_sha256=prompt.sha256,
            nonce=prompt.nonce,
            sampling=self.settings.sampling,
            timeout_s=self.settings.timeout_s,
            data_shown=prompt.data_shown,
            data_given=prompt.data_given,
            stop_runaway=self.settings.stop_runaway,
            cap=cap_of(asked or prompt.variables, self.settings),
        )

    def ask(self, prompt: RenderedPrompt) -> str:
        """Ask the model now, outside any run, and return the text of the reply.

        Raises:
            TruncatedReplyError: if the reply was cut by the length limit.
            ModelError: if the call failed; it is not tried again.
        """
        return _words(run_sync(complete_in_time(self.model, self.request(prompt))))

    def step(self, message: Any) -> Any:
        """Answer one message, like CAMEL's agents: the text is in `.msg.content`."""
        content = message if isinstance(message, str) else getattr(message, "content", None) or str(message)
        request = ModelRequest(
            purpose="step",
            task_id="-",
            messages=(*self._system_message(), Message(role="user", content=content)),
            sampling=self.settings.sampling,
            timeout_s=self.settings.timeout_s,
        )
        text = _words(run_sync(complete_in_time(self.model, request)))
        msg = SimpleNamespace(role_name=self.role_name, role="assistant", content=text)
        return SimpleNamespace(msg=msg, msgs=[msg], terminated=False, info={})

    def with_settings(self, **changes: Any) -> "Agent":
        """Return an agent with other settings: see `AgentSettings`."""
        settings = self.settings.other(**changes)
        return self._twin(self._given, settings=settings, tools=self._given_tools, opened=self._model)

    def _twin(
        self, model: str | None, *, settings: AgentSettings, tools: "ToolsGiven", opened: Model | None = None
    ) -> "Agent":
        twin = Agent(
            model, role_name=self.role_name, about=self.about, prompts=self._prompts, base_url=self.base_url,
            api_key=self._api_key, settings=settings, store=self._store, tools=tools,
        )  # fmt: skip
        twin._model = opened
        return twin

    def in_role(self, role_name: str, *, about: str | None = None, tools: "ToolsGiven" = (), **changes: Any) -> "Agent":
        """Return an agent with the same model, another role and its own tools.

        Args:
            role_name: the role.
            about: what it can do, in a line.
            tools: its tools.
            **changes: how it asks otherwise; see `AgentSettings`. Which of these tools is called is for them to say.
        """
        asking = self.settings.other(**{"tool_choice": "auto", **changes})
        twin = self._twin(self._given, settings=asking, tools=tools, opened=self._model)
        twin.role_name, twin.about = role_name, about
        return twin

    def _system_message(self) -> tuple[Message, ...]:
        instructions = self.prompt_settings["instructions"]
        return (Message(role="system", content=instructions),) if instructions else ()


def model_and_server(settings: Settings) -> tuple[str | None, str | None]:
    """Return the name of the model that `settings` mean, and the address of its server.

    A server that is set for good is not meant when Ramify's own models are asked for, which have none; one that is
    given together with the name is.
    """
    is_own = settings.model is not None and settings.model.partition(":")[0] in OWN_MODELS
    is_given = settings.sources["base_url"] == GIVEN
    return settings.model, None if is_own and not is_given else settings.base_url


def _words(reply: ModelReply) -> str:
    if reply.finish_reason == "length":
        raise TruncatedReplyError("the reply was cut by the length limit; allow more output tokens", reply=reply.text)
    return reply.text
