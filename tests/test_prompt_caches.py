"""What lets servers read a prompt once: prompts that begin alike, and cached tokens that are counted and shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify.planner import Executor, PlanLimits
from ramify.planner.export.dataframe import task_values
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Material, Task, Usage

from .ramify_command import Ramify

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT = "\n".join(f"Line {number} of what all of them read." for number in range(400))
PLAN = "<task>Count the lines</task><task>Name the reader</task><task>Quote line 7</task>"


def prompt(request: ModelRequest) -> str:
    return "\0".join(message["content"] for message in request.messages)


def alike(requests: list[ModelRequest]) -> str:
    first, *others = (prompt(request) for request in requests)
    unlike = [place for place, letters in enumerate(zip(first, *others, strict=False)) if len(set(letters)) > 1]
    return first[: unlike[0]] if unlike else first


def asked_by(root: Task, store: Path, **replies: str) -> dict[str, list[ModelRequest]]:
    model = ScriptedModel({"execute": "<result>x</result>", "compose": "<result>y</result>", **replies})
    Executor(model, store=store, plan=PlanLimits(split="always", max_depth=3) if replies else None).run(root)
    found: dict[str, list[ModelRequest]] = {}
    for request in model.requests:
        found.setdefault(request.purpose, []).append(request)
    return found


def test_prompts_of_siblings_are_alike_up_to_their_own_words(tmp_path: Path) -> None:
    root = Task(content="Study it", id="0", attachments=(Material(name="doc", text=DOCUMENT),))
    root.add_subtasks(
        [Task(content=content, id=f"0.{number}") for number, content in enumerate(("Axe", "Bow", "Cup"), 1)]
    )
    asked = asked_by(root, tmp_path / "runs.db")["execute"]
    shared = alike(asked)
    assert DOCUMENT in shared
    assert all(
        prompt(each)[len(shared) :].startswith(word) for each, word in zip(asked, ("Axe", "Bow", "Cup"), strict=True)
    )


def test_what_siblings_share_stands_before_their_own_documents_and_results(tmp_path: Path) -> None:
    root = Task(content="Study it", id="0", attachments=(Material(name="doc", text=DOCUMENT),))
    root.add_subtasks(
        [
            Task(content="Axe", id="0.1", attachments=(Material(name="own", text="only for the first"),)),
            Task(content="Bow", id="0.2", dependencies=["0.1"]),
        ]
    )
    assert DOCUMENT in alike(asked_by(root, tmp_path / "runs.db")["execute"])


def test_splits_of_one_run_share_the_documents(tmp_path: Path) -> None:
    root = Task(content="Study it", id="0", attachments=(Material(name="doc", text=DOCUMENT),))
    asked = asked_by(root, tmp_path / "runs.db", **{"decompose 0": PLAN, "decompose": "<atomic/>"})
    assert len(asked["decompose"]) > 1
    for requests in (asked["decompose"], asked["execute"]):
        assert DOCUMENT in alike(requests)


def cached(_: ModelRequest) -> ModelReply:
    return ModelReply(text="<result>x</result>", model="m", input_tokens=4_000, cached_tokens=3_500, output_tokens=10)


def test_cached_tokens_are_counted_stored_and_shown(ramify: Ramify) -> None:
    told: list[Mapping[str, Any]] = []
    run = Executor(ScriptedModel(cached), on_event=lambda event: told.append(event.data)).run(
        Task(content="Say it", id="0")
    )
    assert run.usage.cached_tokens == 3_500
    assert [data["cached_tokens"] for data in told if "cached_tokens" in data] == [3_500]
    assert "4,010 tokens (3,500 cached)" in ramify("show", "--last", "0").out
    assert task_values(run.task, 1)["cached_tokens"] == 3_500


def test_usage_adds_cached_tokens_up_and_says_nothing_of_none() -> None:
    once = Usage(calls=1, input_tokens=10, cached_tokens=8)
    assert (once + once).cached_tokens == 16
    assert Usage(**once.to_data()) == once
    assert "cached" not in Usage(calls=1, input_tokens=10).text
