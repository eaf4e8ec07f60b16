"""A plan file that is read, changed and written back keeps what its person wrote: comments, order, quotes, layout."""

from collections.abc import Callable
from contextlib import suppress
from difflib import ndiff
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.tasks import (
    DependencyError,
    DocumentError,
    Task,
    TaskConfig,
    TreeError,
    load_plan,
    read_plan,
    save_plan,
    write_plan,
)
from ramify.tasks.plans.plans import Form, revise_plan

YAML = """\
# my plan
goal: Compare "two" cities   # the goal

# how they are described
tasks:
  - Describe Oslo          # short
  - id: bergen
    task: 'Describe Bergen'   # quoted
    type: writer
    # what it needs
    needs:
      - "0.1"   # oslo first
  - task: |
      Compare them
      at length
    needs: ["0.1", bergen]  # both

  # last
  - {task: Print it, needs: ["0.3"]}  # in one line
  - {id: far, task: Send it}
  - {parent: bergen, id: deep, task: Its harbour}   # below bergen
"""

JSON = """\
{
  "tasks": [
    {"task": "Describe Oslo", "id": "a"},
    {
      "needs": ["a"],
      "task": "Compare",
      "id": "b"
    },
    "Print it"
  ],
  "goal": "Compare two cities"
}
"""


def difference(text: str, change: Callable[[Task], object], form: Form = "yaml") -> list[str]:
    """Return the lines that go and come when a plan is changed, and check that it says what it should."""
    root = read_plan(text, source="plan", form=form)
    change(root)
    revised = revise_plan(text, root, form=form)
    assert write_plan(read_plan(revised, source="plan", form=form)) == write_plan(root)
    return [line for line in ndiff(text.splitlines(), revised.splitlines()) if line[0] in "+-"]


def let(root: Task, task_id: str, **fields: object) -> None:
    for name, value in fields.items():
        setattr(root.find(task_id), name, value)


CHANGES: list[tuple[Callable[[Task], object], list[str]]] = [
    (lambda root: None, []),
    (
        lambda root: let(root, "0", content="Choose one"),
        ['- goal: Compare "two" cities   # the goal', "+ goal: Choose one   # the goal"],
    ),
    (
        lambda root: let(root, "0.1", content="Oslo: now"),
        ["-   - Describe Oslo          # short", '+   - "Oslo: now"          # short'],
    ),
    (
        lambda root: let(root, "bergen", content="a\nb"),
        ["-     task: 'Describe Bergen'   # quoted", '+     task: "a\\nb"   # quoted'],
    ),
    (
        lambda root: let(root, "0.3", content="One\nTwo"),
        ["-       Compare them", "-       at length", "+       One", "+       Two", "-   - task: |", "+   - task: |-"],
    ),
    (
        lambda root: root.find("0.4").add_dependency("far"),
        [
            '-   - {task: Print it, needs: ["0.3"]}  # in one line',
            '+   - {task: Print it, needs: ["0.3", far]}  # in one line',
        ],
    ),
    (lambda root: root.find("bergen").add_dependency("far"), ["+       - far"]),
    (
        lambda root: root.find("bergen").dependencies.clear(),
        ["-     needs:", '-       - "0.1"   # oslo first'],
    ),
    (
        lambda root: root.find("0.3").dependencies.remove("0.1"),
        ['-     needs: ["0.1", bergen]  # both', "+     needs: [bergen]  # both"],
    ),
    (
        lambda root: let(root, "0.1", config=TaskConfig(max_retries=3), priority=2),
        [
            "-   - Describe Oslo          # short",
            "+   - task: Describe Oslo          # short",
            "+     priority: 2",
            "+     config:",
            "+       max_retries: 3",
        ],
    ),
    (lambda root: root.remove_subtask("far"), ["-   - {id: far, task: Send it}"]),
    (
        lambda root: root.add_subtask(Task(content="More", id="0.6")),
        ['+   - id: "0.6"', "+     task: More"],
    ),
    (
        lambda root: root.subtasks.insert(3, Task(content="a\nb", id="new")),
        [
            "+   - id: new",
            "+     task: |-",
            "+       a",
            "+       b",
            '-   - {task: Print it, needs: ["0.3"]}  # in one line',
            '+   - {task: Print it, needs: ["0.3"], id: "0.4"}  # in one line',
        ],
    ),
    (
        lambda root: root.find("bergen").add_subtask(Task(content="Its hills", id="hills")),
        ["+   - id: hills", "+     task: Its hills", "+     parent: bergen"],
    ),
    (
        lambda root: root.find("far").add_subtask(Task(content="By post", id="post")),
        [
            "-   - {id: far, task: Send it}",
            '+   - {id: far, task: Send it, tasks: [{"id": "post", "task": "By post"}]}',
        ],
    ),
    (
        lambda root: root.find("0.1").update_result("A fjord."),
        [
            "-   - Describe Oslo          # short",
            "+   - task: Describe Oslo          # short",
            "+     result: A fjord.",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "lines"), CHANGES)
def test_only_what_is_different_is_written_anew(change: Callable[[Task], object], lines: list[str]) -> None:
    assert sorted(difference(YAML, change)) == sorted(lines)


def test_a_task_that_is_put_elsewhere_is_written_anew_and_all_else_is_kept() -> None:
    def swap(root: Task) -> None:
        far = root.find("far")
        root.remove_subtask("far")
        root.subtasks.insert(0, far)

    lines = difference(YAML, swap)
    assert sum(line.startswith("-") and "#" in line for line in lines) == 2, "two get the ids that their places told"
    assert sum("#" in line for line in lines) == 4, "and no comment is lost"


def test_json_keeps_the_order_of_keys_and_the_layout() -> None:
    def change(root: Task) -> None:
        root.find("b").content = "Compare well"
        root.find("b").type = "writer"
        root.find("0.3").add_dependency("b")
        root.find("a").name = "oslo"

    assert difference(JSON, change, "json") == [
        '-     {"task": "Describe Oslo", "id": "a"},',
        '+     {"task": "Describe Oslo", "id": "a", "name": "oslo"},',
        '-       "task": "Compare",',
        '+       "task": "Compare well",',
        '-       "id": "b"',
        '+       "id": "b",',
        '+       "type": "writer"',
        '-     "Print it"',
        '+     {"task": "Print it", "needs": ["b"]}',
    ]


def test_an_outline_and_a_text_with_aliases_are_written_anew_where_they_have_to_be() -> None:
    root = read_plan("# g\n* a\n* b\n", source="plan.md")
    root.subtasks[0].content = "c"
    assert revise_plan("# g\n* a\n* b\n", root, form="markdown") == write_plan(root, "markdown")
    text = "goal: &x g\ntasks: [*x]\n"
    root = read_plan(text, source="plan")
    root.subtasks[0].content = "c"
    assert read_plan(revise_plan(text, root), source="plan").subtasks[0].content == "c"


def test_a_file_is_saved_over_with_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(YAML, encoding="utf-8")
    root = load_plan(path)
    root.find("bergen").content = "Describe Voss"
    save_plan(root, path)
    assert path.read_text(encoding="utf-8") == YAML.replace("'Describe Bergen'", "Describe Voss")
    assert [each.name for each in tmp_path.iterdir()] == ["plan.yaml"]
    save_plan(root, tmp_path / "new.md.yaml")
    assert load_plan(tmp_path / "new.md.yaml").find("bergen").content == "Describe Voss"


def test_a_file_that_is_no_plan_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "notes.yaml"
    path.write_text("shopping: [milk]\n", encoding="utf-8")
    with pytest.raises(DocumentError, match="the plan has no `goal`"):
        save_plan(Task(content="x", id="0"), path)
    assert path.read_text(encoding="utf-8") == "shopping: [milk]\n"


WORDS = st.sampled_from(
    ["plain", "a: b", "# a", "yes", "1e3", "- a", "a\nb", " a ", '"', "'", "{a}", "a, b", "é😀", "a #b"]
)
EDITS = st.lists(st.tuples(st.sampled_from(["content", "remove", "insert", "need", "type"]), st.integers(0, 99), WORDS))


def edit(root: Task, kind: str, number: int, words: str) -> None:
    """Change the plan somewhere; what is not allowed there changes nothing."""
    tasks = list(root.walk())
    task = tasks[number % len(tasks)]
    other = tasks[(number * 7 + 3) % len(tasks)]
    if kind == "content":
        task.content = words
    elif kind == "type":
        task.type = None if number % 2 else words
    elif kind == "need" and other.id in task.dependencies:
        task.dependencies.remove(other.id)
    elif kind == "need":
        with suppress(DependencyError):
            task.add_dependency(other.id)
    elif kind == "insert":
        new = Task(content=words, id=f"{len(tasks)} {number} {words.strip()!r}")
        with suppress(TreeError):
            task.subtasks.insert(number % (len(task.subtasks) + 1), new)
    elif task.parent is not None:
        with suppress(TreeError):
            task.parent.remove_subtask(task.id)


@settings(max_examples=100, deadline=None)
@given(edits=EDITS)
@pytest.mark.parametrize(("text", "form"), [(YAML, "yaml"), (JSON, "json")])
def test_whatever_is_edited_the_text_says_it_and_keeps_the_rest(
    text: str, form: Form, edits: list[tuple[str, int, str]]
) -> None:
    root = read_plan(text, source="plan", form=form)
    for kind, number, words in edits:
        edit(root, kind, number, words)
    revised = revise_plan(text, root, form=form)
    assert write_plan(read_plan(revised, source="plan", form=form)) == write_plan(root)
    is_kept = "# the goal" in revised if form == "yaml" else revised.split('"')[1] == "tasks" or not root.subtasks
    assert is_kept, "it was written anew as a whole"


def test_a_deep_and_a_wide_plan_are_revised_in_place() -> None:
    wide = "goal: g  # goal\ntasks:\n" + "".join(f"  - task {number}  # {number}\n" for number in range(3000))
    deep = "goal: g  # goal\n" + "".join(f"{' ' * n}tasks:\n{' ' * n}- task: t  # {n}\n" for n in range(0, 400, 2))
    for text in (wide, deep):
        root = read_plan(text, source="plan")
        last = list(root.walk())[-1]
        last.content = "other"
        revised = revise_plan(text, root)
        assert revised.count("#") == text.count("#")
        assert revised.splitlines()[:-1] == text.splitlines()[:-1]
