"""The four examples of CAMEL's task page, with only the import lines changed; answers come from scripted agents.

What the page prints is compared where it follows from the code: the decomposed and the evolved task are what the
agent says, and the agent here is no language model.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from ramify.tasks import ReplyError, Task, TaskManager, TaskState, parse_response
from ramify.tasks.task_prompt import TASK_COMPOSE_PROMPT, TASK_DECOMPOSE_PROMPT, TASK_EVOLVE_PROMPT

WENG = (
    "Weng earns $12 an hour for babysitting. Yesterday, she just did 51 minutes of babysitting. How much did she earn?"
)


class ScriptedAgent:
    """An agent with CAMEL's interface; it says what it was told to, and keeps what it was asked."""

    role_name = "tutor"

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    def step(self, message: Any) -> Any:
        self.asked.append(message)
        return SimpleNamespace(msg=SimpleNamespace(content=self.replies.pop(0)))


def test_example_1_definition() -> None:
    task = Task(
        content=WENG,
        id="0",
    )
    assert task.to_string() == f"Task 0: {WENG}\n"


def test_example_2_hierarchy() -> None:
    root_task = Task(content="a start task", id="0")
    sub_task_1 = Task(content="a sub task 1", id="1")
    sub_task_2 = Task(content="a sub task 2", id="2")
    sub_task_3 = Task(content="a sub task 3", id="3")
    sub_task_2_1 = Task(content="a sub task of task 2", id="2.1")
    sub_task_2_2 = Task(content="a sub task of task 2", id="2.2")
    root_task.add_subtask(sub_task_1)
    root_task.add_subtask(sub_task_2)
    root_task.add_subtask(sub_task_3)
    sub_task_2.add_subtask(sub_task_2_1)
    sub_task_2.add_subtask(sub_task_2_2)
    lines = root_task.to_string().splitlines()
    assert [line.strip() for line in lines] == [
        "Task 0: a start task",
        "Task 1: a sub task 1",
        "Task 2: a sub task 2",
        "Task 2.1: a sub task of task 2",
        "Task 2.2: a sub task of task 2",
        "Task 3: a sub task 3",
    ]
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 2, 2, 4, 4, 2]


@pytest.mark.parametrize("keyword", ["template", "prompt"])
def test_example_3_decompose_and_compose(keyword: str) -> None:
    agent = ScriptedAgent(
        "<tasks><task>Calculate the proportion of 51 minutes to an hour.</task>\n<task> </task>\n"
        "<task>Multiply the proportion by Weng's hourly rate.</task></tasks>",
        "She earned $10.20.",
    )
    task = Task(content=WENG, id="0")
    prompt: Any = TASK_DECOMPOSE_PROMPT if keyword == "template" else "Split this into tasks."
    new_tasks = task.decompose(agent=agent, **{keyword: prompt})
    assert [t.to_string() for t in new_tasks] == [
        "Task 0.1: Calculate the proportion of 51 minutes to an hour.\n",
        "Task 0.2: Multiply the proportion by Weng's hourly rate.\n",
    ]
    assert task.subtasks == new_tasks

    task.compose(agent=agent, template=TASK_COMPOSE_PROMPT)
    assert task.result == "She earned $10.20."
    assert [each.state for each in task.walk()] == [TaskState.DONE] * 3
    assert WENG in agent.asked[1]


def test_example_4_evolve() -> None:
    agent = ScriptedAgent("<task>Weng earns $12 an hour, and $2 more for every hour after the first.</task>")
    task = Task(content=WENG, id="0")
    task_manager = TaskManager(task)
    evolved_task = task_manager.evolve(task, agent=agent)
    assert evolved_task.to_string() == "Task 0.0: Weng earns $12 an hour, and $2 more for every hour after the first.\n"
    assert task.content == WENG
    assert TASK_EVOLVE_PROMPT.name == "evolve"


def test_templates_of_text_are_filled_in_one_pass() -> None:
    agent = ScriptedAgent("<task>a</task>", "done")
    task = Task(content="keep {role_name} as it is", id="0")
    task.decompose(agent, template="You are {role_name}. {content} {json: [1]}")
    assert agent.asked[0] == "You are tutor. keep {role_name} as it is {json: [1]}"
    task.subtasks[0].update_result("one")
    task.compose(agent, template="{content}: {other_results}")
    assert "one" in agent.asked[1]


def test_a_function_can_be_an_agent_and_parsers_can_be_given() -> None:
    task = Task(content="count", id="7")
    new = task.decompose(lambda _: "one|two", task_parser=lambda reply, task_id: [
        Task(content=word, id=f"{task_id}.{word}") for word in reply.split("|")
    ])  # fmt: skip
    assert [t.id for t in new] == ["7.one", "7.two"]
    task.compose(lambda _: " shout ", result_parser=str.upper)
    assert task.result == " SHOUT "


def test_needs_in_the_reply_become_dependencies() -> None:
    task = Task(content="count", id="0")
    task.decompose(lambda _: '<task id="a">one</task><task id="b" needs="a">two</task>')
    assert task.find("0.2").dependencies == ["0.1"]


def test_a_second_decomposition_does_not_reuse_ids() -> None:
    task = Task(content="count", id="0")
    task.decompose(lambda _: "<task>one</task>")
    task.decompose(lambda _: "<task>two</task>")
    assert [child.id for child in task.subtasks] == ["0.1", "0.2"]


def test_an_atomic_task_gets_no_subtasks() -> None:
    task = Task(content="count", id="0")
    assert task.decompose(lambda _: "<atomic/>") == []


def test_a_reply_without_a_plan_is_quoted() -> None:
    with pytest.raises(ReplyError, match="I would rather not"):
        Task(content="count", id="0").decompose(lambda _: "I would rather not.")


def test_composing_a_leaf_does_nothing() -> None:
    task = Task(content="count", id="0")
    task.compose(lambda _: "never asked")
    assert (task.result, task.state) == ("", TaskState.OPEN)


def test_the_parser_has_camels_name() -> None:
    assert [(t.id, t.content) for t in parse_response("<task>one</task><task></task><task>two</task>", "3")] == [
        ("3.1", "one"), ("3.2", "two"),
    ]  # fmt: skip
