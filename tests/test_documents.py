"""The flat JSON document: any tree goes through it unchanged, and whatever is no tree is refused with a reason."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.tasks import Check, DocumentError, Material, Task, TaskConfig, TaskState, Usage
from ramify.tasks.tree.documents import task_to_data, tree_to_data, tree_to_json

from .test_graph import trees

WHOLE: dict[str, Any] = {
    "content": "look\n\u2028 <b>&\x00", "id": "0", "state": TaskState.FAILED, "type": "writer", "result": "half",
    "output": {"a": [1, None, 2.5]}, "gaps": ("May",), "inputs": {"x.y": [1]}, "name": "n", "description": "d",
    "priority": -3, "expected_seconds": 0.5,
    "metadata": {"k": True}, "attachments": [Material(name="f.txt", text="words")], "error": "why", "attempts": 2,
    "usage": Usage(calls=2, cost_usd=0.25, calls_without_cost=1),
    "config": TaskConfig(max_calls=3, allowed_domains=("a.b",)),
    "checks": (Check(matches="^a"), Check(schema={"type": "string"}), Check(verify="ok", model="m")),
    "memory_scope": "permanent", "origin": "added", "created_at": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    "updated_at": datetime(2026, 1, 2, tzinfo=UTC), "started_at": datetime(2026, 1, 3, tzinfo=UTC),
    "completed_at": datetime(2026, 1, 4, tzinfo=UTC),
}  # fmt: skip


def test_every_field_goes_through() -> None:
    task = Task(**WHOLE)
    again = Task.from_json(task.to_json())
    assert again.__dict__ == task.__dict__
    assert set(WHOLE) | {"dependencies"} == set(Task.model_fields), "a new field belongs into this test"


def test_a_plain_task_is_written_in_few_words() -> None:
    assert set(task_to_data(Task(content="look"))) == {"content", "id", "state", "created_at"}


def test_the_parent_is_named_and_never_nested() -> None:
    root = Task(content="root", id="0")
    root.add_subtask(Task(content="a", id="0.1"))
    data = tree_to_data(root, next_tasks=True)
    assert [(row["id"], row.get("parent"), row["next_tasks"]) for row in data["tasks"]] == [
        ("0", None, []),
        ("0.1", "0", []),
    ]
    assert Task.model_validate(data).to_string() == root.to_string()


@given(trees())
def test_any_tree_goes_through(root: Task) -> None:
    again = Task.from_json(tree_to_json(root))
    assert tree_to_data(again) == tree_to_data(root)


@given(
    st.text(min_size=1).filter(str.strip), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
)
def test_any_words_go_through(content: str, output: Any) -> None:
    again = Task.from_json(Task(content=content, output=output).to_json())
    assert (again.content, again.output) == (content, output)


def rows(*tasks: dict[str, Any]) -> str:
    return json.dumps({"format": 1, "tasks": [{"content": "x", **task} for task in tasks]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ('{"format": 1, "tasks": [}', r"JSON document:1:25: not JSON"),
        ("[" * 100_000, "not JSON|nested too deeply"),
        ("[]", "not a task document"),
        ('{"tasks": []}', "not a task document"),
        ('{"tasks": [{"content": "x"}]}', "its format is None"),
        ('{"format": 2, "tasks": [{"content": "x"}]}', "this Ramify reads format 1"),
        ('{"format": 1, "tasks": [3]}', "must be an object"),
        (rows({"id": "0", "content": " "}), "task 0: content: .*blank"),
        (rows({"id": "0", "sate": "OPEN"}), "task 0: sate: unknown name"),
        (rows({"id": "0", "state": "SLEEPING"}), "the states are OPEN"),
        (rows({"id": "0"}, {"id": "0", "parent": "0"}), "task 0 occurs twice"),
        (rows({"id": "0", "parent": "9"}), "has a parent; the root comes first"),
        (rows({"id": "0"}, {"id": "1", "parent": "9"}), "task 1 names the unknown parent '9'"),
        (rows({"id": "0"}, {"id": "1"}), "task 1 names the unknown parent None"),
        (rows({"id": "0"}, {"id": "1", "parent": "2"}, {"id": "2", "parent": "1"}), "below itself|not below the root"),
        (rows({"id": "0"}, {"id": "1", "parent": "0", "dependencies": ["7"]}), "task 1 depends on task 7"),
        (
            rows(
                {"id": "0"},
                {"id": "1", "parent": "0", "dependencies": ["2"]},
                {"id": "2", "parent": "0", "dependencies": ["1"]},
            ),
            "wait for each other: 1 -> 2 -> 1",
        ),
    ],
)
def test_what_is_no_tree_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        Task.from_json(text)
