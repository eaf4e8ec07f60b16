"""The person's own editor, for what is a file: `VISUAL` or `EDITOR` names it."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .output import tell_error

_EDITORS = ("vi", "nano")


def is_saved(path: Path, what: str) -> bool:
    """Have the person edit a file with `what` in it, and return whether the editor ended well."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, _EDITORS), "")
    words = shlex.split(command)
    if not words or shutil.which(words[0]) is None:
        name = f"the editor {words[0]!r} was not found" if words else "no editor was found"
        tell_error(f"{name}; set VISUAL or EDITOR")
        return False
    with _interrupts_left_to_the_editor():
        code = subprocess.run([*words, str(path)], check=False).returncode  # noqa: S603 - the person's own editor
    if code:
        tell_error(f"{words[0]} exited with {code}; {what} is unchanged")
    return code == 0


@contextmanager
def _interrupts_left_to_the_editor() -> Iterator[None]:
    # a handler, as an ignored signal would be ignored by the editor too
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
