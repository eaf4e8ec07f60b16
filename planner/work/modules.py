"""What the user's own Python files and modules define: workers, tools, functions, found where somebody named them."""

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from inspect import isfunction
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from ramify.planner.errors import UsageError
from ramify.planner.runtime.border import border, error_text


def defined_in(source: str, kinds: tuple[type, ...], what: str) -> dict[str, Any]:
    """Return the objects of one of the classes `kinds` at the top of a file or module that have a name, by it.

    Args:
        source: a Python file, or the name of a module.
        kinds: the classes.
        what: what such an object is called, which is the name of its decorator too.

    Raises:
        UsageError: if it cannot be imported, or defines none.
    """
    module = imported(source, what)
    found = {
        str(name): value
        for value in vars(module).values()
        if isinstance(value, kinds) and (name := getattr(value, "name", None))
    }
    if not found:
        own = [each for each in vars(module).values() if isfunction(each) and each.__module__ == module.__name__]
        which = f"one of its functions, such as {own[0].__name__} ({place_of(own[0])})" if own else "a function in it"
        raise UsageError(f"{source} defines no {what}; put @{what} from ramify.planner above {which}")
    return found


def unmarked(name: str, marked: Iterable[Any]) -> str | None:
    """Return FILE:LINE of the function `name` that stands beside functions under a decorator, but under none itself.

    Args:
        name: the function.
        marked: what the decorator has made of other functions; each has its `function`.
    """
    for each in marked:
        beside = getattr(getattr(each, "function", None), "__globals__", {}).get(name)
        if isfunction(beside):
            return place_of(beside)
    return None


def place_of(function: FunctionType) -> str:
    """Return FILE:LINE of a function, below the working folder if it is there."""
    path = Path(function.__code__.co_filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{function.__code__.co_firstlineno}"


def imported(source: str, what: str = "worker") -> ModuleType:
    """Return the module that `source` names: a Python file, or a module by its name.

    Args:
        source: a Python file, or the name of a module.
        what: what is looked for in it, for messages.

    Raises:
        UsageError: if it is not there, or cannot be imported.
    """
    path = Path(source)
    if not source.strip():
        raise UsageError(f"the name of the file with {what}s is blank; name a Python file or module")
    if path.suffix == ".py" and not path.is_file():
        raise UsageError(f"the file {source} with {what}s does not exist; name it with --{what}s FILE")
    try:
        with border:
            return _from_file(path, what) if path.suffix == ".py" else import_module(source)
    except Exception as error:
        raise UsageError(f"the {what}s in {source} cannot be imported: {error_text(error)}") from error


def _from_file(path: Path, what: str) -> ModuleType:
    name = f"ramify_{what}s_{path.stem}"
    loader = SourceFileLoader(name, str(path.absolute()))
    module = module_from_spec(ModuleSpec(name, loader, origin=str(path.absolute())))
    sys.modules[name] = module
    loader.exec_module(module)
    return module
