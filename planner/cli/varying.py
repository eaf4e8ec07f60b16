"""`sweep` and `compare`: variations of one goal, and runs side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ramify.planner.export.formats import Format, endings_of, format_of
from ramify.tasks.json_text import read_json

from .completing import run_ids
from .flags import SHOWN, Force, Last, flags, format_option, output_option, takes
from .solving import Files, Goal, settings_given

if TYPE_CHECKING:
    from ramify.planner.export.study.study import Study
    from ramify.planner.store import Store
    from ramify.planner.strategies import Comparison

Output = Annotated[Path | None, output_option(f"The output file: {', '.join(endings_of('comparison'))}.")]
Form = Annotated[str | None, format_option("comparison")]


@takes(*flags("asking", "planning", "limits", "running", "store", "working", "reusing"), "record", *SHOWN, "as_json")
def sweep(
    given: Mapping[str, Any],
    *,
    goal: Goal = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="KEY=A,B", help="A parameter and its values; repeatable."),
    ] = None,
    files: Files = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The strategy's name.")] = "sweep",
    in_series: Annotated[bool, typer.Option("--series", help="Run variants one after another.")] = False,
    output: Output = None,
    force: Force = False,
    form: Annotated[str | None, format_option("comparison", "--format")] = None,
) -> int:
    """Run a goal or plan with every combination of settings.

    The answers are printed side by side.

    Example: ramify sweep "Name three rivers" -p model=gpt-5-mini,gpt-5 -p language=English,Norwegian
    """
    from ramify.planner.api import executor_of, make_root, plan_limits
    from ramify.planner.asking.attachments import read_materials
    from ramify.planner.errors import UsageError
    from ramify.planner.runtime.output_files import check_new
    from ramify.planner.settings.settings import load_settings
    from ramify.planner.strategies import Strategy, compare
    from ramify.tasks.plans.plans import load_plan

    from .carrying import carry, tell_ending
    from .exits import DONE
    from .goals import is_plan_file, read_goal

    check_new(output, force=force)
    wanted = format_of("comparison", output, form)
    grid = read_grid(parameters or ())
    settings = load_settings(**settings_given(given))
    if settings.model is None and grid.get("model"):
        settings = load_settings(**settings_given({**given, "model": str(grid["model"][0])}))
    if goal is not None and is_plan_file(goal):
        for option in flags("planning"):
            if given[option] is not None:
                raise UsageError(f"{goal} is a plan, so --{option.replace('_', '-')} has no effect")
        root, plan = load_plan(goal, files=files or ()), None
    else:
        root, plan = make_root(read_goal(goal), read_materials(files or ())), plan_limits(settings)
    strategy = Strategy(name, root, grid, in_series=in_series, plan=plan)
    run = executor_of(settings, record=given["record"]).new_run(strategy.task)
    code = carry(run, given)
    comparison = compare(run.id, store=given["store"])
    _deliver(comparison, wanted, output, as_json=given["as_json"])
    if code != DONE:
        tell_ending(run, code, given["store"])
    return code


@takes("store", "as_json")
def compare_runs(
    given: Mapping[str, Any],
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN...", help="Run ids, or one sweep or study.", autocompletion=run_ids),
    ] = None,
    last: Last = False,
    output: Output = None,
    force: Force = False,
    form: Form = None,
    eval_logs: Annotated[
        Path | None, typer.Option("--eval-logs", metavar="DIR", help="Write a study as logs of inspect_ai into DIR.")
    ] = None,
) -> int:
    """Compare runs, or show a study.

    Shows answers, differences, time, tokens and cost side by side.

    Examples: ramify compare r12 r34 -o both.html; ramify compare --last
    """
    from ramify.planner.errors import UsageError
    from ramify.planner.executor import open_store
    from ramify.planner.runtime.output_files import check_new
    from ramify.planner.strategies import compare

    if not runs and not last:
        raise UsageError("name runs by their ids, or use --last for the newest; `ramify runs` lists them")
    if given["as_json"] and form is not None and output is None:
        raise UsageError("use either --json or --format; with -o FILE, the ending sets the format")
    check_new(output, force=force)
    wanted = format_of("comparison", output, form)
    ids = list(runs or ())
    with open_store(given["store"], create=False) as store:
        if last:
            ids.append(store.last_run().id)
        study = _study_among(store, ids)
    if eval_logs is not None:
        return _save_logs(None if study is None else study.run, eval_logs, given["store"])
    if study is not None:
        deliver_study(study, output, form, as_json=given["as_json"])
        return 0
    _deliver(compare(*ids, store=given["store"]), wanted, output, as_json=given["as_json"])
    return 0


COMMANDS = {"sweep": sweep, "compare": compare_runs}


def read_grid(words: Sequence[str]) -> dict[str, list[Any]]:
    """Return the grid that `KEY=A,B` means; a value is JSON where it can be, and a JSON list holds values with commas.

    Raises:
        UsageError: if a word has no `=`, or names a parameter again.
    """
    from ramify.planner.errors import UsageError

    grid: dict[str, list[Any]] = {}
    for word in words:
        key, equals, values = word.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{word!r} is not a parameter; write KEY=A,B")
        if key in grid:
            raise UsageError(f"the parameter {key} is given twice; put all its values in one -p")
        whole = _json(values)
        grid[key] = whole if isinstance(whole, list) else [_json(value) for value in values.split(",")]
    return grid


def _study_among(store: "Store", ids: Sequence[str]) -> "Study | None":
    """Return the study that a single run is; None if it is none, or there are several."""
    from ramify.planner.bench.api import stored_study
    from ramify.planner.export.study.content import is_study

    if len(ids) != 1:
        return None
    record = store.find_run(ids[0])
    return stored_study(store, record) if is_study(store.load_tree(record.id)) else None


def deliver_study(study: "Study", output: Path | None, form: str | None, *, as_json: bool) -> None:
    """Print a study, or write it to the file `output`."""
    from .output import deliver, print_json

    wanted = format_of("study", output, form)
    if output is not None or not as_json:
        deliver(wanted.write(study).data, wanted.name, output, is_text=wanted.is_text)
    if as_json:
        print_json(study.to_data())


def _save_logs(run_id: str | None, folder: Path, store: str | None) -> int:
    """Write a study as logs of inspect_ai, and print where they are."""
    from importlib.util import find_spec

    from ramify.planner.errors import UsageError

    from .output import print_text

    if run_id is None:
        raise UsageError("--eval-logs writes a study; name the run of one, which `ramify bench` makes")
    if find_spec("inspect_ai") is None:
        raise UsageError("--eval-logs needs the package inspect_ai: pip install 'ramify[inspect]'")
    from ramify.planner.bridges import save_eval_logs

    for path in save_eval_logs(run_id, folder, store=store):
        print_text(str(path))
    return 0


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return text


def _deliver(comparison: "Comparison", form: Format, output: Path | None, *, as_json: bool) -> None:
    from .output import deliver, print_json

    if output is not None or not as_json:
        deliver(form.write(comparison).data, form.name, output, is_text=form.is_text)
    if as_json:
        print_json(comparison.to_data())
