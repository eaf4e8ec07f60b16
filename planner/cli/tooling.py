"""`tools`: which tools files, modules and the settings define, and what may follow what in a conversation with them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .flags import takes

if TYPE_CHECKING:
    from ramify.planner.tools.protocol import Tool, ToolSource

APP = typer.Typer(help="List tools, and draw the steps of a conversation.", no_args_is_help=True, rich_markup_mode=None)


@APP.command("list")
@takes("tool_files", "allow", "as_json")
def list_tools(given: Mapping[str, Any]) -> int:
    """List tools. To list the tools of an MCP server, allow it to start: `--allow mcp:NAME`.

    Examples: ramify tools list --tools my_tools.py; ramify tools list --tools mcp:files --allow mcp:files
    """
    from ramify.planner.runtime.background import run_sync
    from ramify.planner.settings.settings import load_settings
    from ramify.planner.tools.sources import load_tools
    from ramify.planner.work.grants import Grants
    from ramify.planner.workers.tool_box import listed_tools

    from .output import print_json, print_table, tell

    settings = load_settings(tool_files=given["tool_files"])
    grants = Grants([*settings.allow, *(given["allow"] or ())])
    found, unopened = run_sync(listed_tools(load_tools(settings.tool_files), grants))
    rows = [_row(each) for each in found]
    for source in unopened:
        missing = " ".join(f"--allow {each}" for each in sorted(source.permissions.difference(grants.allow)))
        tell(f"to list the tools of {source.name}, allow its server to start: {missing}")
    if given["as_json"]:
        print_json({"tools": rows})
    elif rows:
        table = [(row["name"], row["about"], row["again"], " ".join(row["permissions"])) for row in rows]
        print_table(("tool", "does", "may repeat", "permissions"), table)
    else:
        tell("there are no tools; name a Python file: --tools FILE, or tool_files in ramify.toml")
    return 0


@APP.command("transitions")
@takes()
def show_transitions(
    given: Mapping[str, Any],  # noqa: ARG001 - as all commands are called
    *,
    form: Annotated[Literal["mermaid", "dot"], typer.Option("--format", "-f", help="The format of the diagram.")] = (
        "mermaid"
    ),
) -> int:
    """Draw the allowed steps of a conversation with tools.

    Example: ramify tools transitions -f dot
    """
    from ramify.planner.tools.transitions import transition_diagram

    from .output import print_exact

    print_exact(transition_diagram(form).rstrip("\n"))
    return 0


_AGAIN = {True: "yes", False: "no", "with_key": "with its key"}


def _row(tool: "Tool | ToolSource") -> dict[str, Any]:
    from ramify.planner.tools.protocol import Tool

    permissions = sorted(tool.permissions)
    if not isinstance(tool, Tool):
        return {"name": tool.name, "about": "an MCP server", "again": "", "permissions": permissions}
    return {
        "name": tool.name,
        "about": tool.description.partition("\n")[0],
        "again": _AGAIN[tool.may_repeat],
        "permissions": permissions,
        "parameters": dict(tool.parameters),
    }
