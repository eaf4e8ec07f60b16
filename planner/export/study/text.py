"""A study as text for terminals and as Markdown: what to do first, then the figures, then item by item."""

from collections.abc import Iterator, Sequence

from ramify.planner.export.report.markdown import escaped
from ramify.planner.runtime.durations import format_duration
from ramify.planner.runtime.terminal import one_printable_line
from ramify.tasks.counting import counted

from .advice import pilot_words, points
from .figures import Equal, Figures, Versus
from .study import Study

RIGHT_HEAD = ("arm", "right", "accuracy", "95 %", "gain", "95 %", "p", "helped", "hurt", "split")
TAKES_HEAD = ("arm", "calls", "prompt", "cached", "reply", "tokens", "cost", "median", "9 of 10 within")
EQUAL_HEAD = ("arm", "at equal", "used", "samples", "their accuracy", "gain", "95 %")
ITEM_HEAD = ("item", "arm", "what it did", "answer", "expected", "run")

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""What it is called, its head, its rows; the first column is words, all others are figures."""

_LONGEST_CELL = 40


def to_text(study: Study) -> str:
    """Return `study` for a terminal."""
    lines = [one_printable_line(study.title), *study_facts(study), "", study.advice.words]
    for title, head, rows in figure_tables(study):
        lines += ["", title, *_columns([head, *rows])]
    lines += [f"\n{each}" for each in notes(study)]
    return "\n".join(lines) + "\n"


def to_markdown(study: Study) -> str:
    """Return `study` as Markdown, with the items on which arms differ."""
    lines = [f"# {escaped(study.title)}", "", *(f"{escaped(each)}  " for each in study_facts(study)), ""]
    lines += [f"**{escaped(study.advice.words)}**"]
    for title, head, rows in [*figure_tables(study), item_table(study)]:
        if rows:
            lines += ["", f"## {escaped(title)}", "", f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
            lines += [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    lines += [f"\n{escaped(each)}" for each in notes(study)]
    return "\n".join(lines) + "\n"


def figure_tables(study: Study) -> list[Table]:
    """Return the tables of figures: what is right, what it takes, and both at equal tokens and cost."""
    figures, beside = study.figures, {each.arm.name: each for each in study.comparisons}
    tables: list[Table] = [
        (f"Accuracy; gains are over {study.base.name}", RIGHT_HEAD, [
            right_row(each, beside.get(each.arm.name)) for each in figures]),
        ("Tokens, cost and time per item", TAKES_HEAD, [takes_row(each) for each in figures]),
    ]  # fmt: skip
    if equals := study.equals:
        tables.append(
            (
                "Splitting against sampling with a vote, at equal tokens and cost",
                EQUAL_HEAD,
                [equal_row(each) for each in equals],
            )
        )
    return tables


def item_table(study: Study) -> Table:
    """Return the items on which an arm and the first one differ: where it helped, and where it hurt."""
    rows: list[tuple[str, ...]] = []
    for versus in study.comparisons:
        done = study.done(versus.arm.name)
        for did, items in (("helped", versus.gained), ("hurt", versus.lost)):
            rows += [
                (
                    item,
                    versus.arm.name,
                    did,
                    _short(done[item].answer or done[item].error),
                    done[item].expected,
                    done[item].run,
                )
                for item in items
            ]
    places = {item: place for place, item in enumerate(study.items)}
    rows.sort(key=lambda row: places[row[0]])
    return f"Item by item: where arms and {study.base.name} differ", ITEM_HEAD, rows


def right_row(figures: Figures, versus: Versus | None) -> tuple[str, ...]:
    """Return what an arm got right, under `RIGHT_HEAD`."""
    right = f"{figures.right}/{figures.items}"
    low, high = figures.between
    split = f"{figures.split}/{figures.items}" if figures.arm.splits else ""
    if not figures.items:
        return (figures.arm.name, right, *[""] * (len(RIGHT_HEAD) - 2))
    own = (figures.arm.name, right, f"{figures.accuracy:.1%}", f"{low:.0%} to {high:.0%}")
    if versus is None or not versus.items:
        return (*own, "", "", "", "", "", split)
    between = " to ".join(map(points, versus.between))
    gain, p = points(versus.gain), f"{versus.p_holm:.2g}"
    return (*own, gain, between, p, f"{len(versus.gained)}", f"{len(versus.lost)}", split)


def takes_row(figures: Figures) -> tuple[str, ...]:
    """Return what an item takes an arm, under `TAKES_HEAD`."""
    if not figures.items:
        return (figures.arm.name, *[""] * (len(TAKES_HEAD) - 1))
    cost = "unknown" if figures.cost_usd is None else f"${figures.cost_usd:,.5f}"
    return (
        figures.arm.name,
        f"{figures.calls:.1f}",
        f"{figures.input_tokens:,.0f}",
        f"{figures.cached_tokens:,.0f}",
        f"{figures.output_tokens:,.0f}",
        f"{figures.tokens:,.0f}",
        cost,
        "" if figures.seconds is None else format_duration(figures.seconds),
        "" if figures.most_seconds is None else format_duration(figures.most_seconds),
    )


def equal_row(equal: Equal) -> tuple[str, ...]:
    """Return an arm beside samples, under `EQUAL_HEAD`."""
    is_money = equal.unit == "USD"
    used = f"${equal.used:,.5f}" if is_money else f"{equal.used:,.0f}"
    more = f" of {equal.wanted:.1f}" if equal.wanted > equal.samples else ""
    return (
        equal.arm.name,
        "cost" if is_money else "tokens",
        used,
        f"{equal.samples:.1f}{more}",
        f"{equal.accuracy:.1%}",
        points(equal.gain),
        " to ".join(map(points, equal.between)),
    )


def notes(study: Study) -> Iterator[str]:
    """Yield what is to be known besides: ceilings, what is missing, what the columns mean."""
    for each in study.figures:
        if each.ceiling is not None and each.ceiling_between is not None:
            low, high = each.ceiling_between
            yield (
                f"Ceiling: all {each.arm.samples} samples of {each.arm.name} fail together on {1 - each.ceiling:.0%} of"
                f" the items, so no vote among them is right on more than {each.ceiling:.0%} ({low:.0%} to {high:.0%})."
            )
    for each in study.figures:
        if each.unanswered:
            yield f"{each.arm.name} gave no answer to {counted(each.unanswered, 'item')}; they count as wrong."
        if doubts := [trial.unsure for trial in study.done(each.arm.name).values() if trial.unsure]:
            yield (
                f"{study.check} could not judge {counted(len(doubts), 'answer')} of {each.arm.name}; they count as"
                f" wrong. The first reason: {one_printable_line(doubts[0])}"
            )
    for equal in study.equals:
        if equal.unit == "tokens" and equal.wanted > equal.samples:
            yield (
                f"{equal.arm.name} took as many tokens as {equal.wanted:.1f} samples, and {equal.samples_of.name} has"
                f" {equal.samples_of.samples}; --arm self-consistency:{round(equal.wanted)} compares it with as many."
            )
    if missing := sum(each.right is None for each in study.trials):
        base = study.figures[study.arms.index(study.base)]
        if study.pilot and base.items:
            yield f"Pilot: {pilot_words(base)}."
        yield f"{missing:,} of {counted(len(study.trials), 'trial')} remain."


def study_facts(study: Study) -> list[str]:
    """Return how many items a study has, who judges and answers, and its arms."""
    items = counted(len(study.items), "item")
    arms = ", ".join(arm_words(each.name, each.parameters) for each in study.arms)
    return [
        f"{items}, judged by {one_printable_line(study.check)}; run {study.run}, {study.status}, by {study.made_by}",
        f"arms: {one_printable_line(arms)}",
    ]


def arm_words(name: str, parameters: object) -> str:
    """Return an arm's name, with its parameters if it has any."""
    given = parameters if isinstance(parameters, dict) else {}
    more = ", ".join(f"{key}={value}" for key, value in given.items())
    return f"{name} ({more})" if more and more not in name else name


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[_short(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _short(cell: str) -> str:
    line = one_printable_line(cell)
    return line if len(line) <= _LONGEST_CELL else f"{line[: _LONGEST_CELL - 1]}…"
