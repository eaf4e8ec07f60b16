"""The HTML report in a real browser: fold, search, filter, keys, details, thousands of tasks, hostile words, axe."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Dialog, Page
from pypdf import PdfReader
from ramify.planner.export.report import report_of
from ramify.planner.store import StoredRun

from .patience import HANG_S
from .readers import chromium, needs_chromium
from .report_samples import INJECTIONS, SYSTEM, hostile_run, hostile_study, render_report, sample_run

pytestmark = needs_chromium

_LISTEN = """
globalThis.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective}: ${event.sample}`));
"""


@dataclass
class Opened:
    """A report in a browser, with everything that should not have happened.

    Attributes:
        page: the page.
        complaints: console messages, errors, dialogs and requests.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        page = self.page
        page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", self._dismiss)
        page.add_init_script(_LISTEN)

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, url: str) -> None:
        if not url.startswith(("file:", "data:image/svg+xml;base64,")):
            self.complaints.append(f"request: {url[:80]}")

    def trouble(self) -> list[str]:
        return [*self.complaints, *self.page.evaluate("violations")]

    def wait_shown(self, words: str) -> None:
        """Wait until the page says how many tasks it shows."""
        self.page.locator("#shown", has_text=words).wait_for()

    def rows(self) -> list[str]:
        """Return the ids of the rows, from the top."""
        found: list[str] = self.page.evaluate(
            "[...document.querySelectorAll('.row')].sort((a, b) => a.offsetTop - b.offsetTop)"
            ".map((row) => row.querySelector('.id').textContent)"
        )
        return found

    def current(self) -> str:
        """Return the id of the task whose row is the current one, for the eye and for a screen reader alike."""
        chosen = self.page.locator('.row[aria-selected="true"]')
        assert chosen.count() == 1
        assert chosen.get_attribute("id") == self.page.locator("#tree").get_attribute("aria-activedescendant")
        return chosen.locator(".id").inner_text()

    def detail(self) -> str:
        return self.page.locator("#detail h3 .id").inner_text()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


Open = Callable[..., Opened]


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open the report of a run in a window of its own."""
    pages: list[Page] = []

    def opened(run: StoredRun, *, address: str = "", width: int = 1200, dark: bool = False) -> Opened:
        file = tmp_path / "report.html"
        file.write_bytes(render_report(report_of(run), "html"))
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light")
        page.set_default_timeout(HANG_S * 1000)
        pages.append(page)
        found = Opened(page)
        found.listen()
        page.goto(f"{file.as_uri()}{address}")
        return found

    yield opened
    for page in pages:
        page.close()


@pytest.fixture
def small(open_report: Open) -> Opened:
    """Thirty tasks: t1 to t8 below t0, t9 to t16 below t1, and so on."""
    return open_report(sample_run(30))


def test_a_page_needs_no_network_and_has_nothing_to_complain_of(small: Opened) -> None:
    small.page.locator("#timeline img").scroll_into_view_if_needed()
    assert small.page.evaluate("[...document.images].map((image) => image.complete && image.naturalWidth > 300)") == [
        True,
        True,
    ]
    assert small.trouble() == []


def test_the_head_says_how_it_stands_and_who_made_it(small: Opened) -> None:
    assert small.page.locator("h1").inner_text() == "Describe part 0"
    assert "scripted (no language model)" in small.page.locator(".head").inner_text()
    assert (
        small.page.locator("#answer").inner_text().startswith("Answer\n\nBy scripted (no language model).\n\nResult 0.")
    )
    assert "$0.3500" in small.page.locator("#summary").inner_text()
    assert "30 tasks" in small.page.locator("#shown").inner_text()


def test_rows_fold_and_unfold_by_mouse(small: Opened) -> None:
    assert len(small.rows()) == 30
    small.page.locator("#row-1 .twist").click()
    assert small.page.locator("#row-1").get_attribute("aria-expanded") == "false"
    assert small.rows()[:3] == ["t0", "t1", "t2"]
    assert "+8" in small.page.locator("#row-1").inner_text()
    small.page.get_by_role("button", name="Fold all", exact=True).click()
    assert small.rows() == ["t0", *(f"t{number}" for number in range(1, 9))]
    small.page.get_by_role("button", name="Unfold all").click()
    assert len(small.rows()) == 30


def test_a_click_shows_the_details(small: Opened) -> None:
    small.page.get_by_text("Describe part 8", exact=True).click()
    assert (small.current(), small.detail()) == ("t8", "t8")
    assert "the model gave no reason (task 8)" in small.page.locator("#detail .problem").inner_text()


def test_the_keys_are_those_of_the_tree_pattern(small: Opened) -> None:
    small.page.locator("#tree").focus()
    for keys, expected in (
        (["ArrowDown"], "t1"), (["ArrowDown"], "t9"), (["ArrowLeft"], "t1"), (["ArrowLeft"], "t1"),
        (["ArrowDown"], "t2"), (["ArrowUp"], "t1"), (["ArrowRight"], "t1"), (["ArrowRight"], "t9"), (["Home"], "t0"),
        (["End"], "t8"), (["ArrowLeft", "ArrowLeft"], "t0"), (["ArrowRight"], "t0"), (["PageDown", "PageDown"], "t8"),
    ):  # fmt: skip
        small.press(*keys)
        assert (small.current(), small.detail()) == (expected, expected), keys
    small.press("Home", "t", "2", "9")
    assert small.current() == "t29"
    small.page.wait_for_timeout(800)
    small.press("d")
    assert small.current() == "t4"
    small.press("Home", "ArrowDown", "ArrowLeft", "Space")
    assert "t9" in small.rows()
    small.press("ArrowLeft", "*")
    assert "t9" in small.rows()
    small.press("Enter")
    assert small.page.evaluate("document.activeElement.id") == "detail"
    small.press("Escape")
    assert small.page.evaluate("document.activeElement.id") == "tree"
    small.press("/")
    assert small.page.evaluate("document.activeElement.id") == "search"


def test_search_shows_what_is_found_and_the_way_to_it(small: Opened) -> None:
    small.page.locator("#search").fill("PART 29")
    small.wait_shown("1 of 30 tasks")
    assert small.rows() == ["t0", "t3", "t29"]
    assert small.page.locator("#row-0").get_attribute("aria-expanded") == "true"
    assert "way" in (small.page.locator("#row-0").get_attribute("class") or "")
    small.press("Enter")
    assert (small.current(), small.detail()) == ("t29", "t29")
    small.press("/", "Escape")
    assert len(small.rows()) == 30
    assert small.current() == "t29"


def test_search_looks_into_results_and_replies_on_request(small: Opened) -> None:
    small.page.locator("#search").fill("Result 18.")
    small.wait_shown("0 of 30 tasks")
    assert small.rows() == []
    small.page.get_by_text("results and messages too").click()
    small.wait_shown("1 of 30 tasks")
    assert small.rows() == ["t0", "t2", "t18"]


def test_states_are_filtered(small: Opened) -> None:
    small.page.locator("label.DONE input").uncheck()
    small.page.locator("label.OPEN input").uncheck()
    assert small.page.locator("#shown").inner_text() == "3 of 30 tasks"
    assert {"t8", "t17", "t26"} <= set(small.rows())
    assert len(small.rows()) < 10
    small.page.locator("label.DONE input").check()
    small.page.locator("label.OPEN input").check()
    assert len(small.rows()) == 30


def test_messages_are_put_in_place_when_they_are_opened(small: Opened) -> None:
    small.page.get_by_text("Describe part 1", exact=True).click()
    pane = small.page.locator("#detail")
    assert pane.locator("article").count() == 2
    assert "execute, attempt 2" in pane.inner_text()
    assert "look_up" in pane.inner_text()
    assert "<result>Result 1. It is what was asked for." in pane.inner_text()
    assert SYSTEM not in (pane.text_content() or "")
    pane.locator("details.system summary").first.click()
    pane.get_by_text(SYSTEM.strip()).wait_for()


def test_related_tasks_are_a_click_away(small: Opened) -> None:
    small.page.get_by_text("Describe part 8", exact=True).click()
    small.page.locator("#detail .links button", has_text="t7").click()
    assert (small.current(), small.detail()) == ("t7", "t7")


def test_an_address_opens_the_page_at_a_task(open_report: Open) -> None:
    opened = open_report(sample_run(30), address="#task=t29")
    assert (opened.current(), opened.detail()) == ("t29", "t29")
    opened.page.locator("#row-0").click()
    opened.page.wait_for_url("**#task=t0")
    assert open_report(sample_run(3), address="#task=%").detail() == "t0"


def test_ten_thousand_tasks_are_looked_through_with_few_rows_in_the_page(open_report: Open) -> None:
    opened = open_report(sample_run(10_000), dark=True)  # so many that they, and the dark pictures, are packed
    page = opened.page
    page.locator("#timeline img").scroll_into_view_if_needed()
    shown = "[...document.images].map((image) => image.naturalWidth > 300 && image.currentSrc.slice(0, 19))"
    assert page.evaluate(shown) == ["data:image/svg+xml,", "data:image/svg+xml,"]
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator("#tree .sheet").evaluate("(sheet) => sheet.offsetHeight") == 10_000 * 28
    page.locator("#tree").focus()
    opened.press("End")
    assert opened.current() == opened.detail() == opened.rows()[-1]
    assert len(opened.rows()) < 100
    page.locator("#search").fill("part 9999")
    opened.wait_shown("1 of 10,000 tasks")
    assert opened.rows()[-1] == "t9999"
    assert opened.trouble() == []


def test_no_hostile_word_runs_and_all_are_shown(open_report: Open) -> None:
    opened = open_report(hostile_run())
    page = opened.page
    page.locator("#tree").focus()
    for place, words in enumerate((INJECTIONS[1], *INJECTIONS)):
        page.evaluate(f"document.getElementById('row-{place}').click()")
        page.evaluate("for (const each of document.querySelectorAll('#detail details')) each.open = true")
        page.wait_for_timeout(5)
        shown = page.locator("#detail > .words").first.evaluate("(box) => box.textContent")
        if words.isprintable():
            assert shown == words
        assert page.locator("#detail").locator("script, img, svg, iframe, a, style, math, [onclick]").count() == 0
    assert page.evaluate("document.querySelectorAll('script:not([type])').length") == 1
    assert page.evaluate("document.querySelectorAll('iframe, base, object, embed, form[action]').length") == 0
    assert page.title().startswith("<script>alert('script')</script> </script>")
    assert opened.trouble() == []


def test_what_acts_without_being_seen_is_shown_as_a_sign(open_report: Open) -> None:
    opened = open_report(hostile_run())
    text = opened.page.locator("#tree").inner_text()
    assert "[U+202E]right to left override[U+202C]" in text
    assert "NUL [NUL] bell [BEL] escape [ESC][31mred[ESC][0m" in text
    assert "\N{REPLACEMENT CHARACTER}" in text  # half a surrogate pair is no character


@pytest.mark.parametrize(
    ("attempt", "refused"),
    [
        ("document.body.innerHTML = '<p>'", "TrustedHTML"),
        ("document.createElement('script').textContent = 'x'", "TrustedScript"),
        ("document.body.setAttribute('onclick', 'x')", "TrustedScript"),
    ],
)
def test_the_policy_refuses_to_make_markup_or_scripts_of_text(small: Opened, attempt: str, refused: str) -> None:
    said = small.page.evaluate(
        f"(() => {{ try {{ {attempt}; return 'done'; }} catch (error) {{ return String(error); }} }})()"
    )
    assert refused in said


def test_the_policy_lets_nothing_be_loaded(small: Opened) -> None:
    small.page.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }))")
    small.page.wait_for_function("violations.length > 0")
    assert small.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'got', (error) => String(error))").startswith(
        "TypeError"
    )
    assert {each.split(":")[0] for each in small.page.evaluate("violations")} == {"img-src", "connect-src"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 420])
def test_axe_finds_nothing(open_report: Open, *, dark: bool, width: int) -> None:
    opened = open_report(sample_run(30), address="#task=t8", dark=dark, width=width)
    opened.page.locator("#detail details.user summary").first.click()
    found = Axe().run(opened.page)
    assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found.response["violations"]] == []


def test_a_narrow_window_needs_no_scrolling_sideways(open_report: Open) -> None:
    opened = open_report(sample_run(30), width=380)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 380


def test_a_printer_gets_every_row(small: Opened) -> None:
    small.page.emulate_media(media="print")
    small.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(small.rows()) == 30
    assert small.page.locator("#tree").evaluate("(tree) => tree.clientHeight >= 30 * 28")
    small.page.evaluate("dispatchEvent(new Event('afterprint'))")


@pytest.mark.fault("5.6")
@pytest.mark.parametrize(("count", "landscape"), [(60, False), (60, True), (200, False)])
def test_a_printed_report_has_no_empty_page_and_every_task(open_report: Open, *, count: int, landscape: bool) -> None:
    page = open_report(sample_run(count)).page
    printed = [each.extract_text() for each in PdfReader(io.BytesIO(page.pdf(format="A4", landscape=landscape))).pages]
    assert [number for number, words in enumerate(printed) if len(words.strip()) < 40] == []
    listed = "\n".join(printed).partition("\nGraph\n")[0]
    assert {int(number) for number in re.findall(r"Describe part (\d+)", listed)} == {*range(count)}
    headings = ("Graph", "Timeline", "Provenance")
    assert [words for words in printed if words.rstrip().endswith(headings)] == []


@pytest.mark.fault("5.6")
def test_a_report_works_in_a_frame_that_has_no_address(open_report: Open, tmp_path: Path) -> None:
    opened = open_report(sample_run(30))
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    for sandbox in ('sandbox="allow-scripts"', ""):
        opened.page.goto("about:blank")
        opened.page.set_content(f'<iframe {sandbox} srcdoc="{escape(report)}" width="1000" height="700"></iframe>')
        frame = opened.page.frame_locator("iframe")
        frame.locator(".row").get_by_text("t9", exact=True).click()
        frame.locator("#detail h3", has_text="t9").wait_for()
        opened.page.wait_for_timeout(500)  # the address is noted a quarter of a second later
    assert opened.complaints == []


def test_without_scripts_the_answer_and_the_pictures_are_there(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(render_report(report_of(sample_run(5)), "html"))
    page = browser.new_page(java_script_enabled=False)
    page.goto(file.as_uri())
    assert "Result 0." in page.locator("#answer").inner_text()
    assert "need JavaScript" in page.locator("#tasks").inner_text()
    assert page.locator("img").count() == 2
    page.close()


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (380, True)])
def test_a_study_is_a_page_that_has_nothing_to_complain_of(
    browser: Browser, tmp_path: Path, *, width: int, dark: bool
) -> None:
    file = hostile_study().save(tmp_path / "study.html")
    opened = Opened(
        browser.new_page(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light")
    )
    opened.listen()
    opened.page.goto(file.as_uri())
    assert opened.page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 300)")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert Axe().run(opened.page).response["violations"] == []
    assert opened.trouble() == []
    opened.page.close()
