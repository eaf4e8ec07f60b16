"""The tools of one run, by agent: sources are opened when an agent first needs them, and closed when the run ends."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ramify.planner.errors import UsageError

from .protocol import OpenTools, Tool, ToolSource

if TYPE_CHECKING:
    from ramify.planner.agent import Agent
    from ramify.planner.workers.grants import Grants


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
        found: dict[str, Tool] = {}
        for given in agent.tools:
            for each in await self._tools_in(given, grants):
                if each.name in found:
                    raise UsageError(f"two tools are called {each.name!r}; leave one of them out, or rename it")
                found[each.name] = each
        return found

    async def _tools_in(self, given: Tool | ToolSource, grants: "Grants") -> "tuple[Tool, ...]":
        if isinstance(given, Tool):
            return (given,)
        if given not in self._open:
            self._open[given] = await given.open(grants)
        return tuple(self._open[given].tools)
