"""`bench`: whether splitting is worth it, for a data set and a model of one's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ramify.planner.export.formats import endings_of, format_of

from .flags import SHOWN, Force, flags, format_option, output_option, takes
from .solving import settings_given
from .varying import deliver_study

if TYPE_CHECKING:
    from ramify.planner.export.study.study import Study
    from ramify.planner.run import Run

_PLANNING = tuple(name for name in flags("planning") if name != "policy")
Output = Annotated[Path | None, output_option(f"The output file: {', '.join(endings_of('study'))}.")]


@takes(
    *flags("asking"),
    *_PLANNING,
    *flags("limits", "running", "store", "working", "reusing"),
    "record",
    *SHOWN,
    "as_json",
)
def bench(
    given: Mapping[str, Any],
    *,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Questions with answers: .jsonl, .json, .csv or .tsv.")],
    arm: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            metavar="[NAME=]KIND[,KEY=VALUE]",
            help="An arm to compare: direct, cot, self-consistency:N, as_needed, upfront, streaming; repeatable.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="ARM", help="Leave out direct or self-consistency; repeatable.")
    ] = None,
    check: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="How to judge: auto, exact, number, regex, FILE.py:FUNCTION, command=..., model, model=NAME.",
        ),
    ] = "auto",
    question: Annotated[str | None, typer.Option(metavar="NAME", help="The field or column of the question.")] = None,
    answer: Annotated[str | None, typer.Option(metavar="NAME", help="The field or column of the answer.")] = None,
    items: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Draw N items at random, the same each time.")
    ] = None,
    pilot: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Run N items with one plain call each, and advise.")
    ] = None,
    ask: Annotated[
        str | None, typer.Option(metavar="TEXT", help='Words added to every question; "" adds none.')
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The study's name.")] = None,
    output: Output = None,
    force: Force = False,
    form: Annotated[str | None, format_option("study")] = None,
) -> int:
    """Measure whether splitting is worth it on your data.

    Runs every item in every arm; one plain call and self-consistency:5 are always included. Compares accuracy, tokens,
    cost and time on the same items. `ramify resume` continues a stopped study.

    Example: ramify bench gsm8k.jsonl --items 60 --arm upfront --arm as_needed -m gpt-5-mini -o study.html
    """
    from ramify.planner.bench.api import new_study, study_of_run
    from ramify.planner.runtime.output_files import check_new

    from .carrying import carry, tell_ending
    from .exits import DONE

    check_new(output, force=force)
    format_of("study", output, form)
    run = new_study(
        data, arm or (), without=without or (), check=check, question=question, answer=answer, items=items, pilot=pilot,
        ask=ask, title=name, record=given["record"], **settings_given(given),
    )  # fmt: skip
    code = carry(run, given)
    study = study_of_run(run)
    deliver_study(study, output, form, as_json=given["as_json"])
    if run.status == "stopped" and run.cause is None and pilot:
        _tell_pilot(run, study, given, is_told=output is None and not given["as_json"])
        return DONE
    if code != DONE:
        tell_ending(run, code, given["store"])
    return code


def _tell_pilot(run: "Run", study: "Study", given: Mapping[str, Any], *, is_told: bool) -> None:
    """Say how the study goes on after its pilot, and what that tells, unless the study that was printed has said it."""
    from ramify.planner.export.study.advice import pilot_words

    from .carrying import resume_command
    from .output import tell

    base = next(each for each in study.figures if each.arm == study.base)
    if not is_told:
        tell(f"pilot: {pilot_words(base)}")
    tell(f"`{resume_command(run.id, given['store'])}` runs the rest of the study")


COMMANDS = {"bench": bench}
