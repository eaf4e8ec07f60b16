"""What of a reply a listener hears: all up to the delimiters of the request, which no reply may hold."""

from collections.abc import Callable, Sequence

from ramify.planner.models.listening import Listener


class CleanListener:
    """Lets another listener hear a reply.

    Args:
        listener: the other one.
        nonces: what delimits data in the request, and in those before it.
        begins: told the first words of the reply.
    """

    def __init__(self, listener: Listener, nonces: Sequence[str], begins: Callable[[str], None]) -> None:
        self._listener = listener
        self._marks = [f"data-{nonce}" for nonce in nonces]
        self._longest = max(map(len, self._marks), default=0)
        self._first = begins
        self.begins()

    @property
    def keeps(self) -> bool:
        """Whether the other one keeps something."""
        return self._listener.keeps

    def begins(self) -> None:
        """Begin anew."""
        self._tail = ""
        self._is_first = True
        self._is_clean = True
        self._listener.begins()

    def hears(self, words: str) -> None:
        """Let the words be heard, unless a delimiter has come."""
        self._tail += words
        if self._is_first and self._tail.strip():
            self._is_first = False
            self._first(self._tail)
        self._is_clean = self._is_clean and not any(mark in self._tail for mark in self._marks)
        self._tail = self._tail[-self._longest :] if not self._is_first else self._tail
        if self._is_clean:
            self._listener.hears(words)
