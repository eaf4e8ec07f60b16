"""Plans without tags: JSON, numbered and bulleted lists."""

import pytest
from ramify.tasks import ReplyError
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.replies.grammar import parse_plan


def contents(reply: str) -> list[str]:
    return [task.content for task in parse_plan(reply).tasks]


@pytest.mark.parametrize(
    "reply",
    [
        "1. One\n2. Two",
        "1) One\n2) Two",
        "(1) One\n(2) Two",
        "  1. One\n  2. Two",
        " 9. One\n10. Two",
        "1: One\n2: Two",
        "1\u3001One\n2\u3001Two",
        "\u2460 One\n\u2461 Two",
        "Step 1: One\nStep 2: Two",
        "**1. One**\n\n**2. Two**",
        "**Task 1:** One\n**Task 2:** Two",
        "### 1. One\n\n### 2. Two",
        "- One\n- Two",
        "* One\n* Two",
        "\u2022 One\n\u2022 Two",
        "- [ ] One\n- [x] Two",
        "-   One\r\n-   Two\r\n",
        "Here is the plan, for 3.5 million people:\n\n1. One\n\n2. Two\n\nLet me know if you need more!",
        "```\n1. One\n2. Two\n```\n1. Three",
        "<think>1. Zero</think>1. One\n2. Two",
        '["One", "Two"]',
        "['One', 'Two',]",
        '[\n  "One",\n  "Two"\n]',
        '```json\n["One", "Two"]\n```',
        'Tasks: ["One", "Two"]',
        'tasks = ["One", "Two"] # done',
        '[{"task": "One"}, {"content": "Two"}]',
        '[{"description": "One"}, {"title": "Two"}, ]',
        '{"tasks": ["One", "Two"]}',
        '{"goal": "G", "sub_tasks": ["One", {"Task": "Two", "priority": 1}]}',
        '{"plan": {"steps": ["One", "Two"]}}',
        '{"atomic": false, "tasks": ["One", "Two"]}',
        '{"task": "One"}\n{"task": "Two"}',
        '{"task": "One"}, {"task": "Two"}',
        '{"tasks": ["One", "Two"]}\n\n[Note] {that} is all.',
        '{"note": "first the reasons"}\n1. One\n2. Two',
    ],
)
def test_lists_are_read_in_any_style(reply: str) -> None:
    assert contents(reply) == ["One", "Two"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("- A\n  - a\n    - aa\n- B", ["A\n- a\n  - aa", "B"]),
        ("1. A\n- a\n- b\n2. B\n- c", ["A\n- a\n- b", "B\n- c"]),
        ("- A\n  1. a\n  2. b\n- B", ["A\n1. a\n2. b", "B"]),
        ("1. A\n   goes on\nand on\n2. B", ["A\n   goes on\nand on", "B"]),
        ("1. **A**: look\n2. **B**: leap", ["**A**: look", "**B**: leap"]),
        ("**1. A** first\n**2. B** then", ["A first", "B then"]),
        ("1. A\n\nWhy A.\n\n2. B\n\nWhy B.\n\nGood luck!", ["A\n\nWhy A.", "B\n\nWhy B."]),
        ("1. A\n2. B\n\nGood luck!", ["A", "B"]),
        ("1. A\n\n   Still A.\n\nGood luck!", ["A\n\nStill A."]),
        ("1. A\n```\n2. code\n```\n2. B", ["A\n```\n2. code\n```", "B"]),
        ('1. Send this:\n   ```json\n   ["x"]\n   ```\n2. B', ['Send this:\n```json\n["x"]\n```', "B"]),
        ('1. Send\n["x"]\n2. B', ['Send\n["x"]', "B"]),
        ("- [link](x) A\n- B", ["[link](x) A", "B"]),
    ],
)
def test_what_stands_below_an_item_belongs_to_it(reply: str, expected: list[str]) -> None:
    assert contents(reply) == expected


def test_json_objects_carry_ids_needs_and_types() -> None:
    plan = parse_plan(
        '[{"id": "a", "task": "A"}, {"id": 7, "task": "B", "depends_on": ["a"], "type": "web"},'
        ' {"task": "C", "needs": [1, "7"]}, {"task": "D", "dependencies": "a, 3", "type": null},'
        ' {"task": "E", "needs": 2}]'
    )
    assert [(task.key, task.needs, task.type) for task in plan.tasks] == [
        ("a", (), None),
        ("7", ("a",), "web"),
        ("3", ("a", "7"), None),
        ("4", ("a", "3"), None),
        ("5", ("7",), None),
    ]


def test_titles_and_nested_tasks_stay_in_the_content() -> None:
    reply = (
        '{"tasks": [{"title": "Look", "description": "Both ways.", "subtasks": ["left", {"task": "right",'
        ' "subtasks": [{"title": "far", "task": "up"}]}]}, {"title": "Go", "task": "Go"}]}'
    )
    assert contents(reply) == ["Look\nBoth ways.\n- left\n- right\n  - far: up", "Go"]


def test_broken_json_is_repaired() -> None:
    assert contents('{"tasks": ["He said "stop" twice", "B",]}') == ['He said "stop" twice', "B"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ('["A", 5]', "item 2 of the list is a number, not a task"),
        ('["A", true]', "item 2 of the list is true or false, not a task"),
        ('["A", null]', "item 2 of the list is nothing, not a task"),
        ('[["A"]]', "item 1 of the list is a list, not a task"),
        ('[{"task": "A", "needs": {"id": "b"}}]', "item 1 of the list needs an object, not the id of a task"),
        ('[{"task": "A", "needs": "b"}]', 'task "1" needs "b", which is no task of this reply; the tasks are 1'),
        ('["A", ""]', 'task "2" is blank; say what is to be done, or leave it out'),
        ('[{"id": "x"}]', 'task "x" is blank; say what is to be done, or leave it out'),
        ("1. A\n2.\n3. C", 'task "2" is blank; say what is to be done, or leave it out'),
        ('{"goal": "G"}', "the reply holds neither tasks nor `<atomic/>`"),
        ("[see the note]", "the reply holds neither tasks nor `<atomic/>`"),
        ('["' + '"a ' * 5000 + '"]', "the JSON cannot be read"),
        ("[" * 100 + "]" * 100, "the JSON is nested more than 64 levels deep"),
        ('{"tasks":' * 100 + '["a"]' + "}" * 100, "the JSON is nested more than 64 levels deep"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(reply: str, words: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_plan(reply)
    assert caught.value.complaint.startswith(words)


def test_json_without_an_end_is_truncated_and_not_repaired() -> None:
    with pytest.raises(TruncatedReplyError, match="a closing bracket is missing"):
        parse_plan('{"tasks": ["A", "B", "and the last')


def test_blank_items_of_a_list_are_counted_when_skipped() -> None:
    plan = parse_plan('["A", " ", {"task": ""}]', blank="skip")
    assert ([task.content for task in plan.tasks], plan.skipped) == (["A"], 2)


YAML = {
    "ids": "- id: a\n  content: Look\n- id: b\n  content: Leap\n  needs: [a]",
    "under tasks, in a fence": (
        "Here:\n```yaml\ntasks:\n  - id: a\n    task: Look\n    depends_on: []\n"
        "  - id: b\n    task: Leap\n    depends_on:\n      - a\n```\nGood luck: go!"
    ),
    "other names": "steps:\n- id: a\n  action: Look\n- id: b\n  action: Leap\n  depends_on: a\n\nThat is all.",
    "needs first": "- needs: none\n  id: a\n  description: Look\n- needs: a\n  id: b\n  description: Leap",
    "quotes": "- 'id': a\n  \"task\": Look\n- id: b\n  task: Leap\n  Depends on: a",
}


@pytest.mark.fault("3.9")
@pytest.mark.parametrize("reply", YAML.values(), ids=YAML)
def test_a_list_of_mappings_in_yaml_keeps_its_needs(reply: str) -> None:
    tasks = parse_plan(reply).tasks
    assert [(task.key, task.content, task.needs) for task in tasks] == [("a", "Look", ()), ("b", "Leap", ("a",))]


@pytest.mark.fault("3.9")
def test_yaml_that_cannot_be_read_is_refused_if_it_has_needs() -> None:
    with pytest.raises(ReplyError, match=r"the YAML cannot be read .*mapping values are not allowed"):
        parse_plan("- id: a\n  task: Look: left\n- id: b\n  task: Leap\n  needs: a")
    assert contents("- Task: look: left\n- Task: leap") == ["Task: look: left", "Task: leap"]


@pytest.mark.fault("3.9")
@pytest.mark.parametrize(
    ("reply", "needs"),
    [
        ("1. Look\n   needs: none\n2. Leap\n   needs: 1", [(), ("1",)]),
        ("1. Look\n2. Leap\n   - **Depends on:** Task 1", [(), ("1",)]),
        ("1. Look\n2. Leap\n3. Land\nDependencies: 1 and 2", [(), (), ("1", "2")]),
    ],
)
def test_a_line_of_needs_in_a_list_names_items(reply: str, needs: list[tuple[str, ...]]) -> None:
    tasks = parse_plan(reply).tasks
    assert [task.needs for task in tasks] == needs
    assert [task.content for task in tasks] == ["Look", "Leap", "Land"][: len(needs)]


def test_a_line_of_other_needs_is_a_word_of_its_task() -> None:
    assert contents("1. Look\n   needs: a lamp\n2. Leap") == ["Look\nneeds: a lamp", "Leap"]


@pytest.mark.fault("3.9")
def test_other_names_for_a_text_are_read_and_unknown_ones_told() -> None:
    assert contents('{"steps": [{"action": "Look"}, {"step": 2, "instruction": "Leap"}]}') == ["Look", "Leap"]
    with pytest.raises(ReplyError) as caught:
        parse_plan('{"steps": [{"verb": "Look", "at": "birds"}, {"verb": "Leap"}]}')
    assert caught.value.complaint == (
        "item 1 of the list says what is to be done under none of the keys that are read; its keys are"
        ' "verb", "at"; write it under "content"'
    )


@pytest.mark.fault("3.3")
@pytest.mark.parametrize("nothing", ["null", "false", "[]", "{}", '""', '"none"', "[null]", "0"])
def test_no_needs_in_json_are_none(nothing: str) -> None:
    plan = parse_plan('[{"id": "a", "task": "Look"}, {"id": "b", "task": "Leap", "needs": %s}]' % nothing)  # noqa: UP031
    assert [task.needs for task in plan.tasks] == [(), ()]
