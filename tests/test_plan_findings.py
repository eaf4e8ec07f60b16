"""What is wrong with a plan, and where."""

from textwrap import dedent
from typing import Any

import pytest
from ramify.tasks import DocumentError, Task, TaskState
from ramify.tasks.plans.plans import lint_plan_text, read_plan


def found(text: str, **how: Any) -> list[str]:
    return [f"{line}:{column}: {message}" for line, column, message in lint_plan_text(dedent(text), **how)]


FINDINGS: list[tuple[str, list[str]]] = [
    ("tasks: [a]", ["1:1: the plan has no `goal`"]),
    ("goal: ' '", ["1:7: task 0 is blank; say what is to be done"]),
    ("goal:", ["1:6: task 0 is blank; say what is to be done"]),
    ("goal: g\ntasks: [{needs: []}]", ["2:9: task 0.1 has no `task`"]),
    ("goal: g\ntasks: [[a]]", ["2:9: task 0.1: `task` must be text, not a list"]),
    ("goal: g\ntasks: 3", ["2:8: task 0: `tasks` must be a list of tasks, not 3"]),
    (
        "goal: g\nstate: RUNNING",
        ["2:8: task 0: a task in a file cannot be RUNNING; use OPEN"],
    ),
    ("goal: g\nneed: [a]", ["2:1: task 0: unknown key need; did you mean needs?"]),
    ("content: g\ngoal: h", ["1:1: task 0: unknown key content; did you mean goal?"]),
    ("goal: g\ntasks: [{task: a, Depends-On: b}]", ["2:19: task 0.1: unknown key Depends-On; did you mean needs?"]),
    ("goal: g\ngoal: h", ["2:1: the key goal occurs twice (first in line 1); remove one"]),
    ("goal: g\n? [a]\n: b", ["2:3: a key must be text, not a list"]),
    (
        "goal: g\ntasks:\n  - {task: a, id: b}\n  - {task: c, needs: [bb]}",
        ["4:23: task 0.2 needs unknown task bb; did you mean b?"],
    ),
    ("goal: g\nid: a\ntasks: [{id: b, task: x, needs: [c]}]", ["3:34: task b needs unknown task c; did you mean a?"]),
    ("goal: g\ntasks: [{task: a, needs: {b: c}}]", ["2:26: task 0.1: `needs` must be a list of ids, not a mapping"]),
    (
        "goal: g\ntasks: [{task: a, id: x}, {task: b, id: x}]",
        ["2:41: the id x is already used in line 2; use another id"],
    ),
    (
        "goal: g\ntasks: [{task: a, id: '0.2'}, b]",
        ["2:31: the id 0.2 is already used in line 2; give this task an `id`"],
    ),
    (
        "goal: g\ntasks: [{task: a, id: x, needs: [y]}, {task: b, id: x, name: [1]}, {task: c, id: y, needs: [x]}]",
        [
            "2:34: these tasks wait for each other: x -> y -> x; remove one of the dependencies",
            "2:53: the id x is already used in line 2; use another id",
            "2:62: task x (2:53): name: must be text, not a list",
        ],
    ),
    (
        "goal: g\nconfig: 3\ninputs: [1]",
        [
            "2:9: task 0: config: must be a mapping, not 3",
            "3:9: task 0: inputs: must be a mapping, not a list",
        ],
    ),
    ("goal: g\nid: [1]", ["2:5: an id must be printable text, not a list"]),
    ('goal: g\nid: "a\\nb"', ["2:5: an id must be printable text, not 'a\\nb'"]),
    (
        "goal: g\npriority: high",
        ["2:11: task 0: priority: must be a whole number, not text"],
    ),
    ("goal: g\nconfig: {max_retrys: 1}", ["2:10: task 0: config.max_retrys: unknown key; did you mean max_retries?"]),
    (
        "goal: g\nconfig:\n  max_calls: 0",
        ["3:14: task 0: config.max_calls: it is 0; it must be at least 1"],
    ),
    ("goal: g\nchecks: [{mathces: a}]", ["2:11: task 0: checks.0.mathces: unknown key; did you mean matches?"]),
    ("goal: g\ncheck: [{matches: a}]", ["2:1: task 0: unknown key check; did you mean checks?"]),
    (
        "goal: g\nchecks: [{matches: '('}, {matches: a, timeout_s: 2}]",
        [
            "2:20: task 0: checks.0.matches: not a regular expression: missing ) at position 1",
            "2:26: task 0: checks.1: timeout_s belongs to checks with command, and this one has matches",
        ],
    ),
    (
        "goal: g\nchecks: [{matches: a, verify: b}, {model: m}]",
        [
            (
                "2:10: task 0: checks.0: a check has one of matches, schema, predicate, command, verify;"
                " this one has matches and verify"
            ),
            (
                "2:35: task 0: checks.1: a check has one of matches, schema, predicate, command, verify;"
                " this one has none of them"
            ),
        ],
    ),
    (
        "goal: g\nchecks:\n  - schema: {type: objekt}",
        [
            (
                "3:13: task 0: checks.0.schema: not a JSON schema: /type: 'objekt' is not valid under any of the given"
                " schemas"
            )
        ],
    ),
    ("goal: g\nattachments: [{name: a}]", ["2:15: task 0: attachments.0.text: field required"]),
    (
        "goal: g\nstate: READY",
        ["2:8: task 0: state: 'READY' is not a task state; the states are OPEN, RUNNING, DONE, FAILED, DELETED"],
    ),
    (
        "goal: g\ntasks: [{task: a, tasks: [{task: b, parent: '0'}]}]",
        ["2:45: `parent` is only for tasks in the top list; this one is already below task 0.1"],
    ),
    (
        "goal: g\ntasks: [{task: a, parent: b, id: c}, {task: d, id: b}]",
        ["2:27: the parent b is not a task before this one; did you mean 0?"],
    ),
    ("- a", ["1:1: a plan must start with `goal: ...`; this is a list"]),
    ("just words", ["1:1: a plan must start with `goal: ...`; this is text"]),
    ("# only a comment", ["1:1: it is empty; a plan needs a `goal`"]),
    ("goal: a: b", ["1:8: not YAML: mapping values are not allowed in this context; quote text that has `: ` in it"]),
    ("goal: g\n--- \ngoal: h", ["2:1: a second document starts here; a plan must be one"]),
]


NEVER_RUNS = "needs task 0.1.1, which will never run: task 0.1 above it is"
WAY_OUT = "remove the dependency, or set the state of task 0.1.1 to DELETED"
NEVER_MET = [
    (
        "goal: g\nstate: DELETED\ntasks: [a]",
        ["2:8: task 0 is the goal and is DELETED; set its state to OPEN"],
    ),
    (
        "goal: g\ntasks:\n  - {task: a, state: DELETED, tasks: [b]}\n  - {task: c, needs: ['0.1.1', '0.1']}",
        [f"4:23: task 0.2 {NEVER_RUNS} DELETED; {WAY_OUT}"],
    ),
    (
        "goal: g\ntasks:\n  - {task: a, result: x, tasks: [b]}\n  - {task: c, tasks: [{task: d, needs: ['0.1.1']}]}",
        [f"4:41: task 0.2.1 {NEVER_RUNS} DONE; {WAY_OUT}"],
    ),
    ("goal: g\ntasks:\n  - {task: a, state: DELETED, tasks: [b]}\n  - {task: c, needs: ['0.1.1'], state: DONE}", []),
    ("goal: g\ntasks:\n  - {task: a, tasks: [{task: b, state: DELETED}]}\n  - {task: c, needs: ['0.1.1']}", []),
]


@pytest.mark.fault("2.8")
@pytest.mark.parametrize(("text", "findings"), NEVER_MET)
def test_a_need_that_is_never_met_is_found_where_it_stands(text: str, findings: list[str]) -> None:
    assert found(text) == findings


@pytest.mark.fault("2.8")
def test_a_document_of_a_run_is_read_and_found_to_have_nothing_to_run() -> None:
    text = Task(content="g", id="0", state=TaskState.DELETED).to_json()
    assert read_plan(text, source="plan.json").state is TaskState.DELETED
    assert found(text, form="json") == ["1:1: task 0 is the goal and is DELETED; set its state to OPEN"]


@pytest.mark.parametrize(("text", "findings"), FINDINGS)
def test_a_mistake_is_found_where_it_stands(text: str, findings: list[str]) -> None:
    assert found(text) == findings


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("- a", ["1:1: an outline must start with its goal: `# Goal`"]),
        ("## Part", ["1:1: an outline must start with its goal: `# Goal`"]),
        ("# g\n# h", ["2:3: a second `#` goal; a plan has one; use `##` for its parts"]),
        ("words\n# g", ["1:1: this text belongs to no task; indent it below one, or start it with `-`"]),
        ("# g\n- a\nb", ["3:1: this text belongs to no task; indent it below one, or start it with `-`"]),
        ("# g\n- a {#x need=y}", ["2:9: unknown key need; did you mean needs?"]),
        ("# g\n- a {#x type=y,z}", ["2:9: type is given twice"]),
        ("# g\n- a {#x #y}", ["2:9: id is given twice"]),
        ("# g\n- a {#x needs=y}", ["2:9: task x needs unknown task y; did you mean 0?"]),
        ("# g\n- a {#x needs}", ['2:5: these braces are invalid; write them like {#id needs=a,"b c" type=writer}']),
        ('# g\n- a {#"\\x"}', ['2:6: "\\x" is invalid; write quoted text as in JSON']),
        ("# g\n-", ["2:2: task 0.1 is blank; say what is to be done"]),
    ],
)
def test_a_mistake_in_an_outline_is_found_where_it_stands(text: str, findings: list[str]) -> None:
    assert found(text, form="markdown") == findings


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("{", ['1:2: expected a key in `"`']),
        ('{"goal" "g"}', ["1:9: expected `:` after a key"]),
        ('{"goal": "g",}', ['1:14: expected a key in `"`']),
        ('{"goal": "g"} x', ["1:15: expected nothing more after the value"]),
        ('{\n "goal": g}', ["2:10: not JSON: Expecting value"]),
        ('{"goal": "g", "tasks": ["a" "b"]}', ["1:29: expected `,` or `]`"]),
        ('{"goal": "g", "metadata": {"a": 1e999}}', ["1:33: not a valid number: it is too large"]),
        ('{"goal": "g", "metadata": {"a": NaN}}', ["1:33: not a valid number: JSON has no NaN"]),
        ('{"goal": "\\ud800"}', ["1:10: this text has an unpaired surrogate"]),
        ('{"goal": "g", "goal": "h"}', ["1:15: the key goal occurs twice (first in line 1); remove one"]),
        (
            '{"goal": "g",\n "tasks": [{"task": "a", "needs": ["b"]}]}',
            ["2:36: task 0.1 needs unknown task b; did you mean 0?"],
        ),
        ('{"format": 2, "tasks": [{}]}', ["1:1: its format is 2, this Ramify reads format 1; upgrade Ramify"]),
    ],
)
def test_a_mistake_in_json_is_found_where_it_stands(text: str, findings: list[str]) -> None:
    assert found(text, form="json") == findings


def test_everything_that_is_wrong_is_found_at_once() -> None:
    text = """\
        goal: g
        task: h
        tasks:
          - {id: a, task: x, needs: [b]}
          - {id: b, task: x, needs: [a, d, c.1]}
          - {id: c, task: x, needs: [c], tasks: [{task: k, needs: [c]}]}
          - {id: e, task: " ", priority: x, needs: [f, c.1]}
          - {id: f, task: x, tasks: [{task: y, needs: [e]}]}
        """
    assert found(text) == [
        "2:1: task 0: unknown key task; did you mean goal?",
        "4:30: these tasks wait for each other: a -> b -> a; remove one of the dependencies",
        "5:33: task b needs unknown task d",
        "6:30: task c needs itself",
        "6:60: task c.1 needs task c, its own ancestor",
        "7:19: task e is blank; say what is to be done",
        "7:34: task e: priority: must be a whole number, not text",
        "7:45: these tasks wait for each other: e -> f -> f.1 -> e; remove one of the dependencies",
    ]


def test_a_task_cannot_need_what_is_a_part_of_it() -> None:
    assert found("goal: g\nneeds: [a]\ntasks: [{id: a, task: b}]") == ["2:9: task 0 needs task a, its own descendant"]


def test_reading_raises_one_error_with_a_line_for_every_finding() -> None:
    text = "goal: g\nid: a\ntasks:\n  - {id: b, task: x, needs: [c]}\n  - {task: y, prio: 1}\n"
    with pytest.raises(DocumentError) as caught:
        read_plan(text, source="plan.yaml")
    assert str(caught.value).splitlines() == [
        "plan.yaml:4:30: task b needs unknown task c; there are a, a.2",
        "plan.yaml:5:15: task a.2: unknown key prio; did you mean priority?",
    ]
    assert (caught.value.source, caught.value.line, caught.value.column) == ("plan.yaml", 4, 30)
