"""Prompt templates: files with typed variables, rendered in a sandbox; versions and hashes go with every call."""

if __name__ != "ramify.prompts":
    raise ImportError(f"import ramify.prompts instead of {__name__}: a second name would make a second copy of it")

from typing import TYPE_CHECKING

from .lazy import on_demand

if TYPE_CHECKING:
    from .errors import PromptError, RamifyError
    from .library import TASK_COMPOSE_PROMPT, TASK_DECOMPOSE_PROMPT, TASK_EVOLVE_PROMPT, PromptLibrary
    from .template import Prompt
    from .variables import (
        ComposeVariables,
        DecomposeVariables,
        ExecuteVariables,
        Material,
    )
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "ComposeVariables": "variables",
            "DecomposeVariables": "variables",
            "ExecuteVariables": "variables",
            "Material": "variables",
            "Prompt": "template",
            "PromptError": "errors",
            "PromptLibrary": "library",
            "RamifyError": "errors",
            "TASK_COMPOSE_PROMPT": "library",
            "TASK_DECOMPOSE_PROMPT": "library",
            "TASK_EVOLVE_PROMPT": "library",
        },
    )

__all__ = [
    "TASK_COMPOSE_PROMPT",
    "TASK_DECOMPOSE_PROMPT",
    "TASK_EVOLVE_PROMPT",
    "ComposeVariables",
    "DecomposeVariables",
    "ExecuteVariables",
    "Material",
    "Prompt",
    "PromptError",
    "PromptLibrary",
    "RamifyError",
]
