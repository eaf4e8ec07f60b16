"""What an OpenAI-compatible server says of its model besides answering: how much it reads, whether it knows tools.

`/v1/models` says the window, in a field of its own in each program (llama.cpp, vLLM, LM Studio, OpenRouter); in
`/props`, llama.cpp says whether the model's template has a place for tools. What a server does not say is not known;
that it is not there, or is loading its model, is an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ramify.planner.runtime.address import Address
from ramify.tasks.json_text import read_json

_MOST_BYTES = 4_000_000
_WINDOWS = ("n_ctx", "max_model_len", "loaded_context_length", "context_length", "max_context_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server says of a model; None is not said.

    Attributes:
        window: how many tokens it reads, its reply included.
        takes_tools: whether tools that are sent along reach the model.
    """

    window: int | None = None
    takes_tools: bool | None = None


NOTHING_KNOWN = ServerFacts()


class NotReadyError(Exception):
    """Raised when a server answers with status 503; the name and the code are what `classify` reads."""

    status_code = 503


def ask_facts(base_url: str, model: str, key: str | None, *, timeout_s: float = 5.0) -> ServerFacts:
    """Ask a server about a model; it waits, so it is not for an event loop.

    Args:
        base_url: the server's address, as for `--base-url`.
        model: the name that the server knows the model by.
        key: what is sent as key; None sends none.
        timeout_s: how long to wait for each answer, in seconds.

    Raises:
        OSError: if it cannot be reached.
        NotReadyError: if it answers that it is not ready.
    """
    try:
        address = Address.of(base_url)
    except ValueError:
        return NOTHING_KNOWN
    path = urlsplit(address.url).path.rstrip("/")
    models = _asked(address, f"{path}/models", key, timeout_s)
    props = _asked(address, f"{path.removesuffix('/v1')}/props", key, timeout_s)
    caps = props.get("chat_template_caps")
    takes_tools = caps.get("supports_tools") if isinstance(caps, dict) else None
    return ServerFacts(
        window=_window(models, model), takes_tools=takes_tools if isinstance(takes_tools, bool) else None
    )


def _window(models: Mapping[str, Any], model: str) -> int | None:
    listed = models.get("data")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    named = [each for each in entries if each.get("id") == model] or (entries if len(entries) == 1 else [])
    return next((window for each in named for window in _windows(each)), None)


def _windows(entry: Mapping[str, Any]) -> Iterator[int]:
    meta = entry.get("meta")
    for source in (meta if isinstance(meta, dict) else {}, entry):
        yield from (source[name] for name in _WINDOWS if isinstance(source.get(name), int) and source[name] > 0)


def _asked(address: Address, path: str, key: str | None, timeout_s: float) -> dict[str, Any]:
    """Return what the server answers with JSON; nothing if it does not. Redirects are not followed: the key stays."""
    import http.client

    parts = urlsplit(address.url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = dict(address.headers) | ({} if key is None else {"Authorization": f"Bearer {key}"})
    query = f"?{urlencode(address.query)}" if address.query else ""
    connection = make(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", f"{path}{query}", headers=headers)
        response = connection.getresponse()
        text = response.read(_MOST_BYTES)
        if response.status == NotReadyError.status_code:
            raise NotReadyError(text.decode("utf-8", "replace"))
        answer = read_json(text)
    except (http.client.HTTPException, ValueError, RecursionError):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}
