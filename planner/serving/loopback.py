"""Where the page is: on a port of loopback, at an address that holds a token."""

import os
import socket
from typing import Final

from ramify.planner.errors import UsageError

PORT: Final = 8321
"""Where the page is, unless another port is asked for, or another program has this one."""

HOST: Final = "127.0.0.1"

TOKEN: Final = "token"  # noqa: S105 - the name of a parameter
"""The parameter of an address that holds the token."""

_HIGHEST_PORT: Final = 65_535


def listening_on(port: int | None) -> socket.socket:
    """Return a socket that is bound to a port of loopback.

    Raises:
        UsageError: if the port cannot be had.
    """
    if port is not None and not 0 <= port <= _HIGHEST_PORT:
        raise UsageError(f"{port} is not a port; use a number from 0 to {_HIGHEST_PORT}")
    wanted = [PORT, 0] if port is None else [port]
    for each in wanted:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, each))
        except OSError as error:
            bound.close()
            if each == wanted[-1]:
                why = error.strerror or str(error)
                raise UsageError(f"cannot use port {each}: {why}; choose another, or 0 for any free one") from error
        else:
            return bound
    raise UsageError("there is no free port")
