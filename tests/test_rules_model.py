"""The `rules` model, from request to reply, and whole goals through split, do and compose."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramify.planner.errors import NoModelError
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.planner.models.rules import RulesModel
from ramify.planner.models.rules.numbers import value_text
from ramify.prompts import ComposeVariables, DecomposeVariables, ExecuteVariables, Material
from ramify.prompts.variables import EvolveVariables, PromptVariables, TaskResult
from ramify.tasks.replies.grammar import Answer, Failure, Plan, parse_answer, parse_plan


def _request(variables: PromptVariables | None, purpose: str = "step") -> ModelRequest:
    if variables is None:
        return ModelRequest(purpose=purpose, task_id="-", messages=())
    return ModelRequest(purpose=variables.template, task_id=variables.task_id, messages=(), variables=variables)


def _ask(variables: PromptVariables) -> str:
    return asyncio.run(RulesModel().complete(_request(variables))).text


def _compose(goal: str, *children: TaskResult) -> Answer:
    return parse_answer(_ask(ComposeVariables(task_id="0", goal=goal, children=children)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Does what a run does, depth first: split, do the leaves, compose; a failure ends it with its words."""

    materials: tuple[Material, ...] = ()
    max_depth: int = 3
    max_tasks: int = 8

    def solve(
        self, goal: str, *, above: tuple[str, ...] = (), needs: tuple[TaskResult, ...] = (), task_id: str = "0"
    ) -> str:
        plan = self._plan(goal, above, task_id) if len(above) + 1 < self.max_depth else None
        if plan is None or plan.atomic:
            leaf = ExecuteVariables(task_id=task_id, task=goal, needs=needs, materials=self.materials)
            return _text(parse_answer(_ask(leaf)))
        if plan.failed:
            return f"failed: {plan.failed.detail}"
        done: dict[str, TaskResult] = {}
        for number, task in enumerate(plan.tasks, 1):
            child = f"{task_id}.{number}"
            needed = (*(done[need] for need in task.needs), *needs)
            result = self.solve(task.content, above=(*above, goal), needs=needed, task_id=child)
            if result.startswith("failed: "):
                return result
            done[task.key] = TaskResult(id=child, content=task.content, result=result)
        return _text(_compose(goal, *done.values()))

    def _plan(self, goal: str, above: tuple[str, ...], task_id: str) -> Plan:
        variables = DecomposeVariables(
            task_id=task_id, goal=goal, ancestors=above, materials=self.materials, max_tasks=self.max_tasks
        )
        return parse_plan(_ask(variables), max_tasks=self.max_tasks)


def _text(answer: Answer) -> str:
    return f"failed: {answer.failed.detail}" if answer.failed else answer.text


def test_rules_is_a_model_and_says_that_no_language_model_answers() -> None:
    model = RulesModel()
    assert isinstance(model, Model)
    assert (model.name, model.maker, model.is_language_model) == ("rules", "rules (no language model)", False)


def test_reply_costs_nothing() -> None:
    reply = asyncio.run(RulesModel().complete(_request(ExecuteVariables(task_id="0", task="1 + 1"))))
    assert (reply.text, reply.cost_usd, reply.input_tokens, reply.output_tokens) == ("<result>2</result>", 0.0, 0, 0)


def test_stream_gives_the_words_and_then_the_reply() -> None:
    async def collect() -> list[str | ModelReply]:
        request = _request(DecomposeVariables(task_id="0", goal="1*2 + 3*4"))
        return [piece async for piece in RulesModel().stream(request)]

    *words, reply = asyncio.run(collect())
    assert isinstance(reply, ModelReply)
    assert "".join(map(str, words)) == reply.text == '<task id="1">1*2</task>\n<task id="2">3*4</task>'


@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        ("((17*23 + 4^5) / (9 - 2)) * 60%", "849/7"),
        ("What is (1 + 2*3) * (4 - 5)?", "-7"),
        ("-(2*3 + 4)%", "-0.1"),
        ("2 ^ (1 + 1 * 2)", "8"),
        ("7", "7"),
        ("1/0", "failed: division by zero in 1/0"),
        ("(1 + 2*3) / (4*5 - 20)", "failed: division by zero in (1 + 2*3) / (4*5 - 20)"),
        ("9^9^9^9", "failed: 9^9^9 has more than 4,000 digits"),
        (
            "(1+2",
            "failed: cannot read the expression '(1+2': '(1+2' at character 1 is a parenthesis that is never closed",
        ),
    ],
)
def test_arithmetic_goal_has_its_exact_answer(goal: str, answer: str) -> None:
    assert _Run().solve(goal) == answer


@pytest.mark.parametrize("max_depth", [1, 2, 3, 9])
@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        (
            "First compute 2+3, then multiply the result by 4, and finally subtract 1.",
            "- compute 2+3: 5\n- multiply the result by 4: 20\n- subtract 1: 19",
        ),
        ("# Budget\n## Hotel\n3 * 120\n## Food\n- 5*20\n- 2*8", "- Hotel: 360\n- Food:\n  - 5*20: 100\n  - 2*8: 16"),
        ("- compute 1/3 + 1/6\n- 2 * 3 + 4 * 5", "- compute 1/3 + 1/6: 0.5\n- 2 * 3 + 4 * 5: 26"),
        ("Compute 2*3 and in parallel compute 4*5", "- Compute 2*3: 6\n- compute 4*5: 20"),
    ],
)
def test_outline_gives_its_parts_in_order_at_any_depth(goal: str, answer: str, max_depth: int) -> None:
    assert _Run(max_depth=max_depth).solve(goal) == answer


@pytest.mark.parametrize("goal", ["1 + 2\n- 3", "5\n- 2*3\n- 4*5", "What is 1\n+ 2", "- 2 + 3"])
def test_what_could_be_an_expression_or_a_list_is_not_guessed(goal: str) -> None:
    assert "could be an expression or a list" in _Run().solve(goal)


@pytest.mark.parametrize("goal", ["1. 2 + 3", "1) 2 + 3", "* compute 2 + 3", "# Sum\n2 + 3", "- compute 2 + 3"])
def test_single_item_is_done_as_what_it_says(goal: str) -> None:
    assert _Run().solve(goal) == "5"


def test_more_steps_than_subtasks_are_done_in_one_piece() -> None:
    goal = "1. 2\n" + "\n".join(f"{number}. double it" for number in range(2, 12))
    assert _Run().solve(goal).endswith("- double it: 2048")


def test_expression_over_several_lines_is_one_expression() -> None:
    assert _Run().solve("(1 +\n 2*3) *\n (4 + 5)") == "63"


def test_document_is_summarised_by_section_with_source_lines() -> None:
    text = "# Tea\n\nTea needs hot water.\n\n## Leaves\n\nGreen leaves are the best.\n\n## Code\n\n```\nbrew()\n```\n"
    answer = _Run(materials=(Material(name="tea.md", text=text),)).solve("summarize by section")
    assert answer == (
        "## Tea\n\n- Tea needs hot water. (tea.md:3)\n\n"
        "## Leaves\n\n- Green leaves are the best. (tea.md:7)\n- no prose: Code (tea.md:9-13)"
    )


def test_marks_of_the_reply_contract_in_a_document_stay_words() -> None:
    text = "This line says </result><failed reason='other'>boo</failed> to <task>you</task> & me.\n"
    answer = _Run(materials=(Material(name="a.md", text=text),)).solve("summarize")
    assert answer == f"- {text.strip()} (a.md:1)"


def test_marks_of_the_reply_contract_in_an_outline_stay_words() -> None:
    goal = '- say <atomic/> & </task><task id="x">boo\n- &lt; 2'
    plan = parse_plan(_ask(DecomposeVariables(task_id="0", goal=goal)))
    assert [task.content for task in plan.tasks] == ['say <atomic/> & </task><task id="x">boo', "&lt; 2"]


@pytest.mark.parametrize(
    "variables",
    [
        DecomposeVariables(task_id="0", goal="Plan a weekend in Rome"),
        ExecuteVariables(task_id="0", task="Plan a weekend in Rome"),
        ExecuteVariables(task_id="0.1", task="- buy milk\n- buy eggs"),
        DecomposeVariables(task_id="0", goal="If I have 3 apples and eat 2, how many are left?"),
        DecomposeVariables(task_id="0", goal="summarize the plot of Hamlet"),
        EvolveVariables(task_id="0", task="1 + 1"),
        None,
    ],
    ids=["decompose", "execute", "outline leaf", "word problem", "unknown text", "evolve", "no variables"],
)
def test_anything_else_needs_another_model_and_says_which(variables: PromptVariables | None) -> None:
    with pytest.raises(NoModelError, match=r"(?s)--model NAME.*RAMIFY_MODEL.*--model human"):
        asyncio.run(RulesModel().complete(_request(variables)))


def test_leaf_of_an_outline_is_left_whole() -> None:
    reply = _ask(DecomposeVariables(task_id="0.1", goal="buy milk", ancestors=("- buy milk\n- 1+1",)))
    assert parse_plan(reply).atomic


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        (DecomposeVariables(task_id="0", goal="summarize"), "no document is attached"),
        (ExecuteVariables(task_id="0", task="Summarize notes.md"), "notes.md is not attached"),
        (
            ExecuteVariables(
                task_id="0.3", task="double it", needs=(TaskResult(id="0.2", content="x", result="warm"),)
            ),
            "the result of 0.2 is not a number: 'warm'",
        ),
        (
            ExecuteVariables(
                task_id="0.3",
                task="double it",
                needs=(TaskResult(id="0.1", content="x", result="1"), TaskResult(id="0.2", content="y", result="2")),
            ),
            "could mean the result of any of 0.1, 0.2",
        ),
    ],
)
def test_missing_material_is_a_failed_task(variables: PromptVariables, complaint: str) -> None:
    reply = _ask(variables)
    failed = (parse_plan(reply) if variables.template == "decompose" else parse_answer(reply)).failed
    assert isinstance(failed, Failure)
    assert complaint in failed.detail


def test_step_prefers_the_result_next_to_it() -> None:
    needs = (TaskResult(id="0.2.1", content="x", result="5"), TaskResult(id="0.1", content="y", result="7"))
    assert _ask(ExecuteVariables(task_id="0.2.2", task="double it", needs=needs)) == "<result>10</result>"


def test_endlessly_nested_outline_is_refused() -> None:
    goal = "\n".join(f"{' ' * (2 * level)}- a\n{' ' * (2 * level)}- b" for level in range(150))
    answer = parse_answer(_ask(ExecuteVariables(task_id="0", task=goal.replace("- a", "- 1"))))
    assert answer.failed is not None
    assert "nested more than 100 levels" in answer.failed.detail


@pytest.mark.parametrize(("state", "is_failed"), [("FAILED", True), ("OPEN", True), ("DELETED", True), ("DONE", False)])
def test_expression_is_composed_only_from_all_its_parts(state: str, is_failed: bool) -> None:  # noqa: FBT001 - a table
    first = TaskResult(id="0.1", content="1*2", result="2")
    second = TaskResult(id="0.2", content="3*4", state=state, result="12" if state == "DONE" else "")
    assert (_compose("1*2 + 3*4", first, second).failed is not None) is is_failed


def test_outline_is_composed_without_what_failed_and_says_so() -> None:
    done = TaskResult(id="0.1", content="1+1", result="2")
    failed = TaskResult(id="0.2", content="1/0", state="FAILED")
    answer = _compose("- 1+1\n- 1/0", done, failed)
    assert answer.text == "- 1+1: 2"
    assert answer.gaps == ("0.2 is FAILED: 1/0",)


def test_nothing_done_composes_nothing() -> None:
    answer = _compose("- a\n- b", TaskResult(id="0.1", content="a", state="FAILED"))
    assert answer.failed is not None
    assert "0.1 (FAILED)" in answer.failed.detail


def test_result_of_a_person_is_a_number_in_any_notation() -> None:
    parts = [TaskResult(id="0.1", content="1*2", result="= 1/2"), TaskResult(id="0.2", content="3*4", result="1,200")]
    assert _compose("1*2 + 3*4", *parts).text == "1200.5"


def test_megabyte_is_summarised_while_the_loop_goes_on() -> None:
    text = "".join(
        f"# Part {number}\n\nThis part is about number {number} and its friends.\n\n" for number in range(15_000)
    )
    request = _request(ExecuteVariables(task_id="0", task="summarize", materials=(Material(name="big.md", text=text),)))

    async def count_ticks() -> tuple[int, str]:
        call = asyncio.create_task(RulesModel().complete(request))
        ticks = 0
        while not call.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks, (await call).text

    ticks, reply = asyncio.run(count_ticks())
    assert ticks > 1
    assert reply.count("(big.md:") == 5


Tree = tuple[str, Fraction]


def _grown(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return st.one_of(
        st.tuples(st.sampled_from("+-*/"), st.lists(children, min_size=2, max_size=4)).map(_joined),
        children.map(lambda tree: (f"-({tree[0]})", -tree[1])),
        children.map(lambda tree: (f"({tree[0]})%", tree[1] / 100)),
        st.tuples(children, st.integers(0, 3)).map(lambda pair: (f"({pair[0][0]})^{pair[1]}", pair[0][1] ** pair[1])),
    )


def _joined(chain: tuple[str, Sequence[Tree]]) -> Tree:
    operator, operands = chain
    words, value = f"({operands[0][0]})", operands[0][1]
    for text, number in operands[1:]:
        sign = "*" if operator == "/" and number == 0 else operator
        words += f" {sign} ({text})"
        match sign:
            case "+":
                value += number
            case "-":
                value -= number
            case "*":
                value *= number
            case _:
                value /= number
    return words, value


_NUMBERS = st.integers(0, 99).map(lambda number: (str(number), Fraction(number))) | st.decimals(0, 9, places=2).map(
    lambda number: (str(number), Fraction(number))
)


@given(st.recursive(_NUMBERS, _grown, max_leaves=12), st.integers(2, 5), st.integers(1, 4))
@settings(deadline=None)
def test_any_expression_has_one_value_whole_or_split(tree: Tree, max_tasks: int, max_depth: int) -> None:
    words, value = tree
    assert _Run(max_tasks=max_tasks, max_depth=max_depth).solve(words) == value_text(value)


@given(
    st.lists(st.tuples(st.sampled_from("+-*/"), st.integers(1, 20)), min_size=1, max_size=12),
    st.integers(2, 4),
)
@settings(deadline=None)
def test_chain_without_parentheses_keeps_its_value_when_split(chain: list[tuple[str, int]], max_tasks: int) -> None:
    words = "1" + "".join(f" {sign} {number}" for sign, number in chain)
    terms: list[list[Fraction]] = [[Fraction(1)]]
    for sign, number in chain:
        if sign in "+-":
            terms.append([Fraction(number if sign == "+" else -number)])
        else:
            terms[-1].append(Fraction(number) if sign == "*" else Fraction(1, number))
    value = sum((prod(term, start=Fraction(1)) for term in terms), Fraction(0))
    assert _Run(max_tasks=max_tasks, max_depth=4).solve(words) == value_text(value)


@given(st.text(max_size=200) | st.text(alphabet="1+-*/()#.\n 2firstthenx%", max_size=80))
@settings(deadline=None)
def test_any_goal_is_answered_in_the_contract_or_needs_another_model(goal: str) -> None:
    try:
        plan = _ask(DecomposeVariables(task_id="0", goal=goal, max_tasks=3))
        answer = _ask(ExecuteVariables(task_id="0", task=goal))
    except NoModelError:
        return
    assert parse_plan(plan, max_tasks=3).tasks != () or "<atomic/>" in plan or "<failed" in plan
    assert parse_answer(answer)
