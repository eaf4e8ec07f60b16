"""Which version of Ramify this is, as it was installed."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of


def version() -> str:
    """Return the version of Ramify; "unknown" where it was not installed."""
    try:
        return version_of("ramify")
    except PackageNotFoundError:
        return "unknown"
