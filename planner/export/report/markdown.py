"""A report as Markdown, for papers and repositories: what a model wrote stands in it as words, never as markup."""

import re
from collections.abc import Iterable, Iterator, Sequence

from ramify.planner.export.labels import format_cost
from ramify.planner.export.look import GLYPHS
from ramify.planner.export.mermaid import to_mermaid
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.view import ViewOptions
from ramify.planner.runtime.durations import format_duration
from ramify.tasks.tree.collecting import collector_at_rest
from ramify.tasks.tree.shown import shown_words

from .content import Report, ReportedTask
from .provenance import MODEL_HEAD, PROMPT_HEAD, model_rows, prompt_rows
from .words import flat_settings, visible, visible_line, when

_MARKUP = re.compile(r"[\\`*_\[\]#|<>&~$^@]|:(?=//)|(?<=\bwww)\.|-(?=-)|(?<=-)-|^[-+](?=\s|$)")
"""What GFM or pandoc reads as markup. An address is not made a link: its end would be found among our backslashes.

Typographic marks that pandoc makes of quotes and of three dots are left to it.
"""

_ITEM = re.compile(r"^(\d{1,9})(?=[.)](\s|$))")
_MOST_CONTENT = 160
_MOST_BOXES = 40


@collector_at_rest()
def to_markdown(report: Report) -> str:
    """Write `report` as Markdown."""
    return "\n".join([*_head(report), *_answer(report), *_tasks(report), *_figure(report), *_provenance(report)])


def escaped(text: str) -> str:
    r"""Return `text` as one line of Markdown that shows it as it is.

    >>> escaped("a *b* <i> | [c](d)"), escaped("https://a.org/b_c --d")
    ('a \\*b\\* \\<i\\> \\| \\[c\\](d)', 'https\\://a.org/b\\_c \\-\\-d')
    """
    return _ITEM.sub(r"\1\\", _MARKUP.sub(r"\\\g<0>", visible_line(text)))


def fenced(text: str, language: str = "text") -> str:
    """Return `text` as a block that shows it word for word, whatever fences it holds itself."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{visible(text)}\n{fence}\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.record.goal)}\n"
    facts = [("run", report.record.id), *report.facts()]
    yield from _table(("", ""), [(name, escaped(words)) for name, words in facts])


def _answer(report: Report) -> Iterator[str]:
    yield "## Answer\n"
    if report.answer is None:
        yield f"{escaped(report.why_no_answer)}\n"
    else:
        yield f"By {escaped(report.answered_by)}:\n"
        yield fenced(report.answer)


def _tasks(report: Report) -> Iterator[str]:
    yield "## Tasks\n"
    head = ("id", "state", "task", "needs", "made by", "attempts", "took", "cost")
    yield from _table(head, (_task_row(each) for each in report.tasks))


def _task_row(each: ReportedTask) -> tuple[str, ...]:
    task = each.task
    content = visible_line(shown_words(task))
    if len(content) > _MOST_CONTENT:
        content = f"{content[: _MOST_CONTENT - 1]}…"
    error = f"; {escaped(task.error)}" if task.error else ""
    return (
        escaped(task.id),
        f"{GLYPHS[task.state]} {task.state.value}{error}",
        escaped(content),
        escaped(" ".join(task.dependencies)),
        escaped(each.made_by),
        f"{task.attempts:,}",
        "" if each.duration_s is None else format_duration(each.duration_s),
        escaped(format_cost(task.usage)),
    )


def _figure(report: Report) -> Iterator[str]:
    yield "## Graph\n"
    yield "Lines lead to subtasks; dashed arrows lead to the tasks that use a result.\n"
    view = graph_view(report.root, made_by=report.made_by, options=ViewOptions(max_nodes=_MOST_BOXES))
    yield fenced(to_mermaid(view).rstrip("\n"), "mermaid")


def _provenance(report: Report) -> Iterator[str]:
    yield "## Provenance\n"
    yield from _table(MODEL_HEAD, ([*map(escaped, row)] for row in model_rows(report)))
    yield from _table(PROMPT_HEAD, ([*map(escaped, row)] for row in prompt_rows(report)))
    settings = [(f"`{name}`", escaped(value)) for name, value in flat_settings(report.record.settings)]
    yield from _table(("setting", "value"), settings)
    yield f"Written by {escaped(report.written_by)} on {when(report.made_at)}.\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
