"""The state table, its diagram, and moves through it."""

import itertools

import pytest
from ramify.tasks import Task, TaskError, TaskState, TransitionError
from ramify.tasks.tree.states import TRANSITIONS, read_state, state_diagram

LEGAL = {
    ("OPEN", "RUNNING"), ("OPEN", "DONE"), ("OPEN", "FAILED"), ("OPEN", "DELETED"),
    ("RUNNING", "OPEN"), ("RUNNING", "DONE"), ("RUNNING", "FAILED"), ("RUNNING", "DELETED"),
    ("DONE", "OPEN"), ("DONE", "RUNNING"), ("DONE", "DELETED"),
    ("FAILED", "OPEN"), ("FAILED", "RUNNING"), ("FAILED", "DONE"), ("FAILED", "DELETED"),
    ("DELETED", "OPEN"),
}  # fmt: skip


def test_a_new_task_is_open() -> None:
    assert Task(content="look").state is TaskState.OPEN


@pytest.mark.parametrize(("old", "new"), sorted(LEGAL))
def test_legal_moves_are_made(old: str, new: str) -> None:
    task = Task(content="look", id="7", state=TaskState(old))
    task.set_state(new.lower())
    assert task.state.value == new


@pytest.mark.parametrize(
    ("old", "new"), sorted(p for p in itertools.permutations(TaskState.states(), 2) if p not in LEGAL)
)
def test_illegal_moves_are_refused_and_change_nothing(old: str, new: str) -> None:
    task = Task(content="look", id="7", state=TaskState(old))
    with pytest.raises(TransitionError, match=rf"task 7: {old} -> {new} is not a legal move") as caught:
        task.set_state(new)
    assert (task.state.value, task.updated_at) == (old, None)
    assert (caught.value.task_id, caught.value.old, caught.value.new) == ("7", old, new)


@pytest.mark.parametrize("state", TaskState.states())
def test_the_same_state_is_no_move(state: str) -> None:
    task = Task(content="look", state=TaskState(state))
    task.set_state(state)
    assert task.updated_at is None


@pytest.mark.parametrize("word", ["", "finished", "DONE ", None, 3])
def test_unknown_states_are_refused_by_name(word: object) -> None:
    with pytest.raises(TaskError, match="the states are OPEN, RUNNING, DONE, FAILED, DELETED"):
        read_state(word)  # type: ignore[arg-type]


def test_assigning_the_state_obeys_the_table() -> None:
    task = Task(content="look", state=TaskState.DELETED)
    with pytest.raises(TransitionError):
        task.state = TaskState.RUNNING
    assert task.state is TaskState.DELETED


def test_the_diagram_has_every_move_and_no_other() -> None:
    drawn = {tuple(line.split(" --> ")) for line in map(str.strip, state_diagram().splitlines()[2:])}
    assert drawn == LEGAL
    assert sum(map(len, TRANSITIONS.values())) == len(LEGAL)


def test_the_diagram_in_dot_has_the_same_moves() -> None:
    lines = [line.strip(" ;") for line in state_diagram("dot").splitlines()]
    assert {tuple(line.split(" -> ")) for line in lines if " -> " in line} == LEGAL | {("start", "OPEN")}
