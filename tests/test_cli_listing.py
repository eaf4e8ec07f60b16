"""`runs` with conditions, and `runs --prune`: some of the runs are listed, and some are deleted."""

import json
from pathlib import Path

import pytest

from .ramify_command import Ramify

RULES = ("--model", "rules")


def listed(ramify: Ramify, *words: str) -> list[str]:
    return [run["run"] for run in json.loads(ramify("runs", *words, "--json").out)["runs"]]


@pytest.fixture
def four_runs(ramify: Ramify) -> list[str]:
    """Runs, the newest first: failed, done, failed, done."""
    for goal in ("1+1", "1/0", "2+2", "2/0"):
        ramify("solve", *RULES, goal)
    return listed(ramify)


def test_runs_are_listed_by_status_and_place(four_runs: list[str], ramify: Ramify) -> None:
    assert listed(ramify, "--status", "failed") == [four_runs[0], four_runs[2]]
    assert listed(ramify, "--status", "failed", "--status", "done") == four_runs
    assert listed(ramify, "--keep", "1", "--status", "failed") == [four_runs[2]]
    assert listed(ramify, "--older-than", "1h") == []
    assert listed(ramify, "--older-than", "0s", "-n", "3") == four_runs[:3]
    assert "--all shows them" in ramify("runs", "--status", "failed", "-n", "1").err


def test_the_runs_of_a_sweep_are_one_row_unless_they_are_asked_for(ramify: Ramify) -> None:
    ramify("sweep", *RULES, "1+1", "-p", "max_depth=1,2")
    ramify("solve", *RULES, "2+2")
    alone, sweep = listed(ramify)
    inside = [f"{sweep}.1", f"{sweep}.2"]
    found = ramify("runs")
    assert "1+1 · 2 runs: 2 done · $0.00" in found.out
    assert f"`ramify runs {sweep}` lists the runs of {sweep}" in found.err
    assert listed(ramify, sweep) == inside
    assert sorted(listed(ramify, "--members")) == sorted([alone, sweep, *inside])
    assert [run["members"] for run in json.loads(ramify("runs", "--json").out)["runs"]] == [{}, {"done": 2}]
    assert f"run {alone} is not a study or sweep" in ramify("runs", alone).err


def test_runs_are_pruned_after_a_rehearsal(four_runs: list[str], ramify: Ramify) -> None:
    failed, done = four_runs[::2], four_runs[1::2]
    said = ramify("runs", "--prune", "--status", "done", "--dry-run")
    assert said.out.split() == done
    assert "2 runs would be deleted" in said.err
    assert listed(ramify) == four_runs
    document = json.loads(ramify("runs", "--prune", "--status", "done", "--json").out)
    assert (document["runs"], document["deleted"]) == (done, True)
    assert listed(ramify) == failed
    assert "there is no such run" in ramify("runs", "--prune", "--older-than", "30d").err
    said = ramify("runs", "--prune", "--keep", "1")
    assert (said.code, said.out.split()) == (0, failed[1:])
    assert "1 run deleted; `ramify store vacuum` frees their space" in said.err
    assert listed(ramify) == failed[:1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prune",), "--older-than AGE, --status STATUS, --keep N"),
        (("--prune", "--all", "--keep", "1"), "--limit and --all are for lists"),
        (("--prune", "--members"), "RUN, --members, --limit and --all are for lists"),
        (("--prune", "--limit", "3"), "--limit and --all are for lists"),
        (("--dry-run",), "without --prune nothing is deleted"),
        (("--older-than", "soon"), "'soon' is not an age"),
        (("--status", "happy"), "'happy' is not a status; use running, done, partial, failed, "),
        (("--keep", "-1"), "--keep"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(words: tuple[str, ...], said: str, ramify: Ramify) -> None:
    ramify("solve", *RULES, "1+1")
    found = ramify("runs", *words)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("ramify: error: ")
    assert said in found.err
    assert found.err.count("\n") == 1
    assert len(listed(ramify)) == 1


def test_neither_listing_nor_pruning_makes_a_store(ramify: Ramify) -> None:
    for words in ((), ("--prune", "--keep", "1")):
        found = ramify("runs", *words)
        assert found.code == 2
        assert "there is no store" in found.err
        assert not Path(".ramify").exists()
