"""What the functions of the Python API can be given by keyword: each name with its type, and an end to all others.

Editors complete the names and type checkers know them; a name that is none of them is refused with the nearest one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from ramify.planner.asking.person import PersonGiven
from ramify.planner.errors import UsageError
from ramify.planner.settings.layers import hint_at
from ramify.planner.settings.options import (
    PlanOptions,
    RunOptions,
    SharedOptions,
    SourceOptions,
    options_of,
)
from ramify.planner.settings.settings import Tracing

from .kinds import check_kinds

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.asking.budget import RunLimits
    from ramify.planner.events.events import Subscriber
    from ramify.planner.models.protocol import Model
    from ramify.planner.planning.policies import PolicyGiven
    from ramify.planner.planning.split import PlanLimits
    from ramify.planner.tools.functions import ToolsGiven
    from ramify.planner.workers.agents import AgentsGiven
    from ramify.planner.workers.registry import ChecksGiven, WorkersGiven
    from ramify.tasks import Check, Material

OF_THE_AGENT = ("model", *options_of("asking"), *options_of("agent"), *options_of("sampling"))
"""Keywords that an agent of one's own has its own of."""


class Watched(TypedDict, total=False):
    """What every run can be given besides options; single limits stand in `limits`."""

    limits: "RunLimits | None"
    on_event: "Subscriber | None"
    record: str | Path | None


class Given(Watched, PersonGiven, total=False):
    """Live things, which have to be given again when a run is resumed."""

    workers: "WorkersGiven | None"
    agents: "AgentsGiven | None"
    checks: "ChecksGiven | None"
    secrets: Mapping[str, str] | None
    middleware: Sequence[Any]


class RunKeywords(SharedOptions, Watched, total=False):
    """What every run can be given; see `solve`, and docs/settings.md for the options."""

    model: "str | Model | None"
    agent: "Agent | None"


class SolveKeywords(RunKeywords, Given, PlanOptions, total=False):
    """What `solve`, `asolve`, `start` and `decompose` can be given; see `solve`."""

    files: str | Path | Iterable[str | Path]
    materials: "Material | Iterable[Material]"
    inputs: dict[str, Any] | None
    check: "Check | str | Iterable[Check | str]"
    tools: "ToolsGiven"


class ExecutorKeywords(RunOptions, SourceOptions, Given, total=False):
    """What an executor can be made with; see `Executor`."""

    store: str | Path | None
    plan: "PlanLimits | None"
    policy: "PolicyGiven | None"
    tracing: Tracing | None


class EvolveKeywords(RunKeywords, total=False):
    """What `evolve` and `aevolve` can be given; see `evolve`."""

    methods: str | Sequence[str]
    generations: int
    tries: int
    field: str
    output: str | Path | None
    overwrite: bool


class BenchKeywords(RunKeywords, Given, PlanOptions, total=False):
    """What `bench` and `abench` can be given; see `bench`."""

    without: str | Sequence[str]
    check: "str | Callable[..., Any]"
    question: str | None
    answer: str | None
    items: int | None
    pilot: int | None
    ask: str | None
    title: str | None


def check_keywords(given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse keywords that would do nothing, and values that are not what they should be.

    Raises:
        UsageError: if one is not known, and the message says which comes near; or if a value is of another kind.
    """
    for name in given:
        if name not in known:
            raise UsageError(f"unknown keyword {name}; {hint_at(name, known, 'the keywords')}")
    check_kinds(given)


def check_agent_alone(given: Mapping[str, Any]) -> None:
    """Refuse what an agent has of its own, besides an agent.

    Raises:
        UsageError: if both are given.
    """
    for name in OF_THE_AGENT:
        if given.get(name) is not None:
            raise UsageError(f"agent and {name} are both given, but the agent has its own {name}; leave one out")
