"""The closed list of forms in which a summary is asked for, read from a goal and written as a subtask's content.

summarize | summarise | sum up | (give me | write) (a | the) summary of
[nothing | this | the attached documents | FILE and FILE | the section "T" of FILE (lines 3-9) | lines 3-9 of FILE]
[by section] [in N sentences]
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from .documents import Section

_ASKING = re.compile(
    r"(?:please )?"
    r"(?:summari[sz]e|sum up|(?:(?:give me|write|make) )?(?:a |the |an extractive )?summary(?: of)?)(?= |$)",
    re.IGNORECASE,
)
_BY_SECTION = re.compile(r" ?,? ?(?:by|section by|for each|per) section$", re.IGNORECASE)
_COUNT = re.compile(r" ?,? ?in (?P<n>[0-9]{1,2}|one|two|three|four|five) sentences?$", re.IGNORECASE)
_COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_ANYTHING = re.compile(
    r"(?:(?:this|it|all|everything)|(?:this|these|all|the)?(?: of)?(?: the)?(?: attached| given)?"
    r" ?(?:documents?|files?|texts?|attachments?))",
    re.IGNORECASE,
)
_LINES = re.compile(r"\(lines (?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9})\)$")
_BARE_LINES = re.compile(r"lines (?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9}) of ", re.IGNORECASE)
_SECTION = re.compile(r'the (?P<many>sections?) "', re.IGNORECASE)
_LONGEST = 4_000
_LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True)
class SummaryJob:
    """What a goal asks to be summarised.

    Attributes:
        target: what follows the asking words, on one line: names, a section, or nothing for all that is attached.
        names: the documents, in order.
        section: the lines, if it is one part of one document.
        is_by_section: whether each section is wanted for itself.
        count: how many sentences are wanted; None leaves it open.
    """

    target: str
    names: tuple[str, ...] = ()
    section: Section | None = None
    is_by_section: bool = False
    count: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether no document is named."""
        return not self.target or _ANYTHING.fullmatch(self.target) is not None


def read_job(goal: str, names: Collection[str] = ()) -> SummaryJob | None:
    """Return what `goal` asks to be summarised; None if it is no such goal.

    Args:
        goal: the goal; what it names has to be attached, or it has no `names`.
        names: the names of the attached documents.
    """
    if len(goal) > _LONGEST:
        return None
    line = " ".join(goal.split()).rstrip(" .!")
    asking = _ASKING.match(line)
    if asking is None:
        return None
    forms = list(_with_options(SummaryJob(line[asking.end() :].strip())))
    for form in forms:
        found = _with_section(form, names) or replace(form, names=_names_in(form.target, names))
        if found.names:
            return found
    return replace(forms[-1], names=tuple(names)) if forms[-1].is_open else forms[-1]


def file_content(job: SummaryJob, names: Sequence[str]) -> str:
    """Return the content of a subtask that summarises whole documents as `job` asks."""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"Summarize {listed}{_options(job)}"


def section_content(job: SummaryJob, name: str, section: Section) -> str:
    """Return the content of a subtask that summarises some lines of a document as `job` asks."""
    options = _options(replace(job, is_by_section=False))
    lines = f"lines {section.first}-{section.last}"
    if not section.title:
        return f"Summarize {lines} of {name}{options}"
    if section.last_title:
        titles = f'sections "{_short(section.title)}" to "{_short(section.last_title)}"'
    else:
        titles = f'section "{_short(section.title)}"'
    return f"Summarize the {titles} of {name} ({lines}){options}"


def heading_of(content: str) -> str:
    """Return the heading of what a subtask with this content found; empty if its result has headings of its own."""
    job = read_job(content)
    if job is None:
        return _short(content)
    section = _SECTION.match(job.target)
    if section is None:
        return "" if " and " in job.target else job.target
    title = job.target[section.end() :].rpartition('" of ')[0]
    return "" if len(section["many"]) > len("section") else title


def _options(job: SummaryJob) -> str:
    by = " by section" if job.is_by_section else ""
    if job.count is None:
        return by
    return f"{by} in {job.count} sentence{'s' if job.count > 1 else ''}"


def _with_options(job: SummaryJob) -> Iterator[SummaryJob]:
    """Yield `job` as it stands, then with one and with two options taken off the end of its target."""
    yield job
    for _ in range(2):
        counted, divided = _COUNT.search(job.target), _BY_SECTION.search(job.target)
        if counted:
            number = counted["n"].lower()
            job = replace(job, target=job.target[: counted.start()], count=_COUNTS.get(number) or int(number) or 1)
        elif divided:
            job = replace(job, target=job.target[: divided.start()], is_by_section=True)
        else:
            return
        yield job


def _with_section(job: SummaryJob, names: Collection[str]) -> SummaryJob | None:
    bare = _BARE_LINES.match(job.target)
    lines, opening = bare or _LINES.search(job.target), _SECTION.match(job.target)
    if lines is None or (bare is None and opening is None):
        return None
    first, last = int(lines["first"]), int(lines["last"])
    rest = job.target[bare.end() :] if bare else job.target[opening.end() if opening else 0 : lines.start()].strip()
    for name in sorted(names, key=len, reverse=True):
        shown = " ".join(name.split())
        if bare and rest == shown:
            return replace(job, names=(name,), section=Section("", first, last))
        if not bare and opening and rest.endswith(f'" of {shown}'):
            first_title, _, last_title = rest[: -len(f'" of {shown}')].partition('" to "')
            is_one = opening["many"].lower() == "section"
            title = rest[: -len(f'" of {shown}')] if is_one else first_title
            return replace(job, names=(name,), section=Section(title, first, last, "" if is_one else last_title))
    return None


def _names_in(target: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the documents that `target` lists, all of it; none if it says anything else."""
    shown = {" ".join(name.split()): name for name in names}
    for name in names:
        shown.setdefault(name.replace("\\", "/").rpartition("/")[2], name)
    longest_first = sorted(shown, key=len, reverse=True)
    found: list[str] = []
    rest = target
    while True:
        name = next((name for name in longest_first if name and rest.startswith(name)), "")
        if not name:
            return ()
        found.append(shown[name])
        rest = rest[len(name) :]
        if not rest:
            return tuple(found)
        joint = next((joint for joint in (", and ", ", ", " and ") if rest.startswith(joint)), "")
        if not joint:
            return ()
        rest = rest[len(joint) :]


def _short(words: str) -> str:
    line = " ".join(words[: _LONGEST_TITLE * 4].split())
    return line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1]}…"
