"""Where tools come from on the command line: Python files and modules, and servers that the settings name.

The names are stored with a run, so that resuming it finds the same tools; nothing is imported that nobody named.
"""

from collections.abc import Iterable

from ramify.planner.work.modules import defined_in

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
