"""The benchmarks run, at a tiny size and against nobody: what they say is never timed here."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from .patience import HANG_S

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
MODULES = ("cases", "contender", "contenders", "measuring", "report", "spying")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name, None)


def python(*arguments: object) -> str:
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_case_runs_against_nobody_and_is_reported(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    tiny = ["--against", "", "--scale", 0.001, "--repeat", 1, "--kills", 1]
    shown = python(BENCHMARKS / "run.py", *tiny, "--no-profile", "--folder", tmp_path / "work", "--output", page)
    text = page.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.count("|") == 3]
    assert len(rows) == 1 + 10
    assert not any("| - |" in row or "Error" in row for row in rows)
    assert text.startswith(shown.split("\n\n## ")[0].strip()[:200])
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("option", ["--only", "--against"])
def test_a_name_that_nobody_has_is_refused_with_those_that_there_are(option: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), option, "speed", "--output", str(tmp_path / "page.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 2
    assert (
        "there is no 'speed'; there are: " + {"--only": "leaves-1000, ", "--against": "asyncio alone; "}[option]
        in done.stderr
    )
    assert list(tmp_path.iterdir()) == []


def test_the_profile_names_every_stage(tmp_path: Path) -> None:
    page = tmp_path / "PROFILE.md"
    python(BENCHMARKS / "stages.py", "--size", 40, "--folder", tmp_path, "--output", page)
    text = page.read_text(encoding="utf-8")
    for stage in ("scheduling", "rows", "the writer: commit, with fsync", "a whole run", "the root is composed"):
        assert stage in text
    assert list(tmp_path.iterdir()) == [page]


def test_samples_of_a_run_are_told_by_thread_and_function(benchmarks: dict[str, ModuleType]) -> None:
    lines = [
        "thread (7): ramify-loop;run (a/loop.py:3);step (a/loop.py:9) 3",
        "thread (7): ramify-loop;run (a/loop.py:4) 1",
        "thread (7): ramify-loop;run (a/loop.py:4);_find_and_load (<frozen importlib._bootstrap>:1176) 9",
        "thread (8): MainThread;main (ours.py:1) 5",
    ]
    assert benchmarks["spying"].read_samples(lines) == {
        "the event loop": "  own    all  function, of 4 samples\n"
        "  75%    75%  step (a/loop.py)\n  25%   100%  run (a/loop.py)"
    }


@pytest.mark.parametrize("size", [20, 100, 1000])
def test_the_graph_has_its_size_and_needs_only_what_is_before(benchmarks: dict[str, ModuleType], size: int) -> None:
    graph = benchmarks["cases"].graph_of(size)
    assert len(graph) == size
    assert all(need < leaf for leaf, needs in enumerate(graph) for need in needs)
    assert sum(map(len, benchmarks["cases"].layers_of(graph))) == size


def test_an_ideal_schedule_is_never_shorter_than_its_bounds(benchmarks: dict[str, ModuleType]) -> None:
    cases = benchmarks["cases"]
    graph = cases.graph_of(1000)
    for jobs in (1, 7, 50, 1000):
        assert cases.steps_of(graph, jobs) >= max(-(-1000 // jobs), len(cases.layers_of(graph)))
    assert cases.steps_of(graph, 1) == 1000
    assert cases.steps_of(graph, 1000) == len(cases.layers_of(graph))


def test_a_failure_is_shown_without_the_paths_of_a_machine(benchmarks: dict[str, ModuleType]) -> None:
    words = benchmarks["measuring"]._last_words("Traceback\nImportError: no x (/home/me/env/x.py)\n")
    assert words == "ImportError: no x (...)"


def test_a_contender_that_failed_is_listed_with_its_reason(benchmarks: dict[str, ModuleType]) -> None:
    report, measuring = benchmarks["report"], benchmarks["measuring"]
    case = benchmarks["cases"].CASES[0]
    contenders = benchmarks["contenders"].CONTENDERS[:3]
    samples = {
        (case.name, contenders[0].name): [measuring.Sample(0.1), measuring.Sample(0.3), measuring.Sample(0.2)],
        (case.name, contenders[1].name): [measuring.Sample(0.5)],
        (case.name, contenders[2].name): [measuring.Sample(failure="it cannot be installed: no wheel")],
    }
    how = report.Circumstances("run.py", "2026-01-01", "2 cores", 3, {})
    page = report.results_page([case], contenders, samples, how)
    assert "| 0.200 ms | 0.500 ms (2.5x) | it cannot be installed |" in page
    assert "leaves-1000: it cannot be installed: no wheel." in page


def test_calls_of_a_model_are_measured_beside_bare_clients() -> None:
    shown = python(BENCHMARKS / "calls.py", "--repeat", 1, "--leaves", 3, "--jobs", 2)
    rows = [line for line in shown.splitlines() if line.startswith(("| this build", "| bare"))]
    assert len(rows) == 5


def test_the_laws_hold_in_small_simulations() -> None:
    shown = python(BENCHMARKS / "laws" / "run.py", "--quick")
    rows = [line.split(" | ") for line in shown.splitlines()[2:]]
    assert len(rows) == 6 + 2 + 18 + 4 + 2 + 3
    assert {row[-1] for row in rows} == {"yes |"}
