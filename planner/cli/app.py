"""The `ramify` command: which commands there are, and what happens around each of them.

No traceback leaves here unless `--debug` asks for it; commands load what they need themselves, so that help is quick.
"""

import errno
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from . import (
    benching,
    browsing,
    choosing,
    completing,
    configuring,
    controlling,
    drawing,
    estimating,
    evolving,
    linting,
    listing,
    looking,
    prompting,
    remembering,
    reporting,
    serving,
    solving,
    storing,
    tooling,
    varying,
    watching,
)
from .streams import flush_stderr, forget, is_nowhere, open_closed_streams

_FIRST_STEPS = """\
Ramify splits a goal into tasks, runs them, and composes the answer. Three things to do first:

  ramify solve --model rules "(17 * 23 + 4^5) / 7"     try it, without a key or a network
  ramify doctor                                        see which models you can use here
  ramify solve --model NAME "Compare Oslo and Bergen"  use one of them

`ramify --help` lists all commands.
"""
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EIO, errno.EBADF})
_HELP = {"help_option_names": ["-h", "--help"]}


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if not wanted:
        return
    from ramify.planner.runtime.version import version

    sys.stdout.write(f"ramify {version()}\n")
    raise typer.Exit


def _ramify(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Split a goal into tasks, run them, and compose the answer. Every run is stored and can be resumed."""


_COMMANDS = (
    solving,
    varying,
    benching,
    evolving,
    linting,
    estimating,
    listing,
    browsing,
    watching,
    controlling,
    serving,
    drawing,
    reporting,
    looking,
    completing,
)
_GROUPS = {
    "methods": remembering, "prompts": prompting, "config": configuring, "store": storing, "workers": choosing,
    "tools": tooling,
}  # fmt: skip


def build_app(words: Sequence[str] | None = None) -> typer.Typer:
    """Return the command with all commands below it.

    Args:
        words: what the command is called with; of commands that are not among these, only names and help are there, as
            what all of them take is half of the time that help takes. Unless given, all is there.
    """
    called_with = None if completing.COMPLETION_VARIABLE in os.environ else words
    app = typer.Typer(
        name="ramify",
        rich_markup_mode=None,
        add_completion=completing.COMPLETION_VARIABLE in os.environ,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )
    app.callback()(_ramify)
    for module in _COMMANDS:
        for name, command in module.COMMANDS.items():
            app.command(name)(command if called_with is None or name in called_with else _shown(command.__doc__))
    for name, group in _GROUPS.items():
        if called_with is None or name in called_with:
            app.add_typer(group.APP, name=name)
        else:
            app.command(name)(_shown(group.APP.info.help))
    return app


def _shown(about: str | None) -> Callable[[], None]:
    """Return a command that only help shows."""

    def nothing() -> None: ...

    nothing.__doc__ = about
    return nothing


def run_command(arguments: Sequence[str] | None) -> int:
    """Run one command and return its exit code; what goes wrong is said in one line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    is_debugging = _take_debug(words)
    if arguments is None:
        _prepare_process(is_debugging=is_debugging)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BaseException as error:
        flush_stderr()
        # typer makes an exit with code 1 of a pipe whose reader has gone
        if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
            forget(sys.stdout)
            return 0
        if is_debugging and not isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return _explain(error, words)
    flush_stderr()
    return code


def _run(words: list[str]) -> int:
    if not words and completing.COMPLETION_VARIABLE not in os.environ:
        sys.stdout.write(_FIRST_STEPS)
        return 0
    _check_text(words)
    _check_environment(words)
    return int(build_app(words)(words, standalone_mode=False, prog_name="ramify") or 0)


def _take_debug(words: list[str]) -> bool:
    """Take `--debug` out of the words of a command, wherever it stands before `--`."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" in words[:end]:
        words.remove("--debug")
        return True
    return bool(os.environ.get("RAMIFY_DEBUG"))


def _check_text(words: Sequence[str]) -> None:
    """Refuse bytes of the command line that are no text in UTF-8, which Python hands on as lone surrogates; not files.

    Raises:
        UsageError: if there are such.
    """
    for number, word in enumerate(words, 1):
        try:
            word.encode()
        except UnicodeEncodeError as error:
            from ramify.planner.errors import UsageError

            if not os.path.lexists(word):
                where = f"word {number} of the command is not text in UTF-8 (from its character {error.start:,})"
                raise UsageError(f"{where}; convert it first") from None


def _check_environment(words: Sequence[str]) -> None:
    """Refuse misspelled variables, also where no setting is read, and warn of unknown ones.

    `doctor` finds them itself, and help needs none.

    Raises:
        UsageError: if there is one.
    """
    needs_none = {"doctor", "completion", "--version", *_HELP["help_option_names"]}
    if not needs_none.isdisjoint(words) or completing.COMPLETION_VARIABLE in os.environ:
        return
    if any(name.upper().startswith("RAMIFY_") for name in os.environ):
        from ramify.planner.settings.layers import check_environment, unknown_variables

        from .output import tell

        check_environment()
        for name, hint in unknown_variables().items():
            tell(f"ramify: warning: {name} in the environment is not a setting and has no effect; {hint}")


def _prepare_process(*, is_debugging: bool) -> None:
    """Keep the standard streams from failing on odd characters, and libraries from writing between our lines."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if is_debugging:
        logging.basicConfig(level=logging.INFO)
        logging.getLogger("ramify").setLevel(logging.DEBUG)
    else:
        logging.lastResort = logging.NullHandler()  # without one, Python says that there is none, between our lines
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.filterwarnings("default", "coroutine .* was never awaited", RuntimeWarning)


def _explain(error: BaseException, words: Sequence[str]) -> int:
    """Say what went wrong with the command `words`, and return the exit code for it."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 2
    from .exits import FAULT, INTERRUPTED, USAGE, code_of_error
    from .output import tell, tell_error

    if isinstance(error, typer.Abort):
        tell("ramify: interrupted")
        return INTERRUPTED
    if hasattr(error, "format_message"):
        return _explain_usage(error, words, USAGE)
    code = code_of_error(error)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        forget(sys.stdout)
        tell_error(f"standard output cannot be written: {error.strerror}")
        return USAGE
    if isinstance(error, FileNotFoundError) and is_nowhere():
        tell_error("the working folder was deleted; change to another one")
        return USAGE
    if isinstance(error, KeyboardInterrupt):
        tell("ramify: interrupted")
    elif code == FAULT:
        tell_error(f"{type(error).__name__}: {error}; this is a bug in Ramify, --debug shows where")
    else:
        tell_error(str(error))
    return code


def _explain_usage(error: BaseException, words: Sequence[str], code: int) -> int:
    """Explain what typer found wrong with the words of a command; it also shows the help of a bare command so."""
    from ramify.tasks.misfits import misfit

    from .output import tell, tell_error

    message = str(error.format_message())  # type: ignore[attr-defined]
    found = getattr(error.__cause__, "errors", None)  # of pydantic
    if found is not None:
        problem = found(include_url=False)[0]
        message = message.replace(problem["msg"], misfit(problem))
    if message.startswith("Usage:"):
        tell(message)
    else:
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else _command_in(words)
        tell_error(f"{' '.join(message.split()).rstrip('.')} (see `{where} --help`)")
    return code


def _command_in(words: Sequence[str]) -> str:
    """Return the command that `words` call, as an option without its value does not know where it stands."""
    path, command = ["ramify"], typer.main.get_command(build_app(words))
    for word in words:
        below = getattr(command, "commands", {})
        if word in below:
            path.append(word)
            command = below[word]
        elif not word.startswith("-"):
            break
    return " ".join(path)
