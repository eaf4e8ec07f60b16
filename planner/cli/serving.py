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
        typer.Option(min=0, max=65_535, metavar="N", help="Where; 8321, or any free one if that is taken."),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Let the page look, and do nothing to a run.")] = False,
) -> int:
    """Show the runs of a store as a live page, and act on them.

    Only this computer can reach it, with the address that is printed. Ctrl-C ends the page; runs go on.

    Example: ramify serve
    """
    from ramify.planner.serving import serve as serve_page

    from .output import print_text, tell

    with serve_page(given["store"], port=port, read_only=read_only, show=not no_open) as page:
        print_text(page.url)
        tell(f"this address shows the runs of {page.place} to whoever has it; Ctrl-C ends the page, and runs go on")
        try:
            page.wait()
        except KeyboardInterrupt:
            tell("the page has ended")
    return 0


COMMANDS = {"serve": serve}
