"""The connection to a server of tools: the only file that knows the package mcp.

A connection is opened and closed by a task of its own, as the package demands. One that breaks is opened anew for the
next call, a few times in a run; what the call that it broke in has done, nobody knows.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from ramify.planner.errors import ToolError, UsageError
from ramify.planner.runtime.terminal import one_printable_line
from ramify.planner.settings.tool_servers import ServerSettings

if TYPE_CHECKING:
    from mcp import ClientSession

MOST_RESTARTS = 3
"""How often a server that has ended is started again in a run."""

_MOST_PAGES = 50
_LAST_WORDS = 300
_CLOSING_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A tool as its server lists it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    may_repeat: bool


class Connections:
    """The connection of one run to one server.

    Args:
        name: the server's name.
        settings: how it is started.
        env: what its environment holds.
    """

    def __init__(self, name: str, settings: ServerSettings, env: Mapping[str, str]) -> None:
        self._name = name
        self._settings = settings
        self._env = dict(env)
        self._turn = asyncio.Lock()
        self._open: _Connection | None = None
        self._starts = 0

    async def tools(self) -> list[Listed]:
        """Return the server's tools.

        Raises:
            UsageError: if it cannot be started, or does not speak the protocol.
        """
        try:
            return (await self._connection()).listed
        except ToolError as error:
            raise UsageError(str(error)) from None

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """Return what comes of a call.

        Raises:
            ToolError: if it fails, or the server ends before it has answered.
        """
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED

        connection = await self._connection()
        try:
            result = await connection.session.call_tool(tool, arguments)
        except MCPError as error:
            if error.error.code != CONNECTION_CLOSED:
                raise ToolError(f"the server {self._name} refused the call: {error.error.message}") from None
            connection.is_broken = True
        except Exception as error:
            connection.is_broken = True
            raise self._ended(tool, connection) from error
        else:
            return _value_of(result)
        raise self._ended(tool, connection)

    async def aclose(self) -> None:
        """End the server."""
        if self._open is not None:
            await self._open.aclose()

    async def _connection(self) -> "_Connection":
        async with self._turn:
            if self._open is not None and not self._open.is_broken:
                return self._open
            await self.aclose()
            if self._starts > MOST_RESTARTS:
                raise ToolError(f"the server {self._name} has ended {self._starts} times and is not restarted")
            self._starts += 1
            self._open = _Connection(self._name, self._settings, self._env)
            await self._open.ready()
            return self._open

    def _ended(self, tool: str, connection: "_Connection") -> ToolError:
        return ToolError(
            f"the server {self._name} ended before it answered the call of {tool}, so it is unknown whether it was"
            f" done{connection.last_words()}",
            is_unknown=True,
        )


class _Connection:
    """One process of a server, held by a task of its own."""

    def __init__(self, name: str, settings: ServerSettings, env: dict[str, str]) -> None:
        self._name = name
        self._settings = settings
        self._errors: TextIO = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._is_closing = asyncio.Event()
        self._is_ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(env))
        self.listed: list[Listed] = []
        self.is_broken = False

    @property
    def session(self) -> "ClientSession":
        """The session."""
        return self._is_ready.result()

    async def ready(self) -> None:
        """Wait until calls can be made.

        Raises:
            ToolError: if they never can.
        """
        try:
            async with asyncio.timeout(self._settings.start_timeout_s):
                await asyncio.shield(self._is_ready)
        except Exception as error:  # noqa: BLE001 - whatever the package raised, the server cannot be used
            self.is_broken = True
            why = f"it did not start within {self._settings.start_timeout_s:g} s"
            if not isinstance(error, TimeoutError):
                why = one_printable_line(f"{type(error).__name__}: {error}")
            words = self.last_words()
            await self.aclose()
            raise ToolError(
                f"the MCP server {self._name} ({self._settings.command}) cannot be used: {why}{words}"
            ) from None

    def last_words(self) -> str:
        """Return the end of what the server has written to its standard error, ready to be put behind a sentence."""
        with suppress(OSError, ValueError):
            self._errors.seek(0)
            words = one_printable_line(self._errors.read())[-_LAST_WORDS:]
            return f"; its last output: {words}" if words else ""
        return ""

    async def aclose(self) -> None:
        """End the process."""
        self._is_closing.set()
        done, _ = await asyncio.wait([self._holder], timeout=_CLOSING_S)
        if not done:
            self._holder.cancel()
            await asyncio.wait([self._holder])
        self._errors.close()

    async def _hold(self, env: dict[str, str]) -> None:
        from mcp import ClientSession, StdioServerParameters, stdio_client

        settings = self._settings
        process = StdioServerParameters(
            command=settings.command,
            args=list(settings.args),
            env=env,
            cwd=settings.cwd,
            encoding_error_handler="replace",
        )
        try:
            async with AsyncExitStack() as stack:
                streams = await stack.enter_async_context(stdio_client(process, errlog=self._errors))
                session = await stack.enter_async_context(ClientSession(*streams))
                await session.initialize()
                self.listed = await _all_tools(session)
                if not self._is_ready.done():
                    self._is_ready.set_result(session)
                await self._is_closing.wait()
        except Exception as error:  # noqa: BLE001 - whatever the package raises, the server cannot be used
            self.is_broken = True
            if not self._is_ready.done():
                self._is_ready.set_exception(_innermost(error))
                self._is_ready.exception()


async def _all_tools(session: "ClientSession") -> list[Listed]:
    from mcp.types import PaginatedRequestParams

    listed: list[Listed] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        found = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        for each in found.tools:
            hints = each.annotations
            listed.append(
                Listed(
                    name=each.name,
                    description=each.description or "",
                    parameters=each.input_schema,
                    may_repeat=bool(hints and (hints.read_only_hint or hints.idempotent_hint)),
                )
            )
        cursor = found.next_cursor
        if not cursor:
            break
    return listed


def _value_of(result: Any) -> Any:
    """Return the text of a result, or its data where there is no text; what is neither is named."""
    parts = [_text_of(each) for each in result.content]
    if result.is_error:
        raise ToolError("\n".join(parts) or "the tool failed without a reason")
    return "\n".join(parts) if parts else result.structured_content


def _text_of(part: Any) -> str:
    """Return a part of a result as a model reads it: text, the text of a resource, or what it is and where."""
    if part.type == "text":
        return str(part.text)
    if part.type == "resource_link":
        about = ", ".join(filter(None, (part.mime_type, part.description)))
        return f"[{part.title or part.name}]({part.uri})" + (f" ({about})" if about else "")
    resource = part.resource if part.type == "resource" else part
    text = getattr(resource, "text", None)
    if text is not None:
        return f"{resource.uri}:\n{text}"
    what = ", ".join(filter(None, (part.type, resource.mime_type, str(getattr(resource, "uri", "")))))
    return f"[{what}, which is not shown]"


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
