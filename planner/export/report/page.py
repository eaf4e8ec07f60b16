"""A report as one HTML page that needs no network; its template, style and scripts are the files in `page/`.

What stands in it at once is escaped here; what the tree and the detail pane show is JSON data, parsed when it is first
looked at and put in place as text. A content security policy lets nothing run but our own script, which is named by
its hash, and has the browser refuse to make markup of any string.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from string import Template
from typing import Final

from ramify.planner.export.look import GLYPHS, ThemeName
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import TaskState
from ramify.tasks.counting import counted
from ramify.tasks.tree.collecting import collector_at_rest

from .content import Report
from .details import CHUNK, SharedLines, details_of, task_row
from .markup import Markup, as_json, element, json_block, packed_block, together
from .pictures import graph_drawn, timeline_drawn
from .plain_page import PutAway, hash_of, picture
from .provenance import MODEL_HEAD, PROMPT_HEAD, model_rows, prompt_rows
from .sections import SHARED_SCRIPTS, page_file, sections, short_goal, state_filters
from .words import flat_settings, when

_SCRIPTS: Final = (*SHARED_SCRIPTS, "inflate.js", "data.js", "page.js")
_MOST_UNPACKED = 1_000_000
"""The characters of details above which they are packed; below that, a report can be searched as a text too."""
_TOLD_ABOVE = frozenset({"status", "made by", "error"})


@collector_at_rest()
def to_html(report: Report) -> str:
    """Write `report` as one HTML page."""
    style, script = page_file("report.css"), "".join(map(page_file, _SCRIPTS))
    data = _data(report)
    blocks = _Blocks(is_packed=sum(len(words) for _, words in data) > _MOST_UNPACKED)
    graph, timeline = _graph(report, blocks), _timeline(report, blocks)
    for name, words in data:
        blocks.add(name, words)
    return Template(page_file("report.html")).substitute(
        policy=_policy(style, script),
        title=together(short_goal(report.record.goal)),
        generator=together(report.written_by),
        style=style,
        goal=_whole_goal(report),
        head=_head(report),
        facts=_facts(report),
        answer=_answer(report),
        sections=sections(filters=state_filters(report.counts()), graph=graph, timeline=timeline),
        provenance=_provenance(report),
        footer=together(
            f"Run {report.record.id}, answered by {report.made_by}. Written by {report.written_by} on"
            f" {when(report.made_at)}."
        ),
        blocks=together(*blocks.made),
        script=script,
    )


def _policy(style: str, script: str) -> str:
    # Source: https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
    return (
        f"default-src 'none'; script-src {hash_of(script)}; style-src {hash_of(style)}; img-src data:; base-uri 'none';"
        " form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _whole_goal(report: Report) -> Markup:
    """Return the goal as it was given, where the title does not say all of it."""
    if short_goal(report.record.goal) == report.record.goal.strip():
        return Markup()
    words = element("div", report.record.goal, class_="words", dir="auto")
    return element("details", element("summary", "The whole goal"), words, class_="goal")


def _head(report: Report) -> Markup:
    return together(
        element("span", report.status, class_=f"pill {report.status}"), " ",
        element("span", "run ", element("code", report.record.id)), " ",
        element("span", "answers by ", element("strong", report.made_by)),
    )  # fmt: skip


def _facts(report: Report) -> Markup:
    pairs = (
        element("div", element("dt", name), element("dd", words))
        for name, words in report.facts()
        if name not in _TOLD_ABOVE
    )
    return element("dl", *pairs, class_="facts")


def _answer(report: Report) -> Markup:
    if report.answer is None:
        return element("p", f"{report.why_no_answer}.", class_="none" if report.status == "failed" else "quiet")
    return together(
        element("p", f"By {report.answered_by}.", class_="quiet"),
        element("div", report.answer, class_="words", dir="auto", tabindex="0", role="region", aria_label="The answer"),
    )


def _graph(report: Report, blocks: "_Blocks") -> Markup:
    """Return the picture of the tree, with its critical path; large trees are folded in it."""
    draw = graph_drawn(report.root, title=_title(report), made_by=report.made_by)
    words = f"The tree of {counted(len(report.tasks), 'task')} with states, as in the list of tasks"
    return picture(draw, words, put_away=blocks.keeper("graph"))


def _timeline(report: Report, blocks: "_Blocks") -> Markup:
    """Return the picture of what ran when."""
    if not report.timeline.tasks:
        return element("p", "Nothing has run yet.", class_="quiet")
    words = f"What ran when, in {format_duration(report.timeline.seconds)}; the times of each task are beside the list"
    draw = timeline_drawn(replace(report.timeline, title=_title(report), made_by=report.made_by))
    return picture(draw, words, put_away=blocks.keeper("timeline"))


def _title(report: Report) -> str:
    """Return what a picture is called; the goal stands at the top of the page already."""
    return f"Run {report.record.id}"


def _provenance(report: Report) -> Markup:
    return together(
        _table("Models", MODEL_HEAD, list(model_rows(report)), numbers=range(2, 7)),
        _table("Prompts", PROMPT_HEAD, list(prompt_rows(report)), numbers=(3,)),
        _table("Settings", ("setting", "value"), list(flat_settings(report.record.settings))),
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> Markup:
    """Return a table, or nothing if it has no rows; the columns `numbers` stand to the right."""
    if not rows:
        return Markup()
    looks = ["number" if place in set(numbers) else "" for place in range(len(head))]
    titles = (element("th", name, scope="col", class_=look) for name, look in zip(head, looks, strict=True))
    body = (
        element("tr", *(element("td", cell, class_=look) for cell, look in zip(row, looks, strict=True)))
        for row in rows
    )
    table = element(
        "table", element("caption", caption), element("thead", element("tr", *titles)), element("tbody", *body)
    )
    return element("div", table, class_="wide", tabindex="0", role="region", aria_label=caption)


class _Blocks:
    """The data that the page carries.

    Args:
        is_packed: whether it is packed, as there is much of it.

    Attributes:
        made: the blocks.
    """

    def __init__(self, *, is_packed: bool) -> None:
        self.is_packed = is_packed
        self.made: list[Markup] = []
        self._first: tuple[str, str] | None = None

    def keeper(self, name: str) -> PutAway | None:
        """Return what packs pictures of that name for other screens than light ones; None if nothing is packed."""
        return partial(self._put_away, name) if self.is_packed else None

    def _put_away(self, name: str, theme: ThemeName, svg: str) -> str:
        self.add(f"{name}-{theme}", svg)
        return f"{name}-{theme}"

    def add(self, name: str, words: str) -> None:
        """Add a block; what is packed of the details of tasks may repeat what stands in the first of them."""
        if not self.is_packed:
            self.made.append(json_block(name, words))
            return
        is_of_tasks = name.startswith("details-")
        self.made.append(packed_block(name, words, like=self._first if is_of_tasks else None))
        if is_of_tasks:
            self._first = self._first or (name, words)


def _data(report: Report) -> list[tuple[str, str]]:
    """Return what the tree and the detail pane show, as JSON, by name."""
    states = [[state.value, GLYPHS[state]] for state in TaskState]
    rows = [task_row(each.task, each.parent) for each in report.tasks]
    shared = SharedLines(report.run.calls)
    details = list(details_of(report, shared))
    return [
        ("tasks", as_json({"states": states, "chunk": CHUNK, "rows": rows})),
        ("texts", as_json(shared.lines)),
        *(
            (f"details-{number}", as_json(details[start : start + CHUNK]))
            for number, start in enumerate(range(0, len(details), CHUNK))
        ),
    ]
