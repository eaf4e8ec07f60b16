"""The live page in a real browser: growth, acts, hostile words, a lost connection, thousands of tasks, axe."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page
from ramify.planner import Executor, PlanLimits, Store
from ramify.planner.bench.api import new_study
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.serving import Served, serve
from ramify.planner.store import CallMade, EventHappened, NewRun, StoredRun
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task

from .patience import HANG_S, Gate
from .readers import chromium, needs_chromium
from .report_samples import INJECTIONS, hostile_run, sample_run
from .test_serving import begin, finished_run, planned_run

pytestmark = needs_chromium

SPLIT = "<task>Look at the first part</task><task needs='1'>Look at the second part</task>"

_LISTEN = """
globalThis.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective}: ${event.sample}`));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def served(place: Path) -> Iterator[Served]:
    with serve(place, port=0, show=False) as served:
        yield served


class Opened:
    """The page in a browser, with everything that should not have happened."""

    def __init__(self, context: BrowserContext, served: Served) -> None:
        self.complaints: list[str] = []
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(HANG_S * 1000)
        self.page.add_init_script(_LISTEN)
        self.page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.served = served
        self.page.goto(served.url)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.served.url.partition('/?')[0]}{path}")
        return self.page

    def trouble(self) -> list[str]:
        return [*self.complaints, *self.page.evaluate("violations")]


Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[Open]:
    contexts: list[BrowserContext] = []

    def opened(*, width: int = 1200, dark: bool = False) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        return Opened(context, served)

    yield opened
    for context in contexts:
        context.close()


def stored(place: Path, run: StoredRun) -> str:
    """Store a run that was made up, but for what no store takes: half a character in the type of an event."""
    record = run.record
    new = {name: getattr(record, name) for name in NewRun.__dataclass_fields__}
    with Store.open(place) as store:
        store.create_run(NewRun(**new), run.root)
        with store.write(record.id) as writer:
            writer.put(*(CallMade.of(call) for call in run.calls))
            writer.put(*(EventHappened.of(event) for event in run.events if "\ud800" not in event.type))
    return record.id


def test_a_tree_grows_while_it_is_watched(open_page: Open, place: Path) -> None:
    gate = Gate({"decompose": "<atomic/>", "execute": "<result>seen</result>", "compose": "all seen"})
    run = Executor(ScriptedModel(split_at_first(gate)), plan=PlanLimits(), store=place).new_run(
        Task(content="Look at it all", id="0")
    )
    opened = open_page()
    page = opened.page
    page.get_by_role("link", name=run.id).click()
    page.locator("#shown", has_text="1 task").wait_for()
    run.start()
    page.locator("#shown", has_text="3 tasks").wait_for()
    page.locator(".row.RUNNING", has_text="first part").wait_for()
    assert page.locator("#status").inner_text() == "running"
    assert page.title() == "Look at it all · Ramify"
    gate.open()
    page.locator("#answer-words", has_text="all seen").wait_for()
    page.locator("#status", has_text="done").wait_for()
    page.locator(".row.DONE").nth(2).wait_for()
    page.get_by_text("Look at the second part", exact=True).first.click()
    page.locator("#detail", has_text="seen").locator("article.call").first.wait_for()
    page.wait_for_url("**#task=*")
    page.locator("#graph").scroll_into_view_if_needed()
    page.locator("#graph img").wait_for()
    page.locator("#timeline").scroll_into_view_if_needed()
    page.locator("#timeline img").wait_for()
    assert opened.trouble() == []
    run.wait()


def split_at_first(gate: Gate) -> Callable[[ModelRequest], Awaitable[str]]:
    async def reply(request: ModelRequest) -> str:
        is_root = request.purpose == "decompose" and request.task_id == "0"
        return SPLIT if is_root else await gate(request)

    return reply


def test_runs_come_into_the_list_and_keys_lead_through_it(open_page: Open, place: Path) -> None:
    opened = open_page()
    page = opened.page
    page.locator("#shown", has_text="No runs yet").wait_for()
    first, second = finished_run(place), planned_run(place)
    page.locator("#shown", has_text="2 runs").wait_for()
    page.locator(".pill.waiting").wait_for()
    assert page.locator("#runs tbody a").all_inner_texts() == [second, first]
    page.keyboard.press("/")
    page.keyboard.type("BOTH")
    page.locator("#shown", has_text="1 of 2 runs").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{first}*")
    assert opened.trouble() == []


def test_a_study_is_watched_unfolded_and_followed_to_its_runs(open_page: Open, place: Path) -> None:
    replies = {"sample": "Answer: 2", "decompose": "<atomic/>", "execute": "<result>Answer: 3</result>"}
    gate = Gate(replies)
    items = [{"question": f"What is 1 + 1, asked {n} times?", "answer": 2} for n in range(1, 9)]
    model = ScriptedModel(gate)
    run = new_study(items, "upfront", without="self-consistency", model=model, store=place, jobs=16)
    opened = open_page()
    page = opened.go(f"/runs/{run.id}")
    run.start()
    page.locator("#study-tables tr", has_text="direct").filter(has_text="8/8").wait_for()
    page.locator("#advice", has_text="Too few results").wait_for()
    gate.open()
    run.wait()
    page.locator("#advice", has_text="Do not split").wait_for()
    page.locator("#plots img").nth(1).wait_for()
    page.locator("#study-tables td.hurt").nth(7).wait_for()
    assert found(page) == []
    page.locator("#study-tables a").first.click()
    page.wait_for_url(f"**/runs/{run.id}.*")
    page.locator("#inside a", has_text=run.id).wait_for()
    opened.go("/")
    page.locator(".fold", has_text="16 runs: 16 done").click()
    page.locator("tr.member").nth(15).wait_for()
    assert page.locator("tr.member a").first.inner_text() == f"{run.id}.1"
    page.reload()
    page.locator("tr.member").nth(15).wait_for()
    assert found(page) == []
    assert opened.trouble() == []


def test_a_plan_is_approved_by_hand_and_the_answer_comes(open_page: Open, place: Path, home: Path) -> None:
    run_id = planned_run(place)
    opened = open_page()
    page = opened.go(f"/runs/{run_id}")
    page.get_by_role("button", name="Revise the plan").click()
    page.get_by_label("What should change").wait_for()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Approve the plan").click()
    page.locator("#said", has_text=run_id).wait_for()
    page.locator("#answer-words", has_text="21").wait_for()
    page.locator("#status.done").wait_for()
    page.locator("#row-1").click()
    page.get_by_role("button", name="Fork from here").click()
    page.locator("#dialog-yes").click()
    page.locator("#said a").click()
    page.locator("#status.done").wait_for()
    page.locator("#facts", has_text=f"forked from{run_id}").wait_for()
    assert opened.trouble() == []
    assert list(home.iterdir()) == []


def test_a_run_is_cancelled_by_hand(open_page: Open, place: Path) -> None:
    gate = Gate({"execute": "<result>seen</result>"})
    run = Executor(ScriptedModel(gate), store=place).start(Task(content="Wait", id="0"))
    opened = open_page()
    page = opened.go(f"/runs/{run.id}")
    page.locator(".row.RUNNING").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.locator("#dialog-yes").click()
    page.locator("#said", has_text="to stop run").wait_for()
    page.locator("#status.cancelled").wait_for()
    page.get_by_role("button", name="Resume").wait_for()
    run.wait()
    assert opened.trouble() == []


def test_no_hostile_word_runs_and_all_are_shown(open_page: Open, place: Path) -> None:
    run_id = stored(place, hostile_run())
    opened = open_page()
    page = opened.go(f"/runs/{run_id}")
    page.locator(".row").first.wait_for()
    page.locator("#tree").focus()
    for words in INJECTIONS:
        page.keyboard.press("ArrowDown")
        if words.isprintable() and words.isascii():
            page.locator("#detail > .words", has_text=words).first.wait_for()
            page.evaluate("for (const each of document.querySelectorAll('#detail details')) each.open = true")
    assert page.locator("#detail").locator("script, img, svg, iframe, a, style, math, [onclick]").count() == 0
    assert page.evaluate("document.querySelectorAll('iframe, base, object, embed, form[action]').length") == 0
    page.locator("#graph").scroll_into_view_if_needed()
    page.locator("#graph img").wait_for()
    assert page.title().startswith("<script>alert('script')</script>")
    opened.go("/")
    page.locator("#runs", has_text="<script>alert('script')</script>").wait_for()
    assert opened.trouble() == []


@pytest.mark.parametrize("attempt", ["document.body.innerHTML = '<p>'", "document.body.setAttribute('onclick', 'x')"])
def test_the_policy_refuses_to_make_markup_or_scripts_of_text(open_page: Open, attempt: str) -> None:
    page = open_page().page
    said = page.evaluate(
        f"(() => {{ try {{ {attempt}; return 'done'; }} catch (error) {{ return `${{error}}`; }} }})()"
    )
    assert "Trusted" in said


def test_a_connection_that_is_lost_is_said_and_taken_up_again(open_page: Open, served: Served, place: Path) -> None:
    with Store.open(place) as store:
        root = Task(content="many", id="0", subtasks=[Task(content=f"part {n}", id=f"0.{n}") for n in range(1, 4)])
        store.create_run(NewRun(id="r1", goal="many", created_at=1.0), root)
        page = open_page().go("/runs/r1")
        page.locator("#shown", has_text="4 tasks").wait_for()
        served.close()
        page.locator("#lost", has_text="Connection lost").wait_for()
        with store.write("r1") as writer:
            begin(writer, root.subtasks[1])
            with Served(place, port=served.port, read_only=True, token=served.token):
                page.locator(".row.RUNNING", has_text="part 2").wait_for()
                assert page.locator("#lost").is_hidden()


def test_a_server_that_has_ended_is_said(open_page: Open, served: Served, place: Path) -> None:
    run_id = finished_run(place)
    opened = open_page()
    page = opened.go(f"/runs/{run_id}")
    page.locator("#status.done").wait_for()
    served.close()
    page.locator("#lost", has_text="Connection lost").wait_for()
    with serve(place, port=served.port, show=False):
        page.locator("#lost", has_text="Open the address").wait_for()


def test_ten_thousand_tasks_change_with_few_rows_in_the_page(open_page: Open, place: Path) -> None:
    run = sample_run(10_000)
    run_id = stored(place, replace(run, calls=(), events=(), record=replace(run.record, status="running")))
    opened = open_page()
    page = opened.go(f"/runs/{run_id}")
    page.locator("#shown", has_text="10,000 tasks").wait_for()
    page.get_by_role("button", name="Unfold all").click()
    page.locator("#tree").focus()
    page.keyboard.press("End")
    assert page.locator(".row").count() < 100
    last = page.locator('.row[aria-selected="true"] .id').inner_text()
    top = page.locator("#tree").evaluate("(tree) => tree.scrollTop")
    with Store.open(place) as store, store.write(run_id) as writer:
        task = next(task for task in run.root.walk() if task.state == "OPEN")
        begin(writer, task)
        page.locator(".chip.RUNNING", has_text="1").wait_for()
    assert page.locator('.row[aria-selected="true"] .id').inner_text() == last
    assert page.locator("#tree").evaluate("(tree) => tree.scrollTop") == top
    page.locator("#search").fill("part 9999")
    page.locator("#shown", has_text="1 of 10,000 tasks").wait_for()
    assert opened.trouble() == []


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (420, True)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    open_page: Open, place: Path, *, width: int, dark: bool
) -> None:
    run_id, _ = stored(place, sample_run(30)), planned_run(place)
    opened = open_page(width=width, dark=dark)
    page = opened.page
    page.locator("#shown", has_text="2 runs").wait_for()
    assert found(page) == []
    opened.go(f"/runs/{run_id}#task=t8")
    page.locator("#detail", has_text="gave no reason").locator("details.user summary").first.click()
    assert found(page) == []
    page.get_by_role("button", name="Fork", exact=True).click()
    assert found(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def found(page: Page) -> list[object]:
    violations = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in violations]
