"""What a site's robots.txt lets programs fetch: asked once a site, however many want to know, and kept for a day.

Source: RFC 9309. A site without one allows all; one whose robots.txt cannot be had for the moment allows nothing for
the moment. Rules are read by protego: the longest rule that fits decides, `*` and a `$` at the end are wildcards.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from ramify.planner.errors import FetchError, RefusedError

from .urls import Target

MOST_BYTES = 512_000
KEPT_S = 24 * 3600.0
"""How long rules hold before they are asked for again, in seconds."""
_SERVER_ERROR = 500


class RobotRules:
    """The rules of one site.

    Args:
        text: its robots.txt.
    """

    def __init__(self, text: str) -> None:
        from protego import Protego

        self._rules = Protego.parse(text)

    def check(self, target: Target, user_agent: str) -> None:
        """Decide about an address.

        Raises:
            RefusedError: if the site does not want it fetched.
        """
        if not self._rules.can_fetch(str(target), user_agent):
            raise RefusedError(
                f"{target} is not fetched: the site's robots.txt forbids it; the input `robots: false` ignores"
                " robots.txt",
                url=str(target),
            )


class SiteRules:
    """The rules of the sites that fetchers go to, which may share one of these.

    Args:
        kept_s: how long rules hold before they are asked for again, in seconds.
    """

    def __init__(self, *, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._known: dict[str, tuple[float, RobotRules]] = {}
        self._asked: dict[str, asyncio.Future[FetchError | None]] = {}

    async def of(self, origin: str, ask: Callable[[], Awaitable[RobotRules]]) -> RobotRules:
        """Return the rules of a site, for which `ask` asks if nobody does or did.

        A failure is told to all who wait for the answer, and not kept; where it lies with the one who asked, as that
        one may not go there or is ended, the next one asks.

        Raises:
            FetchError: if they cannot be had.
        """
        while (known := self._known_of(origin)) is None:
            asked = self._asked.get(origin)
            if asked is None:
                return await self._ask(origin, ask)
            if (failure := await asyncio.shield(asked)) is not None:
                raise failure
        return known

    async def _ask(self, origin: str, ask: Callable[[], Awaitable[RobotRules]]) -> RobotRules:
        asked = self._asked[origin] = asyncio.get_running_loop().create_future()
        failure: FetchError | None = None
        try:
            rules = await ask()
        except FetchError as error:
            failure = None if isinstance(error, RefusedError) else error
            raise
        else:
            self._known[origin] = time.monotonic(), rules
            return rules
        finally:
            del self._asked[origin]
            asked.set_result(failure)

    def _known_of(self, origin: str) -> RobotRules | None:
        asked_at, rules = self._known.get(origin, (0.0, None))
        return rules if time.monotonic() - asked_at < self._kept_s else None


def rules_without_file(error: FetchError) -> RobotRules:
    """Return the rules of a site whose robots.txt could not be had.

    Raises:
        FetchError: if the site may have one that cannot be read now, or may not be reached at all.
    """
    may_have_one = error.may_pass or error.is_unreached or isinstance(error, RefusedError)
    if may_have_one or (error.status_code or 0) >= _SERVER_ERROR:
        raise error
    return RobotRules("")
