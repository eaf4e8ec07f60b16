"""A task's attributes and methods, with CAMEL's meaning."""

import copy
import json
import pickle
from datetime import UTC
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from ramify.tasks import Task, TaskConfig, TaskError, TaskState, TransitionError, TreeError, Usage


def family() -> Task:
    root = Task(content="a start task", id="0")
    middle = Task(content="a sub task 2", id="2")
    root.add_subtasks([Task(content="a sub task 1", id="1"), middle, Task(content="a sub task 3", id="3")])
    middle.add_subtask(Task(content="below 2", id="2.1"))
    middle.add_subtask(Task(content="below 2", id="2.2"))
    return root


@pytest.mark.parametrize("content", ["", " ", "\n\t"])
def test_content_is_never_blank(content: str) -> None:
    with pytest.raises(ValidationError, match="cannot be blank"):
        Task(content=content)
    task = Task(content="look")
    with pytest.raises(ValidationError, match="cannot be blank"):
        task.content = content
    assert task.content == "look"


def test_description_or_name_stands_in_for_content() -> None:
    task = Task(
        name="research", description="Research a topic", config=TaskConfig(max_pages=10), inputs={"topic": "AI"}
    )
    assert task.content == "Research a topic"
    assert Task(name="research").content == "research"
    assert task.config.max_pages == 10


def test_a_session_memory_is_a_run_memory() -> None:
    assert Task(content="x", memory_scope="session").memory_scope == "run"
    with pytest.raises(ValidationError, match="permanent"):
        Task(content="x", memory_scope="forever")


@pytest.mark.parametrize("task_id", ["", "  ", "a\nb", "\x1b[2J"])
def test_ids_are_printable(task_id: str) -> None:
    with pytest.raises(ValidationError, match="printable"):
        Task(content="x", id=task_id)
    with pytest.raises(TreeError, match="printable"):
        Task(content="x").set_id(task_id)


def test_unknown_fields_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="contents"):
        Task(content="x", contents="y")


def test_tasks_are_equal_by_identity() -> None:
    one, other = Task(content="x", id="0"), Task(content="x", id="0")
    assert one != other
    assert len({one, other, one}) == 2


def test_ids_are_unique_when_nobody_says() -> None:
    assert Task(content="x").id != Task(content="x").id


@pytest.mark.parametrize("message", [{"role": "user", "content": "look"}, SimpleNamespace(content="look")])
def test_a_message_becomes_a_task_and_back(message: Any) -> None:
    task = Task.from_message(message)
    assert task.to_message() == {"role": "user", "content": "look"}


@pytest.mark.parametrize("message", [{}, {"content": " "}, {"content": 3}, None, "look"])
def test_a_message_without_words_is_refused(message: Any) -> None:
    with pytest.raises(TaskError, match="message with text"):
        Task.from_message(message)


def test_update_result_sets_the_result_and_done_all_the_way_down() -> None:
    root = family()
    root.find("2.1").set_state("DELETED")
    root.update_result("42")
    assert root.result == "42"
    assert {task.id: task.state.value for task in root.walk()} == {
        "0": "DONE", "1": "DONE", "2": "DONE", "2.1": "DELETED", "2.2": "DONE", "3": "DONE",
    }  # fmt: skip
    assert root.completed_at is not None
    assert root.completed_at.tzinfo is UTC


def test_done_does_not_go_into_a_deleted_subtree() -> None:
    root = family()
    root.find("2").set_state("DELETED")
    root.set_state("DONE")
    assert root.find("2.1").state is TaskState.OPEN


def test_a_result_for_a_deleted_task_is_refused_and_changes_nothing() -> None:
    task = Task(content="x", state=TaskState.DELETED)
    with pytest.raises(TransitionError):
        task.update_result("42")
    assert task.result == ""


def test_running_goes_up_to_the_ancestors() -> None:
    root = family()
    root.find("2.2").set_state("RUNNING")
    assert [task.id for task in root.walk() if task.state is TaskState.RUNNING] == ["0", "2", "2.2"]


def test_running_below_a_deleted_task_is_refused_and_changes_nothing() -> None:
    root = family()
    root.find("2").set_state("DELETED")
    with pytest.raises(TransitionError, match="task 2: DELETED -> RUNNING"):
        root.find("2.1").set_state("RUNNING")
    assert root.state is root.find("2.1").state is TaskState.OPEN


@pytest.mark.parametrize("state", ["FAILED", "DELETED"])
def test_other_states_stay_local(state: str) -> None:
    root = family()
    root.find("2").set_state(state)
    assert [task.id for task in root.walk() if task.state.value == state] == ["2"]


def test_reset_forgets_the_outcome_and_keeps_the_cost() -> None:
    task = Task(content="x", attempts=2, usage=Usage(calls=3), output={"answer": 42})
    task.update_result("42")
    task.reset()
    assert (task.state, task.result) == (TaskState.OPEN, "")
    assert task.output is None
    assert task.completed_at is None
    assert (task.attempts, task.usage.calls) == (2, 3)


def test_get_running_task_finds_the_deepest() -> None:
    root = family()
    assert root.get_running_task() is None
    root.find("2.2").set_state("RUNNING")
    assert root.get_running_task() is root.find("2.2")
    root.find("2.2").set_state("DONE")
    assert root.get_running_task() is root.find("2")


def test_to_string_draws_two_spaces_a_level() -> None:
    assert family().to_string() == (
        "Task 0: a start task\n  Task 1: a sub task 1\n  Task 2: a sub task 2\n    Task 2.1: below 2\n"
        "    Task 2.2: below 2\n  Task 3: a sub task 3\n"
    )
    assert family().to_string(indent="> ", state=True).splitlines()[1] == ">   [OPEN] Task 1: a sub task 1"


def test_further_lines_of_a_content_stay_below_the_first() -> None:
    root = Task(content="one\ntwo", id="0")
    root.add_subtask(Task(content="three\nfour", id="1"))
    assert root.to_string() == "Task 0: one\n  two\n  Task 1: three\n    four\n"


def test_get_result_is_laid_out_like_the_tree() -> None:
    root = family()
    root.find("2").update_result("seven")
    assert root.get_result().splitlines()[:3] == ["Task 0 result: ", "  Task 1 result: ", "  Task 2 result: seven"]


def test_the_depth_of_the_root_is_1() -> None:
    root = family()
    assert [task.get_depth() for task in root.walk()] == [1, 2, 2, 3, 3, 2]


def test_a_copy_is_a_tree_of_its_own() -> None:
    root = family()
    pickled = pickle.loads(pickle.dumps(root))  # noqa: S301 - our own bytes
    for twin in (copy.deepcopy(root), copy.copy(root), pickled, root.model_copy()):
        assert twin.to_string() == root.to_string()
        assert twin.subtasks[0] is not root.subtasks[0]
    assert copy.deepcopy(root.find("2")).parent is None


def test_a_tree_inside_a_users_model_round_trips() -> None:
    class Study(BaseModel):
        plan: Task

    again = Study.model_validate_json(Study(plan=family()).model_dump_json())
    assert again.plan.to_string() == family().to_string()


def test_a_chain_of_30_000_works_like_any_other_tree() -> None:
    root = bottom = Task(content="x", id="0")
    for number in range(1, 30_000):
        child = Task(content="x", id=f"t{number}")
        bottom.add_subtask(child)
        bottom = child
    assert bottom.get_depth() == 30_000
    bottom.set_state("RUNNING")
    assert root.get_running_task() is bottom
    root.set_state("DONE")
    assert bottom.state is TaskState.DONE
    text = root.to_string()
    assert text.count("\n") == 30_000
    assert len(text) < 300 * 30_000
    assert "(level 30000) Task t29999: x\n" in text
    assert root.get_result().count("\n") == 30_000
    again = Task.model_validate_json(root.model_dump_json())
    assert again.find("t29999").get_depth() == 30_000
    assert json.loads(root.to_json())["tasks"][-1]["parent"] == "t29998"
    assert copy.deepcopy(root).find("t5").state is TaskState.DONE


class Ticket(Task):
    """A user's task with a field of its own."""

    severity: int = 0


def test_a_users_subclass_has_fields_of_its_own() -> None:
    ticket = Ticket(content="x", severity=3)
    root = Task(content="all", subtasks=[ticket])
    assert (ticket.severity, ticket.parent, ticket.state) == (3, root, TaskState.OPEN)
    with pytest.raises(ValidationError, match="validation error for Ticket\nseverity"):
        Ticket(content="x", severity="high")


def test_what_is_wrong_with_a_task_is_said_of_a_task() -> None:
    with pytest.raises(ValidationError, match="validation error for Task\npriority"):
        Task(content="x", priority="high")
