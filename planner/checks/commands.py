"""A program as a check: it reads the answer on its standard input, and its exit code decides."""

import asyncio
import os
from pathlib import Path

from ramify.planner.errors import CommandError
from ramify.planner.processes import CommandLimits, run_command
from ramify.tasks.checks import Check

from .findings import Finding

PERMISSION = "subprocess"
"""What has to be granted before a program is started."""

TIMEOUT_S = 60.0
"""How long a program may take, unless the check says otherwise, in seconds."""

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_LONGEST_WORDS = 1_500


async def judge_by_command(check: Check, text: str, *, max_memory_mb: int | None = None) -> Finding:
    """Return whether the program of `check` ends with exit code 0, given `text`; its last words are the complaint.

    It is run in the folder of the process, without the environment's secrets, and killed with its children when its
    time is over.

    Raises:
        UsageError: if it cannot be started.
    """
    timeout_s = check.timeout_s or TIMEOUT_S
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        async with asyncio.timeout(timeout_s):
            finished = await run_command(
                check.command or (),
                cwd=Path.cwd(),
                env=environment,
                stdin=text.encode("utf-8", "replace"),
                limits=CommandLimits(max_memory_mb=max_memory_mb),
            )
    except TimeoutError:
        return Finding("fail", f"it took longer than {timeout_s:g} s")
    except CommandError as error:
        return Finding("fail", str(error))
    if finished.exit_code == 0:
        return Finding.of("")
    said = (finished.stderr.strip() or finished.stdout.strip())[-_LONGEST_WORDS:]
    return Finding("fail", f"exit code {finished.exit_code}" + (f": {said}" if said else ""))
