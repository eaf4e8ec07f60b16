"""The `http` worker in runs: pages from a local site, the limits it keeps, and pages that are not fetched twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, Run
from ramify.planner.errors import NotAllowedError, UsageError
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task, TaskConfig

from .ramify_command import Ramify
from .web_server import Reply, WebSite

ONCE = {"max_retries": 0}


def page(title: str, *links: str) -> Reply:
    return Reply(f"<title>{title}</title><p>About {title}." + "".join(f"<a href='{link}'>x</a>" for link in links))


@pytest.fixture
def site() -> Iterator[WebSite]:
    pages: dict[str, Reply | list[Reply]] = {
        "/": page("home", "/a", "/b", "/missing", "http://elsewhere.example/"),
        "/a": page("A", "/", "/c"),
        "/b": page("B"),
        "/c": page("C"),
        "/flaky": [Reply(status=503), page("flaky")],
        "/broken": Reply(status=500),
        "/pay": Reply('{"receipt": 7}', status=201, kind="application/json"),
        "/late": [Reply(status=500), Reply("paid", kind="text/plain")],
        "/moved": Reply.to("/pay", status=307),
        "/gone": Reply(status=204),
    }
    with WebSite(pages) as running:
        yield running


def fetched(site: WebSite, store: Path, *, config: dict[str, Any] | None = None, **inputs: Any) -> Run:
    task = Task(
        content=inputs.pop("words", "fetch"), id="0", type="http", inputs=inputs, config=TaskConfig(**config or ONCE)
    )
    return Executor(ScriptedModel({}), store=store, allow=["network", f"network:{site.host}"]).run(task)


def test_a_page_is_the_output_of_its_task(site: WebSite, tmp_path: Path) -> None:
    run = fetched(site, tmp_path / "r.db", url=site.url("/b"))
    output = {
        "url": site.url("/b"),
        "status": 200,
        "content_type": "text/html",
        "title": "B",
        "text": "About B.",
        "links": [],
    }
    assert run.task.output == output
    assert run.result == f"B\n{site.url('/b')}\n\nAbout B."


def test_several_pages_are_a_list_and_addresses_are_read_from_the_content(site: WebSite, tmp_path: Path) -> None:
    run = fetched(site, tmp_path / "r.db", urls=[site.url("/b")])
    assert [each["title"] for each in _pages(run)] == ["B"]
    run = fetched(site, tmp_path / "r.db", words=f"Compare {site.url('/a')} and ({site.url('/b')}).")
    assert [each["title"] for each in _pages(run)] == ["A", "B"]


def test_links_of_the_same_site_are_followed_breadth_first(site: WebSite, tmp_path: Path) -> None:
    run = fetched(site, tmp_path / "r.db", url=site.url("/"), follow=10)
    assert [each.get("title", "none") for each in _pages(run)] == ["home", "A", "B", "none", "C"]
    assert "answered 404" in _pages(run)[3]["error"]
    assert site.paths == ["/", "/a", "/b", "/missing", "/c"]


def _pages(run: Run) -> list[dict[str, Any]]:
    assert isinstance(run.task.output, list)
    return [each for each in run.task.output if isinstance(each, dict)]


def test_following_ends_where_max_pages_does(site: WebSite, tmp_path: Path) -> None:
    run = fetched(site, tmp_path / "r.db", url=site.url("/"), follow=10, config={**ONCE, "max_pages": 3})
    assert [each["title"] for each in _pages(run)] == ["home", "A", "B"]


def test_a_fault_that_may_pass_is_tried_again_and_others_are_not(site: WebSite, tmp_path: Path) -> None:
    patient = {"max_retries": 2, "retry_delay_seconds": 0.01}
    assert fetched(site, tmp_path / "r.db", url=site.url("/flaky"), config=patient).task.attempts == 2
    run = fetched(site, tmp_path / "r.db", url=site.url("/missing"), config=patient)
    assert (run.status, run.task.attempts) == ("failed", 1)
    assert "answered 404 (Not Found)" in str(run.error)
    run = fetched(site, tmp_path / "r.db", urls=[site.url("/broken"), site.url("/b")], on_error="keep", config=patient)
    assert [each.get("title", "none") for each in _pages(run)] == ["none", "B"]
    assert site.paths.count("/broken") == 3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"blocked_domains": ("127.0.0.1",)}, "blocked_domains"),
        ({"allowed_domains": ("example.com",)}, "not in allowed_domains (example.com)"),
        ({"require_https": True}, "require_https is set"),
    ],
)
def test_a_page_that_the_limits_forbid_is_not_asked_for(
    site: WebSite, tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    run = fetched(site, tmp_path / "r.db", url=site.url("/b"), config={"max_retries": 5, **config})
    assert words in str(run.error)
    assert (run.task.attempts, site.asked) == (1, [])


def test_the_user_agent_is_inherited(site: WebSite, tmp_path: Path) -> None:
    root = Task(content="all", id="0", type="http", config=TaskConfig(user_agent="Reader/1"))
    root.add_subtask(Task(content=site.url("/b"), id="0.1", type="http"))
    run = Executor(ScriptedModel({}), store=tmp_path / "r.db", allow=["network", f"network:{site.host}"]).run(root)
    assert {each.headers["user-agent"] for each in site.asked} == {"Reader/1"}
    assert json.loads(run.result)[0]["title"] == "B"


def test_a_site_is_asked_for_its_robots_once_for_all_tasks_of_a_run(site: WebSite, tmp_path: Path) -> None:
    root = Task(content="all", id="0", type="http")
    root.add_subtasks([Task(content=site.url(path), id=path, type="http") for path in ("/", "/a", "/b", "/c")])
    run = Executor(ScriptedModel({}), store=tmp_path / "r.db", allow=["network", f"network:{site.host}"], jobs=4).run(
        root
    )
    assert (run.status, sorted(site.paths)) == ("done", ["/", "/a", "/b", "/c"])
    assert [each.path for each in site.asked].count("/robots.txt") == 1


def test_without_the_permission_nothing_is_started(site: WebSite, tmp_path: Path) -> None:
    task = Task(content=site.url("/b"), id="0", type="http")
    with pytest.raises(NotAllowedError, match="needs the permission network"):
        Executor(ScriptedModel({}), store=tmp_path / "r.db").run(task)
    run = Executor(ScriptedModel({}), store=tmp_path / "r.db", allow=["network"]).run(task)
    assert "127.0.0.1 is a loopback address" in str(run.error)
    assert site.asked == []


def test_pages_are_counted_over_a_subtree_and_a_resumed_run(site: WebSite, tmp_path: Path) -> None:
    root = Task(content="all", id="0", config=TaskConfig(max_pages=3, max_retries=0))
    part = Task(content="part", id="p", config=TaskConfig(max_pages=1))
    root.add_subtasks([Task(content=site.url("/a"), id="a", type="http", priority=2), part])
    part.add_subtask(Task(content=f"{site.url('/b')} {site.url('/c')}", id="b", type="http", priority=1))
    allow = ["network", f"network:{site.host}"]
    model = ScriptedModel({"compose": "<result>all</result>"})
    run = Executor(model, store=tmp_path / "r.db", allow=allow, jobs=1).run(root)
    assert (run.status, run.error) == (
        "stopped",
        "task p has reached max_pages = 1; raise it in its config in an edited plan",
    )
    assert site.paths == ["/a", "/b"]
    again = Executor.resume(tmp_path / "r.db", run.id, agent=model)
    assert (again.status, again.error) == (
        "stopped",
        "task p has reached max_pages = 1; raise it in its config in an edited plan",
    )
    assert site.paths == ["/a", "/b"], "a page that was fetched is not fetched again"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "has no address"),
        ({"url": "http://a.example/", "urls": ["http://b.example/"]}, "both url and urls"),
        ({"url": "http://a.example/", "follows": 1}, "the input follows of task 0 does not fit the worker 'http'"),
        ({"url": "file:///etc/passwd"}, "only http:// and https:// addresses are fetched"),
        ({"url": "http://a.example/", "body": "x"}, "body is for a method that sends something"),
        ({"urls": ["http://a.example/"], "method": "POST"}, "method POST takes one url"),
        ({"url": "http://a.example/", "method": "POST", "follow": 1}, "takes neither follow nor on_error: keep"),
        ({"url": "http://a.example/", "method": "POST", "headers": {"Host": "b"}}, "the header 'Host' cannot be set"),
        ({"url": "http://a.example/", "method": "POST", "headers": {"A": "b\nC: d"}}, "A is not printable ASCII"),
    ],
)
def test_inputs_that_do_not_fit_are_named(site: WebSite, tmp_path: Path, inputs: dict[str, Any], words: str) -> None:
    run = fetched(site, tmp_path / "r.db", **inputs)
    assert words in str(run.error)
    assert run.task.attempts == 1


def sent(site: WebSite, store: Path, path: str = "/pay", **inputs: Any) -> Run:
    config = {"max_retries": 2, "retry_delay_seconds": 0.0}
    given = {"url": site.url(path), **inputs}
    task = Task(content="pay", id="0", type="http", inputs=given, config=TaskConfig(**config))
    allow = ["network", f"network:{site.host}", "secret:TOKEN"]
    return Executor(ScriptedModel({}), store=store, allow=allow, secrets={"TOKEN": "s3cret-s3cret"}).run(task)


def test_a_post_carries_its_body_secrets_and_an_idempotency_key(site: WebSite, tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer {TOKEN}", "X-Braces": "{other}"}
    run = sent(site, tmp_path / "r.db", method="POST", body={"euros": 3}, headers=headers, secrets=["TOKEN"])
    output = {"url": site.url("/pay"), "status": 201, "content_type": "application/json", "text": '{"receipt": 7}'}
    assert run.task.output == {**output, "data": {"receipt": 7}}
    (asked,) = site.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/pay", '{"euros": 3}')
    told = [asked.headers[name] for name in ("authorization", "x-braces", "content-type")]
    assert told == ["Bearer s3cret-s3cret", "{other}", "application/json"]
    (step,) = run.effects
    assert (step.key.key, step.state, step.idempotency_key) == ("send#1", "done", asked.headers["idempotency-key"])
    assert step.input["headers"] == headers
    assert b"s3cret-s3cret" not in (tmp_path / "r.db").read_bytes()


@pytest.mark.parametrize(
    ("path", "inputs", "ending"),
    [
        ("/late", {"method": "POST"}, ("waiting", 1, ["unknown"])),
        ("/late", {"method": "POST", "may_repeat": "with_key"}, ("done", 2, ["done"])),
        ("/late", {"method": "POST", "may_repeat": True}, ("done", 2, [])),
        ("/late", {"method": "PUT"}, ("done", 2, [])),
        ("/missing", {"method": "POST"}, ("failed", 1, [])),
        ("/moved", {"method": "POST"}, ("failed", 1, [])),
        ("/gone", {"method": "DELETE"}, ("done", 1, [])),
    ],
)
def test_what_is_sent_is_sent_again_only_where_that_does_nothing_twice(
    site: WebSite, tmp_path: Path, path: str, inputs: dict[str, Any], ending: tuple[str, int, list[str]]
) -> None:
    run = sent(site, tmp_path / "r.db", path, body="three euros", **inputs)
    assert (run.status, len(site.asked), [step.state for step in run.effects]) == ending
    assert len({each.headers["idempotency-key"] for each in site.asked}) == 1
    assert {each.body for each in site.asked} == {"three euros"}


def test_nothing_is_sent_where_it_may_not_go(site: WebSite, tmp_path: Path) -> None:
    task = Task("pay", id="0", type="http", inputs={"url": site.url("/pay"), "method": "POST"})
    run = Executor(ScriptedModel({}), store=tmp_path / "r.db", allow=["network"]).run(task)
    assert (run.status, run.effects, site.asked) == ("failed", [], [])
    assert "private hosts must be allowed by name" in str(run.error)


def test_a_limit_for_pages_is_refused_where_nobody_fetches(tmp_path: Path) -> None:
    task = Task(content="say", id="0", config=TaskConfig(max_pages=1))
    with pytest.raises(UsageError, match="max_pages is a limit for workers that fetch pages"):
        Executor(ScriptedModel({}), store=tmp_path / "r.db").run(task)


def test_a_plan_file_fetches_from_the_command_line(site: WebSite, ramify: Ramify, home: Path) -> None:
    plan = {"goal": "Read", "type": "http", "inputs": {"url": site.url("/b")}}
    (home / "plan.json").write_text(json.dumps(plan))
    refused = ramify("run", "plan.json", "--model", "rules")
    assert refused.code == 2
    assert "grant it with --allow network" in refused.err
    said = ramify("run", "plan.json", "--model", "rules", "-q", "--allow", "network", "--allow", f"network:{site.host}")
    assert (said.code, said.out) == (0, f"B\n{site.url('/b')}\n\nAbout B.\n")
