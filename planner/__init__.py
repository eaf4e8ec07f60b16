"""Planning, running and storing task trees; models, exports and the command line.

Names are loaded when they are first used, so that importing this costs little.
"""

if __name__ != "ramify.planner":
    raise ImportError(f"import ramify.planner instead of {__name__}: a second name would make a second copy of it")

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from .api import asolve, decompose, solve
    from .asking.agent import Agent, AgentSettings
    from .asking.budget import RunLimits
    from .checks import predicate
    from .evolution import Evolution, aevolve, evolve
    from .executor import Executor
    from .planning.estimating import estimate
    from .planning.split import PlanLimits
    from .run import Run
    from .running.middleware import Middleware
    from .show.following import FollowedRun
    from .store import Store
    from .strategies import Strategy, compare
    from .tools import Tool, ToolError, mcp_tools, tool
    from .tracing import instrument
    from .workers import Outcome, WorkContext, Worker, worker
    from .workers.lists import task_for_each
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "Agent": "asking.agent",
            "AgentSettings": "asking.agent",
            "Evolution": "evolution",
            "Executor": "executor",
            "FollowedRun": "show.following",
            "Middleware": "running.middleware",
            "Outcome": "workers",
            "PlanLimits": "planning.split",
            "Run": "run",
            "RunLimits": "asking.budget",
            "Store": "store",
            "Tool": "tools",
            "ToolError": "tools",
            "Strategy": "strategies",
            "compare": "strategies",
            "WorkContext": "workers",
            "Worker": "workers",
            "aevolve": "evolution",
            "asolve": "api",
            "decompose": "api",
            "evolve": "evolution",
            "instrument": "tracing",
            "estimate": "planning.estimating",
            "predicate": "checks",
            "solve": "api",
            "task_for_each": "workers.lists",
            "mcp_tools": "tools",
            "tool": "tools",
            "worker": "workers",
        },
    )

__all__ = [
    "Agent",
    "AgentSettings",
    "Evolution",
    "Executor",
    "FollowedRun",
    "Middleware",
    "Outcome",
    "PlanLimits",
    "Run",
    "RunLimits",
    "Store",
    "Strategy",
    "Tool",
    "ToolError",
    "WorkContext",
    "Worker",
    "aevolve",
    "asolve",
    "compare",
    "decompose",
    "estimate",
    "evolve",
    "instrument",
    "mcp_tools",
    "predicate",
    "solve",
    "task_for_each",
    "tool",
    "worker",
]
