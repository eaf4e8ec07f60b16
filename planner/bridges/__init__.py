"""Bridges to other tools for evaluations: a run as an agent of inspect_ai, by the extra `inspect`.

Each name is loaded when it is first used, as what it needs is heavy.
"""

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from .inspect_agent import ramify_agent
else:
    __getattr__, __dir__ = on_demand(__name__, {"ramify_agent": "inspect_agent"})

__all__ = ["ramify_agent"]
