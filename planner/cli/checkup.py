"""What `ramify doctor` looks at. Nothing is created, no call is made, and keys are told by name only."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ramify.planner.asking.agent import model_and_server
from ramify.planner.errors import NoModelError, StoreError, UsageError
from ramify.planner.models.gguf.listing import list_gguf
from ramify.planner.models.local_servers import probe_local_servers
from ramify.planner.models.registry import list_models, open_model
from ramify.planner.runtime.address import shown_address
from ramify.planner.runtime.background import run_sync
from ramify.planner.runtime.version import version
from ramify.planner.settings.layers import unknown_variables
from ramify.planner.settings.place import read_place
from ramify.planner.settings.settings import load_settings, store_place
from ramify.planner.store import Store
from ramify.tasks import RamifyError

Verdict = Literal["ok", "note", "fault"]
_MARKS: dict[Verdict, str] = {"ok": "ok  ", "note": "note", "fault": "BAD "}
_PACKAGES = ("litellm", "pydantic", "sqlalchemy", "sqlmodel", "typer")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: what, in a word or two.
        verdict: "ok", "note" for what is missing and may stay so, "fault" for what has to be mended.
        words: what was found.
        is_fatal: whether nothing can be solved as long as it stays so.
    """

    topic: str
    verdict: Verdict
    words: str
    is_fatal: bool = False

    def __str__(self) -> str:
        first, *others = self.words.splitlines() or [""]
        return "\n".join([f"{_MARKS[self.verdict]} {self.topic}: {first}", *(f"       {line}" for line in others)])

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


def examine(store: str | None) -> list[Finding]:
    """Return what is found here, in the order in which people want to know it."""
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        _software, _settings, _model, _models, _files, _servers, lambda: _store(store), _painter, _dot, _sandbox,
    )  # fmt: skip
    return [finding for part in parts for finding in part()]


def _software() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    yield Finding("ramify", "ok", f"{version()}, Python {platform.python_version()} ({sys.executable})")
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version_of(package)}")
        except PackageNotFoundError:
            yield Finding("packages", "fault", f"{package} is not installed; install ramify again")
    yield Finding("packages", "ok", ", ".join(found))


def _settings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except UsageError as error:
        yield Finding("settings", "fault", str(error), is_fatal=True)
        return
    chosen = [f"{name} from {source}" for name, source in settings.sources.items() if source != "default"]
    yield Finding("settings", "ok", ", ".join(chosen) or "all defaults")
    for name in _keys_in_env_file():
        yield Finding("settings", "note", f"{name} is in .env, and keys are read from the environment only; export it")
    for name, hint in unknown_variables().items():
        yield Finding("settings", "note", f"{name} is set in the environment but is not a setting; {hint}")


def _keys_in_env_file() -> list[str]:
    """Return the names of provider keys that are in `.env` and not in the environment."""
    from dotenv import dotenv_values

    return [name for name in dotenv_values(".env") if name.endswith("_API_KEY") and not os.environ.get(name)]


def _model() -> Iterator[Finding]:
    try:
        settings = load_settings()
        name, base_url = model_and_server(settings)
    except UsageError:
        return
    if name is None:
        yield Finding("model", "note", "no model is set; set RAMIFY_MODEL, or pass --model NAME")
        return
    where = f"{name}{f' at {shown_address(base_url)}' if base_url else ''} (from {settings.sources['model']})"
    try:
        open_model(name, base_url=base_url)
    except (NoModelError, UsageError) as error:
        yield Finding("model", "fault", f"{where} cannot be used: {error}", is_fatal=True)
    else:
        yield Finding("model", "ok", where)


def _models() -> Iterator[Finding]:
    for model in list_models():
        yield Finding(f"model {model.name}", "ok" if model.is_usable else "note", model.missing or model.about)


def _files() -> Iterator[Finding]:
    found = list_gguf()
    if not found:
        yield Finding("GGUF files", "note", "none found in the caches of Ollama, LM Studio, llama.cpp and Hugging Face")
    for file in found:
        yield Finding(f"model {file.name}", "ok" if file.is_usable else "note", file.missing or file.about)


def _servers() -> Iterator[Finding]:
    servers = run_sync(probe_local_servers())
    if not servers:
        yield Finding("local servers", "note", "none found on the usual ports of Ollama, llama.cpp, vLLM and LM Studio")
    for server in servers:
        names = ", ".join(server.models[:5]) or "no models"
        yield Finding("local server", "ok", f"{server.program}: --base-url {server.base_url}, {names}")


def _store(given: str | None) -> Iterator[Finding]:
    try:
        place = read_place(store_place(given))
        if place.path is not None and not place.path.exists():
            yield Finding("store", *_future_store(place.path))
            return
        with Store.open(store_place(given), create=False) as store:
            runs = len(store.runs(inside=""))  # without trials of studies and the like
            words = f"{store.place}, runs: {runs:,}"
            faults = store.check()
    except RamifyError as error:
        yield Finding("store", "fault", str(error), is_fatal=isinstance(error, StoreError))
        return
    yield Finding("store", "ok", words)
    for fault in faults:
        yield Finding("store", "fault", fault)


def _future_store(path: Path) -> tuple[Verdict, str]:
    folder = next((each for each in path.absolute().parents if each.exists()), Path("/"))
    if os.access(folder, os.W_OK):
        return "ok", f"{path} does not exist yet; the first run creates it"
    return "fault", f"{path} cannot be made: {folder} is not writable"


def _painter() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        found = version_of("typst")
    except PackageNotFoundError:
        words = "not installed: png and pdf need it (pip install 'ramify[render]'), svg does not"
        yield Finding("typst", "note", words)
    else:
        yield Finding("typst", "ok", f"{found}: paints png and pdf")


def _dot() -> Iterator[Finding]:
    program = shutil.which("dot")
    if program is None:
        yield Finding("dot", "note", "not on PATH: only --layout dot needs it")
        return
    try:
        said = subprocess.run([program, "-V"], capture_output=True, timeout=10, check=False, text=True).stderr  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("dot", "fault", f"{program} cannot be started: {error}")
    else:
        yield Finding("dot", "ok", f"{program}: {' '.join(said.split())[:200]}")


def _sandbox() -> Iterator[Finding]:
    from ramify.planner.processes.sandbox import fault_of_bubblewrap

    fault = fault_of_bubblewrap()
    yield Finding("sandbox", "ok" if fault is None else "note", fault or "bubblewrap: tasks can run programs in it")
