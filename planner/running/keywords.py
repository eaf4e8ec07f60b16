"""What the functions of the Python API can be given by keyword: each name with its type, and an end to all others.

Editors complete the names and type checkers know them; a name that is none of them is refused with the nearest one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ramify.planner.errors import UsageError
from ramify.planner.settings.layers import hint_at

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.asking.budget import RunLimits
    from ramify.planner.events.events import Subscriber
    from ramify.planner.models.protocol import Model
    from ramify.planner.tools.functions import ToolsGiven
    from ramify.planner.workers.agents import AgentsGiven
    from ramify.planner.workers.registry import ChecksGiven, WorkersGiven
    from ramify.prompts.variables import Examples
    from ramify.tasks import Check, Material

OF_THE_AGENT = ("model", "base_url", "prompts", "system", "language", "examples", "timeout_s", "native_tools")
"""Keywords that an agent of one's own has its own of."""


class RunKeywords(TypedDict, total=False):
    """What every run can be given; see `solve`, and `ramify.planner.settings.settings.Settings` for the settings."""

    model: "str | Model | None"
    agent: "Agent | None"
    limits: "RunLimits | None"
    on_event: "Subscriber | None"
    record: str | Path | None
    base_url: str | None
    store: str | Path | None
    embedding_model: str | None
    prompts: str | Path | None
    jobs: int | None
    on_error: Literal["continue", "stop"] | None
    language: str | None
    system: str | None
    examples: "Examples | None"
    timeout_s: float | None
    max_calls: int | None
    max_tokens: int | None
    max_cost_usd: float | None
    max_seconds: float | None
    max_wait_seconds: float | None
    requests_per_second: float | None
    vote_ahead: int | None
    cache: bool | None
    otel: bool | None
    otel_content: bool | None
    allow: str | Iterable[str] | None
    worker_files: str | Iterable[str] | None
    tool_files: str | Iterable[str] | None
    native_tools: bool | None
    max_turns: int | None
    mcp: Mapping[str, Any] | None
    synchronous: Literal["FULL", "NORMAL", "OFF"] | None


class SolveKeywords(RunKeywords, total=False):
    """What `solve`, `asolve`, `start` and `decompose` can be given; see `solve`."""

    files: str | Path | Iterable[str | Path]
    materials: "Material | Iterable[Material]"
    inputs: dict[str, Any] | None
    max_depth: int | None
    max_children: int | None
    max_tasks: int | None
    workers: "WorkersGiven | None"
    agents: "AgentsGiven | None"
    check: "Check | str | Iterable[Check | str]"
    checks: "ChecksGiven | None"
    tools: "ToolsGiven"
    secrets: Mapping[str, str] | None
    middleware: Sequence[Any]


class EvolveKeywords(RunKeywords, total=False):
    """What `evolve` and `aevolve` can be given; see `evolve`."""

    methods: str | Sequence[str]
    generations: int
    tries: int
    field: str
    output: str | Path | None
    overwrite: bool


def check_keywords(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse keywords that would do nothing.

    Raises:
        UsageError: if one is not known; the message says which comes near.
    """
    for name in given:
        if name not in known:
            raise UsageError(f"there is no keyword {name}; {hint_at(name, known, 'the keywords')}")


def check_agent_alone(given: Mapping[str, Any]) -> None:
    """Refuse what an agent has of its own, besides an agent.

    Raises:
        UsageError: if both are given.
    """
    for name in OF_THE_AGENT:
        if given.get(name) is not None:
            raise UsageError(f"agent and {name} are both given, and the agent has its own {name}; give one of them")
