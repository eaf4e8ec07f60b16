"""The parts of a page that the report and the live page have in common: the tasks, the graph, the timeline."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

from ramify.planner.export.look import GLYPHS
from ramify.tasks import TaskState

from .markup import Markup, element, together
from .words import visible_line

SHARED_SCRIPTS: Final = ("elements.js", "model.js", "tree.js", "detail.js", "tasks.js", "picture.js")
"""The scripts of the parts, in the order in which a page has them, before its own."""


_MOST_TITLE: Final = 240


def short_goal(goal: str) -> str:
    """Return a goal as a title: one line, cut where it is long."""
    line = visible_line(goal[: 4 * _MOST_TITLE])
    return line if len(line) <= _MOST_TITLE else f"{line[: _MOST_TITLE - 1]}…"


@cache
def page_file(name: str) -> str:
    """Return a file of `page/`."""
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")


def sections(*, filters: Markup, graph: Markup, timeline: Markup) -> Markup:
    """Return the parts, with what stands in them."""
    return Markup(Template(page_file("sections.html")).substitute(filters=filters, graph=graph, timeline=timeline))


def state_filters(counts: Mapping[TaskState, int]) -> Markup:
    """Return what chooses the states of the tasks to show, with how many there are; states that none has are hidden."""
    return together(*(_filter(state, number) for state, number in counts.items()))


def _filter(state: TaskState, number: int) -> Markup:
    return element(
        "label",
        Markup(f'<input type="checkbox" name="state" value="{state.value}" checked>'),
        element("span", GLYPHS[state], class_="glyph", aria_hidden="true"),
        element("span", f"{state.value.lower()} ", element("span", f"{number:,}", class_="quiet")),
        class_=f"chip {state.value}",
        hidden="" if number else "hidden",
    )
