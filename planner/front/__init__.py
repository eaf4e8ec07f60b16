"""Ramify: what most programs need, under one name: `from ramify import solve, Task`; installed as `ramify` itself.

Each name is loaded when it is first used. All others are in `ramify.planner`, `ramify.tasks` and `ramify.prompts`.
"""

if __name__ != "ramify":
    raise ImportError(f"import ramify instead of {__name__}: a second name would make a second copy of it")

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from ramify.planner import (
        Agent,
        Executor,
        Outcome,
        PlanLimits,
        Run,
        RunLimits,
        Store,
        Strategy,
        WorkContext,
        Worker,
        asolve,
        decompose,
        estimate,
        evolve,
        predicate,
        solve,
        tool,
        worker,
    )
    from ramify.prompts import Material, PromptLibrary, RamifyError
    from ramify.tasks import Check, Task, TaskConfig, TaskManager, TaskState, load_plan
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        dict.fromkeys(
            (
                "Agent", "Executor", "Outcome", "PlanLimits", "Run", "RunLimits", "Store", "Strategy", "WorkContext",
                "Worker", "asolve", "decompose", "estimate", "evolve", "predicate", "solve", "tool", "worker",
            ),
            "planner",
        )
        | dict.fromkeys(("Material", "PromptLibrary", "RamifyError"), "prompts")
        | dict.fromkeys(("Check", "Task", "TaskConfig", "TaskManager", "TaskState", "load_plan"), "tasks"),
    )  # fmt: skip

__all__ = [
    "Agent",
    "Check",
    "Executor",
    "Material",
    "Outcome",
    "PlanLimits",
    "PromptLibrary",
    "RamifyError",
    "Run",
    "RunLimits",
    "Store",
    "Strategy",
    "Task",
    "TaskConfig",
    "TaskManager",
    "TaskState",
    "WorkContext",
    "Worker",
    "asolve",
    "decompose",
    "estimate",
    "evolve",
    "load_plan",
    "predicate",
    "solve",
    "tool",
    "worker",
]
