"""Bridges to other tools for evaluations: a run as an agent of inspect_ai, and a study as its logs; extra `inspect`.

Each name is loaded when it is first used, as what it needs is heavy.
"""

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from .inspect_agent import ramify_agent
    from .inspect_logs import eval_logs, save_eval_logs
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {"ramify_agent": "inspect_agent", "eval_logs": "inspect_logs", "save_eval_logs": "inspect_logs"},
    )

__all__ = ["eval_logs", "ramify_agent", "save_eval_logs"]
