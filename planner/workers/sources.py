"""Where workers of the user's own come from on the command line: Python files and modules, named by whoever runs them.

The names are stored with a run, so that resuming it finds the same workers; nothing is imported that nobody named.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from ramify.planner.checks.predicates import Predicate
from ramify.planner.errors import UsageError

from .protocol import Worker


def load_workers(sources: Iterable[str]) -> tuple[dict[str, Worker], dict[str, Predicate]]:
    """Return the workers that the files and modules in `sources` define, by name, and the functions for checks.

    A worker is a function under `@worker`, or any other `Worker` that has a `name`, at the top of a module; a function
    for checks is one under `@predicate`. A later one of a name wins.

    Raises:
        UsageError: if a source cannot be imported, or defines neither.
    """
    found: dict[str, Worker] = {}
    predicates: dict[str, Predicate] = {}
    for source in sources:
        module = imported(source)
        own = {
            str(name): value
            for value in vars(module).values()
            if isinstance(value, Worker) and (name := getattr(value, "name", None))
        }
        functions = {value.name: value for value in vars(module).values() if isinstance(value, Predicate)}
        if not own and not functions:
            raise UsageError(f"{source} defines no worker; put @worker from ramify.planner above a function in it")
        found |= own
        predicates |= functions
    return found, predicates


def imported(source: str) -> ModuleType:
    """Return the module that `source` names: a Python file, or a module by its name.

    Raises:
        UsageError: if it is not there, or cannot be imported.
    """
    path = Path(source)
    if path.suffix == ".py" and not path.is_file():
        raise UsageError(f"the file {source} with workers is not there")
    try:
        return _from_file(path) if path.suffix == ".py" else import_module(source)
    except Exception as error:
        raise UsageError(f"the workers in {source} cannot be imported: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    name = f"ramify_workers_{path.stem}"
    loader = SourceFileLoader(name, str(path.absolute()))
    module = module_from_spec(ModuleSpec(name, loader, origin=str(path.absolute())))
    sys.modules[name] = module
    loader.exec_module(module)
    return module
