"""`serve`: the runs of a store as a live page in the browser."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from .flags import takes


@takes("store")
def serve(
    given: Mapping[str, Any],
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, metavar="N", help="The port; default: 8321, or any free one."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show runs, but allow no actions.")] = False,
) -> int:
    """Show and control the runs of a store on a live web page.

    Only this computer can open it, at the printed address. Ctrl-C stops the page, not the runs.

    Example: ramify serve
    """
    from ramify.planner.serving import serve as serve_page

    from .output import print_text, tell

    with serve_page(given["store"], port=port, read_only=read_only, show=not no_open) as page:
        print_text(page.url)
        tell(f"anyone who has this address can see the runs in {page.place}; Ctrl-C stops the page, not the runs")
        try:
            page.wait()
        except KeyboardInterrupt:
            tell("the page has stopped")
    return 0


COMMANDS = {"serve": serve}
