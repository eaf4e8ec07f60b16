"""Model servers on this machine: which of the usual ports answer, and with which models."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LOCAL_PORTS: Mapping[str, int] = MappingProxyType({"Ollama": 11434, "llama.cpp": 8080, "vLLM": 8000, "LM Studio": 1234})
"""The servers that people run, and the ports that they listen on unless told otherwise."""

_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """A server that answered.

    Attributes:
        program: what usually listens on that port; the server need not be that.
        base_url: what to give to `--base-url`.
        models: the models that it has.
    """

    program: str
    base_url: str
    models: tuple[str, ...]


async def probe_local_servers(ports: Mapping[str, int] = LOCAL_PORTS, *, timeout_s: float = 0.5) -> list[LocalServer]:
    """Return the servers on this machine that answer `/v1/models`, in the order of `ports`; silence is no error."""
    asked = [asyncio.to_thread(_ask, program, port, timeout_s) for program, port in ports.items()]
    return [server for server in await asyncio.gather(*asked) if server is not None]


def _ask(program: str, port: int, timeout_s: float) -> LocalServer | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", "/v1/models")
        answer = json.loads(connection.getresponse().read(_MOST_BYTES))
        models = tuple(str(model["id"]) for model in answer["data"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return LocalServer(program=program, base_url=f"http://127.0.0.1:{port}/v1", models=models)
