"""What kind of thing each argument of the Python API is, where no option says it: live things, names and places."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ramify.planner.errors import UsageError

_LONGEST = 60


def _is_row(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Path)


def _is_worker(value: Any) -> bool:
    return _is_row(value) or callable(value) or hasattr(value, "perform")


def _is_place(value: Any) -> bool:
    return isinstance(value, str | Path)


def _is_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values())


def _is_model(value: Any) -> bool:
    return isinstance(value, str) or hasattr(value, "complete")


KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "goal": (lambda value: isinstance(value, str), "the goal as text"),
    "model": (_is_model, "the name of a model, or a Model"),
    "agent": (lambda value: _is_model(value) or hasattr(value, "role_name"), "an Agent, a Model, or a model's name"),
    "approve": (callable, "a function that gets the plan and returns whether to run it"),
    "on_ask": (callable, "a function that gets the cost so far and returns whether to continue"),
    "clarify": (callable, "a function that gets the model's questions and returns answers"),
    "on_unknown": (callable, "a function that gets a step and returns its outcome"),
    "answer": (lambda value: isinstance(value, str), "the answer to what the model has asked, as text"),
    "step_done": (
        lambda value: isinstance(value, Mapping),
        'what came of each step, by its task: {"0.2": "receipt 7"}; step_again=["0.2"] has a step taken again',
    ),
    "step_again": (lambda value: isinstance(value, str) or _is_row(value), 'the ids of tasks, as ["0.2"]'),
    "set": (_is_texts, 'new contents by task: {"0.2": "text"}'),
    "set_result": (_is_texts, 'results, as text, by task: {"0.2": "text"}'),
    "inputs": (lambda value: isinstance(value, Mapping), 'inputs by name: {"name": value}'),
    "steer": (lambda value: isinstance(value, str), "what should be different in the plan, as text"),
    "run_id": (lambda value: isinstance(value, str), "a run's id, or the start of it, as text"),
    "store": (_is_place, "a store: a file or a database URL"),
    "record": (_is_place, "a file for the recorded calls"),
    "files": (lambda value: _is_place(value) or _is_row(value), "files, as paths"),
    "workers": (
        _is_worker,
        "functions or workers, in a list or by type; files of them are worker_files=[...] (Executor: worker_sources)",
    ),
    "agents": (lambda value: isinstance(value, Mapping), "agents by name: {name: Agent(...)}"),
    "checks": (lambda value: isinstance(value, Mapping), "functions by name: {name: function}"),
    "secrets": (lambda value: isinstance(value, Mapping), "values by name: {name: value}"),
    "on_event": (callable, "a function that is called with each event"),
}
"""Of what is given by name: whether it is what is wanted, and what that is."""


def check_kinds(given: Mapping[str, Any]) -> None:
    """Refuse arguments that are not what they should be; None is not given.

    Raises:
        UsageError: if there is one; it says which, what was given, and what is wanted.
    """
    for name, value in given.items():
        known = KINDS.get(name)
        if value is None or known is None or known[0](value):
            continue
        shown = "" if name == "secrets" else repr(value)
        what = f"{shown}, of type {type(value).__name__}" if 0 < len(shown) <= _LONGEST else type(value).__name__
        raise UsageError(f"{name} is {what}; give {known[1]}")
