"""The rules of a tree: ids once, one parent, no impossible dependency; nothing changes when one is broken."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.tasks import CycleError, DependencyError, Task, TaskError, TreeError
from ramify.tasks.tree.node import index_of


def tree(*ids: str) -> Task:
    """Make a tree of dotted ids: "0.1" stands below "0"."""
    root = Task(content="root", id="0")
    for task_id in ids:
        root.find(task_id.rpartition(".")[0]).add_subtask(Task(content=task_id, id=task_id))
    return root


def shape(root: Task) -> tuple[object, ...]:
    index = index_of(root)
    return (
        [(task.id, task.parent and task.parent.id, tuple(task.dependencies)) for task in root.walk()],
        {task_id: task.content for task_id, task in sorted(index.by_id.items())},
        {task.id: [other.id for other in index.dependents_of(task)] for task in root.walk()},
    )


def test_a_task_is_added_once() -> None:
    root = tree("0.1", "0.2")
    with pytest.raises(TreeError, match=r"task 0\.1 is already a subtask of task 0"):
        root.find("0.2").add_subtask(root.find("0.1"))


def test_a_task_is_not_put_below_itself() -> None:
    root = tree("0.1", "0.1.1")
    for task in (root, root.find("0.1.1")):
        with pytest.raises(TreeError, match="below itself"):
            task.add_subtask(root)


def test_an_id_is_used_once_in_a_tree() -> None:
    root, other = tree("0.1"), Task(content="x", id="9")
    other.add_subtask(Task(content="y", id="0.1"))
    before = shape(root), shape(other)
    with pytest.raises(TreeError, match=r"id 0\.1 is taken"):
        root.add_subtask(other)
    assert (shape(root), shape(other)) == before


def test_several_are_added_whole_or_not_at_all() -> None:
    root = tree("0.1")
    before = shape(root)
    new = [Task(content="a", id="a"), Task(content="b", id="b", dependencies=["nobody"])]
    with pytest.raises(DependencyError, match="task b depends on task nobody, which is not in its tree"):
        root.add_subtasks(new)
    assert shape(root) == before
    assert [task.parent for task in new] == [None, None]


def test_tasks_added_together_may_need_each_other_in_any_order() -> None:
    root = tree()
    root.add_subtasks([Task(content="a", id="a", dependencies=["b"]), Task(content="b", id="b")])
    assert root.find("a").dependencies == ["b"]


@pytest.mark.parametrize(
    ("task", "dependency", "words"),
    [
        ("0.1.1", "0.1", "its own ancestor"),
        ("0.1", "0.1.1", "its own descendant"),
        ("0.1", "0.1", "itself"),
        ("0.1", "7", "not in its tree"),
    ],
)
def test_impossible_dependencies_are_refused(task: str, dependency: str, words: str) -> None:
    root = tree("0.1", "0.1.1", "0.2")
    before = shape(root)
    with pytest.raises(DependencyError, match=words):
        root.find(task).add_dependency(dependency)
    assert shape(root) == before


def test_a_cycle_is_shown_as_its_path() -> None:
    root = tree("0.1", "0.2", "0.3")
    root.find("0.2").add_dependency("0.1")
    root.find("0.3").add_dependency("0.2")
    with pytest.raises(CycleError, match=r"0\.1 -> 0\.3 -> 0\.2 -> 0\.1") as caught:
        root.find("0.1").add_dependency("0.3")
    assert caught.value.path == ("0.1", "0.3", "0.2", "0.1")


def test_a_cycle_through_a_parent_is_found() -> None:
    root = tree("0.1", "0.2")
    root.find("0.2").add_dependency("0.1")
    with pytest.raises(CycleError):
        root.find("0.1").add_subtask(Task(content="x", id="0.1.1", dependencies=["0.2"]))
    assert not root.find("0.1").subtasks


def test_a_cycle_among_tasks_added_together_is_found() -> None:
    root = tree()
    new = [Task(content=name, id=name, dependencies=[need]) for name, need in ("ab", "bc", "ca")]
    with pytest.raises(CycleError, match="a -> b -> c -> a"):
        root.add_subtasks(new)


def test_a_dependency_is_kept_once() -> None:
    root = tree("0.1", "0.2")
    root.find("0.2").add_dependency("0.1")
    root.find("0.2").add_dependency("0.1")
    assert root.find("0.2").dependencies == ["0.1"]


def test_a_new_id_is_followed_by_dependencies() -> None:
    root = tree("0.1", "0.2")
    root.find("0.2").add_dependency("0.1")
    root.find("0.1").set_id("first")
    assert root.find("0.2").dependencies == ["first"]
    with pytest.raises(TreeError, match="is taken"):
        root.find("0.2").set_id("first")


def test_removing_an_unknown_id_is_an_error() -> None:
    root = tree("0.1", "0.1.1")
    for task_id in ("7", "0", "0.1.1"):
        with pytest.raises(TreeError, match=rf"task 0 has no subtask {task_id}; its subtasks: 0\.1"):
            root.remove_subtask(task_id)


def test_a_removed_task_is_a_tree_of_its_own() -> None:
    root = tree("0.1", "0.1.1", "0.2")
    gone = root.find("0.1")
    root.remove_subtask("0.1")
    assert gone.parent is None
    assert [task.id for task in root.walk()] == ["0", "0.2"]
    assert gone.find("0.1.1").get_depth() == 2
    root.add_subtask(gone)
    assert [task.id for task in root.walk()] == ["0", "0.2", "0.1", "0.1.1"]


def test_a_task_that_others_need_is_not_removed() -> None:
    root = tree("0.1", "0.1.1", "0.2")
    root.find("0.2").add_dependency("0.1.1")
    before = shape(root)
    with pytest.raises(TreeError, match=r"task 0\.1\.1 cannot be removed: task 0\.2 needs its result"):
        root.remove_subtask("0.1")
    assert shape(root) == before
    root.find("0.2").dependencies.clear()
    root.remove_subtask("0.1")
    assert [task.id for task in root.walk()] == ["0", "0.2"]


def test_the_list_of_subtasks_keeps_the_rules() -> None:
    root = tree("0.1", "0.2", "0.3")
    children = root.subtasks
    children.insert(1, Task(content="x", id="x"))
    assert [task.id for task in children] == ["0.1", "x", "0.2", "0.3"]
    del children[0]
    children[0] = Task(content="y", id="y")
    children.append(Task(content="z", id="z"))
    assert [task.id for task in children] == ["y", "0.2", "0.3", "z"]
    assert all(task.parent is root for task in children)
    assert [task.id for task in children[1:3]] == ["0.2", "0.3"]
    assert children.index(root.find("0.3")) == 2
    root.subtasks = children[:1]
    assert root.subtasks == [root.find("y")]
    with pytest.raises(TreeError, match="no task z"):
        root.find("z")
    with pytest.raises(IndexError, match="has 1 subtask; there is none at 4"):
        children[4]


def test_replacing_subtasks_by_impossible_ones_changes_nothing() -> None:
    root = tree("0.1", "0.2")
    before = shape(root)
    with pytest.raises(DependencyError):
        root.subtasks = [Task(content="x", id="x", dependencies=["0.1"])]
    assert shape(root) == before


def _front(root: Task) -> None:
    root.remove_subtask(root.subtasks[0].id)


def _back(root: Task) -> None:
    root.remove_subtask(root.subtasks[-1].id)


def _middle(root: Task) -> None:
    root.subtasks.remove(root.find(f"t{(len(root.subtasks) * 7919) % 100_000}"))


@pytest.mark.parametrize("remove", [_front, _back])
def test_100_000_tasks_are_added_and_removed_one_by_one(remove: Callable[[Task], None]) -> None:
    root = Task(content="x", id="0")
    for number in range(100_000):
        root.add_subtask(Task(content="x", id=f"t{number}", dependencies=[f"t{number - 1}"] if number % 2 else []))
    for task in root.subtasks:
        task.dependencies.clear()
    while root.subtasks:
        remove(root)
    assert [task.id for task in root.walk()] == ["0"]


def test_100_000_serial_tasks_are_added_one_by_one() -> None:
    root = Task(content="x", id="0")
    for number in range(100_000):
        root.add_subtask(Task(content="x", id=f"t{number}", dependencies=[f"t{number - 1}"] if number else []))
    assert len(root.subtasks) == 100_000


def test_a_subtree_that_needs_a_task_elsewhere_is_checked_when_it_is_put_back() -> None:
    root, other = tree("0.1", "0.1.1", "0.2"), Task(content="x", id="9")
    root.find("0.1.1").add_dependency("0.2")
    group = root.find("0.1")
    root.remove_subtask("0.1")
    with pytest.raises(DependencyError, match=r"task 0\.1\.1 depends on task 0\.2"):
        other.add_subtask(group)
    root.find("0.2").add_subtask(Task(content="y", id="y"))
    with pytest.raises(DependencyError, match="its own ancestor"):
        root.find("0.2").add_subtask(group)
    root.add_subtask(group)
    with pytest.raises(CycleError, match=r"0\.2 -> 0\.1 -> 0\.1\.1 -> 0\.2"):
        root.find("0.2").add_dependency("0.1")


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "need", "move"]), st.integers(0, 9), st.integers(0, 9))))
def test_whatever_is_done_the_index_matches_the_tree(steps: list[tuple[str, int, int]]) -> None:
    root = Task(content="root", id="0")
    pool = [Task(content=str(number), id=f"t{number}") for number in range(10)]
    for action, one, other in steps:
        try:
            if action == "add":
                (root if one == other else pool[one]).add_subtask(pool[other])
            elif action == "remove" and pool[one].parent is not None:
                above = pool[one].parent
                assert above is not None
                above.remove_subtask(pool[one].id)
            elif action == "need":
                pool[one].add_dependency(pool[other].id)
            elif action == "move":
                pool[one].set_id(f"t{other}")
        except TaskError:
            pass
        for top in (root, *(task for task in pool if task.parent is None)):
            index = index_of(top)
            inside = list(top.walk())
            assert index.root is top
            assert index.by_id == {task.id: task for task in inside}
            for task in inside:
                assert index_of(task) is index
                for dependency in set(task.dependencies) & set(index.by_id):
                    assert task is top or task in index.dependents_of(index.by_id[dependency])


def test_a_cycle_through_a_group_that_waits_in_two_ways_is_refused() -> None:
    root = Task(content="all", id="0")
    group = Task(content="g", id="g")
    root.add_subtasks([Task(content="x", id="first"), Task(content="x", id="second"), group])
    group.add_subtasks([Task(content="x", id="g.1"), Task(content="x", id="g.2")])
    root.find("g.1").add_dependency("first")
    root.find("second").add_dependency("first")
    group.add_dependency("second")
    with pytest.raises(CycleError):
        root.find("first").add_dependency("g.2")
    assert root.find("first").dependencies == []


def test_an_id_that_is_blank_is_named_so_that_it_can_be_seen() -> None:
    with pytest.raises(TreeError, match="there is no task '' in the tree of task 0"):
        Task("x", id="0").find("")
