"""Every example in a docstring is run."""

import doctest
import importlib
import pkgutil
from importlib.util import find_spec

import pytest
import ramify.planner
import ramify.prompts
import ramify.tasks

MODULES = sorted(
    found.name
    for package in (ramify.prompts, ramify.tasks, ramify.planner)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.endswith("__main__")  # runs when it is imported
    and not (found.name.startswith("ramify.planner.bridges.inspect") and find_spec("inspect_ai") is None)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0


def test_there_are_examples() -> None:
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) > 20
