"""The two pages and their files: the parts, the scripts and the look of the report, and what is different in `page/`.

No word of a run stands in them: the scripts put words in place as text.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template

from ramify.planner.export.look import GLYPHS
from ramify.planner.export.report.markup import Markup, as_json, element, json_block
from ramify.planner.export.report.sections import SHARED_SCRIPTS, page_file, sections, state_filters
from ramify.tasks import TaskState


@cache
def page_files() -> Mapping[str, tuple[str, str]]:
    """Return the files that pages load, by name, with their media types."""
    shared = "".join(map(page_file, SHARED_SCRIPTS))
    scripts = {
        "run.js": shared + "".join(map(_file, ("stream.js", "acts.js", "study.js", "run.js"))),
        "runs.js": page_file("elements.js") + _file("stream.js") + _file("runs.js"),
    }
    style = page_file("report.css") + _file("serve.css")
    return {name: (words, "text/javascript") for name, words in scripts.items()} | {"page.css": (style, "text/css")}


@cache
def list_page() -> str:
    """Return the page that lists the runs."""
    return _file("runs.html")


@cache
def run_page() -> str:
    """Return the page of a run."""
    parts = sections(
        filters=state_filters(dict.fromkeys(TaskState, 0)),
        graph=_picture("the tree"),
        timeline=_picture("the timeline"),
    )
    states = as_json([[state.value, GLYPHS[state]] for state in TaskState])
    return Template(_file("run.html")).substitute(sections=parts, states=json_block("states", states))


def _picture(of: str) -> Markup:
    return element("p", f"No picture of {of} yet.", class_="quiet")


@cache
def _file(name: str) -> str:
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")
