"""What a site's robots.txt lets programs fetch: asked once a site, and kept as long as the fetcher is.

Source: RFC 9309. A site without one allows all; one whose robots.txt cannot be had for the moment allows nothing for
the moment. Rules are read by the standard library, which takes the first rule that fits and knows no wildcards.
"""

from urllib.robotparser import RobotFileParser

from ramify.planner.errors import FetchError, RefusedError

from .urls import Target

MOST_BYTES = 512_000
_SERVER_ERROR = 500


class RobotRules:
    """The rules of one site.

    Args:
        text: its robots.txt.
    """

    def __init__(self, text: str) -> None:
        self._parser = RobotFileParser()
        self._parser.parse(text.splitlines())

    def check(self, target: Target, user_agent: str) -> None:
        """Decide about an address.

        Raises:
            RefusedError: if the site does not want it fetched.
        """
        if not self._parser.can_fetch(user_agent, str(target)):
            raise RefusedError(
                f"{target} is not fetched: the site's robots.txt does not want that; with `robots: false` among the"
                " inputs it is not asked",
                url=str(target),
            )


def rules_without_file(error: FetchError) -> RobotRules:
    """Return the rules of a site whose robots.txt could not be had.

    Raises:
        FetchError: if the site may have one that cannot be read now, or may not be reached at all.
    """
    is_missing = error.status_code is not None and error.status_code < _SERVER_ERROR and not error.may_pass
    is_no_text = error.status_code is None and not error.may_pass and not isinstance(error, RefusedError)
    if is_missing or is_no_text:
        return RobotRules("")
    raise error
