"""Names of tools that several sources give: one that is given twice gets the name of its source before it.

So a tool is called `price`, and only where two servers have one, `shop_price` and `market_price`; tools that stand by
themselves keep their names.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import UsageError

from .protocol import NAME, Tool

if TYPE_CHECKING:
    from ramify.planner.work.context import WorkContext


class NamedTool(Tool):
    """A tool under another name.

    Args:
        tool: the tool.
        name: its name here.
    """

    def __init__(self, tool: Tool, name: str) -> None:
        self.name = name
        self.description = tool.description
        self.parameters = tool.parameters
        self.may_repeat = tool.may_repeat
        self.permissions = tool.permissions
        self.timeout_s = tool.timeout_s
        self._tool = tool

    def check(self, arguments: dict[str, Any]) -> None:
        """Make sure that the tool can be called with `arguments`."""
        self._tool.check(arguments)

    async def call(self, arguments: dict[str, Any], context: "WorkContext") -> Any:
        """Call the tool."""
        return await self._tool.call(arguments, context)


def by_name(given: Iterable[tuple[str | None, Tool]]) -> Mapping[str, Tool]:
    """Return tools by the name that a model calls them; `given` is each with its source, or None if it has none.

    Raises:
        UsageError: if two have one name, and there is no other name for them.
    """
    given = list(given)
    seen = Counter(tool.name for _, tool in given)
    found: dict[str, Tool] = {}
    for source, tool in given:
        name = tool.name if seen[tool.name] == 1 or source is None else f"{source}_{tool.name}"
        if name in found or NAME.fullmatch(name) is None:
            raise UsageError(
                f"two tools are named {tool.name!r}, and {name!r} is not a valid name for one of them; leave one out"
                " with the setting `allow` of its server (in Python: allow=[...]), or rename the server or function"
            )
        found[name] = tool if name == tool.name else NamedTool(tool, name)
    return found
