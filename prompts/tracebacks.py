"""Tracebacks that show the user's own code: the frames inside Ramify say nothing to somebody who uses it.

IPython asks an exception for what a notebook shows by `_render_traceback_`; `%debug` goes into all frames even so.
"""

import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, TracebackType

_OURS = str(Path(__file__).parent.parent)
_STANDARD = str(Path(traceback.__file__).parent)
_SHELL_PARTS = frozenset({"IPython", "ipykernel"})


def short_traceback(error: BaseException) -> list[str]:
    """Return the lines that a notebook shows for `error`."""
    lines = [f"{type(error).__name__}: {error}"]
    for frame in _own_frames(traceback.extract_tb(error.__traceback__)):
        where = "the cell" if "ipykernel_" in frame.filename or frame.filename.startswith("<") else frame.filename
        lines.append(f"    line {frame.lineno} of {where}: {frame.line}")
    return lines


def from_own_code(trace: TracebackType | None) -> TracebackType | None:
    """Return `trace` from the first frame that is neither ours nor the standard library's; whole if there is none."""
    rest = trace
    while rest is not None and not _is_own(rest.tb_frame.f_code.co_filename):
        rest = rest.tb_next
    return rest or trace


def raised_at(error: BaseException) -> str | None:
    """Return where in the user's own code `error` was raised: the last line of it that was called; None if in none.

    A package of others counts if nothing of the user's own was there.
    """
    return _nearest(traceback.walk_tb(error.__traceback__))


def running_at(frame: FrameType) -> str | None:
    """Return where in the user's own code a thread is that is at `frame` now; None if in none."""
    return _nearest(reversed([*traceback.walk_stack(frame)]))


def _nearest(frames: Iterable[tuple[FrameType, int]]) -> str | None:
    own = [(frame.f_code, line) for frame, line in frames if _is_own(frame.f_code.co_filename)]
    near = [each for each in own if "site-packages" not in each[0].co_filename] or own
    if not near:
        return None
    code, line = near[-1]
    return f"{Path(code.co_filename).name}, line {line}, in {code.co_name}"


def _is_own(filename: str) -> bool:
    if filename.startswith(_OURS):
        return False
    return not filename.startswith(_STANDARD) or "site-packages" in filename


def _own_frames(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Return the frames of the user: those after the shell's, up to the first of ours."""
    own = []
    for frame in frames:
        if frame.filename.startswith(_OURS):
            break
        if not _SHELL_PARTS & set(Path(frame.filename).parts):
            own.append(frame)
    return own
