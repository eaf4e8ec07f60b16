"""What is written as a plan is read as the same plan, whatever the words in it."""

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from ramify.tasks import Check, Material, Task, TaskConfig, TaskState
from ramify.tasks.plans.plans import Form, read_plan, write_plan
from ramify.tasks.plans.yaml_plans import resolve, write_yaml
from ramify.tasks.tree.graph import unmet_for_ever

PLAN_FIELDS = (
    "id", "content", "type", "name", "description", "priority", "expected_seconds", "inputs", "config", "checks",
    "metadata", "attachments", "memory_scope", "state", "result", "output", "error",
)  # fmt: skip


def facts(root: Task) -> list[tuple[Any, ...]]:
    """What a plan says of every task, in order, so that plans can be compared."""
    return [
        (
            task.parent.id if task is not root and task.parent else None,
            list(dict.fromkeys(task.dependencies)),
            *(getattr(task, name) for name in PLAN_FIELDS),
        )
        for task in root.walk()
    ]


HOSTILE = st.sampled_from(
    [
        *(
            "yes",
            "null",
            "~",
            "1e3",
            "0x1f",
            "12:30",
            "a: b",
            "a #b",
            "# a",
            "- a",
            "1. a",
            "---",
            "...",
            "'a'",
            '"a',
            "|",
            ">-",
        ),
        *(
            "%a",
            "@a",
            "`a`",
            "!!str a",
            "*a",
            "&a",
            "? a",
            "a,b",
            "[a]",
            "=",
            "<<",
            "<task>",
            "x }",
            "{#a}",
            "x {#a needs=b}",
        ),
        *("[x] a", "&#10;", "\\", "\\#", "a\\", "\\&#65;", "a\n", "\n\na\n\n", "a\n\n\nb", " a", "a ", "a\n b\n  - c"),
        *(
            "a\n \nb",
            "a\n   \nb",
            "# g\n# h",
            "a\n---\nb",
            "a\n1) b",
            "a\n...",
            "\ta\tb",
            "a\tb\n\tc",
            "a\r\nb",
            "\u2028",
        ),
        *("a\x85b", "\ufeffa", "\u00a0", "\\\u00a0", "\x00a", "\x7f", "é", "👩\u200d🚀", "x" * 1200),
    ]
)
TEXT = st.one_of(
    HOSTILE,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.builds("\n".join, st.lists(HOSTILE, max_size=3)),
)
CONTENT = TEXT.filter(lambda text: bool(text.strip()))
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON_VALUES, max_size=3)
IDS = CONTENT.filter(str.isprintable)
NOTHING_MORE: dict[str, Any] = {}
MORE = st.fixed_dictionaries(
    NOTHING_MORE,
    optional={
        "inputs": OBJECTS,
        "metadata": OBJECTS,
        "output": JSON_VALUES,
        "result": TEXT,
        "error": TEXT,
        "config": st.builds(TaskConfig, user_agent=TEXT, max_duration_seconds=st.floats(0.1, 1e20)),
        "checks": st.lists(
            st.one_of(
                st.builds(Check, verify=CONTENT, model=st.none() | TEXT),
                st.builds(Check, command=st.lists(TEXT, min_size=1, max_size=3), timeout_s=st.floats(0.1, 1e9)),
                st.builds(Check, schema=st.fixed_dictionaries({"title": TEXT, "default": JSON_VALUES})),
            ),
            max_size=2,
        ),
        "attachments": st.lists(st.builds(Material, name=TEXT, text=TEXT), max_size=2),
    },
)
FEW = st.fixed_dictionaries(
    {"content": CONTENT},
    optional={
        "type": TEXT,
        "name": TEXT,
        "description": TEXT,
        "priority": st.integers(-9, 9),
        "expected_seconds": st.sampled_from([0.0, 0.25, 30.0]),
        "memory_scope": st.sampled_from(["run", "permanent"]),
        "state": st.sampled_from(["OPEN", "DONE", "FAILED", "DELETED"]),
    },
)


@st.composite
def trees(draw: st.DrawFn, *, with_more: bool) -> Task:
    """A tree whose tasks need some of the leaves before them."""
    ids = draw(st.lists(IDS, min_size=1, max_size=7, unique=True))
    made: list[Task] = []
    for task_id in ids:
        fields: dict[str, Any] = draw(FEW) | (draw(MORE) if with_more else {})
        task = Task(**fields, id=task_id)
        if made:
            draw(st.sampled_from(made)).add_subtask(task)
        else:
            assume(task.state is not TaskState.DELETED)
        made.append(task)
    leaves = [task for task in made[0].walk() if not task.subtasks]
    for before, after in pairwise(leaves):
        if draw(st.booleans()):
            after.add_dependency(before.id)
    assume(not list(unmet_for_ever(made[0])))  # such a plan is refused
    return made[0]


@pytest.mark.parametrize("form", ["yaml", "json"])
@settings(deadline=None)
@given(root=trees(with_more=True))
def test_a_written_plan_reads_the_same(form: Form, root: Task) -> None:
    assert facts(read_plan(write_plan(root, form), source="plan", form=form)) == facts(root)


@settings(deadline=None)
@given(root=trees(with_more=False))
def test_a_written_outline_reads_the_same(root: Task) -> None:
    text = write_plan(root, "markdown")
    assert facts(read_plan(text, source="plan.md")) == facts(root)
    assert "".join(f"{line.rstrip()}\n" for line in text.splitlines()) == text or "\u2028" in text


@settings(deadline=None)
@given(data=st.dictionaries(TEXT, JSON_VALUES, min_size=1, max_size=4))
@example(data={"yes": ["A?", "a:b"]})
@example(data={"a": 1e16, "b": -0.0, "c": 1e-7, "d": 10**30})
def test_what_we_write_is_yaml_for_others_too(data: dict[str, Any]) -> None:
    assert yaml.safe_load(write_yaml(data)) == data


@given(value=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_read_as_numbers(value: float) -> None:
    assert resolve(repr(value)) == value
