"""The results as Markdown: the table of ratios, how every number came about, and all samples. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from cases import Case
from contenders import OURS, Contender
from measuring import Sample

Samples = Mapping[tuple[str, str], Sequence[Sample]]
"""By the name of the case and of the contender."""


_INTRODUCTION: Final = (
    "Every number is {measured} in a process of its own, all"
    " contenders in turn, round after round. In brackets: how many times as long as Ramify, in the same rounds. What is"
    " made ready beforehand (imports, connections, 20 leaves to warm up, building a tree or a graph) is not timed. A"
    ' dash is explained below. Of the kills the table has how many leaves whose body had ended ran again; "all" where'
    ' nothing is kept on disk, which was not measured. Among the samples, "early" are those that ended 100 ms before.'
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the numbers depend on.

    Attributes:
        command: what was run.
        date: when.
        machine: on what.
        repeat: how often each case was measured.
        versions: the packages of each contender.
    """

    command: str
    date: str
    machine: str
    repeat: int
    versions: Mapping[str, str]


def results_page(cases: Sequence[Case], contenders: Sequence[Contender], samples: Samples, how: Circumstances) -> str:
    """Return the whole page."""
    parts = [
        "# How fast, beside others",
        f"Written by `{how.command}` on {how.date}.",
        f"Machine: {how.machine}. Ratios count, not seconds: machines differ.",
        _INTRODUCTION.format(
            measured="one measurement" if how.repeat == 1 else f"the median of {how.repeat} measurements, each"
        ),
        _table(cases, contenders, samples),
        "## How each is set",
        "\n".join(
            f"- **{each.name}** ({how.versions.get(each.name, 'not installed') or 'Python itself'}): {each.setup}."
            for each in contenders
        ),
        "## What was not done, and why",
        "\n".join(_declined(cases, contenders, samples)) or "Everything was done.",
        "## Large runs, part by part",
        "\n".join(_parts(cases, samples)) or "Not run.",
        "## All samples",
        _all_samples(cases, contenders, samples),
    ]
    return "\n\n".join(parts) + "\n"


def middle(samples: Sequence[Sample]) -> float | None:
    """Return the median value; None if there is none."""
    values = [sample.value for sample in samples if sample.value is not None]
    return median(values) if values else None


def shown(value: float, unit: str) -> str:
    """Return a value for people to read.

    >>> shown(0.0834, "ms a leaf"), shown(1234.5, "MB"), shown(0.5831, "s"), shown(0.0, "leaves")
    ('0.083 ms', '1,234 MB', '0.583 s', '0')
    """
    if unit == "leaves":
        return f"{value:g}"
    if unit == "MB":
        return f"{value:,.0f} MB"
    return f"{value:.3f} {'ms' if unit == 'ms a leaf' else unit}"


def _table(cases: Sequence[Case], contenders: Sequence[Contender], samples: Samples) -> str:
    rows = ["| measure | " + " | ".join(each.name for each in contenders) + " |", "|---" * (len(contenders) + 1) + "|"]
    for case in cases:
        ideal = "" if case.ideal_s is None else f", ideal {case.ideal_s:.2f} s"
        per_leaf = ", a leaf" if case.unit == "ms a leaf" else ""
        cells = [_cell(case, each, samples) for each in contenders]
        rows.append(f"| {case.title}{per_leaf}{ideal} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(case: Case, contender: Contender, samples: Samples) -> str:
    value = middle(samples.get((case.name, contender.name), ()))
    if value is None:
        if case.kind == "crash" and case.kind in contender.declines:
            return "all"
        failure = next((each.failure for each in samples.get((case.name, contender.name), ()) if each.failure), "")
        return failure.partition(":")[0] or "-"
    ours = middle(samples.get((case.name, OURS.name), ()))
    is_ratio = contender is not OURS and bool(ours) and case.unit != "leaves"
    return shown(value, case.unit) + (f" ({value / (ours or 1):.1f}x)" if is_ratio else "")


def _declined(cases: Sequence[Case], contenders: Sequence[Contender], samples: Samples) -> list[str]:
    lines = []
    for contender in contenders:
        reasons: dict[str, list[str]] = {}
        for case in cases:
            made = samples.get((case.name, contender.name), ())
            if case.kind in contender.declines:
                reasons.setdefault(contender.declines[case.kind], []).append(case.name)
            elif middle(made) is None:
                failure = next((each.failure for each in made if each.failure), "not measured")
                reasons.setdefault(failure, []).append(case.name)
        lines += [f"- {contender.name}, {', '.join(names)}: {reason}." for reason, names in reasons.items()]
    return lines


def _parts(cases: Sequence[Case], samples: Samples) -> list[str]:
    lines = []
    for case in cases:
        for sample in samples.get((case.name, OURS.name), ()):
            if case.kind in {"stored", "million"} and sample.value is not None:
                notes = "; ".join(f"{name}: {value:,.1f}" for name, value in sample.notes.items())
                lines.append(f"- {case.title} (size {case.size:,}), in seconds where nothing else is said: {notes};"
                             f" most memory: {sample.memory_mb:,.0f} MB.")  # fmt: skip
    return lines


def _all_samples(cases: Sequence[Case], contenders: Sequence[Contender], samples: Samples) -> str:
    rows = ["| case | contender | unit | values | most memory |", "|---|---|---|---|---|"]
    for case in cases:
        for contender in contenders:
            made = samples.get((case.name, contender.name), ())
            if not made:
                continue
            values = ", ".join(_sample_text(case, sample) for sample in made)
            memory = max(sample.memory_mb for sample in made)
            rows.append(f"| {case.name} | {contender.name} | {case.unit} | {values} | {memory:,.0f} MB |")
    return "\n".join(rows)


def _sample_text(case: Case, sample: Sample) -> str:
    if sample.value is None:
        return sample.failure.replace("|", "/")
    if case.kind == "crash":
        return f"{sample.value:g} of {sample.notes['had finished']} ({sample.notes['of them 100 ms before']} early)"
    return f"{sample.value:.3f}"
