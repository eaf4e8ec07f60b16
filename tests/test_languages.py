"""The language of a goal: told by its script and its commonest words, or not at all."""

import pytest
from ramify.planner import Agent
from ramify.prompts.languages import language_of
from ramify.tasks import Task
from ramify.tasks.prompt_variables import compose_variables, decompose_variables, execute_variables

pytestmark = pytest.mark.fault("3.13")

GOAL = "Vergleiche die Kosten von Bahn und Auto"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Compare the cost of rail and car", "English"),
        (GOAL, "German"),
        ("\u00c9cris un po\u00e8me sur la mer et le vent", "French"),
        ("Compara los precios de tren y avi\u00f3n", "Spanish"),
        ("Compare os pre\u00e7os de trem e avi\u00e3o", "Portuguese"),
        ("Confronta i prezzi del treno e della nave", "Italian"),
        ("Vergelijk de prijzen van trein en vliegtuig", "Dutch"),
        ("Skriv en dikt om havet och himlen", "Swedish"),
        ("\u8bf7\u6bd4\u8f83\u9ad8\u94c1\u548c\u98de\u673a", "Chinese"),
        ("\u65e5\u672c\u306e\u9996\u90fd\u306f\u3069\u3053\u3067\u3059\u304b", "Japanese"),
        ("\u0421\u043a\u0430\u0436\u0438, \u0433\u0434\u0435 \u043c\u044b \u0438 \u044d\u0442\u043e", "Russian"),
    ],
)
def test_a_language_is_told_by_its_words(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "", "17*23+4", "Book a table", "Zusammenfassung", "def f(x): return x", "pandas vs polars",
        "Skriv et dikt om havet og himmelen",  # Danish and Norwegian
        "\u00dcbersetze 'the cat sat on the mat and was happy about it'",
        'Translate "der Hund und die Katze sind im Garten"',
        "Translate into German: the dog and the cat are in the garden",
    ],
)  # fmt: skip
def test_a_doubt_or_a_quotation_tells_nothing(text: str) -> None:
    assert language_of(text) is None


def asked(task: Task, language: str | None = None) -> list[str]:
    agent = Agent("rules")
    variables = (
        decompose_variables(task, language=language),
        execute_variables(task, root=task.parent or task, language=language),
        compose_variables(task, language=language),
    )
    return [str(agent.render(each, nonce="5eed0123").messages[-1]["content"]).splitlines()[-1] for each in variables]


def test_prompts_name_the_language_of_the_run_s_goal() -> None:
    root = Task(content=GOAL, id="0")
    root.add_subtask(Task(content="Compare the trains and the cars", id="0.1"))
    plan, leaf, answer = asked(root.subtasks[0])
    assert plan.endswith("Write in German.")
    assert leaf == "Write in German, unless another is asked for."
    assert answer.endswith("Write in German, unless another is asked for.")


def test_the_user_s_word_on_the_language_is_the_last() -> None:
    assert all(line.endswith("Write in Norwegian.") for line in asked(Task(content=GOAL, id="0"), "Norwegian"))


def test_a_goal_whose_words_do_not_tell_is_answered_in_its_own() -> None:
    assert all("Write in the language of the" in line for line in asked(Task(content="Book a table", id="0")))
