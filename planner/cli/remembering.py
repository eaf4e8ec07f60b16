"""`methods`: decompositions that worked, saved and used again: listed, shown, saved, edited, switched off."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .completing import method_names, run_ids
from .flags import Force, Last, takes

if TYPE_CHECKING:
    from ramify.planner.planning.methods import Methods
    from ramify.tasks.methods.method import Method

APP = typer.Typer(help="Save plans that worked, and use them again.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A method; `ramify methods list` lists them.", autocompletion=method_names),
]


@APP.command("list")
@takes("methods", "as_json")
def list_methods(given: Mapping[str, Any]) -> int:
    """List methods, and what is wrong with broken ones.

    Example: ramify methods list
    """
    from ramify.planner.planning.method_functions import MethodFunctions
    from ramify.tasks.errors import DocumentError

    from .output import print_json, print_table, tell

    methods, functions = folder_of(given), MethodFunctions()
    rows: list[dict[str, Any]] = []
    for name in methods.names():
        try:
            method = methods.get(name)
            fault = functions.fault(method) if method.is_enabled else None
            rows.append(_data(method) | ({"state": "broken", "error": fault} if fault else {}))
        except DocumentError as error:
            rows.append({"name": name, "goal": "", "state": "broken", "error": str(error)})
    if given["as_json"]:
        print_json({"folder": str(methods.folder), "methods": rows})
        return 0
    if rows:
        table = [(row["name"], row["state"], row.get("provenance", {}).get("run", ""), row["goal"]) for row in rows]
        print_table(("method", "state", "from run", "goal"), table)
    else:
        tell(f"there are no methods in {methods.folder}; `ramify methods save RUN` saves the plan of a run")
    for row in rows:
        if "error" in row:
            tell(row["error"])
    return 0


@APP.command("show")
@takes("methods", "as_json")
def show_method(given: Mapping[str, Any], *, name: Name) -> int:
    """Print a method's file.

    Example: ramify methods show compare
    """
    from ramify.tasks.methods.reading import MAX_BYTES
    from ramify.tasks.plans.plans import plan_text

    from .output import print_exact, print_json

    methods = folder_of(given)
    if given["as_json"]:
        print_json({"method": _data(methods.get(name))})
    else:
        print_exact(plan_text(methods.path_of(name), most=MAX_BYTES).rstrip("\n"))
    return 0


@APP.command("save")
@takes("methods", "store", "as_json")
def save_method(
    given: Mapping[str, Any],
    *,
    run_id: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run that worked.", autocompletion=run_ids)
    ] = None,
    task_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The task whose plan to save; default: the root.")
    ] = None,
    last: Last = False,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The method's name; default: from the goal.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=WORDS", help="Words of the goal that vary; default: guessed."),
    ] = None,
    fixed: Annotated[bool, typer.Option("--fixed", help="Use no parameters.")] = False,
    keywords: Annotated[
        list[str] | None, typer.Option("--keyword", metavar="WORD", help="A keyword to find it by; repeatable.")
    ] = None,
    force: Force = False,
) -> int:
    """Save the plan of a run, or of one of its tasks, as a method.

    Ramify tries methods before it asks the model to split similar goals.

    Example: ramify methods save r12 --name compare -p a=Oslo -p b=Bergen
    """
    from ramify.planner.errors import UsageError

    from .finding import opened_run
    from .output import print_json, print_text, tell

    if last and task_id is None:
        run_id, task_id = None, run_id  # the only word is a task's id then
    if fixed and parameters:
        raise UsageError("--fixed and --parameter exclude each other; leave one out")
    chosen = {} if fixed else _parameters(parameters or ()) if parameters else None
    methods = folder_of(given)
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        stored = store.read_run(record.id)
    saved = methods.save(stored, task_id, name=name, parameters=chosen, keywords=keywords or (), overwrite=force)
    if given["as_json"]:
        print_json({"method": _data(saved.method), "parameters": dict(saved.parameters)})
    else:
        print_text(saved.method.name)
    tell(f"the method is in {saved.path}, for goals such as: {saved.method.goal.text}")
    for parameter, words in saved.parameters.items():
        tell(f"{{{parameter}}} stands for {words!r}")
    if saved.left_out:
        tell(f"warning: dependencies on tasks outside the method were left out: {', '.join(saved.left_out)}")
    if not saved.parameters:
        tell(
            f"it has no parameters, so it fits only this goal; add some with `ramify methods edit {saved.method.name}`"
        )
    return 0


@APP.command("edit")
@takes("methods")
def edit_method(given: Mapping[str, Any], *, name: Name) -> int:
    """Open a method in your editor, then check it.

    Example: ramify methods edit compare
    """
    from .editor import is_saved
    from .exits import DONE, USAGE
    from .output import tell

    methods = folder_of(given)
    path = methods.path_of(name)
    if not is_saved(path, "the method"):
        return USAGE
    methods.get(name)
    tell(f"{path} is valid")
    return DONE


@APP.command("disable")
@takes("methods")
def disable_method(given: Mapping[str, Any], *, name: Name) -> int:
    """Disable a method, and keep its file.

    Example: ramify methods disable compare
    """
    from .output import tell

    path = folder_of(given).enable(name, is_enabled=False)
    tell(f"{path} is disabled; `ramify methods enable {name}` enables it")
    return 0


@APP.command("enable")
@takes("methods")
def enable_method(given: Mapping[str, Any], *, name: Name) -> int:
    """Enable a method that is disabled.

    Example: ramify methods enable compare
    """
    from .output import tell

    path = folder_of(given).enable(name)
    tell(f"{path} is enabled")
    return 0


@APP.command("delete")
@takes("methods")
def delete_method(given: Mapping[str, Any], *, name: Name) -> int:
    """Delete the file of a method.

    Example: ramify methods delete compare
    """
    from .output import tell

    tell(f"deleted {folder_of(given).delete(name)}")
    return 0


def folder_of(given: Mapping[str, Any]) -> "Methods":
    """Return the folder of methods that the options `given`, or the settings, name."""
    from ramify.planner.errors import UsageError
    from ramify.planner.planning.methods import NONE, Methods
    from ramify.planner.settings.settings import load_settings

    named = load_settings(methods=given.get("methods")).methods
    if str(named) == NONE:
        raise UsageError(f"methods is set to {NONE!r}; name a folder with --methods DIR")
    return Methods(named)


def _data(method: "Method") -> dict[str, Any]:
    needed = method.preconditions
    return {
        "name": method.name,
        "goal": method.goal.text,
        "state": "enabled" if method.is_enabled else "disabled",
        "path": method.source,
        "keywords": list(method.keywords),
        "parameters": {name: method.parameters.get(name, "") for name in method.goal.names},
        "preconditions": {
            "keywords": list(needed.keywords), "matches": needed.matches, "check": list(needed.checks),
        },
        "tasks": method.function or method.outline(),
        "provenance": dict(method.provenance),
    }  # fmt: skip


def _parameters(given: Iterable[str]) -> dict[str, str]:
    from ramify.planner.errors import UsageError

    found: dict[str, str] = {}
    for words in given:
        name, equals, value = words.partition("=")
        if not equals:
            raise UsageError(f"--parameter needs NAME=WORDS, such as --parameter town=Oslo, not {words!r}")
        if name.strip() in found:
            raise UsageError(f"--parameter is given twice for {name.strip()}")
        found[name.strip()] = value.strip()
    return found
