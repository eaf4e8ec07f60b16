"""A comparison as HTML: a page of its own, or a piece for a notebook; no script, and nothing that others wrote acts."""

from base64 import b64encode
from collections.abc import Sequence

from ramify.planner.export.report.markup import Markup, element, together
from ramify.planner.export.report.plain_page import plain_page
from ramify.planner.export.report.words import visible_line

from .chart import to_svg
from .content import HEAD, Comparison, Variant
from .differences import Part
from .differing import task_lines
from .text import DIFFER

_STYLE = """\
.ramify-comparison { font: 15px/1.5 system-ui, sans-serif; color-scheme: light dark; }
.ramify-comparison { --line: light-dark(#d0d7de, #30363d); color: light-dark(#1f2328, #e6edf3); }
.ramify-comparison table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.ramify-comparison :is(th, td) { padding: .25em .75em; text-align: left; border-bottom: 1px solid var(--line); }
.ramify-comparison .number { text-align: right; }
.ramify-comparison .wide { overflow-x: auto; }
.ramify-comparison .answers { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(18em, 1fr); gap: 1em; }
.ramify-comparison .answers { overflow-x: auto; padding-bottom: .5em; }
.ramify-comparison section { border: 1px solid var(--line); border-radius: 6px; padding: .5em 1em; }
.ramify-comparison h2 { font-size: 1em; margin: 1.5em 0 .5em; overflow-wrap: anywhere; }
.ramify-comparison section h2 { margin-top: .25em; }
.ramify-comparison .words { white-space: pre-wrap; overflow-wrap: anywhere; }
.ramify-comparison mark { background: light-dark(#fff1a8, #4d3f00); color: inherit; text-decoration: underline; }
.ramify-comparison .none { color: light-dark(#c21c2a, #ff8f88); }
.ramify-comparison img { max-width: 100%; height: auto; }
"""
_NUMBERS = range(3, 7)
_MOST_TITLE = 120


def to_html(comparison: Comparison, *, in_cell: bool = False) -> str:
    """Return `comparison` as one page that needs no network, or as what stands in a notebook's cell."""
    if in_cell:
        return together(Markup(f"<style>{_STYLE}</style>"), _body(comparison))
    title = f"{comparison.title}: {visible_line(comparison.goal)[:_MOST_TITLE]}"
    return plain_page(title, _STYLE, _body(comparison))


def _body(comparison: Comparison) -> Markup:
    answers = zip(comparison.variants, comparison.differences(), strict=True)
    return element(
        "main",
        element("h1", comparison.title),
        element("p", "Goal: ", element("span", comparison.goal, class_="words", dir="auto")),
        _table(comparison),
        element("h2", "What it took"),
        _chart(comparison),
        element("h2", "Answers; what the first one does not have is marked"),
        element(
            "div", *(_answer(variant, parts) for variant, parts in answers), class_="answers", tabindex="0",
            role="region", aria_label="Answers side by side",
        ),
        class_="ramify-comparison",
    )  # fmt: skip


def _table(comparison: Comparison) -> Markup:
    looks = ["number" if place in _NUMBERS else "" for place in range(len(HEAD))]
    head = (element("th", name, scope="col", class_=look) for name, look in zip(HEAD, looks, strict=True))
    rows = (
        element("tr", *(element("td", cell, class_=look) for cell, look in zip(each.cells(), looks, strict=True)))
        for each in comparison.variants
    )
    table = element("table", element("thead", element("tr", *head)), element("tbody", *rows))
    return element("div", table, class_="wide", tabindex="0", role="region", aria_label="Figures")


def _chart(comparison: Comparison) -> Markup:
    address = f"data:image/svg+xml;base64,{b64encode(to_svg(comparison).encode()).decode()}"
    return Markup(f'<img src="{address}" alt="Time, tokens and cost of each variant, as in the table">')


def _answer(variant: Variant, parts: Sequence[Part]) -> Markup:
    title, tasks = element("h2", variant.name), _tasks(variant)
    if not variant.answer:
        return element("section", title, element("p", variant.error or variant.status, class_="none"), *tasks)
    is_first = all(part.is_shared for part in parts)
    words = (part.text if part.is_shared or is_first else element("mark", part.text) for part in parts)
    return element("section", title, element("div", *words, class_="words", dir="auto"), *tasks)


def _tasks(variant: Variant) -> list[Markup]:
    lines = (element("li", visible_line(line)) for line in task_lines(variant.tasks))
    return [element("p", DIFFER), element("ul", *lines)] if variant.tasks else []
