"""Prompt templates: files with typed variables, rendered in a sandbox; versions and hashes go with every call."""

if __name__ != "ramify.prompts":
    raise ImportError(f"import ramify.prompts instead of {__name__}: a second name would make a second copy of it")

from typing import TYPE_CHECKING

from .lazy import on_demand

if TYPE_CHECKING:
    from .blocks import DEFAULT_BUDGET, cut, make_nonce, texts_of
    from .errors import PromptError, RamifyError
    from .library import TASK_COMPOSE_PROMPT, TASK_DECOMPOSE_PROMPT, TASK_EVOLVE_PROMPT, PromptLibrary
    from .placeholders import fill
    from .rendered import Message, RenderedPrompt
    from .template import Prompt
    from .variables import (
        ComposeVariables,
        DecomposeVariables,
        EvolveMethod,
        EvolveVariables,
        Examples,
        ExecuteVariables,
        Material,
        PromptVariables,
        RepairVariables,
        TaskResult,
        ToolCard,
        ToolOutcome,
        ToolsVariables,
        VerifyVariables,
        WorkerCard,
    )
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "ComposeVariables": "variables",
            "DEFAULT_BUDGET": "blocks",
            "DecomposeVariables": "variables",
            "EvolveMethod": "variables",
            "EvolveVariables": "variables",
            "Examples": "variables",
            "ExecuteVariables": "variables",
            "Material": "variables",
            "Message": "rendered",
            "Prompt": "template",
            "PromptError": "errors",
            "PromptLibrary": "library",
            "PromptVariables": "variables",
            "RamifyError": "errors",
            "RenderedPrompt": "rendered",
            "RepairVariables": "variables",
            "TASK_COMPOSE_PROMPT": "library",
            "TASK_DECOMPOSE_PROMPT": "library",
            "TASK_EVOLVE_PROMPT": "library",
            "TaskResult": "variables",
            "ToolCard": "variables",
            "ToolOutcome": "variables",
            "ToolsVariables": "variables",
            "VerifyVariables": "variables",
            "WorkerCard": "variables",
            "cut": "blocks",
            "fill": "placeholders",
            "make_nonce": "blocks",
            "texts_of": "blocks",
        },
    )

__all__ = [
    "DEFAULT_BUDGET",
    "TASK_COMPOSE_PROMPT",
    "TASK_DECOMPOSE_PROMPT",
    "TASK_EVOLVE_PROMPT",
    "ComposeVariables",
    "DecomposeVariables",
    "EvolveMethod",
    "EvolveVariables",
    "Examples",
    "ExecuteVariables",
    "Material",
    "Message",
    "Prompt",
    "PromptError",
    "PromptLibrary",
    "PromptVariables",
    "RamifyError",
    "RenderedPrompt",
    "RepairVariables",
    "TaskResult",
    "ToolCard",
    "ToolOutcome",
    "ToolsVariables",
    "VerifyVariables",
    "WorkerCard",
    "cut",
    "fill",
    "make_nonce",
    "texts_of",
]
