"""The tools of one run, by agent: sources are opened when an agent first needs them, and closed when the run ends."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ramify.planner.tools.naming import by_name
from ramify.planner.tools.protocol import OpenTools, Tool, ToolSource

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent
    from ramify.planner.work.grants import Grants


class ToolBox:
    """The tools of one run."""

    def __init__(self) -> None:
        self._open: dict[ToolSource, OpenTools] = {}
        self._tools: dict[int, tuple[Agent, Mapping[str, Tool]]] = {}
        self._turn = asyncio.Lock()

    async def tools_of(self, agent: "Agent", grants: "Grants") -> Mapping[str, Tool]:
        """Return the tools of `agent`, by name; `grants` are those of the run.

        Raises:
            UsageError: if a source cannot be opened, or two tools have one name.
        """
        async with self._turn:
            known = self._tools.get(id(agent))
            if known is None:
                known = self._tools[id(agent)] = agent, await self._found(agent, grants)
            return known[1]

    @property
    def used(self) -> "tuple[OpenTools, ...]":
        """The sources that were opened, and have to be closed."""
        return tuple(self._open.values())

    async def _found(self, agent: "Agent", grants: "Grants") -> Mapping[str, Tool]:
        found: list[tuple[str | None, Tool]] = []
        for given in agent.tools:
            source = None if isinstance(given, Tool) else given.name
            found += [(source, each) for each in await self.tools_in(given, grants)]
        return by_name(found)

    async def tools_in(self, given: Tool | ToolSource, grants: "Grants") -> "tuple[Tool, ...]":
        """Return a tool itself, or the tools of a source, which is opened if it is not open yet.

        Raises:
            UsageError: if it cannot be opened.
        """
        if isinstance(given, Tool):
            return (given,)
        if given not in self._open:
            self._open[given] = await given.open(grants)
        return tuple(self._open[given].tools)


async def listed_tools(
    tools: Iterable[Tool | ToolSource], grants: "Grants"
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
