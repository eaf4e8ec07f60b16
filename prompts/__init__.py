"""Prompt templates: files with typed variables, rendered in a sandbox; versions and hashes go with every call."""

if __name__ != "ramify.prompts":
    raise ImportError(f"import ramify.prompts instead of {__name__}: a second name would make a second copy of it")

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
    WorkerCard,
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
    "WorkerCard",
    "cut",
    "fill",
    "make_nonce",
    "texts_of",
]
