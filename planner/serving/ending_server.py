"""The web server, which lets those go who watch before it ends: their streams have no end of their own."""

import socket

import uvicorn
from starlette.types import ASGIApp

from .hub import Hub

_END_S = 3


class EndingServer(uvicorn.Server):
    """A server of an application on an open socket.

    Args:
        config: how it serves.
        hub: what is watched.
    """

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        await self._hub.end()
        await super().shutdown(sockets)


def quiet_config(app: ASGIApp) -> uvicorn.Config:
    """Return how an application is served that writes no log, as tokens would stand in it."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=_END_S,
    )
