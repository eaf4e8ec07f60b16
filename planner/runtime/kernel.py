"""Whether this process is a notebook's kernel."""

import sys


def has_kernel() -> bool:
    """Return whether this is a notebook's kernel, which shows more than text."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
