"""Python functions as checks: how they are called, and what their answer means."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue
from ramify.planner.errors import UsageError
from ramify.planner.runtime.border import words_of
from ramify.prompts.whole_text import whole_text
from ramify.tasks import Task
from ramify.tasks.json_data import copy_json

from .findings import PASSED, Finding

_BY_NAME = ("output", "task")


class Predicate:
    """A function that says whether an answer is good: True, False, or, as text, what is wrong with it.

    It is given the answer's text, and, if it has parameters of these names, its `output` and the `task`. An exception
    that says `ValueError` or `AssertionError` is a complaint too. It may be async.

    Args:
        function: the function.
        name: what checks call it; the function's name unless given.
    """

    def __init__(self, function: Callable[..., Any], *, name: str | None = None) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        try:
            parameters = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):  # a builtin without a signature
            parameters = []
        self._named = tuple(name for name in _BY_NAME if name in parameters[1:])

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function itself."""
        return self.function(*arguments, **named)

    async def judge(self, call: Callable[..., Any], text: str, output: JsonValue, task: Task) -> Finding:
        """Return what the function says, which `call` has called where functions are called.

        Raises:
            UsageError: if it says neither yes nor no.
        """
        known = {"output": copy_json(output), "task": task}
        try:
            said = await call(self.function, text, **{name: known[name] for name in self._named})
        except (ValueError, AssertionError) as error:
            return Finding("fail", words_of(error) or f"{type(error).__name__} in {self.name}")
        return finding_of(said, self.name)


def finding_of(said: object, name: str) -> Finding:
    """Return what the answer of a predicate means.

    Raises:
        UsageError: if it says neither yes nor no.
    """
    if said is True:
        return PASSED
    if said is False:
        return Finding("fail", f"{name} says no")
    if isinstance(said, str) and said.strip():
        return Finding("fail", whole_text(said.strip()))
    raise UsageError(f"the check {name} returned {said!r}; a predicate must return True, False, or a complaint as text")


def predicate(function: Callable[..., Any]) -> Predicate:
    """Mark a function in a `--workers` file as a check.

    >>> @predicate
    ... def is_even(answer: str) -> bool:
    ...     return int(answer) % 2 == 0
    >>> is_even.name, is_even("4")
    ('is_even', True)
    """
    return Predicate(function)


def predicates_of(given: Mapping[str, Callable[..., Any]]) -> dict[str, Predicate]:
    """Return functions that were given by name as predicates.

    Raises:
        UsageError: if one of them cannot be called.
    """
    for name, function in given.items():
        if not callable(function):
            raise UsageError(f"the check {name!r} is {type(function).__name__}; give a function")
    return {name: each if isinstance(each, Predicate) else Predicate(each, name=name) for name, each in given.items()}
