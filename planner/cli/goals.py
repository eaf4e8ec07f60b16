"""Where a goal comes from: the command line, or standard input for `-`; and which words name a plan file instead."""

import sys
from pathlib import Path

from ramify.planner.asking.attachments import decode
from ramify.planner.errors import UsageError
from ramify.tasks.plans.plans import ENDINGS

MOST_BYTES = 20_000_000
"""Read from standard input; more is refused."""

_LONGEST_PATH = 255


def is_plan_file(word: str) -> bool:
    """Return whether `word` names a plan file: by its ending, or because there is a file of that name."""
    if len(word) > _LONGEST_PATH or "\n" in word or "\x00" in word:
        return False
    return (Path(word).suffix.lower() in ENDINGS and " " not in word) or Path(word).is_file()


def read_goal(given: str | None) -> str:
    """Return the goal that was given as an argument, or is on standard input.

    Raises:
        UsageError: if there is none, or what is on standard input is empty or no text in UTF-8.
    """
    if given is None:
        raise UsageError("name a goal, or use - to read it from standard input")
    if given != "-":
        return given
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"standard input has more than {MOST_BYTES:,} bytes; attach a file with -f instead")
    text = decode(data, "standard input")
    if not text.strip():
        raise UsageError("standard input is empty; pipe the goal in, or pass it as an argument")
    return text
