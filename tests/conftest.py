"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest
from ramify.planner.cli import main

from .ramify_command import Ramify, Said


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
