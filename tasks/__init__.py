"""Tasks: the tree, its states, its plan and its replies; no model, store or terminal is known here."""

if __name__ != "ramify.tasks":
    raise ImportError(f"import ramify.tasks instead of {__name__}: a second name would make a second copy of it")

from ramify.prompts import Material
from ramify.prompts.errors import RamifyError

from .config import TaskConfig, Usage
from .errors import (
    CycleError,
    DependencyError,
    DocumentError,
    ReplyError,
    TaskError,
    TransitionError,
    TreeError,
    TruncatedReplyError,
)
from .manager import TaskManager
from .schedule import Scheduler
from .states import TaskState
from .task import Task
from .task_prompt import parse_response

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
