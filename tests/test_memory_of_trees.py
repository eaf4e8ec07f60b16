"""What a task takes of memory, and that what tasks have in common to save it is no tie between them."""

import copy
import tracemalloc
from collections.abc import Callable

import pytest
from ramify.planner.asking.budget import DEFAULTS, Configs
from ramify.tasks import Task, TaskConfig

COUNT = 2_000


def row(size: int) -> Task:
    root = Task(content="all of it", id="0")
    root.add_subtasks([Task(content="do nothing", id=f"0.{number}", type="leaf") for number in range(size)])
    return root


def taken(work: Callable[[], object]) -> int:
    """Return how many bytes what `work` returns takes."""
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[0] if kept is not None else 0
    finally:
        tracemalloc.stop()


def test_a_task_takes_less_than_900_bytes() -> None:
    row(10)  # what is made once
    assert taken(lambda: row(COUNT)) < 900 * COUNT


def test_nothing_is_kept_for_a_leaf_without_limits_of_its_own() -> None:
    root = row(COUNT)
    configs = Configs(DEFAULTS)

    def look() -> Configs:
        for task in root.walk():
            configs.of(task)
        return configs

    configs.of(root)
    assert taken(look) < 2 * COUNT


def test_limits_are_inherited_where_they_are_not_remembered() -> None:
    root = Task("all", id="0", config=TaskConfig(max_retries=7))
    root.add_subtask(Task("group", id="0.1", config=TaskConfig(max_turns=3)))
    root.find("0.1").add_subtasks([Task("a", id="a"), Task("b", id="b", config=TaskConfig(max_retries=1))])
    configs = Configs(DEFAULTS)
    found = {name: configs.of(root.find(name)) for name in ("a", "b", "a", "0.1", "0")}
    assert {name: (each.max_retries, each.max_turns) for name, each in found.items()} == {
        "a": (7, 3), "b": (1, 3), "0.1": (7, 3), "0": (7, None),
    }  # fmt: skip


@pytest.mark.parametrize("change", [lambda task: setattr(task, "name", "x"), copy.copy])
def test_what_is_set_of_one_task_is_not_set_of_others(change: Callable[[Task], object]) -> None:
    one, other = Task("a", id="1"), Task("b", id="2")
    changed = change(one) or one
    assert isinstance(changed, Task)
    changed.name = "x"
    assert "name" in changed.model_fields_set
    assert other.model_fields_set == {"content", "id"}
    assert Task("c", id="3").model_fields_set == {"content", "id"}


def test_fields_of_a_task_stay_those_of_pydantic() -> None:
    task = Task("a", id="1", priority=2)
    assert list(task.__dict__) == list(Task.model_fields)
    for deep in (False, True):
        copied = task.model_copy(update={"name": "x"}, deep=deep)
        assert (copied.name, copied.priority, "name" in copied.model_fields_set) == ("x", 2, True)
    assert (task.priority, task.model_fields_set) == (2, {"content", "id", "priority"})
    assert Task("b", id="2", priority=1).model_fields_set == {"content", "id", "priority"}
