"""`prompts`: which templates there are, what is in them, and a copy to change."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .completing import prompt_names
from .flags import takes

if TYPE_CHECKING:
    from ramify.prompts import PromptLibrary

APP = typer.Typer(help="List, show and copy prompt templates.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A template; `ramify prompts list` lists them.", autocompletion=prompt_names),
]


@APP.command("list")
@takes("prompts", "as_json")
def list_prompts(given: Mapping[str, Any]) -> int:
    """List the templates in use.

    Each is shown with where it comes from.

    Example: ramify prompts list
    """
    from .output import print_json, print_table

    library = _library(given)
    found = [library.get(name) for name in library.names()]
    if given["as_json"]:
        rows = [
            {
                "name": each.name,
                "prompt_version": each.version,
                "sha256": each.sha256,
                "is_builtin": each.is_builtin,
                "path": str(each.path),
            }
            for each in found
        ]
        print_json({"prompts": rows})
    else:
        print_table(
            ("name", "version", "sha256", "from"),
            [
                (each.name, each.version, each.sha256[:12], "built in" if each.is_builtin else str(each.path))
                for each in found
            ],
        )
    return 0


@APP.command("show")
@takes("prompts")
def show_prompt(given: Mapping[str, Any], *, name: Name) -> int:
    """Print the source of a template in use.

    Example: ramify prompts show decompose
    """
    from .output import print_exact

    print_exact(_library(given).get(name).source)
    return 0


@APP.command("copy")
@takes("prompts")
def copy_prompt(
    given: Mapping[str, Any],
    *,
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder for the copy; created if needed.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> int:
    """Copy a template to a folder so that you can edit it.

    Use it with `--prompts DIR`.

    Example: ramify prompts copy decompose my-prompts
    """
    from .output import tell

    path = _library(given).copy_template(name, folder, force=force)
    tell(f"copied to {path}; edit it, then use it with --prompts {folder} or RAMIFY_PROMPTS={folder}")
    return 0


def _library(given: Mapping[str, Any]) -> "PromptLibrary":
    from ramify.planner.settings.settings import load_settings
    from ramify.prompts import PromptLibrary

    return PromptLibrary(load_settings(prompts=given["prompts"]).prompts)
