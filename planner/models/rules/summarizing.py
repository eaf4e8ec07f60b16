"""How a summary is made: documents -> sections -> sentences word for word, each with the line that it begins on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ramify.prompts import Material
from ramify.prompts.variables import TaskResult

from .documents import LONG, Document, Section, read_document, sections_of, silent_headings
from .errors import MaterialError
from .runs import even_runs
from .summaries import best_sentences, default_count
from .summary_jobs import SummaryJob, file_content, heading_of, section_content

MOST_OF_SECTION = 3
"""The most sentences of a section, unless the goal says how many."""
MOST_OF_DOCUMENT = 5
"""The most sentences of a document that is summarised in one piece, unless the goal says how many."""

MOST_SECTIONS = 50
"""The most sections that are summarised one by one within one task; more are summarised as one text."""

_HEADING = re.compile(r"^(?=#{1,5} )", re.MULTILINE)


def split_job(job: SummaryJob, materials: Sequence[Material], *, most: int) -> list[str]:
    """Return the contents of the subtasks that a summary falls apart into; none if it is made in one piece.

    Args:
        job: the summary that is asked for.
        materials: the attached documents.
        most: the most subtasks; neighbours are put together when there are more.

    Raises:
        MaterialError: if a document is missing or ambiguous.
    """
    documents = _documents(job, materials)
    if len(documents) > 1:
        return [file_content(job, [document.name for document in run]) for run in even_runs(documents, most)]
    document = documents[0]
    sections = _wanted_sections(job, document)
    return (
        [section_content(job, document.name, _together(run)) for run in even_runs(sections, most)] if sections else []
    )


def do_job(job: SummaryJob, materials: Sequence[Material]) -> str:
    """Return the summary that is asked for, made in one piece.

    Raises:
        MaterialError: if a document is missing or ambiguous, or there is no prose.
    """
    documents = _documents(job, materials)
    if len(documents) == 1:
        return _summary(job, documents[0])
    results = [_summary(job, document) for document in documents]
    return _joined((document.name, result) for document, result in zip(documents, results, strict=True))


def join_summaries(children: Sequence[TaskResult]) -> str:
    """Return the results of subtasks as one summary, in order, each below the heading of its subtask."""
    return _joined((heading_of(child.content), child.result) for child in children)


def _documents(job: SummaryJob, materials: Sequence[Material]) -> list[Document]:
    texts: dict[str, str] = {}
    for material in materials:
        if material.name in job.names and texts.setdefault(material.name, material.text) != material.text:
            raise MaterialError(f"two different documents are attached as {material.name}", reason="ambiguous")
    if not texts:
        raise MaterialError("no document is attached; attach one with -f FILE", reason="missing_input")
    return [read_document(name, texts[name]) for name in dict.fromkeys(job.names)]


def _wanted_sections(job: SummaryJob, document: Document) -> list[Section]:
    place = job.section or document.whole
    is_group = bool(place.last_title)
    is_one_piece = job.count is not None or len(document.sentences_in(place)) <= LONG
    if is_one_piece and not (job.is_by_section or is_group):
        return []
    return sections_of(document, place)


def _summary(job: SummaryJob, document: Document) -> str:
    place = job.section or document.whole
    if not document.has_prose(place):
        where = f"lines {place.first}-{place.last} of {document.name}" if job.section else document.name
        raise MaterialError(f"there is no prose to summarise in {where}", reason="missing_input")
    sections = _wanted_sections(job, document) if job.is_by_section or place.last_title else []
    if 0 < len(sections) <= MOST_SECTIONS:
        one = replace(job, is_by_section=False)
        return _joined((_title(section), _summary(replace(one, section=section), document)) for section in sections)
    sentences = document.sentences_in(place)
    name = " ".join(document.name.split())
    most = MOST_OF_SECTION if job.section else MOST_OF_DOCUMENT
    count = job.count or default_count(len(sentences), most=most)
    lines = [
        f"- {sentence.text} ({name}:{sentence.line})"
        for sentence in best_sentences(sentences, count, title=place.title)
    ]
    silent = [
        f"- no prose: {section.title} ({name}:{section.first}-{section.last})"
        for section in silent_headings(document, place)
    ]
    return "\n".join(lines + silent)


def _title(section: Section) -> str:
    return section.title or f"lines {section.first}-{section.last}"


def _together(run: Sequence[Section]) -> Section:
    if len(run) == 1:
        return run[0]
    titles = [section.title for section in run if section.title]
    if not titles:
        return Section("", run[0].first, run[-1].last)
    return Section(titles[0], run[0].first, run[-1].last, run[-1].title or titles[-1])


def _joined(parts: Iterable[tuple[str, str]]) -> str:
    return "\n\n".join(
        f"## {heading}\n\n{_HEADING.sub('#', result)}" if heading else result for heading, result in parts
    )
