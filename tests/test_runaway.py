"""A reply that has run away is known by how it ends; tables, code, verse and lists of numbers are not taken for one."""

import random

import pytest
from ramify.planner.models.runaway import Runaway, Watch, repetition_in
from ramify.prompts import DecomposeVariables

SENTENCE = "I will now think about the task again and then answer it. "
PARAGRAPH = (
    "The first step is to find the number of apples. Tom has three apples and gets two more, so he has five. "
    "Then we have to check the answer against the question, which asks for the number of apples at the end.\n\n"
)
STOPPED = {
    "a sentence": "Let us see. " + SENTENCE * 30,
    "a paragraph": "So.\n" + PARAGRAPH * 9,
    "a long paragraph": "So.\n" + (PARAGRAPH * 2 + "And that is all there is to say.\n") * 7,
    "a numbered line": "Steps:\n" + "".join(f"{n}. Read the text again and find the key points.\n" for n in range(60)),
    "numbered steps": "".join(f"Step {n}: Check the answer once more, carefully.\n" for n in range(60)),
    "a Chinese sentence": "好的。" + "我们需要再次检查这个答案是否正确。" * 60,
    "a German sentence": "Gut. " + "Außerdem müssen wir die Zahl noch einmal prüfen. " * 30,
    "a short phrase": "the end. " * 300,
    "one word": "very " * 500,
    "line ends": '{"tasks": [' + "\n" * 2_500,
    "digits": "1/3 = 0." + "3" * 4_000,
    "dots": "." * 3_000,
    "a loop that was closed": "<result>" + SENTENCE * 30 + "</result>",
    "a loop in JSON": '{"result": "' + SENTENCE * 30 + '"}]}',
}


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


@pytest.mark.parametrize("name", STOPPED)
def test_what_repeats_itself_is_known(name: str) -> None:
    assert repetition_in(STOPPED[name]) is not None


@pytest.mark.parametrize("name", KEPT)
def test_what_does_not_is_left_alone(name: str) -> None:
    assert repetition_in(KEPT[name]) is None


@pytest.mark.parametrize("name", KEPT)
def test_it_is_left_alone_at_every_place_of_its_way_too(name: str) -> None:
    if name == "a loop that was left":
        return
    watch = Watch()
    assert [
        found for start in range(0, len(KEPT[name]), 7) if (found := watch.feed(KEPT[name][start : start + 7]))
    ] == []


@pytest.mark.parametrize("size", [1, 5, 333, 5_000])
def test_a_loop_is_known_while_it_comes_whatever_the_pieces(size: int) -> None:
    text, watch = "Once upon a time. " * 3 + SENTENCE * 200, Watch()
    seen = next(
        (end, found)
        for end in range(size, len(text), size)
        if (found := watch.feed(text[end - size : end])) is not None
    )
    assert seen[0] <= max(2_000, size * 2)
    assert seen[1].words == 'repeated itself: "I will now think about the task again and then answer it."'


def plan_of(tasks: int, after: str = "") -> Runaway | None:
    watch = Watch(DecomposeVariables(task_id="0", goal="Do it.", max_tasks=6))
    text = "".join(f'<task id="t{n}">Do the part number {n} of it</task>\n' for n in range(tasks)) + after
    found = (watch.feed(text[start : start + 5]) for start in range(0, len(text), 5))
    return next((each for each in found if each is not None), None)


def test_a_plan_with_far_too_many_tasks_is_stopped() -> None:
    assert plan_of(12) is None
    assert plan_of(40) == Runaway("wrote more than 12 tasks, and had been asked for at most 6")


def test_a_plan_that_goes_on_long_after_its_last_task_is_whole() -> None:
    talk = " ".join(f"The goal number {n} was planned." for n in range(200))
    assert plan_of(4, "I hope that this helps. " * 9) is None
    found = plan_of(4, talk)
    assert found is not None
    assert found.is_whole
    assert "characters after the last task of its plan" in found.words


def test_of_other_replies_tasks_are_not_counted() -> None:
    watch = Watch()
    assert [watch.feed(f"<task>{n}</task> is element {n}; ") for n in range(500)] == [None] * 500
