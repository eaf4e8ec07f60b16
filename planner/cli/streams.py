"""What a process is started with and may lack: its standard streams, and the folder that it works in.

Streams are there even if they were closed, and are given up when they cannot be written.
"""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed_streams() -> None:
    """Open those that were closed when the process was started, to nowhere; no other file can get their places then."""
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - while the process is


def flush_stderr() -> None:
    """Write what is still to be told; a full disk there changes nothing about how a command ends."""
    try:
        sys.stderr.flush()
    except OSError:
        forget(sys.stderr)


def forget(stream: TextIO) -> None:
    """Send what is still to be written to a stream to nowhere, so that nothing complains about it at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):  # a stream without a file
        _set_aside(stream)
    with suppress(OSError):
        os.close(nowhere)


def _set_aside(stream: TextIO) -> None:
    for name in _MODES:
        if getattr(sys, name) is stream:
            setattr(sys, name, io.StringIO())


def is_nowhere() -> bool:
    """Return whether the working folder has been deleted."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False
