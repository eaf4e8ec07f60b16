"""Fixtures that several test files share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from ramify.planner.cli import main
from ramify.planner.store import Store

from .postgres import postgres
from .ramify_command import Ramify, Said

__all__ = ["postgres"]

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each database in turn; the contract is the same."""
    return str(request.param)


@pytest.fixture
def place(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Where an empty store of that kind is to be."""
    if kind == "sqlite":
        return str(tmp_path / "runs.db")
    return str(request.getfixturevalue("postgres").empty_database())


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """An open store, on each database."""
    with Store.open(place) as store:
        yield store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder where no settings hold, of the user or of this machine."""
    for name in [name for name in os.environ if name.startswith("RAMIFY_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def ramify(home: Path, capsys: pytest.CaptureFixture[str]) -> Ramify:
    """Run one command in this process."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        return Said(code, *capsys.readouterr())

    assert home == Path.cwd()
    return run
