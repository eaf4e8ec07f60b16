"""What a leaf is told of the goal that it is a part of, and in which language it is to answer."""

import pytest
from ramify.planner import Agent
from ramify.prompts.variables import WorkerCard
from ramify.tasks import Task
from ramify.tasks.prompt_variables import GOAL_LENGTH, compose_variables, decompose_variables, execute_variables

pytestmark = pytest.mark.fault("3.13")

GOAL = (
    "Plan a trip for Zo\u00eb and 3 friends, 2 nights, 900 euro.\n"
    + "They walk, and eat no fish. " * 20
    + "Back on Monday."
)


def leaf(goal: str, content: str = "Choose a hut") -> Task:
    root = Task(content=goal, id="0")
    root.add_subtask(Task(content=content, id="0.1"))
    return root.subtasks[0]


def goal_shown(task: Task) -> str:
    return execute_variables(task, root=task.parent or task).root_goal


def user_prompt(variables: object) -> str:
    return str(Agent("rules").render(variables, nonce="5eed0123").messages[-1]["content"])  # type: ignore[arg-type]


def test_a_leaf_sees_the_whole_goal() -> None:
    assert goal_shown(leaf(GOAL)) == GOAL


def test_a_goal_that_is_very_long_is_cut_aloud() -> None:
    shown = goal_shown(leaf("a" * GOAL_LENGTH + "b" * 1_000))
    assert "[... 1000 characters omitted ...]" in shown
    assert (shown[0], shown[-1]) == ("a", "b")
    assert len(shown) < GOAL_LENGTH + 50


def test_a_leaf_that_is_the_goal_is_told_it_once() -> None:
    task = Task(content=GOAL, id="0")
    assert user_prompt(execute_variables(task, root=task)).count("Back on Monday.") == 1
    assert goal_shown(leaf(GOAL, f" {GOAL}\n")) == ""


@pytest.mark.parametrize(("language", "words"), [(None, "Write in Chinese"), ("German", "Write in German.")])
def test_the_last_line_of_a_prompt_says_the_language(language: str | None, words: str) -> None:
    task = leaf("\u8ba1\u5212\u4e00\u6b21\u65c5\u884c")
    root = task.parent
    assert root is not None
    for variables in (
        decompose_variables(root, language=language),
        execute_variables(task, root=root, language=language),
        compose_variables(root, language=language),
    ):
        assert words in user_prompt(variables).splitlines()[-1]


@pytest.mark.fault("3.5")
def test_types_are_spoken_of_where_there_are_workers_alone() -> None:
    task = Task(content=GOAL, id="0")
    agent = Agent("rules")
    card = WorkerCard(type="web", description="fetches pages")
    for workers in ((), (card,)):
        prompt = agent.render(decompose_variables(task, workers=workers), nonce="5eed0123")
        assert ("type=" in prompt.messages[0]["content"]) is bool(workers)
