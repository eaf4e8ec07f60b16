"""What is blotted out of everything that a run writes: the values of secrets that its workers may read."""

from collections.abc import Iterable
from typing import Any

BLOT = "[secret hidden]"
SHORTEST = 4
"""Values shorter than this are not blotted out: they would take ordinary words with them."""


class Redactor:
    """Blots values out of texts and of JSON data.

    Args:
        secrets: the values.

    >>> Redactor(["hunter22"]).data({"said": ["my password is hunter22"]})
    {'said': ['my password is [secret hidden]']}
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(sorted({each for each in secrets if len(each) >= SHORTEST}, key=len, reverse=True))

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def text(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, BLOT)
        return text

    def data(self, value: Any) -> Any:
        """Return JSON data without the secrets, in keys and in values; the same object if there are none."""
        if not self._secrets:
            return value
        return self._without(value)

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._without(key): self._without(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._without(each) for each in value]
        return value
