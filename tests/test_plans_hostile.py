"""Plan files that were written to hurt: deep, vast, broken and random ones."""

import json
from functools import partial
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.tasks import DocumentError, Task
from ramify.tasks.plans.nodes import MAX_ALIASED
from ramify.tasks.plans.plans import Form, lint_plan_text, read_plan, write_plan

from .effort import is_near_linear

FORMS: tuple[Form, ...] = get_args(Form)
DEEP = 100_000
LONG = 20_000


def short(value: object) -> str:
    return ascii(value)[:30] if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("yaml", "[" * DEEP),
        ("yaml", "{a: " * DEEP),
        ("yaml", "- " * DEEP),
        ("yaml", "? " * DEEP),
        ("yaml", "goal: g\nmetadata: {a: " + "[" * DEEP + "]" * DEEP + "}"),
        ("yaml", "goal: g\ntasks: " + "[{task: a, tasks: " * DEEP),
        ("json", "[" * DEEP),
        ("json", '{"goal": "g", "metadata": {"a": ' + "[" * DEEP + "]" * DEEP + "}}"),
        ("json", '{"goal": "g", "tasks": ' + '[{"task": "a", "tasks": ' * DEEP),
        ("json", '{"format": 1, "tasks": ' + "[" * DEEP + "]" * DEEP + "}"),
    ],
    ids=short,
)
def test_deep_nesting_is_refused_and_does_no_harm(form: Form, text: str) -> None:
    with pytest.raises(DocumentError, match="nested deeper than 500 levels"):
        read_plan(text, source="plan", form=form)


def test_values_that_a_task_cannot_hold_are_a_finding() -> None:
    text = "goal: g\nmetadata: {a: " + "[" * 400 + "]" * 400 + "}"
    assert [(line, "more than 200 levels" in message) for line, _, message in lint_plan_text(text)] == [(2, True)]


def test_a_deep_outline_is_a_deep_tree() -> None:
    text = "# g\n" + "".join(f"{' ' * level}- a\n" for level in range(2000))
    root = read_plan(text, source="p.md")
    assert sum(1 for _ in root.walk()) == 2001
    with pytest.raises(DocumentError, match="deeper than 100 levels"):
        write_plan(root, "markdown")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_long_chain_of_tasks_is_written_flat_and_read_again(form: Form) -> None:
    root = Task(content="a", id="0")
    last = root
    for number in range(1, LONG):
        child = Task(content="a", id=f"t{number}")
        last.add_subtask(child)
        last = child
    text = write_plan(root, form)
    assert len(text) < 150 * LONG
    assert read_plan(text, source="plan", form=form).find(f"t{LONG - 1}").get_depth() == LONG


@pytest.mark.parametrize("form", FORMS)
def test_10000_tasks_are_read_and_written_in_linear_time(form: Form) -> None:
    assert is_near_linear(lambda count: partial(there_and_back, count, form), size=10_000)


def there_and_back(count: int, form: Form) -> None:
    root = Task(content="a goal", id="0")
    for number in range(count // 100):
        part = Task(content=f"part {number}", id=f"p{number}")
        root.add_subtask(part)
        needs = [f"p{number - 1}"] if number else []
        part.add_subtasks(
            Task(content=f"leaf: {leaf}", id=f"p{number}.{leaf}", dependencies=needs) for leaf in range(99)
        )
    text = write_plan(root, form)
    read = read_plan(text, source="plan", form=form)
    assert sum(1 for _ in read.walk()) == count + 1
    assert write_plan(read, form) == text


BOMB = "goal: g\nmetadata:\n  a0: &a0 [" + ", ".join("x" * 10) + "]\n"
BOMB += "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
CHAIN = "goal: g\nmetadata:\n  a0: &a0 [x]\n" + "".join(f"  a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, f"expand to more than {MAX_ALIASED} values"),
        (CHAIN, "nested deeper than 500 levels"),
        ("goal: &g [*g]", r"1:11: the alias \*g comes before, or inside, what it refers to"),
        ("goal: *g", r"the alias \*g comes before"),
        ("goal: g\n<<: {id: a}", "unknown key <<"),
        (
            "!!python/object/apply:os.system [ls]",
            "the tag tag:yaml.org,2002:python/object/apply:os.system is not supported",
        ),
        ("goal: !!binary aGk=", "the tag .* is not supported"),
        ("goal: g\nmetadata: !!set {a, b}", "the tag .* is not supported"),
        ("%YAML 9.9\n---\ngoal: g", "not YAML"),
        ("goal: \x00", "1:7: the character .* is not allowed in YAML"),
        ("goal: g\nname: a\ufeffb", "2:8: the character .* is not allowed in YAML"),
        ("goal: g\nname: \ud800", "2:7: there is an unpaired surrogate here"),
    ],
    ids=short,
)
def test_yaml_that_does_more_than_say_a_plan_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_plan(text, source="plan.yaml")


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000, "1e999", ".inf", ".nan", "-.inf"], ids=short)
def test_numbers_that_cannot_be_kept_are_text(digits: str) -> None:
    assert read_plan(f"goal: g\nmetadata: {{a: {digits}}}", source="p").metadata == {"a": digits}


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**5000], ids=short)
def test_numbers_that_no_file_holds_are_refused(form: Form, value: float) -> None:
    task = Task(content="g", id="0")
    task.metadata["a"] = [value]
    with pytest.raises(DocumentError, match="a number cannot be written"):
        write_plan(task, form)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_half_a_surrogate_pair_is_not_written(form: Form) -> None:
    task = Task(content="g", id="0")
    task.metadata["a"] = "a \ud83d b"
    with pytest.raises(DocumentError, match="unpaired surrogate"):
        write_plan(task, form)


def test_a_list_of_findings_in_a_message_has_an_end() -> None:
    text = "goal: g\ntasks:\n" + "".join(f"  - {{task: a, needs: [x{n}]}}\n" for n in range(5000))
    assert len(lint_plan_text(text)) == 5000
    with pytest.raises(DocumentError, match="4,950 more errors") as caught:
        read_plan(text, source="p")
    assert len(str(caught.value).splitlines()) == 51


def test_words_of_a_file_do_not_flood_a_message() -> None:
    text = f'goal: g\n{"k" * 900}: 1\n"\\e[2J": 1\ntasks: [{{task: a, needs: [{"n" * 100_000}, "\\e[2J"]}}]'
    messages = [message for _, _, message in lint_plan_text(text)]
    assert len(messages) == 4
    assert all(len(message) < 200 and message.isprintable() for message in messages)


def test_a_long_cycle_is_shown_in_short() -> None:
    text = "goal: g\ntasks:\n" + "".join(
        f"  - {{id: t{n}, task: a, needs: [t{(n + 1) % 3000}]}}\n" for n in range(3000)
    )
    (finding,) = lint_plan_text(text)
    assert finding.message.startswith("3000 tasks wait for each other: t0 -> t1 -> ")
    assert len(finding.message) < 250


@pytest.mark.fault("4.6")
def test_of_many_cycles_ten_are_shown_and_it_is_said_that_there_are_more() -> None:
    text = "goal: g\ntasks:\n" + "".join(f"  - {{id: t{n}, task: a, needs: [t{n ^ 1}]}}\n" for n in range(4000))
    *shown, last = lint_plan_text(text)
    assert len(shown) == 10
    assert last.message == "there are more than these 10 cycles; break them, then check the plan again"
    assert last.line == 2 + 2 * 10 + 1
    ten = "".join(text.splitlines(keepends=True)[: 2 + 2 * 10])
    assert [finding.message for finding in lint_plan_text(ten)] == [finding.message for finding in shown]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("markdown", "# g\n- " + '{#"' * 60_000),
        ("markdown", "# g\n- " + '{a="{" ' * 30_000 + "}"),
        ("markdown", "# g\n- " + " {#" * 60_000 + "}"),
        ("markdown", "# g\n- " + '{#a needs="' + "\\" * 100_000 + "}"),
        ("markdown", "# g\n- {#a needs=" + "a, " * 60_000 + "}"),
        ("markdown", "# g\n- a" + " " * 100_000 + "{#b"),
        ("markdown", "# g\n" + "-" * 100_000),
        ("markdown", "# g\n" + "1" * 100_000),
        ("markdown", "# g\n- a\n" + "\n" * 100_000 + "  b"),
        ("markdown", "# g\n" + "&#1" * 60_000 + "\\" * 60_001),
        ("json", '{"goal": "' + "\\" * 100_000),
        ("json", '{"goal": ' + " " * 100_000),
        ("json", "[" + '{"a": 1},' * 30_000),
        ("yaml", "goal: " + "a: " * 50_000),
        ("yaml", "goal: '" + "'" * 100_000),
        ("yaml", "goal: g\nmetadata: [" + "a, " * 100_000),
        ("yaml", "goal: g\ntasks: [" + "{k: 1}, " * 15_000 + "]"),
        ("yaml", "goal: g\nmetadata:\n" + "".join(f"  k{n}: &a{n} x\n" for n in range(15_000))),
    ],
    ids=short,
)
def test_no_text_makes_a_reader_slow(form: Form, text: str) -> None:
    assert is_near_linear(lambda size: lambda: lint_plan_text(text[:size], form=form), size=len(text))


PIECES = st.sampled_from(
    [
        *(
            "goal",
            "task",
            "tasks",
            "needs",
            "id",
            "parent",
            "state",
            "config",
            "format",
            "metadata",
            ":",
            ": ",
            "- ",
            "\n",
            "\n  ",
        ),
        *(
            "{",
            "}",
            "[",
            "]",
            ",",
            '"',
            "'",
            "|",
            ">",
            "&a ",
            "*a",
            "!",
            "?",
            "# ",
            "#",
            "{#a ",
            "needs=",
            "1. ",
            "[x] ",
            "\\",
        ),
        *(
            "null",
            "1",
            "1e999",
            "DONE",
            "\t",
            "\r",
            "\u2028",
            "\x00",
            "\ud800",
            "é",
            "a",
            "b",
            "0",
            "0.1",
            "%",
            "@",
            "---",
            "...",
        ),
    ]
)


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=300)
@given(text=st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)), head=st.booleans())
def test_any_text_is_a_plan_or_has_findings(form: Form, text: str, head: bool) -> None:  # noqa: FBT001 - hypothesis
    start = {"yaml": "goal: g\n", "json": '{"goal": "g", ', "markdown": "# g\n"}[form] if head else ""
    findings = lint_plan_text(start + text, source="plan", form=form)
    lines = len((start + text).splitlines()) + 1
    assert all(1 <= line <= lines and column >= 1 and message for line, column, message in findings)
    if not findings:
        assert write_plan(read_plan(start + text, source="plan", form=form))
        return
    with pytest.raises(DocumentError) as caught:
        read_plan(start + text, source="plan", form=form)
    first = findings[0]
    assert str(caught.value).startswith(f"plan:{first.line}:{first.column}: {first.message}")


KEYS = ["id", "content", "task", "parent", "dependencies", "needs", "state", "tasks", "subtasks", "config", "self"]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["0", "a", "DONE", *KEYS])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner)),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES).map(lambda row: {"content": "a", "parent": "0"} | row))


@settings(deadline=None, max_examples=100)
@given(tasks=st.one_of(VALUES, ROWS.map(lambda rows: [{"content": "g", "id": "0"}, *rows])))
def test_any_json_is_a_plan_or_has_findings(tasks: object) -> None:
    for data in ({"format": 1, "tasks": tasks}, {"goal": "g", "tasks": tasks}):
        text = json.dumps(data)
        if not lint_plan_text(text, form="json"):
            assert read_plan(text, source="plan", form="json").content


def test_a_place_that_is_none_is_refused_in_the_flat_document() -> None:
    rows = [{"content": "g", "id": "0"}, {"content": "a", "id": "1", "parent": []}]
    with pytest.raises(DocumentError, match="task 1: its place is given by `parent`"):
        read_plan(json.dumps({"format": 1, "tasks": rows}), source="plan.json")
