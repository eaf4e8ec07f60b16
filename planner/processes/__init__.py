"""Commands in processes of their own: run within limits, ended with all that they started, in a sandbox if asked."""

from .running import CommandLimits, Finished, run_command
from .sandbox import Sandbox

__all__ = ["CommandLimits", "Finished", "Sandbox", "run_command"]
