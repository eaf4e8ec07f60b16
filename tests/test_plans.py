"""Plan files that people read, edit, check and run."""

from pathlib import Path
from textwrap import dedent
from typing import Any, get_args

import pytest
from ramify.tasks import Check, CycleError, DocumentError, Material, Task, TaskConfig, TaskState
from ramify.tasks.plans.plans import Form, lint_plan_text, load_plan, read_plan, write_plan

FORMS: tuple[Form, ...] = get_args(Form)

YAML = """\
goal: Compare two cities
config:
  max_retries: 2
tasks:
  - Describe Oslo
  - id: bergen
    task: |
      Describe Bergen:
      the harbour, and the hills
    type: writer
    needs: 0.1
    tasks:
      - Look it up
      - {task: Write it down, needs: [bergen.1], priority: 3}
  - id: 007
    task: Compare them
    needs: [0.1, bergen]
"""

JSON = """\
{
  "goal": "Compare two cities",
  "config": {"max_retries": 2},
  "tasks": [
    "Describe Oslo",
    {"id": "bergen", "task": "Describe Bergen:\\nthe harbour, and the hills\\n", "type": "writer", "needs": "0.1",
     "tasks": ["Look it up", {"task": "Write it down", "needs": ["bergen.1"], "priority": 3}]},
    {"id": "007", "task": "Compare them", "needs": ["0.1", "bergen"]}
  ]
}
"""

MARKDOWN = """\
# Compare two cities

- Describe Oslo
- Describe Bergen: {#bergen type=writer needs=0.1}
  the harbour, and the hills&#10;
  1. Look it up
  2. Write it down {priority=3}
- Compare them {#007 needs=0.1,bergen}
"""


@pytest.mark.parametrize(("text", "form"), [(YAML, "yaml"), (JSON, "json"), (MARKDOWN, "markdown")])
def test_the_forms_say_the_same(text: str, form: Form) -> None:
    root = read_plan(text, source="plan", form=form)
    root.config = TaskConfig(max_retries=2)  # an outline has no place for it
    assert write_plan(root) == write_plan(read_plan(YAML, source="plan"))


def test_a_plan_becomes_a_tree() -> None:
    root = read_plan(YAML, source="plan.yaml")
    assert [(task.id, task.dependencies) for task in root.walk()] == [
        ("0", []),
        ("0.1", []),
        ("bergen", ["0.1"]),
        ("bergen.1", []),
        ("bergen.2", ["bergen.1"]),
        ("007", ["0.1", "bergen"]),
    ]
    assert root.config.max_retries == 2
    bergen = root.find("bergen")
    assert bergen.content == "Describe Bergen:\nthe harbour, and the hills\n"
    assert bergen.type == "writer"
    assert root.find("bergen.2").priority == 3
    with pytest.raises(CycleError, match="wait for each other"):
        root.find("0.1").add_dependency("007")


@pytest.mark.parametrize("form", FORMS)
def test_a_goal_alone_is_a_plan(form: Form) -> None:
    root = Task(content="17 * 23", id="0")
    read = read_plan(write_plan(root, form), source="plan", form=form)
    assert (read.id, read.content, read.state, list(read.subtasks)) == ("0", "17 * 23", TaskState.OPEN, [])


def test_a_plan_is_pleasant_to_read() -> None:
    root = read_plan(YAML, source="plan.yaml")
    assert write_plan(root) == dedent("""\
        goal: Compare two cities
        config:
          max_retries: 2
        tasks:
          - id: "0.1"
            task: Describe Oslo
          - id: bergen
            task: |
              Describe Bergen:
              the harbour, and the hills
            needs: ["0.1"]
            type: writer
            tasks:
              - id: bergen.1
                task: Look it up
              - id: bergen.2
                task: Write it down
                needs: [bergen.1]
                priority: 3
          - id: "007"
            task: Compare them
            needs: ["0.1", bergen]
        """)
    root.config = TaskConfig()
    assert write_plan(root, "markdown") == dedent("""\
        # Compare two cities

        - Describe Oslo {#0.1}
        - Describe Bergen: {#bergen needs=0.1 type=writer}
          the harbour, and the hills&#10;
          1. Look it up {#bergen.1}
          2. Write it down {#bergen.2 priority=3}
        - Compare them {#007 needs=0.1,bergen}
        """)


def test_kept_work_is_kept() -> None:
    root = read_plan(
        "goal: g\ntasks:\n  - {task: a, result: 42}\n  - {task: b, state: failed, error: no key}\n", source="p"
    )
    done, failed = root.subtasks
    assert (done.state, done.result) == (TaskState.DONE, "42")
    assert (failed.state, failed.error) == (TaskState.FAILED, "no key")
    again = [(task.state, task.result, task.error) for task in read_plan(write_plan(root), source="p").subtasks]
    assert again == [(TaskState.DONE, "42", None), (TaskState.FAILED, "", "no key")]


def test_a_result_without_its_state_is_written_so_that_it_stays_open() -> None:
    root = Task(content="g", id="0", result="half an answer")
    assert read_plan(write_plan(root), source="p").state is TaskState.OPEN


def test_running_work_is_open_in_a_file() -> None:
    root = Task(content="g", id="0", state="RUNNING")
    assert read_plan(write_plan(root), source="p").state is TaskState.OPEN


def test_words_stay_words() -> None:
    root = read_plan("goal: yes\ntasks: [no, 1e3, 2024-01-01, 0x10, 12.50]\n", source="p")
    assert [task.content for task in root.walk()] == ["yes", "no", "1e3", "2024-01-01", "0x10", "12.50"]


def test_a_task_can_name_an_earlier_task_as_its_parent() -> None:
    root = read_plan("goal: g\ntasks:\n  - {id: a, task: x}\n  - {task: y, parent: a}\n  - z\n", source="p")
    assert root.to_string() == "Task 0: g\n  Task a: x\n    Task a.1: y\n  Task 0.2: z\n"


def test_aliases_are_copies() -> None:
    text = "goal: g\ntasks:\n  - {task: a, metadata: &m {k: [1]}}\n  - {task: b, metadata: *m}\n"
    first, second = read_plan(text, source="p").subtasks
    assert first.metadata == second.metadata == {"k": [1]}
    assert first.metadata["k"] is not second.metadata["k"]


def test_headings_of_an_outline_are_tasks() -> None:
    root = read_plan("# g\n\nmore words\n\n## Part\n- a\n### Deeper\n* b\n## Last\n", source="p.md")
    assert root.content == "g\n\nmore words"
    assert root.to_string().splitlines()[3:] == [
        "  Task 0.1: Part", "    Task 0.1.1: a", "    Task 0.1.2: Deeper", "      Task 0.1.2.1: b", "  Task 0.2: Last",
    ]  # fmt: skip


def test_numbers_of_an_outline_need_the_one_before() -> None:
    root = read_plan("# g\n1. a\n1) b {#b}\n2. c {needs=d}\n- d {#d}\n3. e\n", source="p.md")
    assert [task.dependencies for task in root.subtasks] == [[], ["0.1"], ["b", "d"], [], []]


def test_boxes_of_an_outline_are_states() -> None:
    root = read_plan("# g\n- [x] a\n- [ ] b\n- c {state=deleted}\n- \\[x] d\n", source="p.md")
    assert [task.state.value for task in root.subtasks] == ["DONE", "OPEN", "DELETED", "OPEN"]
    assert root.subtasks[3].content == "[x] d"


@pytest.mark.parametrize("words", ["Use {braces}", "f{x=1}", "\\{#a}", "{} and {}", "a {b c}"])
def test_braces_that_say_nothing_are_text(words: str) -> None:
    root = read_plan(f"# g\n- {words}\n", source="p.md")
    assert root.subtasks[0].content == words.replace("\\", "")
    assert root.subtasks[0].id == "0.1"


@pytest.mark.parametrize(
    "fields",
    [
        {"result": "r"},
        {"inputs": {"a": 1}},
        {"attachments": [Material(name="a", text="b")]},
        {"config": TaskConfig(max_calls=1)},
        {"checks": [Check(matches="a")]},
    ],
)
def test_an_outline_refuses_what_it_would_lose(fields: dict[str, Any]) -> None:
    task = Task(content="g", id="0", **fields)
    with pytest.raises(DocumentError, match=f"task 0 has a value for `{next(iter(fields))}`.*write YAML or JSON"):
        write_plan(task, "markdown")


def test_the_example_is_a_plan() -> None:
    root = load_plan(Path(__file__).parent.parent / "examples" / "plan.yaml")
    assert [(task.id, task.dependencies) for task in root.subtasks] == [
        ("numerator", []),
        ("denominator", ["numerator"]),
    ]
    assert [task.content for task in root.subtasks[0].subtasks] == ["17 * 23", "4^5"]


def test_the_flat_document_is_a_plan_too(tmp_path: Path) -> None:
    root = read_plan(YAML, source="plan.yaml")
    path = tmp_path / "tree.json"
    path.write_text(root.to_json(indent=1), encoding="utf-8")
    assert load_plan(path).to_json() == root.to_json()


def test_a_part_of_a_tree_is_a_plan_unless_it_needs_the_rest() -> None:
    root = read_plan(YAML, source="plan.yaml")
    assert read_plan(write_plan(root.find("bergen.1")), source="p").id == "bergen.1"
    with pytest.raises(DocumentError, match=r"task bergen needs task 0\.1, which is not part of this plan"):
        write_plan(root.find("bergen"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.yaml", b"", "the file is empty"),
        ("blank.yaml", b"\xef\xbb\xbf \n", "it is empty"),
        ("latin.yaml", b"goal: g\nname: \xe9t\xe9", r"latin.yaml:2:7: not UTF-8: the byte 0xe9 at position 14"),
        ("marked.yaml", b"\xef\xbb\xbfgoal: \xff", r"0xff at position 9"),
        ("utf16.yaml", "goal: g".encode("utf-16"), r"not UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        load_plan(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: there is no such file"):
        load_plan(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="this is a folder"):
        load_plan(tmp_path)
    with pytest.raises(DocumentError, match="cannot be read"):
        load_plan("a\0b")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_001)
    with pytest.raises(DocumentError, match="larger than 50 MB"):
        load_plan(path)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(("name", "text"), [("p.yml", YAML), ("p.json", JSON), ("p.MD", MARKDOWN), ("plan", YAML)])
def test_a_files_ending_says_its_form(tmp_path: Path, name: str, text: str, end: bytes, mark: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(mark + text.encode().replace(b"\n", end))
    assert load_plan(path).find("007").dependencies == ["0.1", "bergen"]


def test_a_plan_without_mistakes_has_no_findings() -> None:
    assert lint_plan_text(YAML) == lint_plan_text(JSON, form="json") == lint_plan_text(MARKDOWN, source="plan.md") == []
