"""Tasks: the tree, its states, its plan and its replies; no model, store or terminal is known here."""

if __name__ != "ramify.tasks":
    raise ImportError(f"import ramify.tasks instead of {__name__}: a second name would make a second copy of it")

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from ramify.prompts import Material
    from ramify.prompts.errors import RamifyError

    from .checks import Check
    from .errors import (
        CycleError,
        DependencyError,
        DocumentError,
        HeldError,
        ReplyError,
        TaskError,
        TransitionError,
        TreeError,
    )
    from .plans.plans import lint_plan, load_plan, read_plan, save_plan, write_plan
    from .task_prompt import parse_response
    from .tree.config import TaskConfig, Usage
    from .tree.manager import TaskManager
    from .tree.states import TaskState
    from .tree.task import Task
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "Check": "checks",
            "CycleError": "errors",
            "DependencyError": "errors",
            "DocumentError": "errors",
            "HeldError": "errors",
            "Material": "tree.fields",
            "RamifyError": "errors",
            "ReplyError": "errors",
            "Task": "tree.task",
            "TaskConfig": "tree.config",
            "TaskError": "errors",
            "TaskManager": "tree.manager",
            "TaskState": "tree.states",
            "TransitionError": "errors",
            "TreeError": "errors",
            "Usage": "tree.config",
            "lint_plan": "plans.plans",
            "load_plan": "plans.plans",
            "read_plan": "plans.plans",
            "save_plan": "plans.plans",
            "write_plan": "plans.plans",
            "parse_response": "task_prompt",
        },
    )

__all__ = [
    "Check",
    "CycleError",
    "DependencyError",
    "DocumentError",
    "HeldError",
    "Material",
    "RamifyError",
    "ReplyError",
    "Task",
    "TaskConfig",
    "TaskError",
    "TaskManager",
    "TaskState",
    "TransitionError",
    "TreeError",
    "Usage",
    "lint_plan",
    "load_plan",
    "parse_response",
    "read_plan",
    "save_plan",
    "write_plan",
]
