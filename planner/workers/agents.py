"""Several agents: who there is, by name, and how a description becomes an agent.

An agent that has no model of its own answers with the run's. The names are the types of the tasks that agents do. Tools
are described by their names: they are those that the run has, and servers of tools that the settings describe.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from ramify.planner.asking.agent import ASKED, Agent
from ramify.planner.asking.stored_agent import StoredAgent
from ramify.planner.errors import UsageError
from ramify.planner.models.protocol import Model
from ramify.planner.models.registry import OWN_MODELS
from ramify.planner.settings.layers import PYPROJECT_TABLE
from ramify.planner.settings.toml_places import placed
from ramify.planner.tools.protocol import Tool, ToolSource, near_hint
from ramify.planner.tools.servers import configured_server
from ramify.planner.tools.sources import MCP
from ramify.tasks.tree.documents import validation_text

from .built_in import BUILT_IN

if TYPE_CHECKING:
    from ramify.planner.tools.functions import ToolsGiven

AgentsGiven = Mapping[str, Agent | Model | str | StoredAgent]
"""What users give as agents, by name: agents, models, names of models, and descriptions."""


def read_agents(tables: Mapping[str, Any], *, source: str) -> dict[str, StoredAgent]:
    """Return the agents that tables of a settings file describe, by name.

    Raises:
        UsageError: if one cannot be read; it is named, with the key that is wrong.
    """
    read = {}
    for name, table in tables.items():
        try:
            read[name] = StoredAgent.model_validate(_renamed(table))
        except ValidationError as error:
            raise UsageError(_unusable(name, error, source)) from None
    return read


def _unusable(name: str, error: ValidationError, source: str) -> str:
    """Return what is wrong with an agent, and where; a key that is none says most."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    wrong = next((str(each["loc"][0]) for each in problems if each["type"] == "extra_forbidden"), None)
    key = wrong or (str(problems[0]["loc"][0]) if problems[0]["loc"] else "")
    place = placed(source, ("agents", name, key), (*PYPROJECT_TABLE, "agents", name, key), (name, key))
    if wrong is None:
        return f"the agent {name!r} (from {place}) cannot be used: {validation_text(error)}"
    known = [{"role_name": "role"}.get(each, each) for each in StoredAgent.model_fields]
    return f"the agent {name!r} (from {place}) has no setting {wrong!r}; {near_hint(wrong, known)}"


def agents_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file that describe agents: `[NAME]`, or `[agents.NAME]`.

    Raises:
        UsageError: if the file cannot be read, or describes no agent.
    """
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"the file {path} with agents cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    tables = found.get("agents", found)
    if not isinstance(tables, dict) or not tables or not all(isinstance(each, dict) for each in tables.values()):
        raise UsageError(f"{path} has no agents; start each with its name, as in [writer]")
    return tables


def described(given: AgentsGiven) -> dict[str, StoredAgent]:
    """Return agents as data that can be stored with a run; keys are left out.

    Raises:
        UsageError: if a name cannot be the type of a task, or what it names is no agent.
    """
    for name, each in given.items():
        if not name.isidentifier() and not name.replace("-", "_").isidentifier():
            raise UsageError(f"{name!r} is not a valid agent name; use letters, digits, - and _")
        if name in BUILT_IN:
            raise UsageError(f"the agent {name!r} has the name of a worker that comes with Ramify; choose another")
        if not isinstance(each, Agent | Model | str | StoredAgent):
            raise UsageError(f"the agent {name!r} is {type(each).__name__}; use an Agent or a model's name")
    return {name: _described(name, each) for name, each in given.items()}


def agents_of(stored: Mapping[str, StoredAgent], given: AgentsGiven, base: Agent) -> dict[str, Agent]:
    """Return the agents of a run, by name.

    Args:
        stored: as they are described.
        given: those that are given as they are, or described otherwise.
        base: the run's own agent, whose model those have that name none; their tools are looked for among its own.

    Raises:
        UsageError: if one is described as having a tool that is not there.
    """
    made = {}
    known: dict[str, Tool | ToolSource] = {each.name: each for each in base.tools}
    for name, each in {**stored, **described(given)}.items():
        own = given.get(name)
        if isinstance(own, Agent) and own.has_model:
            made[name] = own
        elif isinstance(own, Model):
            made[name] = Agent(own, role_name=each.role_name, prompts=base.prompts)
        else:
            tools = own.tools if isinstance(own, Agent) else _tools_of(name, each, known)
            made[name] = (_in_role if each.model is None else _with_own_model)(base, each, tools)
    return made


def _tools_of(name: str, each: StoredAgent, known: "dict[str, Tool | ToolSource]") -> "ToolsGiven":
    """Return the tools that an agent is described as having; a server is added to those that are known."""
    for wanted in each.tools:
        kind, _, server = wanted.partition(":")
        if kind == MCP and server not in known:
            known[server] = configured_server(server)
        elif kind != MCP and wanted not in known:
            raise UsageError(
                f"the agent {name!r} has an unknown tool {wanted!r}; {near_hint(wanted, known)}."
                " Tools come from --tools FILE (in Python: tools=[...], or again agents=...), servers are mcp:NAME"
            )
    return [known[wanted.removeprefix(f"{MCP}:")] for wanted in each.tools]


def _described(name: str, each: Agent | Model | str | StoredAgent) -> StoredAgent:
    if isinstance(each, StoredAgent):
        return each if "role_name" in each.model_fields_set else each.model_copy(update={"role_name": name})
    if isinstance(each, Agent):
        tools = tuple(tool.name for tool in each.tools)
        return StoredAgent.of(each, with_model=each.has_model).model_copy(update={"tools": tools})
    return StoredAgent(model=each if isinstance(each, str) else each.name, role_name=name)


def _in_role(base: Agent, each: StoredAgent, tools: "ToolsGiven") -> Agent:
    _ = base.model  # opened once, so that the agents share its connections and its limits
    asking, usual = each.make().settings, StoredAgent()
    changes = {
        name: getattr(asking, name) for name in (*ASKED, "sampling") if getattr(each, name) != getattr(usual, name)
    }
    return base.in_role(each.role_name, about=each.about, tools=tools, **changes)


def _with_own_model(base: Agent, each: StoredAgent, tools: "ToolsGiven") -> Agent:
    """Return an agent with a model of its own, which is asked where that of `base` is, unless it says where."""
    _ = base.model
    base_url, api_key = base.server
    is_own = (each.model or "").partition(":")[0] in OWN_MODELS
    if each.base_url is not None or base_url is None or is_own:
        return each.make(tools=tools)
    return each.model_copy(update={"base_url": base_url}).make(api_key=api_key, tools=tools)


def _renamed(table: Any) -> Any:
    if not isinstance(table, Mapping):
        return table
    return {{"role": "role_name"}.get(name, name): value for name, value in table.items()}
