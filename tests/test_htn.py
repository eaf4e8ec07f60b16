"""Planning by methods alone: what SHOP promises, its limits, and blocks world, whose plans are executed and checked."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from ramify.planner.errors import NoPlanError, UsageError
from ramify.planner.planning.htn import Domain

from .blocks_world import BLOCKS, problem


def domain(**methods: list[Callable[..., Any]]) -> Domain:
    """Return a domain with an operator `add`, which adds to a number up to 3, and these methods."""
    found = Domain("numbers")

    @found.operator
    def add(state: list[int], n: int) -> list[int] | None:
        return [state[0] + n] if state[0] + n <= 3 else None

    for name, functions in methods.items():
        for function in functions:
            found.method(name)(function)
    return found


def test_tasks_are_done_in_order_each_in_the_state_before() -> None:
    seen: list[int] = []

    def look(state: list[int]) -> list[tuple[str]]:
        seen.extend(state)
        return []

    numbers = domain(look=[look])
    assert numbers.plan([0], [("add", 1), ("look",), ("add", 2), ("look",)]) == [("add", 1), ("add", 2)]
    assert seen == [1, 3]


@pytest.mark.parametrize(
    ("methods", "plan"),
    [
        ([lambda _: None, lambda _: [("add", 1)]], [("add", 1)]),
        ([lambda _: [("add", 2), ("add", 2)], lambda _: [("add", 3)]], [("add", 3)]),
        ([lambda _: [("add", 1)], lambda _: [("add", 2)]], [("add", 1)]),
        ([lambda _: []], []),
    ],
)
def test_a_method_that_leads_nowhere_gives_way_to_the_next(methods: Any, plan: Any) -> None:
    assert domain(go=methods).plan([0], [("go",)]) == plan


def test_a_choice_is_gone_back_on_when_a_later_task_fails() -> None:
    def ways(_: list[int]) -> Any:
        yield [("add", 3)]
        yield None
        yield [("add", 1)]

    assert domain(go=[ways]).plan([0], [("go",), ("add", 2)]) == [("add", 1), ("add", 2)]


@pytest.mark.parametrize(
    ("methods", "limits", "fault"),
    [
        ({"go": [lambda _: None]}, {}, "ended after 0 steps at go: none of its methods applies"),
        (
            {"go": [lambda _: [("add", 1), ("add", 9)]]},
            {},
            "ended after 1 step at add 9: it cannot be done in this state",
        ),
        ({"go": [lambda _: [("on",)]], "on": [lambda _: [("go",)]]}, {}, "go: it splits into itself"),
        ({"go": [lambda _: [("add", 0), ("go",)]]}, {"max_depth": 50}, "it is deeper than max_depth = 50"),
        ({"go": [lambda _: [("add", 0), ("go",)]]}, {"max_steps": 90}, "no plan found in max_steps = 90"),
    ],
)
def test_where_there_is_no_plan_it_is_said_where_the_search_ended(methods: Any, limits: Any, fault: str) -> None:
    with pytest.raises(NoPlanError) as refused:
        domain(**methods).plan([0], [("go",)], **limits)
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("tasks", "fault"),
    [
        ([("gone",)], "neither an operator nor a method 'gone'; did you mean go?"),
        (["go"], "a task is (name, ...), not 'go'"),
        ([("add",)], "add cannot be called for add"),
        ([("go", 1)], "cannot be called for go 1"),
        ([("bad",)], "a method of bad: a task is (name, ...), not 'add'"),
    ],
)
def test_what_is_no_task_is_refused(tasks: Any, fault: str) -> None:
    with pytest.raises(UsageError) as refused:
        domain(go=[lambda _: []], bad=[lambda _: ["add"]]).plan([0], tasks)
    assert fault in str(refused.value)


def test_a_plan_may_be_longer_than_python_calls_itself() -> None:
    numbers = domain(go=[lambda _, n: [("add", 0), ("go", n - 1)] if n else []])
    assert len(numbers.plan([0], [("go", 4_000)])) == 4_000


def test_steps_become_tasks_for_workers_one_after_the_other() -> None:
    numbers = domain()
    assert numbers.tasks([("add", 1), ("add", 2)]) == [
        {"id": "s1", "task": "add 1", "type": "add", "inputs": {"n": 1}},
        {"id": "s2", "task": "add 2", "type": "add", "inputs": {"n": 2}, "needs": ["s1"]},
    ]


@pytest.mark.parametrize(("size", "seed"), [(1, 0), (2, 1), (5, 2), (10, 3), (20, 4), (50, 5), (50, 6), (120, 7)])
def test_blocks_are_arranged_by_a_plan_that_holds_when_it_is_executed(size: int, seed: int) -> None:
    start, goal = problem(size, Random(seed))
    plan = BLOCKS.blocks.plan(start, [("arrange", goal)])
    world = dict(start)
    for name, block, to in plan:  # by the rules of the game, and none of the planner's
        assert name == "put"
        assert block not in world.values()
        assert to == "table" or (to != block and to not in world.values())
        world[block] = to
    assert world == goal
    assert len(plan) <= 2 * size


def test_every_arrangement_of_four_blocks_can_be_reached() -> None:
    random = Random(8)
    for _ in range(200):
        start, goal = problem(4, random)
        assert BLOCKS.blocks.run(start, BLOCKS.blocks.plan(start, [("arrange", goal)])) == goal
