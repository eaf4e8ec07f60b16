"""Timelines: what the events of a run say about when it did what, and the picture of it."""

import doctest
import json
import random
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Executor
from ramify.planner.errors import UsageError
from ramify.planner.events.events import Event
from ramify.planner.export import lanes, shapes, time_axis, times
from ramify.planner.export.lanes import MOST_LANES, lanes_of
from ramify.planner.export.look import THEMES, ThemeName
from ramify.planner.export.time_axis import TimeAxis, mark_words
from ramify.planner.export.timeline import to_timeline_svg
from ramify.planner.export.times import Span, TimedTask, Timeline, concurrency, timeline_data, timeline_of
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig, TaskState

from .ramify_command import Ramify
from .test_export_dot import needs_dot
from .test_export_svg import HOSTILE, SVG, texts

START = 1_790_000_000.0
Said = tuple[float, str, str | None, dict[str, Any]]


def events(*said: Said) -> list[Event]:
    return [
        Event(seq=number, at=START + at, type=kind, task_id=task_id, data=data)
        for number, (at, kind, task_id, data) in enumerate(said, 1)
    ]


def tree(count: int) -> Task:
    root = Task(content="Compare two cities", id="0")
    root.add_subtasks(Task(content=f"Describe city {number}", id=f"0.{number}") for number in range(1, count + 1))
    return root


def ran(task_id: str, start: float, end: float, how: str = "task_done") -> tuple[Said, Said]:
    data = {"error": "it broke"} if how == "task_failed" else {"why": "it was stopped"}
    return (start, "task_started", task_id, {"attempt": 1}), (end, how, task_id, data)


def spans_of(found: Timeline) -> dict[str, list[tuple[float, float, str]]]:
    return {
        task.id: [(round(span.start_s, 3), round(span.end_s, 3), span.kind) for span in task.spans]
        for task in found.tasks
    }


def test_attempts_waits_and_planning_are_told_apart() -> None:
    found = timeline_of(
        tree(3),
        events(
            (0, "run_started", None, {"resumed": False}),
            (1, "call_done", "0", {"recorded": False, "latency_s": 0.75}),
            *ran("0.1", 1, 3),
            (3, "task_started", "0.2", {}),
            (4, "task_retrying", "0.2", {"attempt": 1, "error": "no answer", "delay_s": 2.0}),
            (6.5, "call_done", "0.2", {"recorded": False, "latency_s": 0.5}),
            (7, "task_failed", "0.2", {"error": "no answer"}),
        ),
    )
    assert spans_of(found) == {
        "0": [(0.25, 1, "plan")],
        "0.1": [(1, 3, "done")],
        "0.2": [(3, 4, "failed"), (4, 6, "wait"), (6, 7, "failed")],
    }
    assert [task.calls for task in found.tasks] == [((0.25, 1.0),), (), ((6.0, 6.5),)]
    assert (found.seconds, found.idle_tasks, found.most_at_once()) == (7.0, 1, 1)


def test_a_wait_before_another_planning_call_starts_no_attempt() -> None:
    found = timeline_of(
        tree(1),
        events(
            (1, "task_retrying", "0", {"attempt": 1, "error": "no answer", "delay_s": 2.0}),
            (4, "call_done", "0", {"recorded": False, "latency_s": 1.0}),
            *ran("0", 6, 7),
        ),
    )
    assert spans_of(found) == {"0": [(0, 2, "wait"), (2, 3, "plan"), (5, 6, "done")]}


def test_recorded_calls_took_no_time() -> None:
    found = timeline_of(tree(1), events((1, "call_done", "0", {"recorded": True, "latency_s": 5.0})))
    assert found.tasks == ()


def test_what_still_runs_ends_now_and_what_a_killed_process_did_ends_with_its_last_event() -> None:
    said = events(
        (0, "run_started", None, {"resumed": False}),
        (1, "task_started", "0.1", {}),
        (2, "task_started", "0.2", {}),
        (1000, "run_started", None, {"resumed": True}),
        (1000, "task_released", "0.1", {"why": "its run was interrupted"}),
        (1001, "task_started", "0.1", {}),
    )
    found = timeline_of(tree(2), said, until=START + 1004)
    assert spans_of(found) == {"0.1": [(1, 2, "released"), (1001, 1004, "running")], "0.2": [(2, 2, "released")]}
    assert found.pauses == ((2.0, 1000.0),)
    assert found.active_s() == 6.0


def test_a_wait_that_a_stop_cuts_short_ends_there() -> None:
    said = events(
        (0, "task_started", "0.1", {}),
        (1, "task_retrying", "0.1", {"attempt": 1, "error": "no answer", "delay_s": 60.0}),
        (3, "run_finished", None, {"status": "interrupted"}),
        (9, "run_started", None, {"resumed": True}),
    )
    assert spans_of(timeline_of(tree(1), said)) == {"0.1": [(0, 1, "failed"), (1, 3, "wait")]}


def test_waits_of_the_whole_run_are_joined() -> None:
    said = events(
        (0, "run_waiting", None, {"why": "no answer", "delay_s": 5.0}),
        (2, "run_waiting", None, {"why": "no answer", "delay_s": 8.0}),
        (30, "run_waiting", None, {"why": "the disk", "delay_s": 0.0}),
    )
    assert timeline_of(tree(1), said).waits == ((0.0, 10.0),)


def test_a_clock_that_is_set_back_does_not_turn_time_around() -> None:
    found = timeline_of(tree(2), events(*ran("0.1", 5, 2), *ran("0.2", 3, 4)))
    assert all(0 <= span.start_s <= span.end_s for task in found.tasks for span in task.spans)


def test_a_task_that_is_gone_from_the_tree_keeps_its_row() -> None:
    svg = to_timeline_svg(timeline_of(tree(1), events(*ran("0.7", 0, 1))))
    assert {"0.7", "no longer in the tree"} <= set(texts(svg))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30))
def test_concurrency_counts_the_spans_at_every_moment(ends: list[tuple[int, int]]) -> None:
    made = [Span(min(pair), max(pair), "done") for pair in ends]
    steps = concurrency(made)
    for moment in range(51):
        at_work = sum(span.start_s <= moment < span.end_s for span in made)
        assert next((count for since, count in reversed(steps) if since <= moment), 0) == at_work


@given(
    st.floats(0.001, 1e7),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8),
)
def test_axis_never_runs_backwards_and_stays_within_its_width(
    seconds: float, wanted: list[tuple[float, float]]
) -> None:
    moments = sorted({moment * seconds for pair in wanted for moment in pair})
    pauses = list(zip(moments[::2], moments[1::2], strict=False))
    axis = TimeAxis(seconds, 700, pauses=pauses)
    places = [axis.place(seconds * part / 50) for part in range(51)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] <= 700.001
    marks = axis.marks(9)
    assert len(marks) <= 11
    assert all(0 <= place <= 700.001 for place, _ in marks)
    assert len({words for _, words in marks}) >= len(marks) - len(axis.cuts)


def test_a_long_pause_does_not_press_the_bars_together() -> None:
    axis = TimeAxis(100_010.0, 700, pauses=[(5.0, 100_005.0)])
    assert axis.place(5.0) > 300
    assert axis.place(100_010.0) == pytest.approx(700)
    assert [words for _, words in axis.marks(5)] == ["0", "2 s", "4 s", "6 s", "8 s", "10 s"]


def big(count: int, seed: int = 1) -> Timeline:
    chance = random.Random(seed)
    said: list[Said] = []
    for number in range(1, count + 1):
        start = number * 0.05
        how = "task_failed" if number == count // 2 else "task_done"
        said += ran(f"0.{number}", start, start + 0.001 + chance.random(), how)
    return timeline_of(tree(count), events(*sorted(said, key=lambda each: each[0])))


@pytest.mark.parametrize("count", [1, 10, 100, 300])
def test_every_task_has_a_row_as_long_as_they_can_be_read(count: int) -> None:
    shown = texts(to_timeline_svg(big(count), max_bars=300))
    assert sum(words.startswith("0.") and words[2:].isdecimal() for words in shown) == count


def test_above_that_the_longest_and_the_failed_have_rows_and_the_others_are_packed_and_counted() -> None:
    found = timeline_of(
        tree(1000),
        events(*(each for number in range(1, 1001) for each in ran(f"0.{number}", number, number + number / 2000))),
    )
    shown = texts(to_timeline_svg(found, max_bars=100))
    assert {f"0.{number}" for number in range(901, 1001)} <= set(shown)
    assert "0.900" not in shown
    assert any(words.startswith("+900 tasks: 900 open") for words in shown)
    assert any(words.startswith("100 of 1,000 tasks have rows") for words in shown)


def test_a_failed_task_is_never_folded_away_before_others() -> None:
    root = tree(200)
    root.subtasks[6].set_state("FAILED")
    said = [each for number in range(1, 201) for each in ran(f"0.{number}", number, number + 0.5)]
    shown = texts(to_timeline_svg(timeline_of(root, events(*said)), max_bars=1))
    assert "0.7" in shown


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=120))
def test_bars_of_a_lane_lie_beside_each_other_and_cover_every_span(ends: list[tuple[float, float]]) -> None:
    made = [Span(min(pair), max(pair), "done") for pair in ends]
    tasks = [TimedTask(id="0", content="", state=TaskState.DONE, spans=(span,)) for span in made]
    axis = TimeAxis(100, 700)
    lanes = lanes_of(tasks, axis)
    assert 1 <= len(lanes) <= MOST_LANES
    for lane in lanes:
        assert all(one.right < other.left for one, other in pairwise(lane))
    for span in made:
        left, right = axis.place(span.start_s), axis.place(span.end_s)
        assert any(bar.left <= left and right <= bar.right for lane in lanes for bar in lane)


def test_a_failed_attempt_is_seen_in_a_lane_however_short() -> None:
    spans_made = [Span(0.001 * number, 50, "done") for number in range(100)]
    spans_made[70] = Span(0.07, 0.071, "failed")
    tasks = [TimedTask(id="0", content="", state=TaskState.DONE, spans=(span,)) for span in spans_made]
    assert "failed" in {bar.kind for lane in lanes_of(tasks, TimeAxis(100, 700)) for bar in lane}


def test_picture_grows_no_faster_than_the_tasks() -> None:
    assert len(to_timeline_svg(big(4000), max_bars=None)) < 4.4 * len(to_timeline_svg(big(1000), max_bars=None))
    assert len(to_timeline_svg(big(8000))) < 0.3 * len(to_timeline_svg(big(8000), max_bars=None))


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    found = timeline_of(Task(content=words, id="0"), events(*ran("0", 0, 1), *ran(words, 2, 3)), made_by=words)
    svg = to_timeline_svg(found)
    elements = list(ET.fromstring(svg).iter())
    assert {element.tag.removeprefix(SVG) for element in elements} <= {"svg", "title", "desc", "rect", "path", "text"}
    assert not [name for element in elements for name in element.attrib if name.startswith("on") or "href" in name]
    assert not {"\u202e", "\u2066", "\x1b", "\ufffe"} & set(svg)


@pytest.mark.parametrize("theme", THEMES)
def test_a_failed_attempt_is_told_without_colour(theme: ThemeName) -> None:
    crosses = [
        to_timeline_svg(timeline_of(tree(1), events(*ran("0.1", 0, 1, how))), theme=theme).count('stroke-width="2.2"')
        for how in ("task_done", "task_failed")
    ]
    assert crosses == [0, 4]  # in the legend and in the row, two strokes each


@pytest.mark.parametrize(("name", "magic"), [("t.png", b"\x89PNG"), ("t.pdf", b"%PDF"), ("t.svg", b"<svg")])
def test_suffix_of_the_file_says_the_format(tmp_path: Path, name: str, magic: bytes) -> None:
    big(500).save(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_less_than_one_bar_is_refused() -> None:
    with pytest.raises(UsageError, match="max_bars is 0"):
        to_timeline_svg(big(3), max_bars=0)


def test_a_run_without_events_says_that_nothing_has_run() -> None:
    assert any("no task has run yet" in words for words in texts(to_timeline_svg(timeline_of(tree(1), []))))


def flaky() -> Task:
    root = Task(content="try twice", id="0", config=TaskConfig(max_retries=1, retry_delay_seconds=0.01))
    root.add_subtask(Task(content="once", id="0.1", type="flaky"))
    return root


def test_a_finished_run_gives_its_timeline(tmp_path: Path) -> None:
    tried: list[str] = []

    def work(task: Task) -> str:
        tried.append(task.id)
        if len(tried) == 1:
            raise ValueError("the page is gone")
        return "fine"

    run = Executor(ScriptedModel(["<result>all</result>"]), store=tmp_path / "runs.db", workers={"flaky": work}).run(
        flaky()
    )
    found = run.timeline()
    kinds: dict[str, list[str]] = {task.id: [span.kind for span in task.spans] for task in found.tasks}
    assert kinds == {"0.1": ["failed", "wait", "done"], "0": ["done"]}
    path = run.save_timeline(tmp_path / "timeline.svg", theme="print")
    assert "scripted" in texts(path.read_text(encoding="utf-8"))[-1]


def test_command_draws_the_timeline(ramify: Ramify, home: Path) -> None:
    ramify("solve", "--model", "rules", "(1+2)*(3+4)")
    assert ramify("timeline", "--last").out.startswith("<svg")
    assert ramify("timeline", "--last", "-o", "t.svg", "--theme", "dark").code == 0
    assert "3 tasks in " in (home / "t.svg").read_text(encoding="utf-8")
    assert ramify("timeline", "--last", "-o", "t.gif").code == 2


@needs_dot
def test_command_draws_for_paper(ramify: Ramify, home: Path) -> None:
    ramify("solve", "--model", "rules", "(1+2)*(3+4)")
    assert ramify("timeline", "--last", "-f", "pdf", "-o", "figure").code == 0
    assert (home / "figure").read_bytes().startswith(b"%PDF")


def test_command_gives_the_spans_as_data(ramify: Ramify) -> None:
    ramify("solve", "--model", "rules", "(1+2)*(3+4)")
    data = json.loads(ramify("timeline", "--last", "--json").out)
    assert (data["version"], data["status"]) == (1, "done")
    assert {task["id"] for task in data["timeline"]["tasks"]} == {"0", "0.1", "0.2"}
    assert {span["kind"] for task in data["timeline"]["tasks"] for span in task["spans"]} <= {"done", "plan"}
    assert set(data["timeline"]) == set(timeline_data(big(1)))


@pytest.mark.parametrize("words", [(), ("nowhere",), ("--last", "--max-bars", "0"), ("--last", "-o", "nowhere/t.svg")])
def test_what_cannot_be_drawn_is_one_clear_line(ramify: Ramify, words: tuple[str, ...]) -> None:
    ramify("solve", "--model", "rules", "1+2")
    said = ramify("timeline", *words)
    assert (said.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("module", [lanes, shapes, time_axis, times])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_no_mark_says_seconds_where_minutes_are_counted() -> None:
    assert [mark_words(number * 600.0, 600.0) for number in range(8)][-2:] == ["1 h", "1:10 h"]
