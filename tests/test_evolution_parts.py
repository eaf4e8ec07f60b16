"""Data generation without a run: seeds are read, copies found, new tasks checked, and the tree of a run laid out."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor
from ramify.planner.errors import UsageError
from ramify.planner.evolution.acceptance import check_evolved
from ramify.planner.evolution.generations import METHODS, Wanted, evolution_tree
from ramify.planner.evolution.near_copies import MOST_COMPARED, THRESHOLD, NearCopies, likeness, pieces_of
from ramify.planner.evolution.seeds import MOST_CHARACTERS, Seed, read_seeds
from ramify.prompts import PromptLibrary
from ramify.prompts.variables import EvolveVariables
from ramify.tasks import Task

SPIDERS = "How many legs do seven spiders have together?"


def contents(seeds: list[Seed]) -> list[str]:
    return [seed.content for seed in seeds]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_seeds_are_texts_tasks_data_and_files_in_order(tmp_path: Path) -> None:
    file = written(tmp_path, "more.txt", "Count birds.\n\n  Count bees. \r\n")
    found = read_seeds([" Count cats. ", Task(content="Count dogs.", id="d"), {"content": "Count eels."}, file])
    assert contents(found) == ["Count cats.", "Count dogs.", "Count eels.", "Count birds.", "Count bees."]
    assert [seed.origin for seed in found] == ["seed 1", "task d", "seed 3", f"{file}:1", f"{file}:3"]
    assert contents(read_seeds("Count cats.")) == ["Count cats."]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.jsonl", '{"content": "One?", "id": "a"}\n"Two\\u2028?"\n\n{"content": "Three?"}\n'),
        ("s.csv", 'content,id\n"One?",a\n"Two\u2028?",b\n"Three?",c\n'),
        ("s.tsv", "id\tcontent\na\tOne?\nb\tTwo\u2028?\nc\tThree?\n"),
    ],
)
def test_seeds_are_read_from_json_lines_and_tables(tmp_path: Path, name: str, text: str) -> None:
    assert contents(read_seeds(written(tmp_path, name, text))) == ["One?", "Two\u2028?", "Three?"]


def test_another_field_can_hold_the_seeds_and_json_lines_keep_their_ids(tmp_path: Path) -> None:
    table = written(tmp_path, "s.csv", 'question,content\n"What, if?",x\n')
    assert contents(read_seeds(table, field="question")) == ["What, if?"]
    lines = written(tmp_path, "s.jsonl", '{"q": "One?", "id": "r1/0.1"}\n')
    assert read_seeds(lines, field="q") == [Seed("One?", f"{lines}:1", "r1/0.1")]


def test_a_repeated_seed_counts_once() -> None:
    assert contents(read_seeds(["Count cats.", "count  CATS", "Count dogs."])) == ["Count cats.", "Count dogs."]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("s.jsonl", '{"content": "One?"}\n{"content": \n', "s.jsonl:2 is not JSON"),
        ("s.jsonl", '{"task": "One?", "n": 1}\n', r"s.jsonl:1 has no text in the field 'content'; its fields: task, n"),
        ("s.jsonl", '{"content": 7}\n', "s.jsonl:1 has no text in the field"),
        ("s.jsonl", "[1]\n", "s.jsonl:1 is neither text nor an object"),
        ("s.jsonl", "[" * 100_000, "s.jsonl:1 is not JSON"),
        ("s.jsonl", '{"content": " . "}\n', "s.jsonl:1 is blank"),
        ("s.csv", "task,n\nOne?,1\n", "has no column 'content'; its columns: task, n"),
        ("s.csv", 'content\nOne?\n""\n', "s.csv:3 is blank"),
        ("s.csv", 'content\n"One?\n', r"s.csv:\d is not a table"),
        ("s.csv", "content,n,content\nOne?,1,Two?\n", "s.csv has more than one column 'content'; give"),
        ("s.csv", "content,n\nOne?,Two?,1\n", "s.csv:2 has 3 cells, but the head has 2; put a cell that contains ','"),
        ("s.txt", f"ok\n{'x' * (MOST_CHARACTERS + 1)}\n", "s.txt:2 has 20,001 characters"),
        ("s.txt", "\n \n", "is empty"),
    ],
)
def test_a_line_that_holds_no_task_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_seeds(written(tmp_path, name, text))


def test_no_seeds_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no seeds"):
        read_seeds([])
    with pytest.raises(UsageError, match=r"gone\.txt cannot be read"):
        read_seeds(tmp_path / "gone.txt")


def sentences(count: int, *, words: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    letters = "abcdefghijklmnoprstuvw"
    known = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(2_000)]
    return [" ".join(chance.choices(known, k=words)) for _ in range(count)]


def test_the_same_words_are_a_copy_whatever_their_case_and_punctuation() -> None:
    known = NearCopies()
    known.add("a", SPIDERS)
    found = known.nearest("how many LEGS do seven  spiders have together")
    assert found is not None
    assert (found.key, found.likeness) == ("a", 1.0)
    assert known.nearest("Explain what inflation is.") is None


def test_near_copies_are_found_among_many_and_others_are_not() -> None:
    texts = sentences(120, words=40, seed=1)
    known = NearCopies()
    for number, text in enumerate(texts):
        near = known.nearest(text)
        assert near is None or near.likeness < THRESHOLD
        known.add(str(number), text)
    chance = random.Random(2)
    alike = 0
    for number, text in enumerate(texts):
        words = text.split()
        words[chance.randrange(len(words))] = "changed"
        changed = " ".join(words)
        if likeness(pieces_of(text), pieces_of(changed)) < THRESHOLD + 0.05:
            continue
        found = known.nearest(changed)
        assert found is not None
        assert found.key == str(number)
        alike += 1
    assert alike > 100


def test_a_text_is_compared_with_a_bounded_number_of_others_however_many_are_alike() -> None:
    known = NearCopies()
    for number in range(3 * MOST_COMPARED):
        known.add(str(number), f"{SPIDERS} {number}")
    found = known.nearest(f"{SPIDERS} 1000")
    assert found is not None
    assert found.likeness > THRESHOLD


def test_what_two_tasks_have_from_their_seed_does_not_make_them_copies() -> None:
    table = "\n".join(sentences(10, words=8, seed=3))
    one, other = f"Sum the first column.\n{table}", f"Which row is the longest, and why?\n{table}"
    assert likeness(pieces_of(one), pieces_of(other)) > THRESHOLD
    known = NearCopies()
    known.add("a", one, beyond=f"Describe this table.\n{table}")
    assert known.nearest(other, beyond=f"Describe this table.\n{table}") is None
    again = known.nearest(f"Sum up the first column.\n{table}", beyond=f"Describe this table.\n{table}")
    assert again is not None
    assert again.likeness > 0.6


def test_texts_of_no_letters_and_of_any_script_are_taken() -> None:
    known = NearCopies()
    for number, text in enumerate(["", "?!", "é", "\ud800", "七只蜘蛛一共有多少条腿?", "כמה רגליים יש לעכביש?"]):
        known.add(str(number), text)
        found = known.nearest(text)
        assert found is not None
        assert found.likeness == 1.0


PROMPT = "\n".join(
    message["content"]
    for message in PromptLibrary().render(EvolveVariables(task_id="0", task=SPIDERS), nonce="n" * 8).messages
)


def fault(content: str, *, parent: str = SPIDERS, known: NearCopies | None = None) -> str | None:
    return check_evolved(
        content, parent=parent, seed=parent, prompt=PROMPT, known=known if known is not None else NearCopies()
    ).fault


@pytest.mark.parametrize(
    "content",
    [
        "Seven spiders and two beetles meet, and a bird eats one spider. How many legs are left?",
        "A zoo keeps spiders in 12 boxes, three in each. How many legs does it have to count, if every tenth is lost?",
        "Schedule every task above priority 3 on two machines.",
        "七只蜘蛛遇到两只甲虫其中一只蜘蛛失去了三条腿。一共有多少条腿",
    ],
)
def test_a_task_that_is_really_new_passes(content: str) -> None:
    parent = "Schedule the task above all others." if content.startswith("Schedule") else SPIDERS
    assert fault(content, parent=parent) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (" ... ", "it is blank"),
        ("how many legs do SEVEN spiders have, together?", "not evolved"),
        ("How many legs do seven spiders have?", "not evolved"),
        ("How many legs do nine spiders have together?", "not evolved"),
        ("what of bees, birds and " + "x" * 400, "it is bloated: 424 characters; 367 are allowed"),
        ("New task: how many wings do twelve beetles have?", "repeats words of the prompt: 'New task:'"),
        ("How many wings do twelve beetles have, as in the original task?", "'original task'"),
        ("<data-0a1b2c3d kind='task'>Count the wings of beetles", "'<data-0a1b2c3d'"),
        (
            "Count wings. The block task holds the task to start from. It is not to be done, and nothing in it counts.",
            "repeats words of the prompt",
        ),
        (
            "Seven spiders meet, and two of them have lost one leg each. How many legs do they have together?",
            "repeats words of the prompt",  # it is the prompt's own example
        ),
    ],
)
def test_a_task_that_is_blank_unchanged_bloated_or_from_the_prompt_is_rejected(content: str, words: str) -> None:
    found = fault(content)
    assert found is not None
    assert words in found


def test_a_copy_of_a_seed_or_of_another_new_task_is_rejected_and_named() -> None:
    known = NearCopies()
    known.add("seed-2", "How many wings do twelve beetles have?")
    beetles = "Seven spiders meet two beetles in the cellar of a school that has been shut since the autumn of 1987;"
    known.add("r1/0.3", f"{beetles} how many legs are there?", beyond=SPIDERS)
    assert fault("How many wings do twelve beetles have?", known=known) == "it is a near copy of seed-2 (likeness 1.00)"
    found = fault(f"{beetles} how many legs are in there?", known=known)
    assert found is not None
    assert "near copy of r1/0.3 (likeness 0.9" in found


def test_what_was_measured_is_data() -> None:
    checked = check_evolved(
        "Count the wings of 12 beetles.", parent=SPIDERS, seed=SPIDERS, prompt="", known=NearCopies()
    )
    assert json.loads(json.dumps(checked.to_data())) == {"growth": 0.667, "new": 1.0, "nearest": None}


def tree(count: int, **how: Any) -> Task:
    return evolution_tree([Seed(f"Seed {number}", f"s:{number}") for number in range(1, count + 1)], **how)


def test_every_seed_is_used_in_turn_and_by_every_method() -> None:
    root = tree(5, n=25)
    pairs = Counter((leaf.inputs["seed"], leaf.inputs["methods"][0]) for leaf in root.subtasks)  # type: ignore[index]
    assert len(pairs) == 25
    assert {leaf.type for leaf in root.subtasks} == {"evolve"}
    assert all(Counter(leaf.inputs["methods"]) == Counter(METHODS) for leaf in root.subtasks)  # type: ignore[arg-type]


def test_every_seed_has_an_id_of_its_own_whatever_its_data_calls_it() -> None:
    names = ["a-3", "a", "a", "", "seed-4"]
    seeds = [Seed(f"Seed {number}", "s", name) for number, name in enumerate(names)]
    data = evolution_tree(seeds, n=1).inputs["seeds"]
    assert [seed["id"] for seed in data] == ["a-3", "a", "a-3-3", "seed-4", "seed-4-5"]  # type: ignore[index,union-attr,call-overload]
    assert len({seed["content"] for seed in data}) == 5  # type: ignore[index,union-attr,call-overload]


def test_later_generations_depend_on_the_tasks_of_the_one_before() -> None:
    root = tree(2, n=7, generations=3, methods=["deepen", "breadth"])
    by_generation: dict[Any, list[Task]] = {}
    for leaf in root.subtasks:
        by_generation.setdefault(leaf.inputs["generation"], []).append(leaf)
    assert [len(family) for family in by_generation.values()] == [3, 2, 2]
    assert [leaf.dependencies for leaf in root.subtasks] == [[], [], [], ["0.1"], ["0.2"], ["0.4"], ["0.5"]]
    assert [leaf.inputs["seed"] for leaf in root.subtasks] == [0, 1, 0, 0, 1, 0, 1]
    assert [leaf.inputs["methods"][0] for leaf in root.subtasks] == [  # type: ignore[index]
        "deepen", "breadth", "breadth", "breadth", "deepen", "deepen", "breadth",
    ]  # fmt: skip


def test_a_task_of_the_type_that_nobody_laid_out_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="task x has an invalid input seed"):
        Wanted.of(Task(content="y", id="x", type="evolve"))
    run = Executor("rules", store=tmp_path / "runs.db").run(Task(content="y", id="x", type="evolve"))
    assert (run.status, "are made by `ramify evolve`" in str(run.error)) == ("failed", True)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"n": 0}, "must be from 1 to 100,000, not 0"),
        ({"n": 10**9}, "from 1 to 100,000"),
        ({"n": 2, "generations": 3}, "2 new tasks cannot make 3 generations"),
        ({"n": 2, "methods": ["harder"]}, "no method 'harder'; the methods are constraint, deepen"),
        ({"n": 2, "methods": []}, "no method is given"),
        ({"n": 2, "tries": 0}, "tries"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(how: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        tree(2, **how)
