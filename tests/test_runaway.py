"""A reply that has run away is known by how it ends; tables, code, verse and lists of numbers are not taken for one."""

import random

import pytest
from ramify.planner.models.runaway import IN_ANSWERS, IN_FORMS, Patience, Runaway, Watch, repetition_in
from ramify.prompts import DecomposeVariables

SENTENCE = "I will now think about the task again and then answer it. "
PARAGRAPH = (
    "The first step is to find the number of apples. Tom has three apples and gets two more, so he has five. "
    "Then we have to check the answer against the question, which asks for the number of apples at the end.\n\n"
)
STEPS = [f"{n}. Read the text again and find the key points.\n" for n in range(300)]
LOOPS = {
    "a sentence": (SENTENCE, 20, 100),
    "a paragraph": (PARAGRAPH, 8, 25),
    "a long paragraph": (PARAGRAPH * 2 + "And that is all there is to say.\n", 5, 10),
    "a Chinese sentence": ("我们需要再次检查这个答案是否正确。", 50, 250),
    "a German sentence": ("Außerdem müssen wir die Zahl noch einmal prüfen. ", 20, 100),
    "a short phrase": ("the end. ", 230, 680),
    "one word": ("very ", 420, 1_250),
    "a digit": ("3", 2_100, 6_100),
    "dots": (".", 2_100, 6_100),
    "rows of a table": ("| 0 | 0 | 0 | 0 |\n", 120, 350),
}
"""What repeats itself, and how often it has to be there to be a loop in a plan, and in an answer."""


def squares() -> str:
    return "".join(f"| {n} | {n * n} | {n**3} |\n" for n in range(200))


def numbers(seed: int, line: str) -> str:
    draw = random.Random(seed)
    return "".join(line.format(n, draw.randint(0, 9), draw.choice(["yes", "no"])) for n in range(400))


KEPT = {
    "nothing": "",
    "prose": " ".join(f"This is the sentence number {n} of a long and rather dull text." for n in range(200)),
    "a table": "| n | n^2 | n^3 |\n|---|---|---|\n" + squares(),
    "a table of empty cells": "| name | yes | no |\n|---|---|---|\n" + "|   |   |   |\n" * 40,
    "an empty HTML table": "<tr><td></td><td></td><td></td></tr>\n" * 40,
    "a rule": "Chapter one\n" + "=" * 200,
    "a matrix of zeros": ("0 " * 20 + "\n") * 20,
    "a matrix in code": "m = [\n" + "    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n" * 40,
    "counting": ", ".join(str(n) for n in range(2_000)),
    "lines of numbers": "\n".join(str(n) for n in range(2_000)),
    "a list of primes": ", ".join(str(n) for n in range(2, 3_000) if all(n % d for d in range(2, int(n**0.5) + 1))),
    "CSV": numbers(1, "2026-11-30,station {0},{1},{2}\n"),
    "CSV with few values": numbers(2, "{2},{2},{1}\n"),
    "labels": "\n".join(f"{n}. {random.Random(n).choice(['positive', 'negative'])}" for n in range(300)),
    "the same label": "".join(f"{n}. positive\n" for n in range(150)),
    "the same short label": "yes\n" * 200,
    "a multiplication table": "".join(f"{a} times {b} is {a * b}\n" for a in range(1, 11) for b in range(1, 11)),
    "verses": "".join(
        f"{n} bottles of beer on the wall, {n} bottles of beer. Take one down and pass it around, {n - 1} bottles.\n"
        for n in range(99, 0, -1)
    ),
    "a refrain": ("Row, row, row your boat, gently down the stream,\n" * 4 + "A new verse comes here.\n\n") * 3,
    "a line said over and over in a song": "Na na na nananana, nananana, hey Jude\n" * 18,
    "a punishment at school": "I will not talk in class again.\n" * 20,
    "tests in code": "".join(f"    def test_{n}(self):\n        self.assertTrue(f({n}))\n\n" for n in range(200)),
    "asserts in code": "    assert result is not None\n" * 15,
    "imports": "".join(f"from package.module{n} import thing{n}\n" for n in range(200)),
    "ends of blocks": "}\n" * 60,
    "a base64 text": "".join(random.Random(3).choices("ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789+/", k=6_000)),
    "a strand of DNA": "".join(random.Random(4).choices("ACGT", k=6_000)),
    "a short repeat in DNA": "CAG" * 120,
    "JSON objects": "".join(f'{{"id": {n}, "state": "open", "tags": []}},\n' for n in range(200)),
    "equal JSON objects": '{"state": "open", "tags": []},\n' * 40,
    "a chess game": " ".join(f"{n}. Nf3 Nf6 {n + 1}. Ng1 Ng8" for n in range(1, 40)),
    "a loop that was left": SENTENCE * 30 + "But here is the answer at last: it is 42, as the second document says.",
    "half a loop": SENTENCE * 10,
}


WANTED = {
    "a sentence, fifty times": "I must not tell lies to my dear old teacher again.\n" * 50,
    "a punishment at school": "I will not talk in class again.\n" * 100,
    "a song": "Na na na nananana, nananana, hey Jude\n" * 60,
    "a letter for each of twenty people": PARAGRAPH * 20,
    "data for a test": '{"name": "Ann Example", "state": "open now", "tags": []},\n' * 60,
    "rows of zeros": "0,0,0,0,0,0,0,0,0,0\n" * 200,
    "the same label": "yes\n" * 1_000,
    "the same numbered label": "".join(f"{n}. this is positive\n" for n in range(200)),
    "asserts in code": "    assert the result is not None\n" * 60,
    "an empty table": "<tr><td></td><td></td><td></td></tr>\n" * 100,
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("ending", ["", "</result>", '"}]}', "`\n</task>"])
def test_what_repeats_itself_is_known_sooner_in_plans_than_in_answers(name: str, ending: str) -> None:
    unit, in_plans, in_answers = LOOPS[name]
    for patience, times in ((IN_FORMS, in_plans), (IN_ANSWERS, in_answers)):
        begin = "So, let us see: "
        assert repetition_in(begin + unit * (times + 1) + ending, patience) is not None
        assert repetition_in(begin + unit * (times * 9 // 10 - 1) + ending, patience) is None


@pytest.mark.parametrize(("patience", "lines"), [(IN_FORMS, 45), (IN_ANSWERS, 220)])
def test_lines_that_differ_in_their_numbers_only_repeat_themselves(patience: Patience, lines: int) -> None:
    assert repetition_in("Steps:\n" + "".join(STEPS[:lines]), patience) is not None
    assert repetition_in("Steps:\n" + "".join(STEPS[: lines * 3 // 4]), patience) is None


def test_line_ends_without_an_end_are_a_loop() -> None:
    assert repetition_in('{"tasks": [' + "\n" * 2_100) is not None


@pytest.mark.parametrize("name", KEPT)
def test_what_repeats_itself_as_texts_do_is_left_alone(name: str) -> None:
    assert repetition_in(KEPT[name]) is None


@pytest.mark.parametrize("name", WANTED)
def test_what_somebody_may_have_asked_for_is_left_alone_in_answers(name: str) -> None:
    assert repetition_in(WANTED[name], IN_FORMS) is not None
    assert repetition_in(WANTED[name], IN_ANSWERS) is None


def found_in(text: str, *, size: int = 7, purpose: str = "execute") -> tuple[int, Runaway] | None:
    watch = Watch(purpose)
    for start in range(0, len(text), size):
        if (found := watch.feed(text[start : start + size])) is not None:
            return start + size, found
    return None


@pytest.mark.parametrize("name", [*WANTED, *KEPT])
def test_it_is_left_alone_at_every_place_of_its_way_too(name: str) -> None:
    assert found_in({**WANTED, **KEPT}[name]) is None


@pytest.mark.parametrize("size", [1, 5, 333, 5_000])
@pytest.mark.parametrize(("purpose", "most"), [("verify", 2_000), ("execute", 6_800)])
def test_a_loop_is_known_while_it_comes_whatever_the_pieces(size: int, purpose: str, most: int) -> None:
    seen = found_in("Once upon a time. " * 3 + SENTENCE * 200, size=size, purpose=purpose)
    assert seen is not None
    assert seen[0] <= max(most, size * 2)
    assert seen[1].words == 'repeated itself: "I will now think about the task again and then answer it."'


def plan_of(tasks: int, before: str = "", after: str = "") -> Runaway | None:
    watch = Watch("decompose", DecomposeVariables(task_id="0", goal="Do it.", max_tasks=6))
    plan = "".join(f'<task id="t{n}">Do the part number {n} of it</task>\n' for n in range(tasks))
    text = before + plan + after
    found = (watch.feed(text[start : start + 5]) for start in range(0, len(text), 5))
    return next((each for each in found if each is not None), None)


TALK = " ".join(f"The goal number {n} was planned." for n in range(200))


def test_a_plan_with_far_too_many_tasks_is_stopped() -> None:
    assert plan_of(14) is None
    assert plan_of(40) == Runaway("wrote more than 14 tasks; at most 6 were asked for")


def test_a_plan_that_goes_on_long_after_its_last_task_is_whole() -> None:
    assert plan_of(4, after="I hope that this helps. " * 9) is None
    found = plan_of(4, after=TALK)
    assert found is not None
    assert found.is_whole
    assert "characters after the last task of its plan" in found.words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f'<task id="z">Say at length that {TALK}</task>'),
        ("", f'<task id="z">Look at a < b. {TALK}'),
        (f'<think>I could say <task id="a">Look</task>. {TALK}</think>', ""),
        ("<think>" + '<task id="a">Try it</task>, or the other way: ' * 15, "</think>"),
        (TALK, ""),
    ],
    ids=["a long task", "a task that is not closed yet", "thoughts of tasks", "many drafts in thoughts", "a preface"],
)
def test_a_plan_is_not_ended_in_the_middle(before: str, after: str) -> None:
    assert plan_of(4, before, after) is None


def test_of_other_replies_tasks_are_not_counted() -> None:
    watch = Watch("execute")
    assert [watch.feed(f"<task>{n}</task> is element {n}; ") for n in range(500)] == [None] * 500
