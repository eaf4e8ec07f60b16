"""The process that the engine `process` starts for an order: it does it, and says what came of it through its pipes.

A message is its length in digits, a line feed, and JSON.
"""

import json
import os
import sys
import threading
from typing import IO, Any

from ramify.tasks.json_text import json_text


def framed(words: bytes) -> bytes:
    """Return a message as it goes through a pipe."""
    return b"%d\n%s" % (len(words), words)


class Pipes:
    """The pipes to the process that has given the order."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source = source
        self._target = target
        self._turn = threading.Lock()

    def ask(self, message: Any) -> Any:
        """Send a message, and return its answer."""
        with self._turn:
            self.send(message)
            return self.read()

    def send(self, message: Any) -> None:
        """Send a message."""
        self._target.write(framed(json_text(message).encode()))
        self._target.flush()

    def read(self) -> Any:
        """Return the next message."""
        return json.loads(self._source.read(int(self._source.readline())))


def main() -> None:
    """Do what the order says that comes through standard input."""
    pipes = Pipes(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # what the function reads is no message
    os.dup2(2, 1)  # what it prints is no message either
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as Python has it
    order = pipes.read()

    from .far import perform

    pipes.send(perform(order, pipes.ask))


if __name__ == "__main__":
    main()
