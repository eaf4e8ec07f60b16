"""Where tools come from on the command line: Python files and modules, and servers that the settings name.

The names are stored with a run, so that resuming it finds the same tools; nothing is imported that nobody named.
"""

from collections.abc import Iterable

from ramify.planner.work.grants import Grants
from ramify.planner.work.sources import defined_in
from ramify.planner.workers.tool_box import ToolBox

from .naming import by_name
from .protocol import Tool, ToolSource
from .servers import configured_server

MCP = "mcp"
"""What stands before the name of a server."""


def load_tools(sources: Iterable[str]) -> tuple[Tool | ToolSource, ...]:
    """Return the tools that the files and modules in `sources` define, once each; a later one of a name wins.

    A tool is a function under `@tool`, or any other `Tool` or `ToolSource`, at the top of a module; `mcp:NAME` is the
    server that the settings describe as `[mcp.NAME]`.

    Raises:
        UsageError: if a source cannot be imported, or defines no tool.
    """
    found: dict[str, Tool | ToolSource] = {}
    for source in sources:
        kind, _, name = source.partition(":")
        found |= {name: configured_server(name)} if kind == MCP else defined_in(source, (Tool, ToolSource), "tool")
    return tuple(found.values())


async def listed_tools(
    tools: Iterable[Tool | ToolSource], grants: Grants
) -> tuple[list[Tool | ToolSource], list[ToolSource]]:
    """Return `tools` with those of sources that may be opened in the sources' places; and the other sources.

    Raises:
        UsageError: if a source cannot be opened, a secret of one is not there, or there is no name for a tool.
    """
    box = ToolBox()
    unopened: list[ToolSource] = []
    found: list[tuple[str | None, Tool]] = []
    try:
        for each in tools:
            if isinstance(each, Tool):
                found.append((None, each))
            elif each.permissions <= set(grants.allow):
                grants.check_secrets(each.permissions, f"the server of tools {each.name}")
                found += [(each.name, tool) for tool in await box.tools_in(each, grants)]
            else:
                unopened.append(each)
    finally:
        for opened in box.used:
            await opened.aclose()
    return [*by_name(found).values(), *unopened], unopened
