"""The readiness rule, incrementally: the scheduler always agrees with the rule read from the tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.tasks import CycleError, Task, TaskError, TaskState
from ramify.tasks.tree.schedule import Scheduler, is_ready
from ramify.tasks.tree.states import FINISHED

from .test_graph import plan, trees


def run(task: Task, scheduler: Scheduler, state: TaskState = TaskState.DONE) -> None:
    task.move(state)
    if state in FINISHED:
        scheduler.finished(task)


def drain(scheduler: Scheduler) -> list[str]:
    """Take everything that is ready."""
    taken = []
    while (task := scheduler.pop()) is not None:
        task.move(TaskState.RUNNING)
        taken.append(task.id)
    return taken


def test_a_group_waits_for_what_its_parent_needs() -> None:
    root = plan()
    scheduler = Scheduler(root)
    order = []
    while taken := drain(scheduler):
        order.append(taken)
        for task_id in taken:
            run(root.find(task_id), scheduler)
    assert order == [["0.1.1", "0.1.2"], ["0.1"], ["0.2.1"], ["0.2.2"], ["0.2"], ["0"]]
    assert scheduler.unfinished == 0


def test_higher_priority_comes_first_then_the_longer_way_to_the_root() -> None:
    root = Task(content="root", id="0")
    root.add_subtasks([Task(content=name, id=name) for name in "abcd"])
    root.find("c").priority = 5
    root.find("d").add_dependency("b")
    assert drain(Scheduler(root)) == ["c", "b", "a"]


def test_a_failed_task_holds_up_its_dependents_and_its_parent_only() -> None:
    root = plan()
    scheduler = Scheduler(root)
    drain(scheduler)
    run(root.find("0.1.1"), scheduler, TaskState.FAILED)
    run(root.find("0.1.2"), scheduler)
    assert drain(scheduler) == []
    assert {task.id for task in scheduler.held_up()} >= {"0", "0.1", "0.2", "0.2.1", "0.2.2"}


def test_deleted_subtasks_hold_nothing_up() -> None:
    root = plan()
    scheduler = Scheduler(root)
    assert drain(scheduler) == ["0.1.1", "0.1.2"]
    for task_id in ("0.1.1", "0.1.2"):
        run(root.find(task_id), scheduler, TaskState.DELETED)
    assert drain(scheduler) == ["0.1"]


def test_nothing_below_a_deleted_task_runs() -> None:
    root = plan()
    root.find("0.1").move(TaskState.DELETED)
    assert drain(Scheduler(root)) == ["0.2.1"]


def test_a_released_task_is_ready_again() -> None:
    root = plan()
    scheduler = Scheduler(root)
    drain(scheduler)
    root.find("0.1.2").move(TaskState.OPEN)
    scheduler.released(root.find("0.1.2"))
    assert drain(scheduler) == ["0.1.2"]


def test_what_needs_a_task_of_a_larger_tree_that_came_in_finds_it() -> None:
    root = Task("all", id="0")
    root.add_subtask(Task("first", id="first"))
    scheduler = Scheduler(root)
    larger = Task("larger", id="larger", subtasks=[Task("part", id=f"part{n}") for n in range(5)])
    for task in (larger, Task("last", id="last", dependencies=["part1"])):
        root.add_subtask(task)
        scheduler.added([task])
    assert scheduler.ready == 6


def test_a_root_that_leads_is_ready_and_what_is_below_it_when_it_is_called() -> None:
    root = Task("all", id="0", subtasks=[Task("a", id="a"), Task("b", id="b", dependencies=["a"])])
    scheduler = Scheduler(root, is_led=True)
    assert (scheduler.pop(), scheduler.pop()) == (root, None)
    root.move(TaskState.RUNNING)
    a, b = root.subtasks
    scheduler.called(b)
    assert scheduler.pop() is None
    scheduler.called(a)
    assert scheduler.pop() is a
    a.finish("done")
    scheduler.finished(a)
    assert scheduler.pop() is b


def test_tasks_added_while_running_are_run_before_their_parent() -> None:
    root = Task(content="root", id="0")
    root.add_subtask(Task(content="a", id="a"))
    scheduler = Scheduler(root)
    assert drain(scheduler) == ["a"]
    new = [Task(content="b", id="b", dependencies=["a"]), Task(content="c", id="c")]
    root.add_subtasks(new)
    scheduler.added(new)
    assert drain(scheduler) == ["c"]
    run(root.find("a"), scheduler)
    assert drain(scheduler) == ["b"]
    run(root.find("b"), scheduler)
    assert drain(scheduler) == []
    run(root.find("c"), scheduler)
    assert drain(scheduler) == ["0"]


def test_a_cycle_is_found_before_anything_runs() -> None:
    root = plan()
    root.find("0.1").dependencies.append("0.2")
    with pytest.raises(CycleError):
        Scheduler(root)


def test_only_finished_tasks_let_others_go_on() -> None:
    root = plan()
    with pytest.raises(TaskError, match="only DONE and DELETED"):
        Scheduler(root).finished(root)


def test_a_need_that_can_never_be_met_is_named() -> None:
    root = plan()
    root.find("0.2.1").add_dependency("0.1.1")
    root.find("0.1").move(TaskState.DONE)
    with pytest.raises(TaskError, match=r"task 0\.2\.1 needs task 0\.1\.1, which will never run"):
        Scheduler(root)


@given(trees(), st.randoms(use_true_random=False))
def test_the_scheduler_agrees_with_the_rule_at_every_step(root: Task, random: "st.Random") -> None:  # type: ignore[name-defined]
    scheduler = Scheduler(root)
    running: list[Task] = []
    for _ in range(200):
        assert scheduler.ready == sum(is_ready(task) for task in root.walk())
        if running and random.random() < 0.5:
            task = running.pop(random.randrange(len(running)))
            if random.random() < 0.2:
                task.move(TaskState.OPEN)
                scheduler.released(task)
            else:
                run(task, scheduler)
        elif (ready := scheduler.pop()) is not None:
            assert is_ready(ready)
            ready.move(TaskState.RUNNING)
            running.append(ready)
        elif not running:
            break
    if not running and not scheduler.ready:
        assert all(task.state is TaskState.DONE for task in root.walk())


@given(trees(), st.data())
def test_any_half_done_tree_goes_on_where_it_stopped(root: Task, data: st.DataObject) -> None:
    first = Scheduler(root)
    for _ in range(data.draw(st.integers(0, 10))):
        if (task := first.pop()) is None:
            break
        task.move(TaskState.RUNNING)
        run(task, first)
    again = Scheduler(root)
    assert again.ready == sum(is_ready(task) for task in root.walk())
    while (task := again.pop()) is not None:
        task.move(TaskState.RUNNING)
        run(task, again)
    assert root.state is TaskState.DONE
