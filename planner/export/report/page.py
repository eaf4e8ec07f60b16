"""A report as one HTML page that needs no network; its template, style and scripts are the files in `page/`.

What stands in it at once is escaped here; what the tree and the detail pane show is JSON data, parsed when it is first
looked at and put in place as text. A content security policy lets nothing run but our own script, which is named by
its hash, and has the browser refuse to make markup of any string.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from string import Template
from typing import Final

from ramify.planner.export.look import GLYPHS
from ramify.planner.runtime.durations import format_duration
from ramify.tasks import TaskState
from ramify.tasks.counting import counted

from .content import Report
from .details import CHUNK, detail_chunks, task_row
from .markup import Markup, as_json, element, json_block, packed_block, together
from .pictures import graph_drawn, timeline_drawn
from .plain_page import hash_of, picture
from .provenance import MODEL_HEAD, PROMPT_HEAD, model_rows, prompt_rows
from .sections import SHARED_SCRIPTS, page_file, sections, short_goal, state_filters
from .words import flat_settings, when

_SCRIPTS: Final = (*SHARED_SCRIPTS, "inflate.js", "data.js", "page.js")
_MOST_UNPACKED = 1_000_000
"""The characters of details above which they are packed; below that, a report can be searched as a text too."""
_TOLD_ABOVE = frozenset({"status", "made by", "error"})


def to_html(report: Report) -> str:
    """Write `report` as one HTML page."""
    style, script = page_file("report.css"), "".join(map(page_file, _SCRIPTS))
    return Template(page_file("report.html")).substitute(
        policy=_policy(style, script),
        title=together(short_goal(report.record.goal)),
        generator=together(report.written_by),
        style=style,
        goal=_whole_goal(report),
        head=_head(report),
        facts=_facts(report),
        answer=_answer(report),
        sections=sections(filters=state_filters(report.counts()), graph=_graph(report), timeline=_timeline(report)),
        provenance=_provenance(report),
        footer=together(
            f"Run {report.record.id}, answered by {report.made_by}. Written by {report.written_by} on"
            f" {when(report.made_at)}."
        ),
        blocks=together(*_blocks(report)),
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


def _graph(report: Report) -> Markup:
    """Return the picture of the tree, with its critical path; large trees are folded in it."""
    draw = graph_drawn(report.root, title=_title(report), made_by=report.made_by)
    return picture(draw, f"The tree of {counted(len(report.tasks), 'task')} with states, as in the list of tasks")


def _timeline(report: Report) -> Markup:
    """Return the picture of what ran when."""
    if not report.timeline.tasks:
        return element("p", "Nothing has run.", class_="quiet")
    words = (
        f"What ran when, in {format_duration(report.timeline.seconds)}; the times of each task stand beside the list"
    )
    return picture(timeline_drawn(replace(report.timeline, title=_title(report), made_by=report.made_by)), words)


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


def _blocks(report: Report) -> Iterator[Markup]:
    states = [[state.value, GLYPHS[state]] for state in TaskState]
    tasks = [task_row(each.task, each.parent) for each in report.tasks]
    yield json_block("tasks", as_json({"states": states, "chunk": CHUNK, "rows": tasks}))
    shared, chunks = detail_chunks(report)
    details = [
        *((f"details-{number}", as_json(chunk)) for number, chunk in enumerate(chunks)),
        ("texts", as_json(shared)),
    ]
    write = packed_block if sum(len(words) for _, words in details) > _MOST_UNPACKED else json_block
    for name, words in details:
        yield write(name, words)
