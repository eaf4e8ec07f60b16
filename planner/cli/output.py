"""How commands speak: results on standard output, everything else on standard error.

In a pipe, an answer, a file or JSON is the exact text; all other words that others wrote cannot steer a terminal.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ramify.tasks.json_text import json_text

from .apart import answering, is_terminal
from .streams import forget

JSON_VERSION = 1
"""The version of every JSON document that commands print; it grows when a reader of today could not read it."""


@contextmanager
def until_stored() -> Iterator[None]:
    """Say of Ctrl-C that there is no run yet, and end with its exit code; what is inside ends by storing a run."""
    try:
        yield
    except KeyboardInterrupt:
        from .exits import INTERRUPTED

        tell("ramify: interrupted before the run was created; nothing was stored")
        raise SystemExit(INTERRUPTED) from None


def print_text(text: str) -> None:
    """Print words for people, with a line break at their end; wherever they go, they steer no terminal."""
    _write(_for_terminal(text))


def print_exact(text: str) -> None:
    """Print a result, with a line break at its end; in a pipe, it is the exact text."""
    _write(_for_terminal(text) if is_terminal() else text)


def print_json(data: dict[str, Any]) -> None:
    """Print a result as JSON, with its version."""
    print_exact(json_text({"version": JSON_VERSION, **data}, indent=2, default=str))


def print_bytes(data: bytes) -> None:
    """Print a result that is no text."""
    with _writing() as out:
        out.flush()
        out.buffer.write(data)
        out.buffer.flush()


def deliver(content: bytes, form: str, output: Path | None, *, is_text: bool = True) -> None:
    """Write a result to the file `output`, or to standard output if there is none.

    Raises:
        ExportError: if it cannot be written.
        UsageError: if it is no text, and standard output is a terminal.
    """
    from ramify.planner.errors import UsageError
    from ramify.planner.runtime.output_files import write_bytes

    if output is not None:
        write_bytes(output, content)
    elif is_text:
        print_exact(content.decode())
    elif is_terminal():
        raise UsageError(f"{form} is not text and standard output is a terminal; write it to a file with -o FILE")
    else:
        print_bytes(content)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below a head, in columns; the last column may be of any width."""
    table = [[*head], *([_for_terminal(cell).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head) - 1)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print_text("  ".join([*cells, row[-1]]).rstrip())


def tell(text: str) -> None:
    """Say something that is not the result, on standard error."""
    try:
        sys.stderr.write(f"{_for_terminal(text)}\n")
        sys.stderr.flush()
    except OSError:  # there is nowhere to tell that
        forget(sys.stderr)


def tell_error(message: str) -> None:
    """Say what went wrong, without the rest of very long words."""
    tell(f"ramify: error: {cut_words(message)}")


def _write(text: str) -> None:
    with _writing() as out:
        out.write(text if text.endswith("\n") else f"{text}\n")
        out.flush()


@contextmanager
def _writing() -> Iterator[TextIO]:
    """Give standard output, and turn a full disk into an error with words; a reader that has gone is not one."""
    with answering() as out:
        try:
            yield out
        except BrokenPipeError:
            raise
        except OSError as error:
            from ramify.planner.errors import ExportError

            forget(out)
            raise ExportError(f"standard output cannot be written: {error.strerror or error}") from error


def cut_words(text: str) -> str:
    """Return `text` without the rest of very long words."""
    from ramify.planner.runtime.terminal import cut_for_display

    return cut_for_display(text)


def _for_terminal(text: str) -> str:
    from ramify.planner.runtime.terminal import printable

    return printable(text)
