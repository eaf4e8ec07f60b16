"""Servers of tools: programs that speak the Model Context Protocol, started for a run and ended with it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import ToolError, UsageError
from ramify.planner.settings.tool_servers import ServerSettings
from ramify.planner.work.grants import SECRET, Grants

from .protocol import OpenTools, Tool, ToolSource, check_name, near_hint

if TYPE_CHECKING:
    from ramify.planner.work.context import WorkContext

    from .mcp_connection import Connections, Listed

_STRANGE = re.compile(r"[^A-Za-z0-9_-]")


class McpServer(ToolSource):
    """A server whose tools an agent may have called; its permission is `mcp:NAME`.

    Args:
        name: what it is called.
        settings: how it is started.

    Raises:
        UsageError: if the package that speaks the protocol is not installed.
    """

    def __init__(self, name: str, settings: ServerSettings) -> None:
        if not _is_installed():
            raise UsageError('MCP servers need the package mcp; install it with: pip install "ramify[mcp]"')
        self.name = check_name(name)
        self.settings = settings
        self._secrets = {
            variable: value.partition(":")[2]
            for variable, value in settings.env.items()
            if value.startswith(f"{SECRET}:")
        }
        self.permissions = frozenset({f"mcp:{name}", *(f"{SECRET}:{each}" for each in self._secrets.values())})

    def __repr__(self) -> str:
        return f"McpServer({self.name!r}, {shlex.join([self.settings.command, *self.settings.args])!r})"

    async def open(self, grants: Grants) -> "OpenServer":
        """Start the server, and ask for its tools.

        Raises:
            UsageError: if it cannot be started, does not speak the protocol, or lacks a tool that is to be allowed.
        """
        from .mcp_connection import Connections

        env = {**self.settings.env, **{name: grants.value(secret) for name, secret in self._secrets.items()}}
        connections = Connections(self.name, self.settings, env)
        try:
            listed = await connections.tools()
            return OpenServer(self, connections, listed)
        except BaseException:
            await connections.aclose()
            raise


class OpenServer(OpenTools):
    """The tools of a server that runs.

    Args:
        server: the server.
        connections: the connection to it, which is made anew if it breaks.
        listed: its tools, as it lists them.
    """

    def __init__(self, server: McpServer, connections: "Connections", listed: "Sequence[Listed]") -> None:
        names = {each.name for each in listed}
        allow = names if server.settings.allow is None else set(server.settings.allow)
        for name in sorted(allow | set(server.settings.may_repeat)):
            if name not in names:
                raise UsageError(f"the server {server.name} has no tool {name!r}; {near_hint(name, names)}")
        self._connections = connections
        self.tools = [McpTool(server, connections, each) for each in listed if each.name in allow]

    async def aclose(self) -> None:
        """End the server."""
        await self._connections.aclose()


class McpTool(Tool):
    """A tool of a server."""

    def __init__(self, server: McpServer, connections: "Connections", listed: "Listed") -> None:
        self.name = check_name(_STRANGE.sub("_", listed.name)[:64])
        self.description = listed.description
        self.parameters: Mapping[str, Any] = listed.parameters
        self.may_repeat = listed.may_repeat or listed.name in server.settings.may_repeat
        self.permissions = server.permissions
        self.timeout_s = server.settings.timeout_s
        self._connections = connections
        self._own_name = listed.name

    def check(self, arguments: dict[str, Any]) -> None:
        """Make sure that all arguments are known and the needed ones there; the server checks the rest.

        Raises:
            ToolError: if one is unknown or missing.
        """
        known = self.parameters.get("properties", {})
        problems = [f"{name} is missing" for name in self.parameters.get("required", ()) if name not in arguments]
        if self.parameters.get("additionalProperties") is False:
            unknown = [name for name in arguments if name not in known]
            problems += [f"there is no argument {name!r}; {near_hint(name, known)}" for name in unknown]
        if problems:
            raise ToolError(f"the arguments do not fit the tool {self.name}: {'; '.join(problems)}")

    async def call(self, arguments: dict[str, Any], context: "WorkContext") -> Any:
        """Have the server call it."""
        return await self._connections.call(self._own_name, arguments)


def mcp_tools(
    command: str | Sequence[str],
    *,
    name: str | None = None,
    **settings: Any,
) -> McpServer:
    """Return an MCP server for `Agent(tools=[...])`; it starts when a run first needs it.

    Args:
        command: the program and its arguments, as a shell would read them, or as a list.
        name: its name, for the permission `mcp:NAME`; default: the program's or script's name.
        **settings: `env`, `cwd`, `allow`, `may_repeat`, `timeout_s`, as for `ServerSettings`.

    Raises:
        UsageError: if the command is blank, or the package mcp is not installed.
    """
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    if not words:
        raise UsageError("the command of the MCP server is blank; name the program and its arguments")
    script = next((word for word in words if word.endswith((".py", ".js", ".ts"))), words[0])
    name = name or _STRANGE.sub("_", Path(script).stem)
    return McpServer(name, ServerSettings(command=words[0], args=tuple(words[1:]), **settings))


def configured_server(name: str) -> McpServer:
    """Return the server that the settings describe as `[mcp.NAME]`.

    Raises:
        UsageError: if they describe none of that name.
    """
    from ramify.planner.settings.settings import load_settings

    servers = load_settings().mcp
    if name not in servers:
        raise UsageError(
            f"the settings have no MCP server {name!r}; {near_hint(name, servers)}; add [mcp.{name}] with"
            " command = ... to ramify.toml"
        )
    return McpServer(name, servers[name])


def _is_installed() -> bool:
    try:
        return find_spec("mcp") is not None
    except ValueError:  # somebody has put nothing in its place
        return False
