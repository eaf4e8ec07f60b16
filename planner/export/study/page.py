"""A study as HTML: a page of its own, or a piece for a notebook; no script, and nothing that others wrote acts."""

from collections.abc import Iterator, Sequence

from ramify.planner.export.report.markup import Markup, element, together
from ramify.planner.export.report.plain_page import picture, plain_page

from .plots import plots_of
from .study import Study
from .text import Table, arm_words, figure_tables, item_table, notes

_STYLE = """\
.ramify-study { font: 15px/1.5 system-ui, sans-serif; color-scheme: light dark; overflow-wrap: anywhere; }
.ramify-study { --line: light-dark(#d0d7de, #30363d); color: light-dark(#1f2328, #e6edf3); }
.ramify-study h1 { font-size: 1.5em; margin: 0 0 .25em; }
.ramify-study h2 { font-size: 1.15em; margin: 1.75em 0 .5em; }
.ramify-study .quiet { color: light-dark(#4d5560, #b3bcc6); margin: .25em 0; }
.ramify-study .advice { border-left: 4px solid light-dark(#0b57d0, #79b8ff); padding: .25em 1em; font-size: 1.1em; }
.ramify-study table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.ramify-study :is(th, td) { padding: .25em .75em; text-align: left; border-bottom: 1px solid var(--line); }
.ramify-study .number { text-align: right; white-space: nowrap; }
.ramify-study .wide { overflow-x: auto; }
.ramify-study .hurt { color: light-dark(#c21c2a, #ff8f88); }
.ramify-study .helped { color: light-dark(#1a7f37, #3fb950); }
.ramify-study .plots { display: flex; flex-wrap: wrap; gap: 1em; }
.ramify-study img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
"""
_MOST_ITEMS = 500


def to_html(study: Study, *, in_cell: bool = False) -> str:
    """Return `study` as one page that needs no network, or as what stands in a notebook's cell."""
    if in_cell:
        return together(Markup(f"<style>{_STYLE}</style>"), _body(study))
    return plain_page(f"{study.title}: study {study.run}", _STYLE, _body(study))


def _body(study: Study) -> Markup:
    figures = figure_tables(study)
    items = item_table(study)
    return element(
        "main",
        element("h1", study.title),
        element(
            "p", f"{len(study.items):,} items, judged by {study.check}; run ", element("code", study.run),
            f", {study.status}; answers by {study.made_by}", class_="quiet",
        ),
        element("p", "arms: ", ", ".join(arm_words(each.name, each.parameters) for each in study.arms), class_="quiet"),
        element("p", study.advice.words, class_="advice"),
        element("div", *(picture(plot.draw, plot.words) for plot in plots_of(study)), class_="plots"),
        *(_table(each) for each in figures),
        *(element("p", each, class_="quiet") for each in notes(study)),
        _table(items),
        element("p", "`ramify show RUN` shows the run of a trial, with its plan, prompts and replies.", class_="quiet"),
        class_="ramify-study",
    )  # fmt: skip


def _table(table: Table) -> Markup:
    title, head, rows = table
    if not rows:
        return Markup()
    looks = ["" if place == 0 else "number" for place in range(len(head))]
    titles = (element("th", name, scope="col", class_=look) for name, look in zip(head, looks, strict=True))
    body = (element("tr", *_cells(row, looks)) for row in rows[:_MOST_ITEMS])
    whole = element("table", element("thead", element("tr", *titles)), element("tbody", *body))
    more = f"{len(rows) - _MOST_ITEMS:,} more are in the CSV file." if len(rows) > _MOST_ITEMS else ""
    return together(
        element("h2", title),
        element("div", whole, class_="wide", tabindex="0", role="region", aria_label=title),
        element("p", more, class_="quiet") if more else Markup(),
    )


def _cells(row: Sequence[str], looks: Sequence[str]) -> Iterator[Markup]:
    for cell, look in zip(row, looks, strict=True):
        yield element("td", cell, class_=f"{look} {cell}".strip() if cell in {"helped", "hurt"} else look)
