"""Tasks: the tree, its states, its plan and its replies; no model, store or terminal is known here."""

if __name__ != "ramify.tasks":
    raise ImportError(f"import ramify.tasks instead of {__name__}: a second name would make a second copy of it")

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from .config import TaskConfig, Usage
    from .errors import (
        CycleError,
        DependencyError,
        DocumentError,
        RamifyError,
        ReplyError,
        TaskError,
        TransitionError,
        TreeError,
        TruncatedReplyError,
    )
    from .manager import TaskManager
    from .schedule import Scheduler
    from .states import TaskState
    from .task import Material, Task
    from .task_prompt import parse_response
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "CycleError": "errors",
            "DependencyError": "errors",
            "DocumentError": "errors",
            "Material": "task",
            "RamifyError": "errors",
            "ReplyError": "errors",
            "Scheduler": "schedule",
            "Task": "task",
            "TaskConfig": "config",
            "TaskError": "errors",
            "TaskManager": "manager",
            "TaskState": "states",
            "TransitionError": "errors",
            "TreeError": "errors",
            "TruncatedReplyError": "errors",
            "Usage": "config",
            "parse_response": "task_prompt",
        },
    )

__all__ = [
    "CycleError",
    "DependencyError",
    "DocumentError",
    "Material",
    "RamifyError",
    "ReplyError",
    "Scheduler",
    "Task",
    "TaskConfig",
    "TaskError",
    "TaskManager",
    "TaskState",
    "TransitionError",
    "TreeError",
    "TruncatedReplyError",
    "Usage",
    "parse_response",
]
