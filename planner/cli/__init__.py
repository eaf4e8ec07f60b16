"""The command line. Results go to standard output, everything else to standard error; `exits` has the exit codes."""

import gc
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code; the arguments are those of the process unless given."""
    try:
        from .app import run_command

        return run_command(arguments)
    except KeyboardInterrupt:  # before there was anything to stop
        return 130
    finally:
        if arguments is None:
            gc.freeze()  # Python looks for garbage once more as it ends, which after litellm takes two seconds
