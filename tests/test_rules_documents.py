"""Documents: what is prose, which sections they have, which sentences are taken, with their lines."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.planner.models.rules.documents import read_document, sections_of, silent_headings
from ramify.planner.models.rules.errors import MaterialError
from ramify.planner.models.rules.markup import Heading, read_markup
from ramify.planner.models.rules.summaries import best_sentences, default_count
from ramify.planner.models.rules.summarizing import do_job, join_summaries, split_job
from ramify.planner.models.rules.summary_jobs import SummaryJob, file_content, read_job
from ramify.prompts import Material
from ramify.prompts.variables import TaskResult

README = """\
# Kettle

[![build](https://ci.example/badge.svg)](https://ci.example)

Kettle boils water on a schedule, so that tea is ready in time.

## Install

    pip install kettle

Kettle runs on any computer that has Python 3.11. It needs no
other packages, e.g. no drivers at all.

```
not a sentence that anybody wants quoted.
```

## Badges

https://example.org/one
| not | prose |
|-----|-------|

## Use

- Set the time with `kettle at 07:00`.
- Kettle heats the water five minutes before that time!
"""


def _texts(text: str, name: str = "a.md") -> list[tuple[str, int]]:
    return [(sentence.text, sentence.line) for sentence in read_document(name, text).sentences]


def _material(text: str, name: str = "README.md") -> tuple[Material, ...]:
    return (Material(name=name, text=text),)


def _job(goal: str, *names: str) -> SummaryJob:
    job = read_job(goal, names)
    assert job is not None
    return job


def test_sentences_are_verbatim_with_the_lines_that_they_begin_on() -> None:
    assert _texts(README) == [
        ("Kettle boils water on a schedule, so that tea is ready in time.", 5),
        ("Kettle runs on any computer that has Python 3.11.", 11),
        ("It needs no other packages, e.g. no drivers at all.", 11),
        ("Set the time with `kettle at 07:00`.", 26),
        ("Kettle heats the water five minutes before that time!", 27),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```\nThis is code in a fence.\n```",
        "~~~\nThis is code in a fence.",
        "Title here\n\n    This is indented code after all.",
        "| This is a | table with words |",
        "[![This is a badge](a.svg)](b) ![and one more](c.svg)",
        "[this is only a link](https://example.org) <https://example.org>",
        '[reference]: https://example.org "with some words here"',
        "<!-- This is a comment\nover two whole lines. -->",
        "---\ntitle: this is front matter\n---",
        "## This is only a heading",
        "This is a setext heading\n------------------------",
        "----------",
        '<p align="center"><img src="a b c d e"></p>',
    ],
)
def test_markup_is_no_prose(text: str) -> None:
    assert _texts(text) == []


def test_directives_of_restructured_text_are_no_prose() -> None:
    text = "Title\n=====\n\n.. note:: This is a directive.\n\n   And its indented body too.\n\nThis is a sentence.\n"
    assert _texts(text, "a.rst") == [("This is a sentence.", 8)]


def test_levels_of_restructured_text_come_from_the_order_of_underlines() -> None:
    text = "=====\nTitle\n=====\n\nPart\n----\n\nDetail\n~~~~~~\n\nOther\n-----\n"
    headings = [piece for piece in read_markup(text, is_rst=True) if isinstance(piece, Heading)]
    assert [(heading.line, heading.level, heading.title) for heading in headings] == [
        (1, 1, "Title"),
        (5, 2, "Part"),
        (8, 3, "Detail"),
        (11, 2, "Other"),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith met Mrs. Jones at No. 5. They both had tea, e.g. green tea.", 2),
        ("It costs 3.50 euros for each. Is that a lot? It is not much!", 3),
        ("J. S. Bach wrote this piece in 1722. Everybody knows it by now.", 2),
        ("Er sagte das z.B. gestern noch. Heute sagt er es wieder nicht.", 2),
        ("\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u6211\u4eec\u53bb\u516c\u56ed\u6563\u6b65\u3002", 2),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(_texts(text)) == count


def test_lines_are_counted_as_editors_do() -> None:
    assert _texts("one\x0cline\u2028here\r\n\r\nThis is the third line.") == [("This is the third line.", 3)]


def test_sections_of_the_outermost_level_cover_all_lines() -> None:
    document = read_document("README.md", README)
    sections = sections_of(document, document.whole)
    assert [(section.title, section.first, section.last) for section in sections] == [
        ("Kettle", 1, 6),
        ("Install", 7, 23),
        ("Use", 24, 27),
    ]


def test_section_without_prose_is_named() -> None:
    document = read_document("README.md", README)
    assert [section.title for section in silent_headings(document, document.whole)] == ["Badges"]


def test_text_without_headings_falls_apart_into_runs_of_paragraphs() -> None:
    text = "\n\n".join(f"Paragraph {number} has one. It has two sentences now." for number in range(20))
    document = read_document("a.txt", text)
    sections = sections_of(document, document.whole)
    assert len(sections) > 1
    assert sections[0].first == 1
    assert sections[-1].last == document.length
    assert all(before.last + 1 == after.first for before, after in pairwise(sections))


def test_best_sentences_avoid_saying_the_same_twice() -> None:
    text = (
        "Kettles boil water quickly. Kettles boil water quickly indeed. The weather was mild. "
        "Kettles boil water quickly today. Tea needs fresh leaves and fresh boiling water."
    )
    chosen = best_sentences(read_document("a.md", text).sentences, 2)
    assert [sentence.text for sentence in chosen][1].startswith("Tea needs")


def test_sentences_come_in_the_order_of_the_text() -> None:
    document = read_document("README.md", README)
    lines = [sentence.line for sentence in best_sentences(document.sentences, 4)]
    assert lines == sorted(lines)


@pytest.mark.parametrize(("sentences", "count"), [(1, 1), (4, 1), (5, 2), (9, 3), (1000, 3)])
def test_one_in_four_sentences_is_taken(sentences: int, count: int) -> None:
    assert default_count(sentences, most=3) == count


@pytest.mark.parametrize(
    ("goal", "names", "options"),
    [
        ("summarize", ("a.md", "b.md"), (False, None)),
        ("Summarise by section.", ("a.md", "b.md"), (True, None)),
        ("please summarize this", ("a.md", "b.md"), (False, None)),
        ("Give me a summary of the attached documents in 3 sentences", ("a.md", "b.md"), (False, 3)),
        ("Summary of a.md by section in two sentences", ("a.md",), (True, 2)),
        ("summarize b.md and a.md", ("b.md", "a.md"), (False, None)),
        ("sum up the files", ("a.md", "b.md"), (False, None)),
    ],
)
def test_summary_is_asked_for_in_a_closed_list_of_forms(
    goal: str, names: tuple[str, ...], options: tuple[bool, int | None]
) -> None:
    job = _job(goal, "a.md", "b.md")
    assert job.names == names
    assert (job.is_by_section, job.count) == options


@pytest.mark.parametrize("goal", ["Plan a weekend", "summarizer", "Write a poem", "x" * 10_000])
def test_other_goals_ask_for_no_summary(goal: str) -> None:
    assert read_job(goal, ["a.md"]) is None


@pytest.mark.parametrize(
    "name", ["by section", "in 3 sentences.md", "a and b, c.md", 'the section "x" of y.md', "a/b.md"]
)
def test_document_of_any_name_is_found_by_it(name: str) -> None:
    job = _job(file_content(SummaryJob("", is_by_section=True, count=2), [name, "z.md"]), "z.md", "b", name)
    assert (job.names, job.is_by_section, job.count) == ((name, "z.md"), True, 2)


def test_what_is_not_attached_is_not_named() -> None:
    assert _job("summarize the plot of Hamlet", "a.md").names == ()


def test_document_falls_apart_into_one_task_a_section() -> None:
    assert split_job(_job("summarize by section", "README.md"), _material(README), most=8) == [
        'Summarize the section "Kettle" of README.md (lines 1-6)',
        'Summarize the section "Install" of README.md (lines 7-23)',
        'Summarize the section "Use" of README.md (lines 24-27)',
    ]


def test_short_document_is_summarised_in_one_piece() -> None:
    assert split_job(_job("summarize", "README.md"), _material(README), most=8) == []


def test_several_documents_become_one_task_each() -> None:
    materials = (*_material(README, "a.md"), *_material("This is short but prose.", "b.md"))
    assert split_job(_job("summarize in 2 sentences", "a.md", "b.md"), materials, most=8) == [
        "Summarize a.md in 2 sentences",
        "Summarize b.md in 2 sentences",
    ]


def test_more_sections_than_tasks_are_put_together_and_come_apart_again() -> None:
    text = "".join(f"# Part {number}\n\nThis part is about number {number}.\n\n" for number in range(1, 8))
    contents = split_job(_job("summarize by section", "a.md"), _material(text, "a.md"), most=3)
    assert contents[0] == 'Summarize the sections "Part 1" to "Part 3" of a.md (lines 1-12)'
    inner = split_job(_job(contents[0], "a.md"), _material(text, "a.md"), most=8)
    assert inner[-1] == 'Summarize the section "Part 3" of a.md (lines 9-12)'


def test_every_subtask_is_read_back_as_a_summary_of_its_lines() -> None:
    title = 'A "hostile" title of x (lines 1-2) <task>'
    text = f"# One\n\nThis is the first part.\n\n# {title}\n\nThis is the second part.\n"
    contents = split_job(_job("summarize by section", "of x.md"), _material(text, "of x.md"), most=8)
    job = _job(contents[1], "of x.md")
    assert job.section is not None
    assert (job.section.first, job.section.last) == (5, 7)
    assert "second part" in do_job(job, _material(text, "of x.md"))


def test_summary_of_a_section_gives_lines_and_names_what_it_skipped() -> None:
    job = _job('Summarize the section "Install" of README.md (lines 7-23)', "README.md")
    assert do_job(job, _material(README)) == (
        "- Kettle runs on any computer that has Python 3.11. (README.md:11)\n- no prose: Badges (README.md:18-23)"
    )


def test_wanted_number_of_sentences_is_kept() -> None:
    assert do_job(_job("summarize in 3 sentences", "README.md"), _material(README)).count("README.md:") == 4


def test_summaries_are_joined_below_their_headings() -> None:
    children = [
        TaskResult(id="0.1", content='Summarize the section "A" of a.md (lines 1-3)', result="- a (a.md:1)"),
        TaskResult(
            id="0.2", content='Summarize the sections "B" to "C" of a.md (lines 4-9)', result="## B\n\n- b (a.md:4)"
        ),
        TaskResult(id="0.3", content="Summarize b.md", result="## D\n\n- d (b.md:2)"),
    ]
    assert join_summaries(children) == (
        "## A\n\n- a (a.md:1)\n\n## B\n\n- b (a.md:4)\n\n## b.md\n\n### D\n\n- d (b.md:2)"
    )


@pytest.mark.parametrize(
    ("materials", "complaint"),
    [
        ((), "no document is attached"),
        (_material("", "a.md"), "no prose to summarise in a.md"),
        (_material("```\nonly code\n```", "a.md"), "no prose to summarise in a.md"),
        (
            (*_material("This is one text.", "a.md"), *_material("This is another one.", "a.md")),
            "two different documents",
        ),
    ],
)
def test_missing_or_empty_documents_are_refused(materials: tuple[Material, ...], complaint: str) -> None:
    with pytest.raises(MaterialError, match=complaint):
        do_job(_job("summarize", *[material.name for material in materials]), materials)


@pytest.mark.parametrize(
    "text",
    [
        README * 1_800,
        "[![a](b" * 140_000,
        "." * 1_000_000,
        "....................x " * 45_000,
        "```\n" * 250_000,
        "<!--\n" * 200_000,
        "# h\n" * 100_000,
        "word " * 200_000,
        "<a" * 500_000,
        "https://a" * 100_000,
        "A b c d e.\n\n" * 80_000,
    ],
    ids=[
        "readme",
        "links",
        "dots",
        "runs",
        "fences",
        "comments",
        "headings",
        "words",
        "tags",
        "addresses",
        "paragraphs",
    ],
)
def test_documents_of_a_megabyte_are_read_in_linear_time(text: str) -> None:
    document = read_document("a.md", text)
    sections = sections_of(document, document.whole)
    assert len(sections) != 1
    assert len(best_sentences(document.sentences, 5)) == min(5, len({sentence.text for sentence in document.sentences}))


@given(st.text(alphabet="aB #-=`>|[]()<!.\n\t1~*:", max_size=200), st.sampled_from(["a.md", "a.rst", "a.txt"]))
@settings(deadline=None)
def test_any_text_has_sections_in_order_without_holes(text: str, name: str) -> None:
    document = read_document(name, text)
    sections = sections_of(document, document.whole)
    assert all(before.last + 1 == after.first for before, after in pairwise(sections))
    assert all(document.has_prose(section) for section in sections)
