"""Every example in a prompt is read by the real parser, and says what the prompt means it to say."""

import re

import pytest
from ramify.planner.tools.arguments import read_arguments
from ramify.prompts import PromptLibrary
from ramify.prompts.library import VARIABLES
from ramify.tasks import ReplyError
from ramify.tasks.replies.fits import Fit, parse_fit
from ramify.tasks.replies.grammar import REASONS, parse_answer, parse_evolved, parse_plan
from ramify.tasks.replies.replans import OpenPlan, parse_replan
from ramify.tasks.replies.tool_calls import parse_tool_reply
from ramify.tasks.replies.verdicts import VALUES, Verdict, parse_verdict

LIBRARY = PromptLibrary()


def replies_in(template: str) -> list[str]:
    """Return the example replies of a template: what stands between "Reply:" and the next blank line."""
    fields: dict[str, object] = {"task_id": "0", "examples": "many", "goal": "g", "task": "t", "children": ()}
    fields |= {"result": "r", "criteria": "c", "revisions": ("w",)}
    fields |= {"pattern": "p", "parameters": {}}
    fields |= {"contract": "c", "complaint": "c", "reply": "r", "tools": ()}
    model = VARIABLES[template]
    variables = model.model_validate({name: value for name, value in fields.items() if name in model.model_fields})
    system = LIBRARY.render(variables, nonce="5eed0123").messages[0]["content"]
    return re.findall(r"^Reply:\n(.+?)(?:\n\n|\Z)", system, re.MULTILINE | re.DOTALL)


def test_decompose_examples_are_an_atomic_goal_two_plans_and_a_failure() -> None:
    atomic, parallel, serial, failed = map(parse_plan, replies_in("decompose"))
    assert atomic.atomic
    assert [(task.key, task.needs) for task in parallel.tasks] == [
        ("alba", ()),
        ("boreas", ()),
        ("choice", ("alba", "boreas")),
    ]
    assert [(task.key, task.needs) for task in serial.tasks] == [("bridges", ()), ("walk", ("bridges",))]
    assert failed.failed is not None
    assert failed.failed.reason == "missing_input"


def test_every_task_of_an_example_says_when_it_is_done() -> None:
    tasks = [task for reply in replies_in("decompose") for task in parse_plan(reply).tasks]
    assert len(tasks) == 5
    assert all("Done when" in task.content for task in tasks)


@pytest.mark.parametrize(
    ("template", "number", "text", "gaps", "reason"),
    [
        ("execute", 0, "April and June together: 92. The figure for May was not supplied.", 1, None),
        ("execute", 1, "", 0, "no_tool"),
        ("execute", 2, "Au", 0, None),
        ("execute", 3, "", 0, "missing_input"),
        ("compose", 0, "Graz has 23 museums according to its city guide. There is no count for Linz, so", 1, None),
        ("compose", 1, "A night in the hut costs a member 27 euro: 30 euro less 10 percent.", 0, None),
    ],
)
def test_answer_example_is_read_as_it_is_meant(
    template: str, number: int, text: str, gaps: int, reason: str | None
) -> None:
    answer = parse_answer(replies_in(template)[number])
    assert answer.text.startswith(text)
    assert len(answer.gaps) == gaps
    assert (answer.failed.reason if answer.failed else None) == reason


@pytest.mark.parametrize(
    ("template", "count"),
    [
        ("decompose", 4),
        ("execute", 4),
        ("tools", 3),
        ("compose", 2),
        ("evolve", 2),
        ("repair", 2),
        ("verify", 3),
        ("replan", 2),
        ("steer", 2),
        ("fit", 2),
    ],
)
def test_all_examples_are_found(template: str, count: int) -> None:
    assert len(replies_in(template)) == count


@pytest.mark.parametrize("reply", replies_in("evolve"))
def test_evolve_example_is_one_task(reply: str) -> None:
    assert "<" not in parse_evolved(reply)


def test_tools_examples_are_calls_an_answer_and_a_mended_call() -> None:
    both, answer, mended = map(parse_tool_reply, replies_in("tools"))
    assert [(call.tool, read_arguments(call.arguments)) for call in both.calls] == [
        ("weather", {"city": "Oslo"}),
        ("weather", {"city": "Bergen"}),
    ]
    assert answer.answer is not None
    assert answer.answer.text.startswith("Bergen is warmer now")
    assert [(call.tool, read_arguments(call.arguments)) for call in mended.calls] == [("price", {"product": "flour"})]


def test_repair_examples_are_a_plan_and_an_atomic_goal() -> None:
    plan, atomic = map(parse_plan, replies_in("repair"))
    assert [(task.key, task.needs) for task in plan.tasks] == [("a", ()), ("b", ("a",))]
    assert atomic.atomic


def test_replan_examples_replace_a_task_and_put_one_before_another() -> None:
    plan = OpenPlan(
        failed=("0.2",), open=("0.3",), kept=("0.1",), needs={}, needed_by={}, holds={}, splittable=frozenset()
    )
    replaced, inserted = (parse_replan(reply, plan) for reply in replies_in("replan"))
    assert [(str(change.do), change.of) for change in replaced.changes] == [("replace", "0.2")]
    assert [(str(change.do), change.of) for change in inserted.changes] == [("insert", "0.2"), ("retry", "0.2")]


def test_steer_examples_change_a_plan_on_every_side() -> None:
    needs = {"0.2": (), "0.3": ("0.1", "0.2")}
    plan = OpenPlan(
        failed=(), open=("0.2", "0.3"), kept=("0.1",), needs=needs, needed_by={"0.2": ("0.3",)}, holds={},
        splittable=frozenset(), parents=("0",),
    )  # fmt: skip
    changed, dropped = (parse_replan(reply, plan) for reply in replies_in("steer"))
    assert [(str(change.do), change.of) for change in changed.changes] == [
        ("replace", "0.2"), ("retry", "0.3"), ("add", "0"),
    ]  # fmt: skip
    assert [(str(change.do), change.of) for change in dropped.changes] == [("drop", "0.2"), ("drop", "0.3")]


def test_fit_examples_fill_both_blanks_and_say_why_they_do_not() -> None:
    goal = "Which of the ferries Alba and Boreas is better for a car?"
    filled, failed = (parse_fit(reply, names=["a", "b"], goal=goal) for reply in replies_in("fit"))
    assert filled == Fit({"a": "Alba", "b": "Boreas"})
    assert failed == Fit(None, "The goal names no two ferries.")


def test_verify_examples_are_a_fail_with_its_issue_a_pass_and_an_unsure() -> None:
    failed, passed, unsure = map(parse_verdict, replies_in("verify"))
    assert (failed.value, failed.issues) == ("fail", ('The length is in kilometres | "It is 9 miles long"',))
    assert (passed, unsure) == (Verdict("pass"), Verdict("unsure"))
    assert all(value in LIBRARY.contract_of("verify") for value in VALUES)


@pytest.mark.parametrize("template", ["execute", "compose"])
@pytest.mark.parametrize("element", ["result", "failed"])
def test_a_form_that_is_sent_back_is_no_answer(template: str, element: str) -> None:
    form = re.search(rf"<{element}.*</{element}>", LIBRARY.contract_of(template))
    assert form is not None
    with pytest.raises(ReplyError, match="only repeats the words of the form"):
        parse_answer(form[0])


@pytest.mark.parametrize("template", ["decompose", "execute", "compose"])
@pytest.mark.parametrize("reason", REASONS)
def test_contract_names_every_reason_that_the_parser_knows(template: str, reason: str) -> None:
    assert reason in LIBRARY.contract_of(template)
    reply = f'<failed reason="{reason}">detail</failed>'
    failed = parse_plan(reply).failed if template == "decompose" else parse_answer(reply).failed
    assert failed is not None
    assert (failed.reason, failed.detail) == (reason, "detail")
