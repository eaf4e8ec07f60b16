"""Which engines there are, by name: those that come with Ramify, and those of other packages.

A package names its engines in its entry points, in the group `ramify.engines`: the name, and where the class is.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module

from ramify.planner.errors import UsageError
from ramify.planner.runtime.entry_points import named_object

from .protocol import Engine

GROUP = "ramify.engines"

BUILT_IN: Mapping[str, str] = {"here": "here:Here", "process": "process:Process", "dask": "dask:Dask"}
"""The engines that come with Ramify: name -> the module in this package, and the class."""

EngineGiven = str | type[Engine]
"""What users give as an engine: its name, with its place behind a colon if it has one, or a class of their own."""


def engine_class(given: EngineGiven) -> type[Engine]:
    """Return the class of the engine of that name; one that was given as a class is that class.

    Raises:
        UsageError: if there is none of that name, it cannot be imported, lacks what it needs, or has no places.
    """
    if not isinstance(given, str):
        return given
    name, _, place = given.partition(":")
    found = _built_in(name) if name in BUILT_IN else _installed(name)
    if place and not found.has_places:
        raise UsageError(f"the engine {name!r} takes no address, but {given!r} has one; use {name!r}")
    found.check()
    return found


def place_of(given: EngineGiven) -> str:
    """Return where an engine is, as its name says; "" if that is left to it.

    >>> place_of("dask:tcp://10.0.0.5:8786"), place_of("process")
    ('tcp://10.0.0.5:8786', '')
    """
    return given.partition(":")[2] if isinstance(given, str) else ""


def _built_in(name: str) -> type[Engine]:
    module, _, attribute = BUILT_IN[name].partition(":")
    found: type[Engine] = getattr(import_module(f".{module}", __package__), attribute)
    return found


def _installed(name: str) -> type[Engine]:
    found, place = named_object(name, group=GROUP, what="engine", built_in=BUILT_IN)
    if not (inspect.isclass(found) and issubclass(found, Engine)):
        raise UsageError(f"{place}, given as the engine {name!r}, is not an engine class")
    return found
