"""Reports as files: what stands in each format, and that a stranger's words stay words in all of them."""

import csv
import io
import json
import re
import sys
import zlib
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from ramify.planner import Executor, Run, RunLimits, Store, solve
from ramify.planner.errors import ExportError, UsageError
from ramify.planner.export.formats import formats_of
from ramify.planner.export.report import Report, report_of
from ramify.planner.export.report.details import SharedLines
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers import WorkContext, worker
from ramify.tasks import Task, TaskState

from .documented import ROOT
from .effort import growth
from .ramify_command import Ramify, ramify_process
from .report_samples import INJECTIONS, hostile_run, render_report, sample_run

NAMES = re.compile(r"`(\w+)`")
RULES = ("--model", "rules")
FORMS = tuple(formats_of("report"))
TEXTS = tuple(name for name, form in formats_of("report").items() if form.is_text)


@pytest.fixture
def solved(ramify: Ramify) -> Ramify:
    """The command, in a folder with one finished run."""
    ramify("solve", *RULES, "(1+2)*(3+4)")
    return ramify


def text(form: str, count: int = 30) -> str:
    return render_report(report_of(sample_run(count)), form).decode()


@pytest.mark.parametrize("form", TEXTS)
def test_every_text_format_says_who_made_it(solved: Ramify, form: str) -> None:
    said = solved("report", "--last", "-f", form)
    assert (said.code, said.err) == (0, "")
    assert "rules (no language model)" in said.out


@pytest.mark.parametrize("form", FORMS)
def test_the_ending_of_the_file_says_the_format(solved: Ramify, home: Path, form: str) -> None:
    said = solved("report", "--last", "-o", f"r.{form}")
    assert (said.code, said.out, said.err) == (0, "", "")
    beginning = {"html": b"<!doctype html>", "md": b"# ", "csv": b"id,parent", "json": b"{", "xlsx": b"PK"}[form]
    assert (home / f"r.{form}").read_bytes().startswith(beginning)


def test_a_format_that_is_given_overrides_the_ending(solved: Ramify, home: Path) -> None:
    assert solved("report", "--last", "-o", "r.txt", "-f", "csv").code == 0
    assert (home / "r.txt").read_text(encoding="utf-8").startswith("id,parent")


def test_a_run_is_found_by_the_beginning_of_its_id(solved: Ramify) -> None:
    run_id = json.loads(solved("report", "--last", "-f", "json").out)["run"]
    assert run_id in solved("report", run_id[:5]).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--last", "-o", "r.doc"), "r.doc has no report format; use one of these endings: .md"),
        (("--last", "-o", "nowhere/r.html"), "nowhere/r.html cannot be written"),
        (("--last", "-f", "pdf"), "pdf"),
        (("r-nothing",), "there is no run 'r-nothing'"),
        ((), "--last"),
    ],
)
def test_what_cannot_be_reported_is_one_clear_line(solved: Ramify, words: tuple[str, ...], message: str) -> None:
    said = solved("report", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert len(said.err.splitlines()) == 1


def test_a_run_in_another_process_is_reported_while_it_goes_on(home: Path) -> None:
    seen: list[Path] = []

    def reply(_: object) -> str:
        said = ramify_process("report", "--last", "-o", f"{len(seen)}.json")
        assert said.code == 0, said.err
        seen.append(home / f"{len(seen)}.json")
        return "<atomic/>" if len(seen) == 1 else "<result>done</result>"

    solve("Tell me", model=ScriptedModel(reply))
    first, last = (json.loads(path.read_text(encoding="utf-8")) for path in (seen[0], seen[-1]))
    assert (first["status"], first["answer"], first["calls"]) == ("running", None, [])
    assert [call["purpose"] for call in last["calls"]] == ["decompose"]
    assert last["tasks"][0]["state"] == "RUNNING"


def test_a_run_in_hand_reports_itself_while_it_goes_on_and_afterwards(home: Path) -> None:
    handed: list[Run] = []

    def reply(_: object) -> str:
        if handed:
            handed[0].report("early.md")
        return "<atomic/>"

    from ramify.planner.api import start

    run = start("Tell me", model=ScriptedModel(reply), on_event=lambda _: None)
    handed.append(run)
    run.wait()
    path = run.report(home / "late.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run.report("late.data", form="json").exists()
    with pytest.raises(UsageError, match="has no report format"):
        run.report("late.data")


def test_json_holds_everything_that_is_stored(home: Path) -> None:
    run = solve("(1+2)*(3+4)", model="rules")
    document = json.loads(run.report("r.json").read_text(encoding="utf-8"))
    with Store.open(home / ".ramify" / "ramify.db") as store:
        stored = store.read_run(run.id)
    assert (document["version"], document["run"], document["answer"]) == (1, run.id, "21")
    assert [task["id"] for task in document["tasks"]] == [task.id for task in stored.root.walk()]
    assert [call["request"] for call in document["calls"]] == [dict(call.request) for call in stored.calls]
    assert [each["seq"] for each in document["events"]] == [each.seq for each in stored.events]
    assert document["models"][0]["maker"] == "rules (no language model)"
    assert document["settings"]["jobs"] == "8"


@pytest.mark.usefixtures("home")
def test_replies_that_were_taken_over_are_told_with_where_they_came_from() -> None:
    model = ScriptedModel({"decompose": "<atomic/>", "*": "<result>Bergen</result>"})
    solve("Which of the two?", model=model, record="calls.jsonl")
    report = stored_report(solve("Which of the two?", model="replay:calls.jsonl"))
    assert [(model.taken, model.usage.calls) for model in report.models] == [(2, 0)]
    assert "taken from" in report.tasks[0].made_by
    assert "| calls | 0, and 2 taken over |" in render_report(report, "md").decode()
    assert report.made_by.startswith("replay of")


@pytest.mark.usefixtures("home")
def test_a_run_that_another_model_went_on_with_names_both() -> None:
    first = ScriptedModel({"execute 0.1": "<result>1</result>"}, name="first")
    root = Task(content="Add them", id="0")
    root.add_subtasks([Task(content="one", id="0.1"), Task(content="two", id="0.2", dependencies=["0.1"])])
    stopped = Executor(first, limits=RunLimits(max_calls=1)).run(root)
    second = ScriptedModel({"*": "<result>3</result>"}, name="second")
    report = stored_report(Executor.resume(None, stopped.id, agent=second, limits=RunLimits()))
    assert report.made_by == "first (no language model), second"
    assert [each.made_by for each in report.tasks] == ["second", "first (no language model)", "second"]
    assert report.answered_by == "second"


@pytest.mark.usefixtures("home")
def test_workers_and_their_steps_are_told() -> None:
    async def fetch(context: WorkContext) -> str:
        return str(await context.step("read the page", lambda: "14,350"))

    root = Task(content="Find the rent", id="0", type="fetch")
    report = stored_report(Executor("rules", workers={"fetch": worker(fetch)}).run(root))
    assert report.tasks[0].made_by == "worker fetch"
    document = json.loads(render_report(report, "json"))
    assert [(step["task"], step["output"]) for step in document["steps"]] == [("0", "14,350")]
    assert b"read the page" in render_report(report, "html")


def stored_report(run: Run) -> Report:
    with Store.open(run.store_place) as store:
        return report_of(store.read_run(run.id))


def test_the_keys_of_the_json_are_the_documented_ones() -> None:
    section = (
        (ROOT / "docs" / "reports.md").read_text(encoding="utf-8").partition("## The JSON")[2].partition("\n## ")[0]
    )
    documented = {
        name for row in section.splitlines() if row.startswith("| `") for name in NAMES.findall(row.split("|")[1])
    }
    assert documented == set(json.loads(text("json")))


def test_json_keeps_hostile_words_as_they_are() -> None:
    run = hostile_run()
    document = json.loads(render_report(report_of(run), "json"))
    assert [task["content"] for task in document["tasks"]] == [task.content for task in run.root.walk()]


@pytest.mark.parametrize("form", FORMS)
def test_passwords_in_settings_are_blotted_out(form: str) -> None:
    data = render_report(report_of(sample_run(3)), form)
    if form == "xlsx":
        data = " ".join(str(cell) for row in sheet(data, "Summary") for cell in row).encode()
    assert b"secret" not in data
    assert (b"key hidden" in data) is (form != "csv")


def test_csv_has_a_row_for_each_task_with_plain_numbers() -> None:
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text("csv")))}
    assert len(rows) == 30
    expected = {
        "id": "task:t1", "parent": "task:t0", "depth": "2", "state": "DONE", "made_by": "scripted (no language model)",
        "cost_usd": "0.0125", "duration_s": "1.5",
    }  # fmt: skip
    assert {name: rows["task:t1"][name] for name in expected} == expected
    assert (rows["task:t10"]["state"], rows["task:t10"]["duration_s"]) == ("OPEN", "")


def test_no_cell_of_a_table_is_a_formula() -> None:
    run = sample_run(8)
    formulas = ("=1+1", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "  =1", "\uff1d1", '=HYPERLINK("http://example.org")')
    for task, words in zip(run.root.walk(), formulas, strict=True):
        task.content = task.result = words
    rows = list(csv.DictReader(io.StringIO(render_report(report_of(run), "csv").decode())))
    assert all(row[name].startswith("'") for row in rows for name in ("content", "result"))
    book = openpyxl.load_workbook(io.BytesIO(render_report(report_of(run), "xlsx")))
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {
        "s",
        "n",
        "b",
        "inlineStr",
    }


def sheet(data: bytes, name: str) -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(data))
    return [tuple(cell.value for cell in row) for row in book[name].iter_rows()]


def test_a_workbook_has_summary_tasks_and_calls() -> None:
    data = render_report(report_of(sample_run(30)), "xlsx")
    assert ("made by", "scripted (no language model)") in sheet(data, "Summary")
    assert [row[0] for row in sheet(data, "Tasks")[:3]] == ["id", "t0", "t1"]
    assert sheet(data, "Calls")[1][:7] == ("t0", "execute", 1, 0, 0, "scripted (no language model)", "scripted-2")


def test_a_text_that_no_cell_can_hold_is_cut_and_says_so() -> None:
    run = sample_run(1)
    run.root.result = "x" * 40_000
    result = sheet(render_report(report_of(run), "xlsx"), "Tasks")[1][-2]
    assert isinstance(result, str)
    assert len(result) == 32_767
    assert result.endswith("(cut: too long for a cell)")


def test_without_the_extra_a_workbook_is_refused_with_what_to_install(solved: Ramify, home: Path) -> None:
    blocked = home / "blocked"
    blocked.mkdir()
    (blocked / "openpyxl.py").write_text("raise ImportError('not installed')\n", encoding="utf-8")
    assert solved("runs").code == 0
    said = ramify_process("report", "--last", "-o", "r.xlsx", PYTHONPATH=str(blocked))
    assert said.code == 2
    assert "pip install 'ramify[xlsx]'" in said.err
    assert not (home / "r.xlsx").exists()


def test_markdown_shows_words_of_others_as_words() -> None:
    run = sample_run(3, words="a | b <script> *bold* [link](javascript:x) `code`")
    run.root.result = "```\n# A heading of the model's\n````\n<script>"
    written = render_report(report_of(run), "md").decode()
    assert r"a \| b \<script\> \*bold\* \[link\](javascript:x) \`code\`" in written
    assert "`````text\n```\n# A heading of the model's\n````\n<script>\n`````" in written
    outside = [line for line in written.splitlines() if line.startswith("#")]
    assert [line for line in outside if line.startswith("## ")] == [
        "## Answer",
        "## Tasks",
        "## Graph",
        "## Provenance",
    ]
    assert "```mermaid\n" in written


def test_a_run_without_an_answer_says_why(home: Path) -> None:
    run = sample_run(12, error="the plan could not be made")
    run.root.reset()
    run.root.move(TaskState.FAILED)
    for form in ("html", "md"):
        written = report_of(run).save(home / f"r.{form}").read_text(encoding="utf-8")
        assert "There is no answer; the run is" in written
        assert "the plan could not be made" in written


@pytest.mark.parametrize("form", FORMS)
def test_hostile_words_break_no_format(form: str, tmp_path: Path) -> None:
    path = report_of(hostile_run()).save(tmp_path / f"r.{form}")
    assert path.stat().st_size > 1000


def test_a_page_holds_no_markup_and_no_control_characters_of_others() -> None:
    page = render_report(report_of(hostile_run()), "html").decode()
    assert page.count("<script") == page.count("</script>") == 4
    for words in ("<img", "<iframe", "<svg", "<math", "<base", "<style>*", "javascript:alert(1)>"):
        assert words not in page.replace('<img src="data:image/svg+xml;base64,', "")
    assert {letter for letter in page if not letter.isprintable()} <= {"\n", "\u00a0"}


def test_a_chain_of_thousands_is_reported() -> None:
    run = sample_run(1)
    last = run.root
    for number in range(3000):
        task = Task(content="step", id=str(number))
        last.add_subtask(task)
        last = task
    assert "3,001" in render_report(report_of(run), "md").decode()
    assert len(INJECTIONS) > 10


def test_what_is_not_a_format_is_refused() -> None:
    with pytest.raises(UsageError, match="the formats are md, html"):
        render_report(report_of(sample_run(1)), "pdf")
    with pytest.raises(ExportError, match="choose another file"):
        report_of(sample_run(1)).save(Path("/nowhere/r.md"))
    assert "openpyxl" in sys.modules


@pytest.mark.fault("5.9")
def test_much_is_packed_and_holds_the_same_words() -> None:
    run = sample_run(4000)
    html = render_report(report_of(run), "html").decode()
    about = r'type="application/octet-stream" id="data-(\S+)" data-size="(\d+)"(?: data-like="(\S+)")?'
    found: dict[str, bytes] = {}
    for name, size, like, words in re.findall(f"<script {about}>(.*?)</script>", html):
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS, zdict=found[like][-32_768:] if like else b"")
        found[name] = unpacker.decompress(b64decode(words))
        assert len(found[name]) == int(size)
    details = [each for name, data in found.items() if name.startswith("details-") for each in json.loads(data)]
    assert [each["content"] for each in details] == [task.content for task in run.root.walk()]
    assert [row[0] for row in json.loads(found["tasks"])["rows"]] == [task.id for task in run.root.walk()]
    assert len(html) < 1_200_000  # 2.5 MB before, 5.2 MB with nothing packed
    assert "application/octet-stream" not in render_report(report_of(sample_run(50)), "html").decode()


@pytest.mark.fault("5.9")
def test_a_report_is_written_in_linear_time() -> None:
    def write(size: int) -> Callable[[], bytes]:
        run = sample_run(size)
        return lambda: render_report(report_of(run), "html")

    assert growth(write, size=500) < 5


def test_lines_that_many_messages_have_are_written_once() -> None:
    run = sample_run(40)
    template = "You do one part of a larger piece of work.\nSay only what you know."
    calls = tuple(
        replace(call, request={"messages": [{"role": "user", "content": f"{template}\nPart {number}.\n{template}\n"}]})
        for number, call in enumerate(run.calls)
    )
    shared = SharedLines(calls)
    assert shared.lines == ["You do one part of a larger piece of work."]
    assert shared.of(f"{template}\nPart 1.\n{template}\n") == [
        0, "Say only what you know.\nPart 1.", 0, "Say only what you know.\n",
    ]  # fmt: skip
    assert (shared.of(template.partition("\n")[0]), shared.of("else")) == (0, "else")
    html = render_report(report_of(replace(run, calls=calls)), "html").decode()
    assert html.count("You do one part of a larger piece of work.") == 1


def test_json_has_a_line_for_each_task_call_and_event() -> None:
    run = sample_run(20)
    written = render_report(report_of(run), "json").decode()
    kinds = [{"id", "state"}, {"task", "purpose"}, {"seq", "type"}]
    lines = [json.loads(line.rstrip(",")) for line in written.splitlines() if line.startswith("{") and len(line) > 1]
    found = [sum(kind <= set(line) for line in lines) for kind in kinds]
    assert found == [20, len(run.calls), len(run.events)]
    assert json.loads(written)["answer"] == run.root.result
