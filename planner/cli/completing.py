"""`completion`, and what shells complete besides commands and options: runs, tasks, templates, models.

A completion never fails and never makes anything: where the store or a file cannot be read, nothing is offered.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Literal

import typer

COMPLETION_VARIABLE = "_RAMIFY_COMPLETE"
"""What shells ask for completions with; the way to complete is loaded only then, as it takes time."""

MOST_RUNS = 200
_PLAIN = re.compile(r"[\w.-]+")


def completion(
    *,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> int:
    """Print the completion script for a shell.

    It completes commands, options, run ids and prompts.

    Example: ramify completion bash >> ~/.bashrc
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    typer.echo(get_completion_script(prog_name="ramify", complete_var=COMPLETION_VARIABLE, shell=shell))
    return 0


def run_ids(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of the newest runs that begin with `incomplete`, each with its status and when it was started.

    Shells evaluate what they are given here, so that no words of others are.
    """
    with suppress(Exception):
        from ramify.planner.executor import open_store
        from ramify.planner.export.run_data import status_of

        from .records import started

        with open_store(context.params.get("store"), create=False) as store:
            for record in store.runs(MOST_RUNS):
                if record.id.startswith(incomplete) and _PLAIN.fullmatch(record.id):
                    yield record.id, f"{status_of(record)}, {started(record)}"


def prompt_names(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the names of the templates in use that begin with `incomplete`."""
    with suppress(Exception):
        from ramify.planner.settings.settings import load_settings
        from ramify.prompts import PromptLibrary

        library = PromptLibrary(load_settings(prompts=context.params.get("prompts")).prompts)
        yield from (name for name in library.names() if name.startswith(incomplete))


def method_names(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the names of the methods that begin with `incomplete`."""
    with suppress(Exception):
        from ramify.planner.planning.methods import Methods
        from ramify.planner.settings.settings import load_settings

        folder = load_settings(methods=context.params.get("methods")).methods
        yield from (name for name in Methods(folder).names() if name.startswith(incomplete))


COMMANDS = {"completion": completion}
