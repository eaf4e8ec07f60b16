"""Whoever hears the words of a reply while they come, before the reply is whole."""

from typing import Protocol


class Listener(Protocol):
    """Hears one reply after the other."""

    @property
    def keeps(self) -> bool:
        """Whether something of the present reply is used already, so that the same must not be asked again."""

    def begins(self) -> None:
        """Be told that a reply begins, and that nothing heard before is a part of it."""

    def hears(self, words: str) -> None:
        """Take the next words."""
