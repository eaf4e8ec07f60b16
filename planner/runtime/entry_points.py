"""What installed packages offer by name, in a group of their entry points; one is imported only when it is named."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from ramify.planner.errors import UsageError

from .border import border, error_text


def named_object(name: str, *, group: str, what: str, built_in: Iterable[str]) -> tuple[Any, str]:
    """Return what an installed package offers under `name`, and where it is, as `module:name`.

    Args:
        name: the name.
        group: the group of entry points.
        what: what it is, for people to read.
        built_in: the names of those that come with Ramify, which a message lists too.

    Raises:
        UsageError: if there is none of that name, or it cannot be imported.
    """
    points = {point.name: point for point in entry_points(group=group)}
    if name not in points:
        known = sorted({*built_in, *points})
        spelled = {each.lower(): each for each in known}
        near = get_close_matches(name.lower().replace("-", "_"), spelled, 1)
        hint = f" (did you mean {spelled[near[0]]!r}?)" if near else ""
        raise UsageError(f"there is no {what} {name!r}{hint}; there are: {', '.join(known)}")
    point = points[name]
    try:
        with border:
            return point.load(), point.value
    except Exception as error:
        raise UsageError(
            f"the {what} {name!r} ({point.value}) cannot be imported: {error_text(error)}; install what it needs, or"
            f" take another {what}"
        ) from error
