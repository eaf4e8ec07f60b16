"""TaskManager: registering, sorting, tying tasks together, evolving."""

import pytest
from ramify.tasks import CycleError, DependencyError, Task, TaskManager, TreeError


def tasks(*ids: str) -> list[Task]:
    return [Task(content=f"do {task_id}", id=task_id) for task_id in ids]


def test_a_manager_starts_with_its_root_alone() -> None:
    root = Task(content="root", id="0")
    root.add_subtasks(tasks("a", "b"))
    manager = TaskManager(root)
    assert manager.tasks == [root]
    assert manager.current_task is root
    assert manager.exist("0")
    assert not manager.exist("a")


def test_added_tasks_are_kept_sorted() -> None:
    root = Task(content="root", id="0")
    root.add_subtasks(tasks("a", "b"))
    root.find("a").add_dependency("b")
    manager = TaskManager(root)
    manager.add_tasks(root.subtasks)
    assert [task.id for task in manager.tasks] == ["b", "a", "0"]
    assert manager.get_task_by_id("a") is root.find("a")
    with pytest.raises(TreeError, match="no task z is registered"):
        manager.get_task_by_id("z")


def test_an_id_is_registered_once() -> None:
    manager = TaskManager(Task(content="root", id="0"))
    manager.add_tasks(tasks("a")[0])
    for more in (tasks("a"), tasks("b", "b")):
        with pytest.raises(TreeError, match="its id is already registered"):
            manager.add_tasks(more)
    assert [task.id for task in manager.tasks] == ["0", "a"]


def test_parallel_tasks_become_subtasks_without_edges() -> None:
    root, others = Task(content="root", id="0"), tasks("a", "b")
    TaskManager.set_tasks_dependence(root, [root, *others], type="parallel")
    assert root.subtasks == others
    assert all(not task.dependencies for task in others)


def test_serial_tasks_each_need_the_one_before() -> None:
    root, others = Task(content="root", id="0"), tasks("a", "b", "c")
    TaskManager.set_tasks_dependence(root, others, type="serial")
    assert [task.dependencies for task in others] == [[], ["a"], ["b"]]
    assert all(task.parent is root for task in others)
    assert [task.id for task in TaskManager(root).critical_path()] == ["a", "b", "c", "0"]


def test_subtasks_that_are_there_can_be_tied_in_series() -> None:
    root, others = Task(content="root", id="0"), tasks("a", "b")
    root.add_subtasks(others)
    TaskManager.set_tasks_dependence(root, others[::-1], type="serial")
    assert root.subtasks == others
    assert [task.dependencies for task in others] == [["b"], []]


def test_a_series_against_the_tree_is_refused_and_changes_nothing() -> None:
    root, others = Task(content="root", id="0"), tasks("a", "b", "c")
    root.add_subtasks(others[:2])
    root.find("a").add_dependency("b")
    with pytest.raises(CycleError):
        TaskManager.set_tasks_dependence(root, [others[2], *others[:2]], type="serial")
    assert root.subtasks == others[:2]
    assert [task.dependencies for task in others] == [["b"], [], []]


def test_another_kind_of_dependence_is_refused() -> None:
    with pytest.raises(DependencyError, match="'serial' or 'parallel', not 'loose'"):
        TaskManager.set_tasks_dependence(Task(content="x"), tasks("a"), type="loose")  # type: ignore[arg-type]


def test_the_graph_of_the_manager_is_that_of_the_whole_tree() -> None:
    root = Task(content="root", id="0")
    TaskManager.set_tasks_dependence(root, tasks("a", "b"), type="serial")
    manager = TaskManager(root.find("a"))
    assert [[task.id for task in wave] for wave in manager.waves()] == [["a"], ["b"], ["0"]]
    assert set(manager.to_networkx()) == {"0", "a", "b"}


@pytest.mark.parametrize("kind", ["serial", "parallel"])
def test_100_000_tasks_are_tied_in_one_go(kind: str) -> None:
    root = Task(content="root", id="0")
    TaskManager.set_tasks_dependence(root, tasks(*(f"t{n}" for n in range(100_000))), type=kind)  # type: ignore[arg-type]
    assert len(TaskManager.topological_sort([root])) == 100_001


def test_100_000_tasks_are_registered_one_by_one() -> None:
    manager = TaskManager(Task(content="root", id="0"))
    for task in tasks(*(f"t{n}" for n in range(100_000))):
        manager.add_tasks(task)
    assert len(manager.tasks) == 100_001
