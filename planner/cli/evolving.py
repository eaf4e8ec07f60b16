"""`evolve`: new tasks from seeds, as JSON lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .flags import SHOWN, Force, flags, output_option, takes
from .solving import settings_given

if TYPE_CHECKING:
    from ramify.planner.evolution.seeds import SeedSource

Output = Annotated[Path | None, output_option("The file for the new tasks: .jsonl.")]


@takes(*flags("asking", "limits", "running", "store", "reusing"), "record", *SHOWN, "as_json")
def evolve(
    given: Mapping[str, Any],
    *,
    source: Annotated[
        str | None,
        typer.Argument(metavar="GOAL|FILE", help="A task, or a file: .txt, .jsonl or .csv; - is standard input."),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="The number of new tasks.")] = 10,
    output: Output = None,
    force: Force = False,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="NAME", help="How new tasks differ; repeatable; default: all in turn."),
    ] = None,
    generations: Annotated[int, typer.Option(min=1, metavar="N", help="Generations: tasks made from new tasks.")] = 1,
    tries: Annotated[int, typer.Option(min=1, metavar="N", help="Tries for each task before giving up.")] = 3,
    field: Annotated[str, typer.Option(metavar="NAME", help="The field or column that holds the task.")] = "content",
) -> int:
    """Make new tasks from seed tasks, and record their lineage.

    Example: ramify evolve seeds.txt -n 100 -o new.jsonl
    """
    from ramify.planner.evolution.api import Evolution, prepare_evolution
    from ramify.planner.evolution.generations import METHODS
    from ramify.planner.evolution.json_lines import line_of
    from ramify.planner.runtime.output_files import check_new
    from ramify.tasks.counting import counted

    from .carrying import carry, tell_ending
    from .output import print_exact, print_json, tell

    if output is None:
        check_new(output, force=force)
    executor, root = prepare_evolution(
        _seeds(source), n=n, methods=method or METHODS, generations=generations, tries=tries, field=field,
        output=output, overwrite=force, record=given["record"], **settings_given(given),
    )  # fmt: skip
    run = executor.new_run(root)
    code = carry(run, given)
    made = Evolution(run)
    if output is not None:
        tell(f"{output} holds {len(made.records):,} of {counted(n, 'new task')}")
    elif made.records and not given["as_json"]:
        print_exact("\n".join(map(line_of, made.records)))
    if given["as_json"]:
        print_json(made.to_data())
    tell_ending(run, code, given["store"])
    return code


COMMANDS = {"evolve": evolve}


def _seeds(source: str | None) -> "SeedSource | list[SeedSource]":
    from ramify.planner.errors import UsageError
    from ramify.planner.evolution.seeds import SUFFIXES

    from .goals import read_goal

    if source is None:
        raise UsageError('name a seed: ramify evolve "TASK", a file of tasks, or - for standard input')
    if source == "-":
        return [line.strip() for line in read_goal(source).split("\n") if line.strip()]
    is_named = Path(source).suffix.lower() in SUFFIXES and not any(map(str.isspace, source))
    return Path(source) if is_named or _is_there(source) else read_goal(source)


def _is_there(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long to be a name, or no name at all
        return False
