"""Data generation as a run: new tasks with lineage, rejected ones tried again, a file that is true after any kill."""

import asyncio
import json
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Executor, RunLimits, Store, aevolve, evolve
from ramify.planner.errors import ExportError, UsageError
from ramify.planner.evolution import Evolution
from ramify.planner.evolution.json_lines import add_line, line_of, write_whole
from ramify.planner.export.dot import to_dot
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.svg import to_svg
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import FaultyModel, ScriptedModel
from ramify.prompts.variables import EvolveVariables
from ramify.tasks import TaskState

from .openai_server import Chat, OpenAIServer
from .ramify_command import Ramify, start_ramify

SEEDS = ["Count the legs of seven spiders.", "Explain what inflation is.", "Describe a bridge in Oslo."]


def fresh(number: int) -> str:
    """Return a task that is like no other."""
    chance = random.Random(number)
    words = ["".join(chance.choices("abcdefghiklmnoprstuw", k=chance.randint(3, 9))) for _ in range(9)]
    return f"Task {number}: {' '.join(words)}?"


def asked(request: ModelRequest) -> EvolveVariables:
    assert isinstance(request.variables, EvolveVariables)
    return request.variables


def inventor(**how: Any) -> ScriptedModel:
    """Return a model that makes another task each time."""
    numbers = iter(range(1, 10_000))
    return ScriptedModel(lambda _: f"<task>{fresh(next(numbers))}</task>", **how)


def by_task(reply: Callable[[str, int], str]) -> ScriptedModel:
    """Return a model that answers by the id of the leaf, and by how often it was asked for that."""
    times: Counter[str] = Counter()

    def answer(request: ModelRequest) -> str:
        times[request.task_id] += 1
        return f"<task>{reply(request.task_id, times[request.task_id])}</task>"

    return ScriptedModel(answer)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def test_new_tasks_come_with_their_lineage(store: Path) -> None:
    made = evolve(SEEDS, n=7, model=inventor(), store=store)
    assert made.run.status == "done"
    assert [record["id"] for record in made.records] == [f"{made.run.id}/0.{number}" for number in range(1, 8)]
    first = made.records[0]
    assert {name: first[name] for name in first if name not in {"content", "checks", "id", "run_id"}} == {
        "parent_id": "seed-1",
        "parent": SEEDS[0],
        "generation": 1,
        "seed_id": "seed-1",
        "origin": "seed 1",
        "method": "constraint",
        "model": "scripted",
        "rejected": [],
    }
    assert set(first["checks"]) == {"growth", "new", "nearest"}
    assert len({record["content"] for record in made.records}) == 7
    assert Counter(record["seed_id"] for record in made.records) == {"seed-1": 3, "seed-2": 2, "seed-3": 2}
    assert made.tasks[0].content == first["content"]
    assert made.run.result.splitlines() == [line_of(record) for record in made.records]


def test_the_prompt_names_the_task_and_the_method(store: Path) -> None:
    model = inventor()
    evolve(SEEDS, n=3, model=model, store=store, methods=["deepen", "breadth"], jobs=1)
    assert [(asked(each).task, asked(each).method) for each in model.requests] == [
        (SEEDS[0], "deepen"),
        (SEEDS[1], "breadth"),
        (SEEDS[2], "deepen"),
    ]


def test_later_generations_are_made_from_the_new_tasks(store: Path) -> None:
    model = inventor()
    made = evolve(SEEDS[:2], n=6, generations=3, model=model, store=store)
    by_id = {record["id"]: record for record in made.records}
    assert [record["generation"] for record in made.records] == [1, 1, 2, 2, 3, 3]
    for record in made.records[2:]:
        assert record["parent"] == by_id[record["parent_id"]]["content"]
        assert record["generation"] == by_id[record["parent_id"]]["generation"] + 1
    assert {asked(each).task for each in model.requests} == {
        *SEEDS[:2],
        *(each["content"] for each in made.records[:4]),
    }


def test_the_file_holds_every_new_task_once_and_can_be_the_seeds_of_more(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    made = evolve(SEEDS, n=8, model=inventor(), store=store, output=file)
    assert lines(file) == made.records
    more = evolve(file, n=8, model=by_task(lambda task_id, _: fresh(100 + int(task_id[2:]))), store=store)
    assert [record["parent_id"] for record in more.records] == [record["id"] for record in made.records]
    assert made.save(tmp_path / "again.jsonl").read_bytes() == file.read_bytes()


def test_what_is_rejected_is_kept_with_its_reason_and_another_method_is_tried(store: Path) -> None:
    replies = [SEEDS[0], "New task: count wings.", fresh(1)]
    model = by_task(lambda _, times: replies[times - 1])
    made = evolve(SEEDS[0], n=1, model=model, store=store, methods=["deepen", "concretise", "breadth"])
    (record,) = made.records
    assert (record["content"], record["method"]) == (fresh(1), "breadth")
    assert [(each["method"], each["content"]) for each in record["rejected"]] == [
        ("deepen", SEEDS[0]),
        ("concretise", replies[1]),
    ]
    assert "not evolved" in record["rejected"][0]["fault"]
    assert "words of the prompt" in record["rejected"][1]["fault"]
    with Store.open(store) as opened:
        told = [event for event in opened.events(made.run.id) if event.type == "emitted"]
    assert [event.data["data"] for event in told] == record["rejected"]


def test_a_reply_that_is_no_task_is_rejected_after_it_was_put_right_once(store: Path) -> None:
    replies = iter(["<task>a</task><task>b</task>", "<task> </task>", f"<task>{fresh(1)}</task>"])
    model = ScriptedModel(lambda _: next(replies))
    made = evolve(SEEDS[0], n=1, model=model, store=store)
    assert [request.purpose for request in model.requests] == ["evolve", "repair", "evolve"]
    assert "blank" in made.records[0]["rejected"][0]["fault"]


def test_a_copy_of_what_another_task_got_is_rejected_whichever_comes_first(store: Path) -> None:
    model = by_task(lambda task_id, times: fresh(1) if times == 1 else fresh(int(task_id[2:]) + 1))
    made = evolve(SEEDS, n=5, model=model, store=store, jobs=5)
    assert made.run.status == "done"
    assert len({record["content"] for record in made.records}) == 5
    faults = [each["fault"] for record in made.records for each in record["rejected"]]
    assert len(faults) == 4
    assert all("it is a near copy of" in fault for fault in faults)


def test_a_task_that_is_given_up_fails_the_run_and_may_be_done_again_with_more_tries(
    store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new.jsonl"
    model = by_task(lambda task_id, times: SEEDS[1] if task_id == "0.2" and times <= 4 else fresh(int(task_id[2:])))
    made = evolve(SEEDS, n=3, model=model, store=store, output=file, tries=2)
    assert made.run.status == "failed"
    assert "task 0.2 failed: no new task passed the checks in 2 tries (deepen:" in str(made.run.error)
    assert [record["id"][-3:] for record in sorted(lines(file), key=lambda record: record["id"])] == ["0.1", "0.3"]
    again = Executor.resume(store, made.run.id, agent=model, retry_failed=True)
    assert again.status == "failed"
    last = Executor.resume(store, made.run.id, agent=model, retry_failed=True)
    assert last.status == "done"
    assert [record["id"][-3:] for record in lines(file)] == ["0.1", "0.2", "0.3"]
    rejected = lines(file)[1]["rejected"]
    assert [each["method"] for each in rejected] == ["deepen", "concretise", "reasoning", "breadth"]
    assert len(model.requests) == 2 + 5


def test_a_limit_stops_it_and_a_resumed_run_pays_for_no_reply_twice(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    model = inventor()
    made = evolve(SEEDS, n=6, model=model, store=store, output=file, limits=RunLimits(max_calls=4), jobs=2)
    assert made.run.status == "stopped"
    assert len(lines(file)) == 4
    run = Executor.resume(store, made.run.id, agent=model, limits=RunLimits())
    assert run.status == "done"
    assert len(model.requests) == 6
    assert lines(file) == Evolution(run).records


def test_a_model_that_fails_for_a_while_repeats_no_try(store: Path) -> None:
    replies = [SEEDS[0], fresh(1)]
    model = by_task(lambda _, times: replies[times - 1])
    faulty = FaultyModel(model, [None, "timeout", None])
    made = evolve(SEEDS[0], n=1, model=faulty, store=store)
    assert made.run.status == "done"
    assert len(model.requests) == 2
    assert len(made.records[0]["rejected"]) == 1


def test_a_cache_gives_each_repeated_question_an_answer_of_its_own_and_a_second_run_the_same_ones(store: Path) -> None:
    model = inventor()
    how: dict[str, Any] = {"n": 6, "model": model, "store": store, "methods": ["deepen", "breadth"], "cache": True}
    made = evolve(SEEDS[0], **how)
    assert len({record["content"] for record in made.records}) == 6
    assert not any(record["rejected"] for record in made.records)
    again = evolve(SEEDS[0], **how)
    assert [record["content"] for record in again.records] == [record["content"] for record in made.records]
    assert len(model.requests) == 6


def test_it_works_on_a_loop_that_is_running(store: Path) -> None:
    made = asyncio.run(aevolve(SEEDS, n=2, model=inventor(), store=store))
    assert len(made.records) == 2


def test_a_file_that_cannot_be_written_meanwhile_is_whole_in_the_end(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    warnings: list[Any] = []

    def reply(task_id: str, _: int) -> str:
        if task_id == "0.2":
            shutil.rmtree(folder)
        if task_id == "0.4":
            folder.mkdir()
        return fresh(int(task_id[2:]))

    made = evolve(
        SEEDS, n=4, model=by_task(reply), store=store, output=folder / "new.jsonl", jobs=1,
        on_event=lambda event: warnings.append(event) if event.type == "warning" else None,
    )  # fmt: skip
    assert made.run.status == "done"
    assert lines(folder / "new.jsonl") == made.records
    assert ["cannot be written" in event.data["message"] for event in warnings] == [True]


def test_a_file_that_cannot_be_written_in_the_end_fails_the_run_which_then_only_has_to_write_it(
    store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    model = inventor()
    how: dict[str, Any] = {"output": folder / "new.jsonl", "limits": RunLimits(max_calls=1), "jobs": 1}
    made = evolve(SEEDS, n=3, model=model, store=store, **how)
    shutil.rmtree(folder)
    failed = Executor.resume(store, made.run.id, agent=model, limits=RunLimits())
    assert failed.status == "failed"
    assert "cannot be written: No such file" in str(failed.error)
    folder.mkdir()
    done = Executor.resume(store, made.run.id, agent=model, retry_failed=True)
    assert done.status == "done"
    assert len(lines(folder / "new.jsonl")) == len(model.requests) == 3


def test_a_file_that_is_in_the_way_or_cannot_be_written_is_refused_before_anything_is_paid(
    store: Path, tmp_path: Path
) -> None:
    model = inventor()
    there = tmp_path / "there.jsonl"
    there.write_text("{}\n")
    with pytest.raises(UsageError, match="already exists; choose another name"):
        evolve(SEEDS, model=model, store=store, output=there)
    with pytest.raises(ExportError, match="cannot be written: No such file"):
        evolve(SEEDS, model=model, store=store, output=tmp_path / "gone" / "new.jsonl")
    assert model.requests == []
    assert there.read_text() == "{}\n"
    made = evolve(SEEDS, n=2, model=model, store=store, output=there, overwrite=True)
    assert lines(there) == made.records


def test_lines_hold_any_text_and_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    write_whole(file, [{"content": "one\ntwo \u2028 \x85 \ud800"}])
    add_line(file, {"content": "é"})
    assert file.read_bytes().count(b"\n") == 2
    assert lines(file) == [{"content": "one\ntwo \u2028 \x85 \ud800"}, {"content": "é"}]
    write_whole(file, [])
    assert file.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [file]


def test_the_lineage_is_drawn_as_a_tree_with_seeds_on_top(store: Path) -> None:
    made = evolve(["<b>Count & tell</b>"], n=3, generations=3, model=inventor(), store=store, methods=["deepen"])
    tree = made.lineage
    (seed,) = tree.subtasks
    chain = [task.content for task in seed.walk()]
    assert chain == ["<b>Count & tell</b>", *(record["content"] for record in made.records)]
    assert all(task.state is TaskState.DONE for task in tree.walk())
    svg = to_svg(graph_view(tree, made_by=None))
    assert "&lt;b&gt;Count &amp; tell&lt;/b&gt;" in svg
    assert "<b>Count" not in svg
    assert "deepen" in to_dot(graph_view(tree, made_by=None))


def test_the_lineage_of_a_run_that_makes_no_tasks_is_refused(ramify: Ramify) -> None:
    assert ramify("solve", "--model", "rules", "-q", "2 * 3").code == 0
    said = ramify("graph", "--last", "--lineage")
    assert said.code == 2
    assert "tasks of type 'evolve' are made by `ramify evolve`" in said.err


def test_rules_declines_and_says_so(ramify: Ramify) -> None:
    said = ramify("evolve", "--model", "rules", "Count the legs of seven spiders.", "-n", "2")
    assert (said.code, said.out) == (3, "")
    assert "rules" in said.err
    assert said.last_line.startswith("ramify resume r")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a seed"),
        (("gone.jsonl",), "gone.jsonl cannot be read"),
        (("x", "--method", "harder"), "there is no method 'harder'"),
        (("x", "-n", "2", "--generations", "3"), "cannot make 3 generations"),
        (("x", "-o", "gone/new.jsonl"), "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(ramify: Ramify, words: tuple[str, ...], said: str) -> None:
    done = ramify("evolve", "--model", "rules", *words)
    assert done.code == 2
    assert said in done.err.splitlines()[-1]


def reply_to(chat: Chat) -> str:
    return f"<task>{fresh(chat.number)}</task>"


def test_the_command_writes_lines_to_standard_output_or_to_a_file(ramify: Ramify, home: Path) -> None:
    (home / "seeds.csv").write_text("question\nCount legs.\nCount wings.\n")
    with OpenAIServer(reply_to) as server:
        model = ("--model", "m", "--base-url", server.base_url)
        printed = ramify("evolve", "seeds.csv", "--field", "question", "-n", "3", "-q", *model)
        written = ramify("evolve", "Count legs.", "-n", "2", "-o", "new.jsonl", "-q", *model)
        data = json.loads(ramify("evolve", "Count legs.", "-n", "1", "-q", "--json", *model).out)
    assert (printed.code, printed.err) == (0, "")
    assert [json.loads(line)["origin"] for line in printed.out.splitlines()] == [
        "seeds.csv:2", "seeds.csv:3", "seeds.csv:2",
    ]  # fmt: skip
    assert (written.code, written.out) == (0, "")
    assert written.last_line == "new.jsonl holds 2 of 2 new tasks"
    assert len(lines(home / "new.jsonl")) == 2
    assert (data["status"], data["wanted"], data["usage"]["calls"]) == ("done", 1, 1)
    assert [set(each) for each in data["new_tasks"]] == [set(json.loads(printed.out.splitlines()[0]))]
    drawn = ramify("graph", "--last", "--lineage", "-f", "svg")
    assert drawn.code == 0
    assert drawn.out.count("<g") > 3


def test_a_killed_process_leaves_a_true_file_and_the_next_one_pays_for_what_is_left(home: Path, ramify: Ramify) -> None:
    killed_at, wanted, jobs = 5, 12, 3

    def answer(chat: Chat) -> Any:
        return reply_to(chat) if chat.number <= killed_at or is_killed else asyncio.sleep(60, "")

    is_killed = False
    with OpenAIServer(answer) as server:
        words = ("--base-url", server.base_url, "-n", str(wanted), "--jobs", str(jobs), "-o", "new.jsonl")
        process = start_ramify("evolve", "Count the legs of seven spiders.", "--model", "m", *words)
        while len(server.chats) < killed_at + jobs or len(lines(home / "new.jsonl")) < killed_at:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        is_killed = True
        before = lines(home / "new.jsonl")
        assert ramify("resume", "--last", "-q").code == 0
        after = lines(home / "new.jsonl")
    assert len(before) == killed_at
    assert {each["content"] for each in before} <= {each["content"] for each in after}
    assert sorted(int(each["id"].rpartition(".")[2]) for each in after) == list(range(1, wanted + 1))
    assert len(server.chats) == wanted + jobs


def test_a_task_that_a_person_gives_is_one_of_the_new_ones_and_the_parent_of_others(
    store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new.jsonl"
    model = by_task(lambda task_id, _: SEEDS[0] if task_id == "0.1" else fresh(int(task_id[2:])))
    made = evolve(SEEDS[:1], n=2, generations=2, model=model, store=store, output=file, tries=1)
    assert made.run.status == "failed"
    run = Executor.resume(store, made.run.id, agent=model, set_result={"0.1": "Count the wings of nine bees."})
    assert run.status == "done"
    given, child = lines(file)
    assert (given["content"], given["method"], given["model"]) == ("Count the wings of nine bees.", "given", None)
    assert (child["parent_id"], child["parent"]) == (given["id"], given["content"])
    assert given["id"] == f"{run.id}/0.1"
    assert Evolution(run).records == [given, child]


def test_a_task_that_is_done_anew_is_asked_for_again(store: Path) -> None:
    model = inventor()
    made = evolve(SEEDS, n=2, model=model, store=store)
    run = Executor.resume(store, made.run.id, agent=model, from_task="0.1")
    first, second = Evolution(run).records
    assert first["content"] != made.records[0]["content"]
    assert second == made.records[1]
    assert len(model.requests) == 3
