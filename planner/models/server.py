"""A server of language models: its address, its key, how long it is waited for, and what its faults mean.

Nothing here knows how requests reach it.
"""

import math
import os
import re
from dataclasses import dataclass, field

from ramify.planner.errors import ModelError
from ramify.planner.runtime.address import Address, shown_address
from ramify.planner.runtime.secrets import hide_keys
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Usage

from .prices import window_listed
from .protocol import ModelRequest
from .retry import Failure, FailureKind, classify
from .server_facts import NotReadyError, ServerFacts, ask_facts
from .unanswered import used_without_reply

NO_KEY = "no-key"
"""What is sent as key to servers that need none."""

_LONGEST_QUOTE = 600
_HOST_ALONE = re.compile(r"\w+://[^/?#]+/?")
_MAY_BE_ELSEWHERE = frozenset({FailureKind.NOT_FOUND, FailureKind.MALFORMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for a server, in seconds.

    A server that reads a long prompt, or has others to answer, is silent for as long as it takes; so what limits a
    stream is the time for the whole reply, unless more is said.

    Attributes:
        connect_s: for the connection.
        first_word_s: for the first piece of a streamed reply.
        stall_s: between two pieces of a streamed reply.
        whole_s: for the whole reply, unless the request says otherwise.
    """

    connect_s: float = 10.0
    first_word_s: float = math.inf
    stall_s: float = math.inf
    whole_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a model is asked.

    Attributes:
        model: the model, by litellm's name for it, or by the name that the server at `base_url` knows.
        base_url: the address of an OpenAI-compatible server; None is the provider's own.
        api_key: the key; None takes the provider's variable from the environment, see `key_to_send`.
        timeouts: how long to wait.
    """

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()

    def __str__(self) -> str:
        return f"{self.model} at {shown_address(self.base_url)}" if self.base_url else self.model

    def key(self) -> str:
        """Return the key to send."""
        return (key_to_send(self.api_key, self.base_url) or os.environ.get("OPENAI_API_KEY", "")).strip()

    def timeout_s(self, request: ModelRequest) -> float:
        """Return how long to wait for the whole reply to `request`, in seconds."""
        return request.timeout_s or self.timeouts.whole_s

    def facts(self) -> ServerFacts:
        """Ask the server about the model; it waits. A provider that has no such place is known by litellm's lists.

        Raises:
            ModelError: if the server cannot be reached, or is not ready.
        """
        if self.base_url is None:
            return ServerFacts(window=window_listed(self.model))
        name = self.model.removeprefix("openai/")
        try:
            return ask_facts(self.base_url, name, self.key())
        except (OSError, NotReadyError) as error:
            raise self.failed(error) from None

    def failed(self, error: Exception, *, usage: Usage | None = None) -> ModelError:
        """Return what the failure of a call means; `usage` is what it has used, if the server said so."""
        detail = self.words_of(error) or type(error).__name__
        advice = getattr(error, "advice", "")
        return self.error(classify(error), detail, usage=usage or used_without_reply(error), advice=advice)

    def words_of(self, error: Exception) -> str:
        """Return what is worth quoting of an exception."""
        return str(error)

    def _secrets(self) -> tuple[str, ...]:
        try:
            return () if self.base_url is None else Address.of(self.base_url).secrets
        except ValueError:  # no address, which is what the error is about
            return ()

    def error(self, failure: Failure, detail: str, *, usage: Usage | None = None, advice: str = "") -> ModelError:
        """Return the error for a failure, with a detail from which keys are blotted out, and its own advice if any."""
        detail = hide_keys(
            " ".join(whole_text(detail).split()), known=[self.api_key, *self._secrets(), *_environment_keys()]
        )
        if len(detail) > _LONGEST_QUOTE:
            detail = detail[:_LONGEST_QUOTE] + "..."
        advice = advice or failure.rule.advice
        if failure.kind in _MAY_BE_ELSEWHERE and self.base_url and _HOST_ALONE.fullmatch(self.base_url):
            advice += f"; most addresses end in /v1, such as {shown_address(self.base_url).rstrip('/')}/v1"
        return ModelError(
            f"{self}: {failure.means}: {detail.rstrip('.')}; {advice}",
            kind=failure.kind,
            model=self.model,
            status_code=failure.status_code,
            retry_after_s=failure.retry_after_s,
            usage=usage,
            prompt_tokens=failure.sizes.prompt,
            window_tokens=failure.sizes.window,
        )


def key_to_send(api_key: str | None, base_url: str | None) -> str | None:
    """Return the key to send; None stands for that of the environment, where litellm looks by itself.

    >>> key_to_send(None, "http://127.0.0.1:8080/v1")
    'no-key'
    """
    if api_key is not None or base_url is None:
        return api_key
    may_use_environment = not base_url.lower().startswith("http://") and "OPENAI_API_KEY" in os.environ
    return None if may_use_environment else NO_KEY


def _environment_keys() -> list[str]:
    return [value for name, value in os.environ.items() if name.upper().endswith(("_KEY", "_TOKEN", "_SECRET"))]
