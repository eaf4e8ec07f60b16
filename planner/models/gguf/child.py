"""The process that llama.cpp runs in: it loads one model, answers HTTP on loopback, and ends with whoever started it.

It is a program of its own, `python -P child.py`. From standard input it reads an order, one line of JSON, and it writes
one line back: the address, or why there is none. llama.cpp itself writes to standard error. When standard input ends,
by a word of ours or with our death, it ends at once.

In our own process it could not be: while it loads, which takes seconds a gigabyte, xllamacpp holds Python's lock, so
that no event loop goes on, nor Ctrl-C; and what goes badly wrong in llama.cpp ends its process.
Nothing of Ramify is imported here.
"""

import json
import os
import sys
from typing import Any


def main() -> None:
    """Do what the order says, until standard input ends."""
    order = json.loads(sys.stdin.readline())
    try:
        import xllamacpp  # type: ignore[import-untyped] # it says nothing of its types

        server = xllamacpp.Server(_params(xllamacpp, order))  # it lives as long as it is held
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
        _tell(error=str(error) or type(error).__name__)
        return  # in the ordinary way, so that llama.cpp writes what it has to say
    _tell(address=server.listening_address)
    sys.stdin.read()
    os._exit(0)


def _tell(**said: str) -> None:
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


def _params(xllamacpp: Any, order: dict[str, Any]) -> Any:
    """Return what llama.cpp is started with."""
    params = xllamacpp.CommonParams()
    params.model.path = order["path"]
    params.n_parallel = order["slots"]
    params.n_ctx = order["window"] * order["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"]
    params.cache_ram_mib = order["cache_mib"]
    params.api_keys = [order["key"]]
    params.verbosity = order["verbosity"]
    params.use_jinja = True
    params.port = 0  # any that is free
    params.ui = params.endpoint_slots = False
    return params


if __name__ == "__main__":
    main()
