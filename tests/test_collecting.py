"""Python's collector of garbage rests while trees are read, and is afterwards as it was."""

import gc
import threading
from collections.abc import Iterator

import pytest
from ramify.planner import Agent, Executor, worker
from ramify.tasks import DocumentError, Task
from ramify.tasks.tree.collecting import OBJECTS_OF_A_RUN, collector_at_rest, patient_collector


@pytest.fixture(autouse=True)
def collector_is_on_afterwards() -> Iterator[None]:
    yield
    assert gc.isenabled()
    gc.enable()


def test_it_goes_on_after_a_tree_was_read_and_after_one_that_cannot_be() -> None:
    text = Task("goal", id="0", subtasks=[Task("part", id="0.1")]).to_json()

    Task.from_json(text)
    assert gc.isenabled()
    with pytest.raises(DocumentError):
        Task.from_json(text.replace('"0.1"', '"0"'))
    assert gc.isenabled()


def test_many_tasks_are_read_without_collecting_in_between() -> None:
    text = Task("goal", id="0", subtasks=[Task("part", id=f"0.{number}") for number in range(1, 3000)]).to_json()
    happened: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            happened.append(info["generation"])

    gc.collect()
    gc.callbacks.append(note)
    try:
        Task.from_json(text)
        in_reading = len(happened)
        kept = [Task("part") for _ in range(3000)]
    finally:
        gc.callbacks.remove(note)

    assert len(kept) == 3000
    assert in_reading <= 1, "at the end it makes up for all that came before"
    assert len(happened) - in_reading > 1, "as many tasks that are made one by one are looked through again and again"


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_at_rest():
            pass
        is_on = gc.isenabled()
    finally:
        gc.enable()
    assert not is_on


def test_of_two_threads_the_last_one_sets_it_going() -> None:
    is_in, may_end = threading.Event(), threading.Event()

    def other() -> None:
        with collector_at_rest():
            is_in.set()
            may_end.wait()

    thread = threading.Thread(target=other)
    with collector_at_rest():
        thread.start()
        is_in.wait()
    is_on_between = gc.isenabled()
    may_end.set()
    thread.join()

    assert not is_on_between
    assert gc.isenabled()


def test_it_waits_for_more_while_a_run_goes_and_is_then_as_it_was() -> None:
    before, during = gc.get_threshold(), []

    @worker(name="leaf")
    def leaf(_task: Task) -> str:
        during.append(gc.get_threshold()[0])
        return "done"

    run = Executor(Agent("rules"), workers=[leaf]).run(Task("part", id="0", type="leaf"))

    assert run.status == "done"
    assert during == [OBJECTS_OF_A_RUN]
    assert gc.get_threshold() == before


def test_a_threshold_that_somebody_sets_in_between_stays() -> None:
    before = gc.get_threshold()
    try:
        with patient_collector():
            gc.set_threshold(500, 5, 5)
        assert gc.get_threshold() == (500, 5, 5)
    finally:
        gc.set_threshold(*before)


def test_a_higher_threshold_and_a_collector_that_never_looks_stay() -> None:
    before = gc.get_threshold()
    try:
        for first in (50_000, 0):
            gc.set_threshold(first)
            with patient_collector():
                assert gc.get_threshold()[0] == first
    finally:
        gc.set_threshold(*before)
