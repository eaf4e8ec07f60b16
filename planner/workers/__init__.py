"""Who does the tasks: one worker for each `type`, with a context that gives it what the run grants, and no more."""

from .context import WorkContext
from .functions import FunctionWorker, worker
from .protocol import Outcome, Worker
from .registry import Workers

__all__ = ["FunctionWorker", "Outcome", "WorkContext", "Worker", "Workers", "worker"]
