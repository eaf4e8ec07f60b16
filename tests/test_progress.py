"""What is shown of a run: lines from events, and a tree from the ledger; no terminal, no clock."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, PlanLimits
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.lines import EventFile
from ramify.planner.progress import open_display
from ramify.planner.progress.displays import fitting_kind
from ramify.planner.progress.ledger import Ledger
from ramify.planner.progress.lines import Line, cut, drawn, fitted, width_of
from ramify.planner.progress.plain import PlainLines
from ramify.planner.progress.tree import MOST_ANCESTORS, lines_of
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState
from rich.cells import cell_len

START = 1_000.0


def event(kind: EventType, task_id: str | None = None, *, at: float = START, **data: Any) -> Event:
    return Event(seq=1, at=at, type=kind, task_id=task_id, data=data)


def family(children: int) -> Task:
    root = Task(content="Compare cities", id="0")
    root.add_subtasks([Task(content=f"City {i}", id=f"0.{i}") for i in range(1, children + 1)])
    return root


def begin(ledger: Ledger, task_id: str, *, at: float = START) -> None:
    ledger.root.find(task_id).move(TaskState.RUNNING)
    ledger.take(event(EventType.TASK_STARTED, task_id, at=at, doing="execute", attempt=1))


def end(ledger: Ledger, task_id: str, state: TaskState = TaskState.DONE, **data: Any) -> None:
    ledger.root.find(task_id).move(state)
    ledger.take(event(EventType[f"TASK_{state.value}"], task_id, **data))


def shown(ledger: Ledger, *, height: int = 40, now: float = START) -> list[str]:
    return [drawn(line, is_coloured=False) for line in lines_of(ledger, now=now, height=height)]


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (event(EventType.PLAN_ATTACHED, "0", subtasks=["0.1", "0.2"]), "0 split into 2: 0.1 0.2"),
        (event(EventType.PLANNED, tasks=7), "the plan is complete, tasks: 7"),
        (event(EventType.TASK_DONE, "0.2"), "0.2 done"),
        (event(EventType.TASK_FAILED, "0.2", error="no: way"), "0.2 failed: no: way"),
        (event(EventType.TASK_RELEASED, "0.2", why="the run is stopping"), "0.2 not finished; it will run on resume"),
        (
            event(EventType.TASK_RETRYING, "0.2", attempt=1, error="busy", delay_s=2.0),
            "0.2 attempt 1 failed; next attempt in 2.0 s: busy",
        ),
        (event(EventType.RUN_WAITING, why="no answer", delay_s=4.0), "waiting 4.0 s: no answer"),
        (event(EventType.WARNING, "0.1", message="task 0.1 is not split"), "0.1 warning: task 0.1 is not split"),
        (event(EventType.CALL_DONE, "0.1", purpose="execute", recorded=False, latency_s=1, tokens=2), None),
        (event(EventType.CALL_STARTED, "0.1", purpose="execute", model="m"), None),
        (event(EventType.PLAN_ATOMIC, "0.1", why="short"), None),
        (event(EventType.RUN_FINISHED, status="done"), None),
    ],
)
def test_an_event_is_at_most_one_line(happened: Event, line: str | None) -> None:
    assert PlainLines().line_of(happened) == line


@pytest.mark.fault("3.12")
def test_a_wait_is_said_once_a_minute_and_again_when_its_cause_changes_or_a_reply_came() -> None:
    lines = PlainLines()

    def said(at: float, why: str) -> bool:
        return lines.line_of(event(EventType.RUN_WAITING, at=START + at, why=why, delay_s=1.5)) is not None

    looks = [said(at, "refused") for at in (0, 1.5, 59, 60, 61.5)]
    assert looks == [True, False, False, True, False]
    assert [said(62, "loading"), said(63, "loading"), said(64, "refused")] == [True, False, True]
    lines.line_of(event(EventType.CALL_DONE, "0.1", at=START + 65, purpose="execute", recorded=False, latency_s=1))
    assert said(66, "refused")


def test_a_line_says_how_long_the_last_attempt_took() -> None:
    lines = PlainLines()
    for at in (START, START + 5):
        lines.line_of(event(EventType.TASK_STARTED, "0.2", at=at, doing="execute"))
    assert lines.line_of(event(EventType.TASK_DONE, "0.2", at=START + 8.1)) == "0.2 done (3.1 s)"


def test_words_of_others_cannot_steer_a_terminal_through_a_line() -> None:
    line = PlainLines().line_of(event(EventType.TASK_FAILED, "0.1", error="\x1b[2Jgone\r\nsecond\x07 \u202eline"))
    assert line == "0.1 failed: [2Jgone second line"


def test_a_small_tree_is_shown_whole() -> None:
    ledger = Ledger(family(2))
    begin(ledger, "0.1")
    end(ledger, "0.2", TaskState.FAILED, error="no map")
    assert shown(ledger, now=START + 2) == [
        "running: 0/3 done · 2 s · 1 running · 1 failed",
        "○ 0 Compare cities",
        "  ◐ 0.1 City 1 — waiting to ask · 2 s",
        "  ✕ 0.2 City 2 — no map",
    ]


def test_of_a_large_tree_what_moves_is_shown() -> None:
    ledger = Ledger(family(1000))
    for number in range(1, 900):
        begin(ledger, f"0.{number}")
        end(ledger, f"0.{number}")
    begin(ledger, "0.999")
    begin(ledger, "0.901")
    lines = shown(ledger, height=6)
    assert len(lines) == 6
    assert lines[1].startswith("○ 0 Compare cities · 899/1,000 done")
    assert [line.split()[1] for line in lines[2:]] == ["0.898", "0.899", "0.901", "0.999"]


def test_of_a_deep_chain_the_nearest_ancestors_are_shown() -> None:
    root = parent = Task(content="top", id="0")
    for level in range(1, 3000):
        child = Task(content=f"level {level}", id=f"n{level}")
        parent.add_subtask(child)
        parent = child
    ledger = Ledger(root)
    begin(ledger, "n2999")
    ids = [line.split()[1] for line in shown(ledger, height=30)[1:]]
    assert ids == ["0", *(f"n{level}" for level in range(2999 - MOST_ANCESTORS, 3000))]


@pytest.mark.parametrize("height", [2, 3, 5, 12, 50])
def test_the_tree_is_never_higher_than_its_room(height: int) -> None:
    ledger = Ledger(family(30))
    for number in range(1, 20):
        begin(ledger, f"0.{number}")
    ledger.notice = "waiting"
    assert len(lines_of(ledger, now=START, height=height)) <= max(height, 3)


def test_the_title_counts_what_happened() -> None:
    root = family(2)
    ledger = Ledger(root)
    ledger.take(event(EventType.RUN_STARTED, resumed=False))
    cost: dict[str, Any] = {"purpose": "execute", "recorded": False, "latency_s": 1.0}
    ledger.take(event(EventType.CALL_DONE, "0.1", **cost, tokens=1200, cost_usd=0.25))
    ledger.take(event(EventType.CALL_DONE, "0.1", **cost, tokens=34, cost_usd=None))
    ledger.take(event(EventType.CALL_DONE, "0.1", **{**cost, "recorded": True}, tokens=999, cost_usd=9.0))
    ledger.take(event(EventType.TASK_RETRYING, "0.1", attempt=1, error="busy", delay_s=1.0))
    ledger.take(event(EventType.PLANNED, tasks=3))
    begin(ledger, "0.1")
    end(ledger, "0.1")
    title, spending, *_ = lines_of(ledger, now=START + 61, height=8, run_id="r1", made_by="gpt")
    assert drawn(title, is_coloured=False) == "running: 1/3 done · 1 min 1 s · 1 retried"
    assert drawn(spending, is_coloured=False) == "  2 calls · 1,234 tokens · ≥ $0.2500 · gpt · run r1"


def test_a_wait_is_shown_until_the_next_reply() -> None:
    ledger = Ledger(family(1))
    ledger.take(event(EventType.RUN_WAITING, why="connection refused", delay_s=4.0))
    assert shown(ledger)[1] == "  waiting 4 s: connection refused"
    ledger.take(
        event(EventType.CALL_DONE, "0.1", purpose="execute", recorded=False, latency_s=1.0, tokens=1, cost_usd=0.0)
    )
    assert not any("waiting" in line for line in shown(ledger))


def test_subtasks_that_are_planned_later_are_counted() -> None:
    root = family(1)
    ledger = Ledger(root)
    root.find("0.1").add_subtasks([Task(content="Old town", id="0.1.1"), Task(content="Harbour", id="0.1.2")])
    ledger.take(event(EventType.PLAN_ATTACHED, "0.1", subtasks=["0.1.1", "0.1.2"]))
    assert ledger.totals.tasks == 4
    assert "    ○ 0.1.2 Harbour" in shown(ledger)


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        ([], "waiting to ask"),
        ([event(EventType.CALL_STARTED, "0.1", purpose="execute", model="gpt")], "asking gpt"),
        ([event(EventType.CALL_STARTED, "0.1", purpose="repair", model="gpt")], "asking again gpt"),
        ([event(EventType.TASK_PROGRESS, "0.1", fraction=0.25, doing="page 1 of 4")], "page 1 of 4, 25 %"),
        ([event(EventType.TASK_PROGRESS, "0.1", fraction=None, doing="reading")], "reading"),
        (
            [event(EventType.TASK_RETRYING, "0.1", attempt=1, error="busy", delay_s=2.0)],
            "attempt 1 failed, retrying in 2.0 s: busy",
        ),
    ],
)
def test_a_running_task_says_what_it_does_now(happened: list[Event], words: str) -> None:
    ledger = Ledger(family(1))
    begin(ledger, "0.1")
    for each in happened:
        ledger.take(each)
    assert shown(ledger, now=START + 3)[2] == f"  ◐ 0.1 City 1 — {words} · 3 s"


def test_a_task_that_is_being_split_is_shown_while_the_plan_is_made() -> None:
    ledger = Ledger(Task(content="Compare cities", id="0"))
    ledger.take(event(EventType.RUN_STARTED, resumed=False))
    ledger.take(event(EventType.CALL_STARTED, "0", purpose="decompose", model="gpt"))
    assert shown(ledger, now=START + 2) == [
        "planning: 0/1 done · 2 s · time left unknown · 1 asked for",
        "○ 0 Compare cities — planning with gpt · 2 s",
    ]
    ledger.take(event(EventType.PLAN_ATOMIC, "0", why="short"))
    assert shown(ledger, now=START + 2)[1] == "○ 0 Compare cities"


def run_leaves(ledger: Ledger, count: int, *, took_s: float) -> None:
    for number in range(1, count + 1):
        begin(ledger, f"0.{number}", at=START + (number - 1) * took_s)
        end(ledger, f"0.{number}", at=START + number * took_s)


def test_the_time_left_is_told_once_enough_tasks_have_been_measured() -> None:
    ledger = Ledger(family(20))
    ledger.take(event(EventType.RUN_STARTED, resumed=False))
    run_leaves(ledger, 2, took_s=10)
    assert "left" not in shown(ledger, now=START + 20)[0]
    begin(ledger, "0.3", at=START + 20)
    end(ledger, "0.3", at=START + 30)
    assert shown(ledger, now=START + 30)[0].endswith("30 s · about 3 min left")


def test_no_time_is_told_from_durations_that_differ_too_much_or_while_the_run_waits() -> None:
    ledger = Ledger(family(20))
    run_leaves(ledger, 8, took_s=1)
    assert "left" in shown(ledger, now=START + 8)[0]
    ledger.take(event(EventType.RUN_WAITING, why="no answer", delay_s=4.0))
    assert "left" not in shown(ledger, now=START + 8)[0]
    answered: dict[str, Any] = {"purpose": "execute", "recorded": False, "latency_s": 1.0, "tokens": 1}
    ledger.take(event(EventType.CALL_DONE, "0.9", **answered, cost_usd=0.0))
    ledger.take(event(EventType.WARNING, "0.9", message="a warning hides nothing"))
    assert "left" in shown(ledger, now=START + 8)[0]
    begin(ledger, "0.9", at=START + 8)
    end(ledger, "0.9", at=START + 308)
    assert "left" not in shown(ledger, now=START + 308)[0]


def test_after_a_failure_the_time_left_is_the_most_that_it_can_be() -> None:
    ledger = Ledger(family(20))
    run_leaves(ledger, 8, took_s=1)
    begin(ledger, "0.9", at=START + 8)
    end(ledger, "0.9", TaskState.FAILED, error="no map")
    assert "at most about 15 s left" in shown(ledger, now=START + 9)[0]


def test_events_of_a_stored_run_are_counted_once_from_the_tree_as_it_is_now() -> None:
    ledger = Ledger(family(4))
    history = [event(EventType.RUN_STARTED, resumed=False)]
    for number in (1, 2):
        task = ledger.root.find(f"0.{number}")
        task.move(TaskState.RUNNING)
        task.move(TaskState.DONE)
        history += [
            event(EventType.TASK_STARTED, task.id, doing="execute", attempt=1),
            event(EventType.TASK_FAILED, task.id, error="an earlier attempt"),
            event(EventType.TASK_STARTED, task.id, doing="execute", attempt=2),
            event(EventType.TASK_DONE, task.id),
        ]
    late = Ledger(ledger.root)
    for each in [*history, event(EventType.TASK_DONE, "gone")]:
        late.take(each)
    assert (late.totals.done, late.totals.tasks, late.totals.failed, late.active) == (2, 5, 0, {})


@pytest.mark.parametrize("width", [8, 20, 40, 200])
@pytest.mark.parametrize("words", ["plain words " * 30, "漢字かな" * 40, "\U0001f600" * 50])
def test_no_line_is_wider_than_the_window(width: int, words: str) -> None:
    for line in (Line("  ● 0.1 ", words, f" — {words}", " · 3.1 s", "DONE"), Line("running: ", words, look="title")):
        assert width_of(fitted(line, width=width)) <= width
    assert cell_len(cut(words, width)) <= width


def test_words_and_notes_give_way_before_the_facts() -> None:
    line = Line("  ● 0.1 ", "Describe the harbour at length", " — asking a model", " · 3.1 s", "DONE")
    shown = [drawn(fitted(line, width=width), is_coloured=False) for width in (30, 60, 80)]
    assert shown == [
        "  ● 0.1 Descri… — ask… · 3.1 s",
        "  ● 0.1 Describe the harbour at le… — asking a model · 3.1 s",
        "  ● 0.1 Describe the harbour at length — asking a model · 3.1 s",
    ]


def test_markup_in_words_is_only_words() -> None:
    ledger = Ledger(Task(content="[bold red]loud[/] \x1b[31m:smile:", id="0"))
    assert shown(ledger)[1] == "○ 0 [bold red]loud[/] [31m:smile:"


class Stream(io.StringIO):
    """A stream that says what it is."""

    def __init__(self, *, is_terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._is_terminal = is_terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


@pytest.mark.parametrize(
    ("stream", "term", "made_by", "kind"),
    [
        (Stream(is_terminal=True), "xterm", "gpt", "tree"),
        (Stream(is_terminal=True, encoding="UTF-8"), "xterm", "human", "plain"),
        (Stream(is_terminal=True), "dumb", "gpt", "plain"),
        (Stream(is_terminal=True, encoding="ascii"), "xterm", "gpt", "plain"),
        (Stream(is_terminal=False), "xterm", "gpt", "plain"),
    ],
)
def test_the_display_fits_the_stream(
    stream: Stream, term: str, made_by: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert fitting_kind(stream, made_by=made_by) == kind


def shown_run(tmp_path: Path, kind: Any, stream: io.StringIO) -> str:
    executor = Executor(Agent("rules"), store=tmp_path / "runs.db", plan=PlanLimits())
    run = executor.new_run(Task(content="(1+2)*(3+4)", id="0"))
    with open_display(run, kind, stream=stream) as display:
        run.start().wait()
        display.notice("a notice")
    return stream.getvalue()


def test_plain_lines_tell_a_run_from_its_first_event(tmp_path: Path) -> None:
    lines = shown_run(tmp_path, "plain", io.StringIO()).splitlines()
    assert lines[:2] == ["0 split into 2: 0.1 0.2", "the plan is complete, tasks: 3"]
    assert lines[-2].startswith("0 done (")
    assert lines[-1] == "a notice"


def test_json_lines_hold_every_event(tmp_path: Path) -> None:
    events = [json.loads(line) for line in shown_run(tmp_path, "json", io.StringIO()).splitlines()]
    assert {each["version"] for each in events} == {1}
    numbered = [each for each in events if "seq" in each]
    assert [each["seq"] for each in numbered] == list(range(1, len(numbered) + 1))
    assert [numbered[0]["type"], numbered[-1]["type"]] == ["run_started", "run_finished"]


def test_a_file_of_events_holds_what_the_json_display_shows_and_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("first\n")
    run = Executor(Agent("rules"), store=tmp_path / "runs.db").new_run(Task(content="1+1", id="0"))
    stream = io.StringIO()
    with EventFile(path, run.id) as file, open_display(run, "json", stream=stream):
        run.on(file.take)
        run.start().wait()
    assert file.error is None
    assert path.read_text() == f"first\n{stream.getvalue()}"


def test_a_file_of_events_that_is_full_does_not_hold_a_run_up(tmp_path: Path) -> None:
    run = Executor(Agent("rules"), store=tmp_path / "runs.db").new_run(Task(content="1+1", id="0"))
    with EventFile("/dev/full", run.id) as file:
        run.on(file.take)
        assert run.start().wait().result == "2"
    assert file.error is not None


def test_json_lines_cannot_steer_a_terminal_and_are_exact_elsewhere(tmp_path: Path) -> None:
    for stream, is_exact in ((Stream(is_terminal=True), False), (Stream(is_terminal=False), True)):
        model = ScriptedModel({"*": "<failed reason='other'>\x9b2J gone</failed>"})
        run = Executor(model, store=tmp_path / "runs.db").new_run(Task(content="x", id="0"))
        with open_display(run, "json", stream=stream):
            run.start().wait()
        assert ("\x9b" in stream.getvalue()) is is_exact
        assert "2J gone" in stream.getvalue()


def test_the_tree_is_left_standing_when_the_run_is_over(tmp_path: Path) -> None:
    picture = re.sub(r"\x1b\[[\d;?]*\w", "", shown_run(tmp_path, "tree", Stream(is_terminal=True)))
    assert "done: 3/3 done" in picture
    assert "● 0.2 " in picture


def test_no_display_says_nothing(tmp_path: Path) -> None:
    assert shown_run(tmp_path, "none", io.StringIO()) == ""


def test_a_stream_that_nobody_reads_does_not_hold_a_run_up(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    assert shown_run(tmp_path, "plain", Gone()) == ""
