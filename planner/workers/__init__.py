"""Who does the tasks: one worker for each `type`, with a context that gives it what the run grants, and no more."""

from ramify.planner.work.context import WorkContext
from ramify.planner.work.protocol import Outcome, Worker

from .functions import FunctionWorker, worker
from .registry import Workers

__all__ = ["FunctionWorker", "Outcome", "WorkContext", "Worker", "Workers", "worker"]
