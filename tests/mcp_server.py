"""A server of tools for tests, which speaks the Model Context Protocol over its standard streams.

It writes what it does into the file that the variable SEEN names.
"""

import os
import sys
import time
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    BlobResourceContents,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextResourceContents,
    ToolAnnotations,
)

server = MCPServer("shop")


def seen(words: str) -> None:
    with Path(os.environ["SEEN"]).open("a", encoding="utf-8") as file:
        file.write(f"{words}\n")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def price(product: str) -> str:
    """Tell what a product costs."""
    seen(f"price {product}")
    if product == "nothing":
        raise ToolError("there is no such product")
    return f"{product} costs 3 euros"


@server.tool()
def order(product: str, pieces: int = 1) -> dict[str, int]:
    """Order a product."""
    seen(f"order {pieces} {product}")
    return {product: pieces}


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
def die(how: str) -> str:
    """End the server: at once, or after a while."""
    seen(f"die {how}")
    sys.stderr.write("the shop burns down\n")
    sys.stderr.flush()
    os._exit(3)


@server.tool()
def burn() -> str:
    """End the server; nobody says that this may be repeated."""
    seen("burn")
    os._exit(3)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def wait() -> str:
    """Wait for an hour."""
    time.sleep(3600)
    return "waited"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def tell(variable: str) -> str:
    """Tell the value of a variable of the environment."""
    return os.environ.get(variable, "not set")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def leaflet() -> list[EmbeddedResource | ResourceLink | ImageContent]:
    """Give what the shop has to read."""
    return [
        EmbeddedResource(
            type="resource",
            resource=TextResourceContents(uri="shop://leaflet", mime_type="text/plain", text="Tea is good."),
        ),
        EmbeddedResource(
            type="resource",
            resource=BlobResourceContents(uri="shop://logo", mime_type="image/png", blob="iVBORw0KGgo="),
        ),
        ResourceLink(
            type="resource_link", name="prices", uri="shop://prices", mime_type="text/csv", description="all prices"
        ),
        ImageContent(type="image", data="iVBORw0KGgo=", mime_type="image/png"),
    ]


if __name__ == "__main__":
    seen(f"start {os.getpid()}")
    server.run("stdio")
