"""Mermaid diagrams in a real browser, with the npm package: every word arrives as it was written."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from ramify.planner.export.mermaid import to_mermaid
from ramify.planner.export.snapshot import graph_view
from ramify.tasks import Task

from .readers import chromium, mermaid_script, needs_chromium, needs_npm

pytestmark = [needs_chromium, needs_npm]

WORDS = [
    "Restaurants from $$ & up to $$$",
    "$$x^2$$",
    r"C:\new\table",
    r"a\\nb",
    "take fa:fa-car home",
    "vector<int> of <b>x</b>",
    "a < b && c > d",
    "1. first",
    "1) one",
    "- item",
    "+ plus",
    "> quote",
    "# head",
    "**bold** _em_ `code`",
    "#35; &amp; &lt;b&gt;",
    "x = y",
    "https://a.org/b_c?d=1&e=2#f",
    "www.example.org",
    "~~me@example.org~~",
    'say "hi"',
    "end",
    "{{a}} [[b]] ((c))",
    "click n0; style n0",
    "%% comment %%{x}%%",
    "漢字 ✓ é",
]
MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "strict": {"securityLevel": "strict"},
    "loose": {"securityLevel": "loose"},
    "svg labels": {"htmlLabels": False, "flowchart": {"htmlLabels": False}},
}
_RENDER = """
async (text) => {
  const found = await mermaid.render("drawn", text);
  document.getElementById("here").innerHTML = found.svg;
  const words = (one) => [...document.querySelectorAll(one)].map((each) => each.innerText ?? each.textContent);
  return {labels: words(".nodeLabel"), title: words(".flowchartTitleText"), edges: words(".edgeLabel p")};
}
"""


@pytest.fixture(scope="module", params=MODES)
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page()
        page.set_content('<div id="here"></div>')
        page.add_script_tag(path=mermaid_script())
        page.evaluate("(config) => mermaid.initialize({startOnLoad: false, ...config})", MODES[request.param])
        yield page


@pytest.mark.fault("5.1")
def test_labels_arrive_as_they_were_written(page: Page) -> None:
    root = Task(content="root", id="0")
    root.add_subtasks(Task(content=words, id=f"0.{place}") for place, words in enumerate(WORDS, 1))
    shown = page.evaluate(_RENDER, to_mermaid(graph_view(root, made_by="a <b>model</b>")))
    boxes = [label.splitlines()[1] for label in shown["labels"] if label.startswith("○ 0.")]
    assert boxes == WORDS
    assert any("answers by a <b>model</b>" in label for label in shown["labels"])
    assert shown["edges"] == ["line: subtask"]


@pytest.mark.fault("5.1")
def test_titles_arrive_as_they_were_written(page: Page) -> None:
    for words in WORDS[:8]:
        text = to_mermaid(graph_view(Task(content="x", id="0"), title=words))
        shown = page.evaluate(_RENDER, text)
        assert words in [*shown["title"], *(line for label in shown["labels"] for line in label.splitlines())]
