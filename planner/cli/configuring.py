"""`config`: the settings that hold here, and the places that they come from; passwords and keys are not shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .flags import takes

if TYPE_CHECKING:
    from ramify.planner.settings.layers import Layer

APP = typer.Typer(help="Show settings and where they come from.", no_args_is_help=True, rich_markup_mode=None)
_NOT_SET = "-"


@APP.command("show")
@takes("as_json")
def show_config(
    given: Mapping[str, Any],
    *,
    sources: Annotated[
        bool, typer.Option("--sources", help="Show where each value comes from, and what it overrides.")
    ] = False,
) -> int:
    """Show every setting and its value.

    Example: ramify config show --sources
    """
    from ramify.planner.settings.layers import settings_layers
    from ramify.planner.settings.options import OPTIONS
    from ramify.planner.settings.settings import load_settings

    from .output import print_json, print_table

    settings = load_settings()
    layers = list(settings_layers())
    rows = [_row(name, getattr(settings, name), settings.sources[name], layers) for name in OPTIONS]
    if given["as_json"]:
        print_json({"settings": rows})
    elif sources:
        table = [(row["name"], _text(row["value"]), row["source"], _weaker(row)) for row in rows]
        print_table(("setting", "value", "from", "overrides"), table)
    else:
        print_table(("setting", "value"), [(row["name"], _text(row["value"])) for row in rows])
    return 0


@APP.command("path")
@takes("as_json")
def show_places(given: Mapping[str, Any]) -> int:
    """List the places that settings come from, strongest first.

    Example: ramify config path
    """
    from ramify.planner.settings.layers import settings_layers

    from .output import print_json, print_table

    layers = [layer for layer in settings_layers() if layer.level != "call"]
    if given["as_json"]:
        print_json({"places": [_place(layer) for layer in layers]})
        return 0
    rows = [
        (layer.level, str(layer.path or "RAMIFY_*"), " ".join(layer.values) or ("" if layer.is_there else "missing"))
        for layer in layers
    ]
    print_table(("level", "place", "settings"), rows)
    return 0


def _row(name: str, value: Any, source: str, layers: "list[Layer]") -> dict[str, Any]:
    """Return a setting as JSON data, with the weaker places that say something about it too."""
    said = [layer for layer in layers if name in layer.values]
    return {
        "name": name,
        "value": shown(name, value),
        "source": source,
        "overrides": [
            {"source": layer.source_of(name), "value": shown(name, layer.values[name])} for layer in said[1:]
        ],
    }


def _place(layer: "Layer") -> dict[str, Any]:
    path = None if layer.path is None else str(layer.path.absolute())
    return {"level": layer.level, "path": path, "exists": layer.is_there, "settings": list(layer.values)}


def shown(name: str, value: Any) -> Any:
    """Return the value of a setting as it can be shown: without the password of an address.

    >>> shown("base_url", "https://ann:secret@models.example/v1")
    'https://***@models.example/v1'
    """
    from ramify.planner.runtime.address import shown_address
    from ramify.planner.settings.place import read_place

    if name == "store" and value is not None:
        return str(read_place(value))
    if name == "base_url" and value is not None:
        return shown_address(str(value))
    if name == "mcp":
        return {key: _without_values(each) for key, each in value.items()}
    if name == "workers":
        return {key: each if isinstance(each, dict) else each.model_dump(mode="json") for key, each in value.items()}
    return str(value) if isinstance(value, Path) else value


def _without_values(given: Any) -> dict[str, Any]:
    """Return how a server is started, with the names of its variables and not their values."""
    server = given if isinstance(given, dict) else given.model_dump(mode="json")
    return {**server, "env": dict.fromkeys(server.get("env", {}), "***")}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        value = ", ".join(map(str, value)) or None
    return _NOT_SET if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _weaker(row: Mapping[str, Any]) -> str:
    return "; ".join(f"{each['source']}: {_text(each['value'])}" for each in row["overrides"])
