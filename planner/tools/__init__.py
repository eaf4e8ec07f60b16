"""Tools that models call: what they are, how they are called, and what may follow what in a conversation with them."""

from typing import TYPE_CHECKING

from ramify.prompts.lazy import on_demand

if TYPE_CHECKING:
    from ramify.planner.errors import ToolError

    from .functions import FunctionTool, tool
    from .protocol import Tool
    from .servers import mcp_tools
    from .transitions import transition_diagram
else:
    __getattr__, __dir__ = on_demand(
        __name__,
        {
            "FunctionTool": "functions",
            "Tool": "protocol",
            "ToolError": "functions",
            "mcp_tools": "servers",
            "tool": "functions",
            "transition_diagram": "transitions",
        },
    )

__all__ = ["FunctionTool", "Tool", "ToolError", "mcp_tools", "tool", "transition_diagram"]
