"""Planning, running and storing task trees; models, exports and the command line.

Names are loaded when they are first used, so that importing this costs little.
"""

if __name__ != "ramify.planner":
    raise ImportError(f"import ramify.planner instead of {__name__}: a second name would make a second copy of it")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent import Agent, Asking
    from .api import asolve, decompose, solve
    from .budget import RunLimits
    from .executor import Executor
    from .handle import Run
    from .models.protocol import Sampling
    from .plan import Planner, PlanLimits
    from .store import Store

_HOMES = {
    "Agent": ".agent",
    "Asking": ".agent",
    "Executor": ".executor",
    "PlanLimits": ".plan",
    "Planner": ".plan",
    "Run": ".handle",
    "RunLimits": ".budget",
    "Sampling": ".models.protocol",
    "Store": ".store",
    "asolve": ".api",
    "decompose": ".api",
    "solve": ".api",
}

__all__ = [
    "Agent",
    "Asking",
    "Executor",
    "PlanLimits",
    "Planner",
    "Run",
    "RunLimits",
    "Sampling",
    "Store",
    "asolve",
    "decompose",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
