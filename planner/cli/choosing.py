"""`workers`: which workers there are, what each takes and may do, and enabling and disabling them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ramify.tasks.json_text import json_text, read_json

from .flags import takes

if TYPE_CHECKING:
    from ramify.planner.workers import Worker

APP = typer.Typer(help="List, show, enable and disable workers.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A worker; `ramify workers list` lists them.")]
ForUser = Annotated[bool, typer.Option("--user", help="Apply to all your projects, not just this folder.")]


@APP.command("list")
@takes("as_json")
def list_workers(given: Mapping[str, Any]) -> int:
    """List workers and the task types they handle.

    Example: ramify workers list
    """
    from ramify.planner.settings.settings import load_settings
    from ramify.planner.workers.built_in import BUILT_IN
    from ramify.planner.workers.plugins import installed_plugins
    from ramify.planner.workers.registry import Workers

    from .output import print_json, print_table

    chosen = load_settings().workers
    rows = [
        {"name": name, "state": _state(chosen.get(name), is_plugin=False), "from": "built in", "about": each.about}
        for name, each in sorted(Workers().items())
    ]
    rows += [
        {
            "name": each.name,
            "state": _state(chosen.get(each.name), is_plugin=True),
            "from": each.package,
            "about": each.about,
        }
        for each in installed_plugins().values()
        if each.name not in BUILT_IN
    ]
    if given["as_json"]:
        print_json({"workers": rows})
    else:
        print_table(("type", "state", "from", "does"), [tuple(row.values()) for row in rows])
    return 0


@APP.command("show")
@takes("as_json")
def show_worker(given: Mapping[str, Any], *, name: Name) -> int:
    """Show a worker's inputs, permissions and configuration.

    Code of a disabled plugin is not run.

    Example: ramify workers show http
    """
    from .output import print_json, print_table

    data = _described(name)
    if given["as_json"]:
        print_json({"worker": data})
    else:
        rows = [(key, _words(value)) for key, value in data.items() if value not in (None, [], {}) and key != "inputs"]
        print_table(("", name), rows)
        if data["inputs"]:
            print_table(("input", "value"), list(data["inputs"].items()))
    return 0


@APP.command("enable")
def enable_worker(
    *,
    name: Name,
    allow: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Grant it a permission; repeatable.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a configuration value; repeatable.")
    ] = None,
    user: ForUser = False,
) -> int:
    """Enable a worker in ramify.toml.

    Example: ramify workers enable weather --allow network --set city=Oslo
    """
    from ramify.planner.settings.settings import WorkerSettings, load_settings
    from ramify.planner.settings.settings_file import change_settings
    from ramify.planner.work.grants import Grants

    from .output import tell

    known = load_settings().workers.get(name, WorkerSettings())
    config = {**known.config, **dict(map(_pair, set_ or ()))}
    allowed = Grants([*known.allow, *(allow or ())]).allow
    worker = _worker(name, config)
    values = {"enabled": True, "allow": [*allowed] or None, "config": config or None}
    path = change_settings(("workers", name), values, for_user=user)
    tell(f"{name} is enabled in {path}")
    for missing in sorted(worker.permissions.difference(allowed)):
        tell(
            f"it needs the permission {missing}: `ramify workers enable {name} --allow {missing}`, or --allow for a run"
        )
    return 0


@APP.command("disable")
def disable_worker(*, name: Name, user: ForUser = False) -> int:
    """Disable a worker in ramify.toml; its configuration stays there.

    Example: ramify workers disable subprocess
    """
    from ramify.planner.settings.settings import load_settings
    from ramify.planner.settings.settings_file import change_settings
    from ramify.planner.workers.built_in import BUILT_IN
    from ramify.planner.workers.plugins import plugin_named

    from .output import tell

    if name not in BUILT_IN and name not in load_settings().workers:
        plugin_named(name)
    path = change_settings(("workers", name), {"enabled": False}, for_user=user)
    tell(f"{name} is disabled in {path}")
    return 0


def _described(name: str) -> dict[str, Any]:
    """Return what is known of a worker here; of a plugin that is not enabled, only what its package says."""
    from ramify.planner.settings.settings import WorkerSettings, load_settings
    from ramify.planner.workers.built_in import BUILT_IN
    from ramify.planner.workers.plugins import plugin_named

    chosen = load_settings().workers.get(name, WorkerSettings())
    is_plugin = name not in BUILT_IN
    plugin = plugin_named(name) if is_plugin else None
    worker = _worker(name, chosen.config) if chosen.enabled or not is_plugin else None
    return {
        "state": _state(chosen, is_plugin=is_plugin),
        "from": "built in" if plugin is None else plugin.package,
        "about": plugin.about if worker is None and plugin else worker.about if worker else "",
        "permissions": "unknown until it is enabled" if worker is None else sorted(worker.permissions),
        "granted": [*chosen.allow],
        "limits": [] if worker is None else sorted(worker.keeps),
        "config": {**chosen.config},
        "inputs": {} if worker is None else _inputs(worker),
    }


def _worker(name: str, config: Mapping[str, Any]) -> "Worker":
    from ramify.planner.errors import UsageError
    from ramify.planner.workers.built_in import BUILT_IN
    from ramify.planner.workers.plugins import load_plugin, plugin_named
    from ramify.planner.workers.registry import Workers

    if name not in BUILT_IN:
        return load_plugin(plugin_named(name), config)
    if config:
        raise UsageError(f"the worker {name!r} has no configuration; its tasks have inputs")
    return Workers()[name]


def _inputs(worker: "Worker") -> dict[str, str]:
    """Return what a worker takes: each input with its default."""
    from pydantic_core import PydanticUndefined

    taken = worker.inputs
    fields = {} if taken is None else taken.model_fields
    return {
        name: "required" if field.is_required() else f"default {json_text(default, default=list)}"
        for name, field in fields.items()
        if (default := field.get_default(call_default_factory=True)) is not PydanticUndefined or field.is_required()
    }


def _state(chosen: Any, *, is_plugin: bool) -> str:
    if chosen is not None and chosen.enabled is not None:
        return "on" if chosen.enabled else "off"
    return "not enabled" if is_plugin else "on"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json_text(value) if isinstance(value, dict) else str(value)


def _pair(text: str) -> tuple[str, Any]:
    """Return a name and a value, which is JSON if it can be read so, else text."""
    from ramify.planner.errors import UsageError

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set needs KEY=VALUE, not {text!r}")
    try:
        return name.strip(), read_json(value)
    except (ValueError, RecursionError):
        return name.strip(), value
