"""The Python functions that methods name: found in a file beside the method, or in a module.

They are called with what they ask for, by name: the `task` that is split, the `parameters`, or single parameters.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ramify.planner.checks.predicates import finding_of
from ramify.planner.errors import UsageError
from ramify.planner.runtime.border import border, words_of
from ramify.planner.work.modules import imported
from ramify.tasks import Task
from ramify.tasks.methods.method import Method

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


class MethodFunctions:
    """The functions of the methods of one run; each file is imported once, when a function in it is called."""

    def __init__(self) -> None:
        self._modules: dict[str, Any] = {}

    def fault(self, method: Method) -> str | None:
        """Return why a function that a method names cannot be called, which is imported for that; None if each can."""
        for named in filter(None, (*method.preconditions.checks, method.function)):
            try:
                self._found(method, named)
            except UsageError as error:
                return str(error)
        return None

    async def call(self, method: Method, named: str, task: Task, values: Mapping[str, str]) -> Any:
        """Return what a function of a method gives; whatever it raises is left to the caller.

        Args:
            method: the method.
            named: the function, `FILE.py:NAME` or `module:NAME`; a file is looked for beside the method.
            task: the task that is to be split.
            values: what its parameters stand for.

        Raises:
            UsageError: if it is not there, or asks for what nobody has.
        """
        function = await asyncio.to_thread(self._found, method, named)
        arguments = _arguments(function, named, method, {"task": task, "parameters": dict(values), **values})
        if inspect.iscoroutinefunction(function):
            with border:
                return await function(**arguments)

        def called() -> Any:
            with border:
                return function(**arguments)

        return await asyncio.to_thread(called)

    async def refusal(self, method: Method, named: str, task: Task, values: Mapping[str, str]) -> str | None:
        """Return why a function says that a method does not fit; None if it says that it does.

        Raises:
            UsageError: if it cannot be called, or says neither.
        """
        try:
            said = await self.call(method, named, task, values)
        except (ValueError, AssertionError) as error:
            return words_of(error) or f"{type(error).__name__} in {named}"
        found = finding_of(said, named)
        return None if found.outcome == "pass" else found.complaint

    def _found(self, method: Method, named: str) -> Callable[..., Any]:
        source, _, name = named.rpartition(":")
        if source.endswith(".py"):
            source = str(Path(method.source).parent / source)
            if not Path(source).is_file():
                raise UsageError(f"{method.source}: the file {source}, named in {named}, does not exist")
        if source not in self._modules:
            self._modules[source] = imported(source, "method")
        function = getattr(self._modules[source], name, None)
        function = getattr(function, "function", function)  # under a decorator, as @predicate
        if not callable(function):
            raise UsageError(f"{method.source}: {source} has no function {name!r}")
        return function  # type: ignore[no-any-return]


def _arguments(function: Callable[..., Any], named: str, method: Method, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function is called with, by name."""
    wanted = inspect.signature(function).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in wanted):
        return dict(known)
    for each in wanted:
        is_needed = each.default is inspect.Parameter.empty
        if each.kind in _BY_POSITION or (is_needed and each.name not in known):
            raise UsageError(
                f"{method.source}: the function {named} asks for {each.name!r}; available are"
                f" {', '.join(sorted(known))}, by name"
            )
    return {each.name: known[each.name] for each in wanted if each.name in known}
