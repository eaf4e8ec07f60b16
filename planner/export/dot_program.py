"""The program `dot` of Graphviz: fed with a document, and killed with all that it started when its time is up."""

import os
import signal
import subprocess

from ramify.planner.errors import ExportError

_PNG_DPI = 144
_MOST_COMPLAINT_CHARACTERS = 500


def run_dot(program: str, source: str, fmt: str, *, timeout_s: float) -> tuple[bytes, str]:
    """Return what `dot` made of `source`, and its warning about a picture made smaller than asked for.

    Raises:
        ExportError: if it cannot be started, fails, or takes too long.
    """
    command = [program, f"-T{fmt}", *([f"-Gdpi={_PNG_DPI}"] if fmt == "png" else [])]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)  # noqa: S603 - no shell
    except OSError as error:
        raise ExportError(f"{program} cannot be started: {error.strerror or error}") from error
    with process:
        try:
            data, complaint = process.communicate(source.encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ExportError(f"dot took longer than {timeout_s:g} s and was stopped") from error
        finally:
            if process.poll() is None:
                _kill(process)
    words = " ".join(complaint.decode(errors="replace").split())[:_MOST_COMPLAINT_CHARACTERS]
    if process.returncode or not data:
        raise ExportError(f"dot failed with exit code {process.returncode}: {words or 'it said nothing'}")
    return data, words if "Scaling" in words else ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program and what it started, so that nothing holds its pipes open."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
