"""The page as its user has it: opened on a port of loopback, at an address that holds a token, until it is closed."""

import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ramify.planner.errors import RunError, UsageError
from ramify.planner.settings.settings import store_place
from ramify.planner.store import Store

from .loopback import HOST, TOKEN, listening_on

_START_S: Final = 60.0
_LOOK_AGAIN_S: Final = 0.01
_WAIT_S: Final = 3600.0


class Served:
    """A page that is served in the background, by a thread of this process; a context manager, which closes it.

    Attributes:
        url: its address, with the token: who has it can see the runs of the store, and act on them.
        place: the store, as it can be shown.
        port: where it is.
        token: what the address holds; a random one, unless it is that of a page that has ended.
    """

    def __init__(
        self, store: str | Path | None, *, port: int | None, read_only: bool, token: str | None = None
    ) -> None:
        try:
            from .acts import Acting
            from .ending_server import EndingServer, quiet_config
            from .guard import Guard
            from .site import Site
        except ImportError as error:
            raise UsageError(
                "the live page needs the packages starlette and uvicorn: pip install 'ramify[serve]'"
            ) from error
        self._store = Store.open(store_place(store))
        try:
            listening = listening_on(port)
        except BaseException:
            self._store.close()
            raise
        self.place = self._store.place
        self.port = int(listening.getsockname()[1])
        self.token = token or secrets.token_urlsafe()
        self.url = f"http://{HOST}:{self.port}/?{TOKEN}={self.token}"
        site = Site(self._store, None if read_only else Acting(self._store, store))
        config = quiet_config(Guard(site.app(), token=self.token, port=self.port))
        self._server = EndingServer(config, site.hub)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="ramify serve", daemon=True)
        self._folder: str | None = None
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Served {self.place} at {self.url}>"

    def show(self) -> bool:
        """Open the page in a browser, if there is one; return whether there is.

        The browser is given a file that leads there, as the words of a command can be seen by others on the machine.
        """
        if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
            return False  # a browser in a terminal shows no page that is made by scripts
        self._folder = self._folder or tempfile.mkdtemp(prefix="ramify-")
        file = Path(self._folder) / "page.html"
        file.write_text(
            f'<!doctype html><meta charset="utf-8"><title>Ramify</title>'
            f'<meta http-equiv="refresh" content="0; url={escape(self.url)}">',
            encoding="utf-8",
        )
        with suppress(webbrowser.Error):
            return webbrowser.open(file.as_uri())
        return False

    def wait(self) -> None:
        """Return when it is closed, by another thread or an interruption (Ctrl-C)."""
        while self._thread.is_alive():
            self._thread.join(_WAIT_S)

    def close(self) -> None:
        """End the page; what it has begun goes on."""
        self._server.should_exit = True
        self._thread.join()
        self._store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        self._thread.start()
        until = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                self.close()
                raise RunError(f"could not serve the page on port {self.port}; try another port")
            time.sleep(_LOOK_AGAIN_S)


def serve(
    store: str | Path | None = None, *, port: int | None = None, read_only: bool = False, show: bool = True
) -> Served:
    """Serve the live page of a store in the background, until it is closed or this process ends.

    Args:
        store: a file, or the URL of a database; `.ramify/ramify.db` unless the settings say otherwise.
        port: the port; default: 8321, or a free one if it is taken. 0 means any free one.
        read_only: whether the page only shows runs, without actions.
        show: whether to open it in a browser.

    Raises:
        UsageError: if the port cannot be had, or a package is missing: `pip install 'ramify[serve]'`.
        StoreError: if the store cannot be opened.
    """
    served = Served(store, port=port, read_only=read_only)
    if show:
        served.show()
    return served
