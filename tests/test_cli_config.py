"""`ramify config`: the settings that hold, where they come from, and nothing that is secret."""

import json
from pathlib import Path

import pytest
from ramify.planner.settings.options import OPTIONS

from .ramify_command import Ramify


def test_every_setting_is_shown_with_its_value(ramify: Ramify) -> None:
    lines = ramify("config", "show").out.splitlines()
    assert [line.split()[0] for line in lines] == ["setting", *OPTIONS]
    assert "jobs                 8" in lines


def test_sources_say_where_a_setting_comes_from_and_what_it_is_stronger_than(
    ramify: Ramify, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "ramify.toml").write_text("jobs = 3\nlanguage = 'Norwegian'\n")
    (home / ".env").write_text("RAMIFY_JOBS=4\n")
    monkeypatch.setenv("RAMIFY_JOBS", "5")
    user = home.parent / "config" / "ramify"
    user.mkdir(parents=True)
    (user / "config.toml").write_text("jobs = 2\ncache = true\n")
    rows = {row["name"]: row for row in json.loads(ramify("config", "show", "--json").out)["settings"]}
    assert (rows["jobs"]["value"], rows["jobs"]["source"]) == (5, "RAMIFY_JOBS")
    assert [each["value"] for each in rows["jobs"]["overrides"]] == ["4", 3, 2]
    assert (rows["language"]["source"], rows["cache"]["source"]) == ("ramify.toml", str(user / "config.toml"))
    line = next(line for line in ramify("config", "show", "--sources").out.splitlines() if line.startswith("jobs"))
    assert line.split(maxsplit=3)[:3] == ["jobs", "5", "RAMIFY_JOBS"]
    assert line.endswith(f"RAMIFY_JOBS in .env: 4; ramify.toml: 3; {user / 'config.toml'}: 2")


def test_places_are_listed_the_strongest_first(ramify: Ramify, home: Path) -> None:
    (home / "pyproject.toml").write_text("[tool.ramify]\njobs = 3\n")
    lines = ramify("config", "path").out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["environment", "env file", "project", "project", "user"]
    places = json.loads(ramify("config", "path", "--json").out)["places"]
    assert [place["settings"] for place in places if place["exists"]] == [[], ["jobs"]]
    assert places[3]["path"] == str(home / "pyproject.toml")


def test_passwords_and_keys_are_not_shown(ramify: Ramify, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    monkeypatch.setenv("RAMIFY_STORE", "postgresql://ann:secret-2@db.example/runs")
    monkeypatch.setenv("RAMIFY_BASE_URL", "https://ann:secret-3@models.example/v1")
    (home / "ramify.toml").write_text("store = 'postgresql://bob:secret-4@db.example/runs'\n")
    for words in (("show",), ("show", "--sources"), ("show", "--json"), ("path",), ("path", "--json")):
        said = ramify("config", *words)
        assert said.code == 0
        assert "secret" not in said.out + said.err
    out = ramify("config", "show", "--sources").out
    assert "postgresql://ann@db.example/runs" in out
    assert "https://***@models.example/v1" in out


def test_a_broken_settings_file_is_named(ramify: Ramify, home: Path) -> None:
    (home / "ramify.toml").write_text("jbos = 3\n")
    said = ramify("config", "show")
    assert said.code == 2
    assert said.err == "ramify: error: ramify.toml:1: jbos is not a setting; did you mean jobs?\n"
