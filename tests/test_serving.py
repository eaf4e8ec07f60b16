"""The live page's server: who is let in, what is sent of runs that go on, and what is done to them."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ramify.planner import Executor, PlanLimits, Store
from ramify.planner.bench import Arm, bench, open_study
from ramify.planner.errors import UsageError
from ramify.planner.export.report import report_of
from ramify.planner.export.report.details import task_detail
from ramify.planner.export.study.text import figure_tables, item_table
from ramify.planner.serving import Served, serve
from ramify.planner.store import NewRun, TaskChanged
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskState

from .patience import HANG_S, comes_true
from .ramify_command import COMMAND
from .test_following import run_elsewhere

SPLIT = "<task>first</task><task needs='1'>second</task>"
REPLIES = {"decompose 0": SPLIT, "decompose": "<atomic/>", "execute": "<result>done</result>", "compose": "both done"}


def finished_run(place: str | Path) -> str:
    return Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=place).run(Task(content="both", id="0")).id


def planned_run(place: str | Path) -> str:
    new = Executor("rules", plan=PlanLimits(), store=place).new_run("(1 + 2) * (3 + 4)", plan_only=True)
    return new.start().wait().id


class Visitor:
    """Somebody who has opened the page by its address."""

    def __init__(self, page: Served) -> None:
        self.origin = f"http://127.0.0.1:{page.port}"
        self.http = httpx.Client(base_url=self.origin, timeout=HANG_S, follow_redirects=True)
        self.http.get(page.url)

    def get(self, path: str) -> Any:
        return self.http.get(path).json()

    def act(self, run_id: str, act: str, **given: Any) -> httpx.Response:
        return self.http.post(f"/api/runs/{run_id}/acts/{act}", json=given, headers={"origin": self.origin})

    @contextmanager
    def watch(self, path: str, seen: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
        """Give the events of a stream, each as its id and its data."""
        with self.http.stream("GET", path, params={"seen": seen}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events(answer.iter_lines())

    def first(self, path: str) -> Any:
        with self.watch(path) as events:
            return next(events)[1]

    def status(self, run_id: str) -> str:
        return str(self.first(f"/api/runs/{run_id}/events")["run"]["status"])


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    number = ""
    for line in lines:
        name, _, words = line.partition(": ")
        if name == "id":
            number = words
        elif name == "data":
            yield number, json.loads(words)


@pytest.fixture
def page(place: str) -> Iterator[Served]:
    with serve(place, port=0, show=False) as page:
        yield page


@pytest.fixture
def visitor(page: Served) -> Iterator[Visitor]:
    visitor = Visitor(page)
    yield visitor
    visitor.http.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "one.db"


@pytest.fixture
def guest(file: Path) -> Iterator[Visitor]:
    """A visitor of a page on SQLite, for what is the same whatever the store is."""
    with serve(file, port=0, show=False) as page:
        visitor = Visitor(page)
        yield visitor
        visitor.http.close()


def test_an_address_with_the_token_lets_in_and_becomes_one_without(file: Path) -> None:
    with serve(file, port=0, show=False) as page, httpx.Client(timeout=HANG_S) as http:
        token = page.url.partition("token=")[2]
        first = http.get(f"http://127.0.0.1:{page.port}/runs/r1?a=b&token={token}")
        assert (first.status_code, first.headers["location"]) == (303, "/runs/r1?a=b")
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert token.lower() not in cookie
        assert http.get(f"http://127.0.0.1:{page.port}/").status_code == 200
        assert http.get(f"http://localhost:{page.port}/").status_code == 401  # to which the cookie does not belong
        assert (
            http.get(f"http://127.0.0.1:{page.port}//example.org?token={token}").headers["location"] == "/example.org"
        )


REFUSED: tuple[tuple[dict[str, str], int], ...] = (
    ({"cookie": ""}, 401),
    ({"cookie": "ramify-PORT=guessed"}, 401),
    ({"host": "runs.example:PORT"}, 421),
    ({"host": "127.0.0.1"}, 421),
    ({"host": "127.0.0.1:PORT.example"}, 421),
    ({"origin": "http://runs.example"}, 403),
    ({"origin": "http://127.0.0.1:1"}, 403),
    ({"origin": "null"}, 403),
    ({"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, 403),
    ({"sec-fetch-site": "same-site", "sec-fetch-dest": "empty"}, 403),
)


def test_others_are_refused_whatever_they_ask_for(guest: Visitor) -> None:
    port = guest.origin.rpartition(":")[2]
    for path in ("/", "/runs/r1", "/page/run.js", "/api/events", "/api/runs/r1/events"):
        for headers, status in REFUSED:
            given = {name: value.replace("PORT", port) for name, value in headers.items()}
            assert guest.http.get(path, headers=given).status_code == status, (path, headers)


def test_a_wrong_token_is_refused(guest: Visitor) -> None:
    guest.http.cookies.clear()
    assert guest.http.get("/?token=wrong").status_code == 401
    assert guest.http.get("/?token=").status_code == 401
    assert guest.http.get("/?token=%ff%C3%A9").status_code == 401


def test_nothing_is_done_for_who_does_not_say_where_he_comes_from(guest: Visitor, file: Path) -> None:
    run_id = planned_run(file)
    path = f"/api/runs/{run_id}/acts/cancel"
    for headers in ({}, {"origin": "http://127.0.0.1"}, {"origin": guest.origin, "sec-fetch-site": "cross-site"}):
        assert guest.http.post(path, json={}, headers=headers).status_code == 403
    assert guest.http.post(path, content=b"{}", headers={"origin": guest.origin}).status_code == 400
    assert guest.http.get(path).status_code == 405
    assert guest.status(run_id) == "waiting"


def test_every_answer_has_the_policy_and_is_kept_nowhere(guest: Visitor) -> None:
    for path in ("/", "/runs/r1", "/page/page.css", "/page/nothing", "/api/events?x", "/nowhere"):
        with guest.http.stream("GET", path) as answer:
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_page_has_no_script_and_no_style_of_its_own(guest: Visitor) -> None:
    for path in ("/", "/runs/r1"):
        html = guest.http.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
        scripts = re.findall(r"<script([^>]*)>", html)
        assert [each for each in scripts if "src=" not in each and "application/json" not in each] == []


def test_a_run_is_sent_whole_and_then_what_changes(visitor: Visitor, place: str) -> None:
    with Store.open(place) as store:
        root = Task(content="many", id="0", subtasks=[Task(content=f"part {n}", id=f"0.{n}") for n in range(1, 40)])
        store.create_run(NewRun(id="r1", goal="many", created_at=1.0), root)
        with store.write("r1") as writer, visitor.watch("/api/runs/r1/events") as events:
            first, whole = next(events)
            assert whole["whole"]
            assert [row[:4] for row in whole["tasks"]][:2] == [["0", None, 0, "many"], ["0.1", "0", 0, "part 1"]]
            assert len(whole["tasks"]) == 40
            begin(writer, root.subtasks[4])
            _, change = next(events)
            assert (change["whole"], [row[:3] for row in change["tasks"]]) == (False, [["0.5", "0", 1]])
        with visitor.watch("/api/runs/r1/events", first) as events:
            _, since = next(events)
            assert (since["whole"], [row[0] for row in since["tasks"]]) == (False, ["0.5"])
        with visitor.watch("/api/runs/r1/events", "another.7") as events:
            assert next(events)[1]["whole"]


def begin(writer: Any, task: Task) -> None:
    from ramify.planner.store import EventHappened, EventRecord

    task.move(TaskState.RUNNING)
    event = EventRecord(writer.next_seq(), 2.0, "task_started", task.id, {"attempt": 1, "doing": "execute"})
    writer.put(TaskChanged.of(task), EventHappened.of(event))
    writer.flush()


def test_tasks_that_are_planned_while_somebody_watches_come_with_what_they_need(guest: Visitor, file: Path) -> None:
    new = Executor(ScriptedModel(REPLIES), plan=PlanLimits(), store=file).new_run(Task(content="both", id="0"))
    with guest.watch(f"/api/runs/{new.id}/events") as events:
        assert [row[0] for row in next(events)[1]["tasks"]] == ["0"]
        new.start().wait()
        last = next(change for _, change in events if change["run"]["status"] == "done")
        assert last["run"]["answer"] == "both done"
    ids = [new.task.subtasks[0].id, new.task.subtasks[1].id]
    assert [row[0] for row in guest.first(f"/api/runs/{new.id}/events")["tasks"]] == ["0", *ids]
    assert f"{ids[1]}" in guest.http.get(f"/api/runs/{new.id}/graph.svg").text


def test_the_list_shows_runs_as_they_come_and_go(guest: Visitor, file: Path) -> None:
    with guest.watch("/api/events") as events:
        assert next(events)[1]["runs"] == []
        run_id = finished_run(file)
        rows = next(change["runs"] for _, change in events if change["runs"] and change["runs"][0][1] == "done")
        assert [row[0] for row in rows] == [run_id]
        with Store.open(file) as store:
            store.delete_runs([run_id])
        assert next(change for _, change in events if change["whole"])["runs"] == []


def test_details_are_those_of_the_report(guest: Visitor, file: Path) -> None:
    run_id = finished_run(file)
    with Store.open(file) as store:
        report = report_of(store.read_run(run_id))
    for each in report.tasks:
        assert guest.get(f"/api/runs/{run_id}/task?id={each.task.id}") == json.loads(
            json.dumps(task_detail(each, report.record))
        )
    assert guest.http.get(f"/api/runs/{run_id}/task?id=nowhere").status_code == 404


def test_words_are_found_in_results_and_messages(guest: Visitor, file: Path) -> None:
    run_id = finished_run(file)
    leaf = next(row[0] for row in guest.first(f"/api/runs/{run_id}/events")["tasks"] if row[3] == "first")
    assert leaf in guest.get(f"/api/runs/{run_id}/search?words=DONE")["tasks"]
    assert guest.get(f"/api/runs/{run_id}/search?words=<TASK>first")["tasks"] == ["0"]
    assert guest.get(f"/api/runs/{run_id}/search?words=nowhere")["tasks"] == []


def test_pictures_plans_and_the_report_are_there(guest: Visitor, file: Path) -> None:
    run_id = finished_run(file)
    for name in ("graph.svg", "timeline.svg"):
        answer = guest.http.get(f"/api/runs/{run_id}/{name}?theme=dark")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert answer.text.startswith("<svg")
    assert guest.http.get(f"/api/runs/{run_id}/graph.svg?theme=loud").status_code == 400
    assert [plan["plan"] for plan in guest.get(f"/api/runs/{run_id}/plans")["plans"]] == [1]
    report = guest.http.get(f"/api/runs/{run_id[:6]}/report.html")
    assert report.headers["content-disposition"] == f'attachment; filename="{run_id}.html"'
    assert "both done" in report.text


@pytest.fixture
def study(file: Path) -> str:
    arms: list[str | Arm] = [Arm("whole", "upfront", parameters={"max_depth": 1}), "upfront"]
    items = [{"question": "(1 + 2) * 3", "answer": 9}, {"question": "(3 + 4) * 5", "answer": 36}]
    return bench(items, arms, without=["direct", "self-consistency"], model="rules", ask="", store=file).run


def test_members_of_a_study_are_one_row_of_the_list_and_have_rows_of_their_own(
    guest: Visitor, study: str, file: Path
) -> None:
    alone = finished_run(file)
    rows = guest.first("/api/events")["runs"]
    assert [(row[0], row[-1]) for row in rows] == [(alone, ""), (study, "4 runs: 4 done")]
    ids = [f"{study}.{n}" for n in range(1, 5)]
    assert [row[0] for row in guest.get(f"/api/runs/{study}/members")["runs"]] == ids
    assert guest.get(f"/api/runs/{alone}/members") == {"runs": []}
    assert guest.first(f"/api/runs/{ids[1]}/events")["run"]["inside"] == study
    assert guest.get(f"/api/runs/{study}/task?id=0.2")["run"] == ids[1]
    assert "fork" not in guest.first(f"/api/runs/{study}/events")["run"]["acts"]


def test_a_study_is_sent_with_the_words_tables_and_plots_of_its_page(guest: Visitor, study: str, file: Path) -> None:
    sent = guest.get(f"/api/runs/{study}/study")
    told = open_study(study, store=file)
    assert sent["advice"] == told.advice.words
    assert [[table["title"], table["rows"]] for table in sent["tables"]] == [
        [title, [list(row) for row in rows]] for title, _, rows in (*figure_tables(told), item_table(told)) if rows
    ]
    assert [name for name, _ in sent["plots"]] == ["accuracy", "gains"]
    for name, _ in sent["plots"]:
        assert guest.http.get(f"/api/runs/{study}/study/{name}.svg?theme=dark").text.startswith("<svg")
    assert guest.http.get(f"/api/runs/{study}/study/cost.svg").status_code == 400
    assert told.advice.words in guest.http.get(f"/api/runs/{study}/study.html").text
    assert "is not a study" in guest.get(f"/api/runs/{finished_run(file)}/study")["error"]


def test_who_may_only_look_is_offered_nothing_and_can_do_nothing(file: Path) -> None:
    run_id = planned_run(file)
    with serve(file, port=0, read_only=True, show=False) as page:
        visitor = Visitor(page)
        assert visitor.first(f"/api/runs/{run_id}/events")["run"]["acts"] == {}
        said = visitor.act(run_id, "cancel")
        assert (said.status_code, "--read-only" in said.json()["error"]) == (403, True)
        assert visitor.status(run_id) == "waiting"
        visitor.http.close()


def test_a_plan_is_approved_and_another_process_runs_it(visitor: Visitor, place: str) -> None:
    run_id = planned_run(place)
    assert {"approve", "revise", "cancel"} <= set(visitor.first(f"/api/runs/{run_id}/events")["run"]["acts"])
    with visitor.watch(f"/api/runs/{run_id}/events") as events:
        said = visitor.act(run_id, "approve")
        assert (said.status_code, run_id in said.json()["said"]) == (200, True)
        last = next(change for _, change in events if change["run"]["status"] == "done")
        assert last["run"]["answer"] == "21"
    with Store.open(place) as store:
        assert "plan_approved" in [str(event.type) for event in store.events(run_id)]


def test_a_task_is_done_again_and_a_run_is_forked(guest: Visitor, file: Path, home: Path) -> None:
    done = Executor("rules", plan=PlanLimits(), store=file).run("(1 + 2) * (3 + 4)").id
    leaf = guest.first(f"/api/runs/{done}/events")["tasks"][-1][0]
    assert guest.act(done, "again", task=leaf).status_code == 200
    assert comes_true(lambda: "plan_edited" in types(file, done) and guest.status(done) == "done")
    fork = guest.act(done, "fork", task=leaf).json()["run"]
    assert comes_true(lambda: guest.status(fork) == "done")
    assert list(home.iterdir()) == []


def test_what_failed_may_be_retried_and_a_stopped_run_goes_on_within_other_limits(guest: Visitor, file: Path) -> None:
    failed = Executor("rules", plan=PlanLimits(), store=file).run("1 / 0").id
    assert guest.first(f"/api/runs/{failed}/events")["run"]["acts"].keys() == {"retry", "again", "fork"}
    stopped = Executor("rules", plan=PlanLimits(), store=file, max_calls=2).run("(1 + 2) * (3 + 4)").id
    offered = guest.first(f"/api/runs/{stopped}/events")["run"]["acts"]["go_on"]
    assert offered == {"limits": {"max_calls": 4}}
    assert guest.act(stopped, "go_on", limits={"max_calls": 100}).status_code == 200
    assert comes_true(lambda: guest.status(stopped) == "done")


def types(place: str | Path, run_id: str) -> list[str]:
    with Store.open(place) as store:
        return [str(event.type) for event in store.events(run_id)]


def test_a_run_that_another_process_holds_is_asked_and_never_overwritten(home: Path) -> None:
    with run_elsewhere() as (run_id, process), serve("runs.db", port=0, show=False) as page:
        visitor = Visitor(page)
        assert "approve" not in visitor.first(f"/api/runs/{run_id}/events")["run"]["acts"]
        for act, given in (("retry", {}), ("approve", {}), ("again", {"task": "0.1"}), ("steer", {"words": "x"})):
            said = visitor.act(run_id, act, **given)
            assert (said.status_code, f"process {process.pid}" in said.json()["error"]) == (409, True), act
        assert visitor.act(run_id, "limits", limits={"max_calls": 7}).json()["said"].startswith("asked process")
        assert comes_true(lambda: "run_controlled" in types("runs.db", run_id))
        with Store.open("runs.db") as store:
            [told] = store.events_of(run_id, ["run_controlled"])
        assert (told.data["via"], told.data["changes"]) == ("page", {"max_calls": {"old": None, "new": 7}})
        before = types("runs.db", run_id)
        assert visitor.act(run_id, "cancel").json()["said"].startswith(f"asked process {process.pid} on ")
        assert types("runs.db", run_id)[: len(before)] == before
        assert comes_true(lambda: visitor.status(run_id) == "cancelled")
        (home / "go").touch()
        process.wait(timeout=HANG_S)
        visitor.http.close()


MISTAKES: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("explode", {}, 400, "use cancel, pause"),
    ("revise", {}, 400, "words is missing or blank"),
    ("revise", {"words": ["x"]}, 400, "words is missing or blank"),
    ("revise", {"words": "x" * 30_000}, 400, "at most 20,000 are allowed"),
    ("again", {"task": "nowhere"}, 404, "nowhere"),
    ("answer", {"words": "yes"}, 400, "has no open question"),
    ("go_on", {"limits": {"max_calls": "many"}}, 400, "a limit must be a number"),
    ("go_on", {"limits": {"store": 1}}, 400, "by name: max_calls"),
)


def test_what_cannot_be_done_is_said(guest: Visitor, file: Path) -> None:
    run_id = planned_run(file)
    for act, given, status, said in MISTAKES:
        answer = guest.act(run_id, act, **given)
        assert (answer.status_code, said in answer.json()["error"]) == (status, True), act
    assert guest.status(run_id) == "waiting"
    assert guest.act("nowhere", "cancel").status_code == 404


def test_a_process_that_cannot_go_on_says_why(guest: Visitor, file: Path, home: Path) -> None:
    with Store.open(file) as store:
        store.create_run(NewRun(id="r1", goal="x", created_at=1.0), Task(content="x", id="0", type="nobody"))
    said = guest.act("r1", "go_on")
    assert (said.status_code, "no model" in said.json()["error"]) == (409, True)
    assert list(home.iterdir()) == []


def test_many_who_watch_are_sent_the_same_differences(guest: Visitor, file: Path) -> None:
    run_id = finished_run(file)
    with ExitStack() as open_streams:
        watching = [open_streams.enter_context(guest.watch(f"/api/runs/{run_id}/events")) for _ in range(8)]
        first = [next(events) for events in watching]
    assert all(each == first[0] for each in first)


def test_a_port_that_is_taken_is_said_or_another_one_is_found(file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match=r"cannot use port \d+"):
            serve(file, port=taken.getsockname()[1], show=False)
    with serve(file, show=False) as one, serve(file, show=False) as other:
        assert one.port != other.port
        assert repr(one).endswith(one.url + ">")


def test_the_command_prints_the_address_and_ends_by_ctrl_c(home: Path) -> None:
    command = [*COMMAND, "serve", "--port", "0", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(timeout=HANG_S) as http:
            assert http.get(url).status_code == 303
            with http.stream("GET", f"{url.partition('?')[0]}api/events") as answer:
                assert next(answer.iter_lines()) == "retry: 1000"
                process.send_signal(2)
                _, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, "Ctrl-C stops the page" in err) == (0, True)
    assert "Traceback" not in err
    assert home.exists()
