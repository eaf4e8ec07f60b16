"""Order, cycles, waves and the critical path, all from the two sentences about a task's start and end."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ramify.tasks import CycleError, DependencyError, Task, TaskError, TaskManager
from ramify.tasks.tree.graph import check_tree, critical_path, to_networkx, topological_order, waves
from ramify.tasks.tree.node import index_of

from .effort import growth


def plan() -> Task:
    """Two groups; everything in the second needs the first, and 0.2.2 needs 0.2.1."""
    root = Task(content="root", id="0")
    for group in ("0.1", "0.2"):
        root.add_subtask(Task(content=group, id=group))
        for number in (1, 2):
            root.find(group).add_subtask(Task(content=group, id=f"{group}.{number}"))
    root.find("0.2").add_dependency("0.1")
    root.find("0.2.2").add_dependency("0.2.1")
    return root


def ids(tasks: list[Task]) -> list[str]:
    return [task.id for task in tasks]


def test_subtasks_come_before_parents_and_dependencies_before_dependents() -> None:
    assert ids(topological_order([plan()])) == ["0.1.1", "0.1.2", "0.1", "0.2.1", "0.2.2", "0.2", "0"]


def test_what_nothing_forces_to_move_stays_in_tree_order() -> None:
    root = Task(content="root", id="0")
    root.add_subtasks([Task(content=name, id=name) for name in "cab"])
    root.find("c").add_dependency("b")
    assert ids(topological_order([root])) == ["b", "c", "a", "0"]


def test_a_list_is_sorted_without_what_is_not_below_it() -> None:
    root = plan()
    listed = [root.find("0.2"), root.find("0.1")]
    assert ids(TaskManager.topological_sort(listed)) == ["0.1.1", "0.1.2", "0.1", "0.2.1", "0.2.2", "0.2"]


def test_order_is_kept_through_tasks_that_are_not_listed() -> None:
    root = Task(content="root", id="0")
    root.add_subtasks([Task(content=name, id=name) for name in "abc"])
    root.find("a").add_dependency("b")
    root.find("b").add_dependency("c")
    assert ids(topological_order([root.find("a"), root.find("c")])) == ["c", "a"]


def test_a_cycle_written_by_hand_is_found_as_a_path() -> None:
    root = plan()
    root.find("0.1.1").dependencies.append("0.2.2")
    with pytest.raises(CycleError) as caught:
        check_tree(root)
    path = caught.value.path
    assert path[0] == path[-1]
    assert {"0.1.1", "0.2.2"} <= set(path)
    assert " -> ".join(path) in str(caught.value)


def test_a_dependency_on_an_ancestor_written_by_hand_is_a_cycle() -> None:
    root = plan()
    root.find("0.1.1").dependencies.append("0.1")
    with pytest.raises(CycleError, match=r"0\.1\.1"):
        check_tree(root)


def test_an_unknown_dependency_written_by_hand_is_named() -> None:
    root = plan()
    root.find("0.1.1").dependencies.append("nobody")
    with pytest.raises(DependencyError, match=r"task 0\.1\.1 depends on task nobody"):
        check_tree(root)


def test_waves_are_what_could_run_at_once() -> None:
    assert [ids(wave) for wave in waves(plan())] == [
        ["0.1.1", "0.1.2"], ["0.1"], ["0.2.1"], ["0.2.2"], ["0.2"], ["0"],
    ]  # fmt: skip


def test_the_critical_path_ends_at_the_root() -> None:
    root = plan()
    assert ids(critical_path(root)) == ["0.1.1", "0.1", "0.2.1", "0.2.2", "0.2", "0"]
    slow = critical_path(root, lambda task: 9.0 if task.id == "0.1.2" else 1.0)
    assert ids(slow)[0] == "0.1.2"


def test_networkx_gets_both_kinds_of_edges() -> None:
    graph = to_networkx(plan())
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.edges["0.2.1", "0.2.2"]["kind"] == "dependency"
    assert graph.edges["0.2.1", "0.2"]["kind"] == "subtask"
    assert graph.nodes["0"]["state"] == "OPEN"


@st.composite
def trees(draw: st.DrawFn) -> Task:
    """Make a tree of up to 20 tasks with whatever dependencies it takes."""
    root = Task(content="root", id="0")
    size = draw(st.integers(1, 20))
    for number in range(1, size):
        parent = root.find(str(draw(st.integers(0, number - 1))))
        parent.add_subtask(Task(content="x", id=str(number)))
    for one, other in draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=20)):
        try:
            root.find(str(one)).add_dependency(str(other))
        except TaskError:
            continue
    return root


@given(trees())
def test_whatever_the_tree_takes_has_an_order_that_keeps_the_rules(root: Task) -> None:
    check_tree(root)
    place = {task: number for number, task in enumerate(topological_order([root]))}
    assert len(place) == sum(1 for _ in root.walk())
    for task in root.walk():
        assert all(place[child] < place[task] for child in task.subtasks)
        for dependency in task.dependencies:
            assert all(place[root.find(dependency)] < place[inside] for inside in task.walk())


@given(trees(), st.data())
def test_the_tree_refuses_exactly_what_makes_a_cycle(root: Task, data: st.DataObject) -> None:
    tasks = list(root.walk())
    one, other = data.draw(st.sampled_from(tasks)), data.draw(st.sampled_from(tasks))
    try:
        one.add_dependency(other.id)
    except DependencyError:
        one.dependencies.append(other.id)
        with pytest.raises(CycleError):
            check_tree(root)
    else:
        check_tree(root)


def test_30_000_tasks_in_a_row_are_sorted() -> None:
    root = Task(content="x", id="0")
    root.add_subtasks(
        [Task(content="x", id=f"t{n}", dependencies=[f"t{n + 1}"] if n < 29_999 else []) for n in range(30_000)]
    )
    assert topological_order([root])[0].id == "t29999"
    assert len(waves(root)) == 30_001


def events_of(root: Task) -> "nx.DiGraph[tuple[str, bool]]":
    """Return what the two sentences about start and end say of a tree, for networkx."""
    graph: nx.DiGraph[tuple[str, bool]] = nx.DiGraph()
    for task in root.walk():
        graph.add_edge((task.id, False), (task.id, True))
        for child in task.subtasks:
            graph.add_edge((task.id, False), (child.id, False))
            graph.add_edge((child.id, True), (task.id, True))
        for dependency in task.dependencies:
            graph.add_edge((dependency, True), (task.id, False))
    return graph


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 14), st.lists(st.integers(0, 14), max_size=3)), max_size=40)


@pytest.mark.fault("4.6")
@given(STEPS)
@example([*[(True, 0, [])] * 6, (True, 1, []), (True, 0, [2]), (False, 1, [8])])
def test_the_tree_takes_what_networkx_finds_without_a_cycle(steps: list[tuple[bool, int, list[int]]]) -> None:
    root = Task(content="root", id="0")
    for is_new, number, needs in steps:
        known = [task.id for task in root.walk()]
        task = root.find(known[number % len(known)])
        needed = list(dict.fromkeys(known[each % len(known)] for each in needs))
        would_be = events_of(root)
        if is_new:
            new = Task(content="x", id=str(len(known)), dependencies=needed)
            would_be.add_edges_from([((new.id, False), (new.id, True)), ((task.id, False), (new.id, False))])
            would_be.add_edges_from([((new.id, True), (task.id, True))])
            would_be.add_edges_from(((each, True), (new.id, False)) for each in needed)
            check_refusal(partial(task.add_subtask, new), would_be)
        for each in () if is_new else needed:
            would_be = events_of(root)
            would_be.add_edge((each, True), (task.id, False))
            check_refusal(partial(task.add_dependency, each), would_be)


def check_refusal(change: Callable[[], None], would_be: "nx.DiGraph[tuple[str, bool]]") -> None:
    """Check that `change` is refused, with the cycle as its reason, if there would be one, and only then."""
    if nx.is_directed_acyclic_graph(would_be):
        change()
        return
    with pytest.raises(DependencyError) as caught:
        change()
    if isinstance(caught.value, CycleError):
        path = caught.value.path
        assert path[0] == path[-1]
        for waiting, needed in pairwise(path):
            assert nx.has_path(
                would_be, (needed, False), (waiting, True)
            )  # the start: a part waits for that of its parent


def row(size: int) -> Task:
    root = Task(content="x", id="0")
    root.add_subtasks([Task(content="x", id=f"t{number}") for number in range(size)])
    return root


def two_groups(size: int) -> Task:
    root = Task(content="x", id="0")
    root.add_subtasks([Task(content="x", id="first"), Task(content="x", id="t")])
    for name in ("first", "t"):
        root.find(name).add_subtasks([Task(content="x", id=f"{name}{number}") for number in range(size)])
    root.find("t").add_dependency("first")
    return root


def halves(size: int) -> Iterable[int]:
    """Every number below `size`, those in the middle of what is left first."""
    return sorted(range(1, size), key=lambda number: -(number & -number))


@pytest.mark.fault("4.6")
@pytest.mark.parametrize("tree", [row, two_groups])
@pytest.mark.parametrize(
    "order", [lambda size: range(1, size), lambda size: range(size - 1, 0, -1), halves],
    ids=["forwards", "backwards", "halves"],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, -1], ids=["on the one before", "on the one after"])
def test_a_chain_is_tied_in_near_linear_time_from_wherever_it_is_begun(
    tree: Callable[[int], Task], order: Callable[[int], Iterable[int]], step: int
) -> None:
    def tie(size: int) -> Callable[[], None]:
        root = tree(size)
        tasks = [root.find(f"t{number}") for number in range(size)]

        def work() -> None:
            for number in order(size):
                one, other = tasks[number - 1 : number + 1][::step]
                other.add_dependency(one.id)

        return work

    assert growth(tie, size=200) < 6  # 4 times as many tasks; quadratic would be 16


def chain(root: Task) -> list[Task]:
    """Return the subtasks of `root`, each of which needs the one before."""
    tasks = list(root.subtasks)
    for before, after in pairwise(tasks):
        after.add_dependency(before.id)
    return tasks


SHAPES: dict[str, Callable[[list[Task]], Iterable[tuple[Task, Task]]]] = {
    "on the one before the last, forwards": lambda tasks: zip(tasks[2:], tasks, strict=False),
    "on the one before the last, backwards": lambda tasks: reversed([*zip(tasks[2:], tasks, strict=False)]),
    "all on the first": lambda tasks: ((task, tasks[0]) for task in tasks[2:]),
    "the last on all": lambda tasks: ((tasks[-1], task) for task in tasks[:-2]),
}


@pytest.mark.parametrize("pairs", SHAPES.values(), ids=SHAPES)
def test_needs_that_a_chain_has_already_are_added_in_near_linear_time(
    pairs: Callable[[list[Task]], Iterable[tuple[Task, Task]]],
) -> None:
    def tie(size: int) -> Callable[[], None]:
        new = list(pairs(chain(row(size))))

        def work() -> None:
            for task, needed in new:
                task.add_dependency(needed.id)

        return work

    assert growth(tie, size=200) < 6


def row_with_an_order(free: int) -> Task:
    """Return a row of 50 but one of which each needs the two before, so that an order of them was looked for."""
    root = row(50)
    tied = [task for task in root.subtasks if task.id != f"t{free}"]
    for back in (1, 2):
        for needed, task in zip(tied, tied[back:], strict=False):
            task.add_dependency(needed.id)
    assert index_of(root).order is not None
    return root


def test_an_order_that_is_known_allows_no_circle() -> None:
    root = row_with_an_order(free=0)
    with pytest.raises(CycleError):
        root.find("t3").add_dependency("t40")
    root.find("t40").add_dependency("t3")


def move_the_last_below_the_first(root: Task) -> None:
    last = root.find("t49")
    root.remove_subtask("t49")
    root.find("t0").add_subtask(last)


def add_what_needs_the_last_below_the_first(root: Task) -> None:
    root.find("t0").add_subtask(Task(content="x", id="new", dependencies=["t49"]))


def let_the_first_need_the_last(root: Task) -> None:
    root.find("t0").dependencies = ["t49"]


def let_the_first_need_what_is_new_and_needs_the_last(root: Task) -> None:
    root.add_subtask(Task(content="x", id="new"))
    root.find("new").add_dependency("t49")
    root.find("t0").add_dependency("new")


@pytest.mark.parametrize(
    ("change", "task", "needed"),
    [
        (move_the_last_below_the_first, "t49", "t5"),
        (add_what_needs_the_last_below_the_first, "t1", "t0"),
        (let_the_first_need_the_last, "t1", "t0"),
        (let_the_first_need_what_is_new_and_needs_the_last, "t1", "t0"),
    ],
)
def test_an_order_is_forgotten_with_what_may_make_it_untrue(
    change: Callable[[Task], None], task: str, needed: str
) -> None:
    root = row_with_an_order(free=49 if task == "t49" else 0)
    change(root)
    with pytest.raises(CycleError):
        root.find(task).add_dependency(needed)


@pytest.mark.fault("4.6")
def test_a_group_that_many_wait_for_grows_in_linear_time() -> None:
    def grow(size: int) -> Callable[[], None]:
        root = row(size)
        root.add_subtask(Task(content="x", id="group"))
        for number in range(size):
            root.find(f"t{number}").add_dependency("group")
        group = root.find("group")

        def work() -> None:
            for number in range(size):
                needs = [f"g{number - 1}"] if number else []
                group.add_subtask(Task(content="x", id=f"g{number}", dependencies=needs))

        return work

    assert growth(grow, size=200) < 6
