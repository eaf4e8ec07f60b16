"""Ramify in inspect_ai: as an agent of its evaluations, and its studies as logs that inspect reads."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ramify.planner.bench import bench
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel

from .ramify_command import Ramify

pytestmark = [
    pytest.mark.inspect,
    pytest.mark.filterwarnings("ignore"),  # inspect's own, and of what it is made of
    pytest.mark.skipif(
        find_spec("inspect_ai") is None, reason="inspect_ai is not installed: pip install 'ramify[inspect]'"
    ),
]

GOAL = "Name the capital of Norway."
PLAN = "<task>Name the country.</task><task>Name its largest city.</task>"


def evaluated(place: Path, replies: Any, **how: Any) -> Any:
    """Return the log of an evaluation of one sample, whose model gives `replies` one after the other."""
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes
    from ramify.planner.bridges import ramify_agent

    options = how.pop("options", {"policy": "direct"})
    outputs = [ModelOutput.from_content("mockllm/model", each) for each in replies]
    for each in outputs:  # without a usage, inspect counts tokens by a vocabulary that it loads from the network
        each.usage = ModelUsage(input_tokens=20, input_tokens_cache_read=10, output_tokens=5, total_tokens=35)
    task = inspect_ai.Task(
        dataset=[Sample(input=how.pop("input", GOAL), target="Oslo")],
        solver=ramify_agent(store=str(place / "runs.db"), **options),
        scorer=includes(),
    )
    model = get_model("mockllm/model", custom_outputs=outputs)
    (log,) = inspect_ai.eval(task, model=model, display="none", log_dir=str(place / "logs"), **how)
    return log


def test_a_sample_is_the_goal_of_a_run_and_is_scored_by_its_answer(tmp_path: Path) -> None:
    log = evaluated(tmp_path, ["<result>It is Oslo.</result>"])
    assert log.status == "success"
    (sample,) = log.samples
    assert (sample.output.completion, sample.scores["includes"].value) == ("It is Oslo.", "C")
    with Store.open(tmp_path / "runs.db") as store:
        record = store.last_run()
    assert (record.goal, record.status) == (GOAL, "done")
    assert sample.store["ramify_run"]["id"] == record.id
    assert [event.event for event in sample.events].count("model") == 1
    assert "execute 0" in [event.name for event in sample.events if event.event == "span_begin"]
    used = record.usage
    assert (used.calls, used.input_tokens, used.cached_tokens, used.output_tokens) == (1, 30, 10, 5)


def test_a_plan_is_made_of_calls_to_inspects_model(tmp_path: Path) -> None:
    replies = [PLAN, "<result>Norway</result>", "<result>Oslo</result>", "<result>Oslo, in Norway.</result>"]
    log = evaluated(tmp_path, replies, options={"policy": "upfront", "split": "always", "max_depth": 2, "jobs": 1})
    (sample,) = log.samples
    assert sample.output.completion == "Oslo, in Norway."
    spans = [event.name for event in sample.events if event.event == "span_begin"]
    assert [name for name in spans if name.endswith(("0", "0.1", "0.2"))] == [
        "decompose 0", "execute 0.1", "execute 0.2", "compose 0",
    ]  # fmt: skip


def test_what_was_said_before_the_goal_is_given_as_material(tmp_path: Path) -> None:
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser

    said = [ChatMessageSystem(content="Answer in Norwegian."), ChatMessageUser(content=GOAL)]
    log = evaluated(tmp_path, ["<result>Oslo</result>"], input=said)
    (prompt,) = [text for text in log.samples[0].attachments.values() if GOAL in text]
    assert "system: Answer in Norwegian." in prompt


def test_a_limit_of_inspects_ends_the_sample(tmp_path: Path) -> None:
    replies = [PLAN, *["<result>Norway</result>"] * 9]
    options = {"policy": "upfront", "split": "always", "max_depth": 2, "jobs": 1}
    log = evaluated(tmp_path, replies, options=options, token_limit=1)
    assert log.samples[0].limit.type == "token"
    with Store.open(tmp_path / "runs.db") as store:
        assert store.last_run().status == "stopped"


def test_a_run_that_fails_is_a_wrong_answer_and_no_error(tmp_path: Path) -> None:
    log = evaluated(tmp_path, ['<failed reason="other">nobody knows</failed>'] * 9)
    (sample,) = log.samples
    assert (log.status, sample.scores["includes"].value) == ("success", "I")
    assert sample.output.completion.startswith("(no answer: nobody knows")


def test_inspect_finds_the_agent_by_its_name() -> None:
    from inspect_ai.util import registry_create

    assert callable(registry_create("agent", "ramify/ramify_agent", policy="direct"))


class Answering(ScriptedModel):
    """Knows the sum in one call, and gets it wrong in parts."""

    def __init__(self) -> None:
        super().__init__({"sample": "Answer: 4", "decompose": PLAN, "execute": "<result>x</result>",
                          "compose": "<result>Answer: 5</result>"})  # fmt: skip


def studied(place: Path) -> Any:
    items = [{"question": "2 + 2, then show it", "answer": 4}, {"question": "1 + 3, then show it", "answer": 4}]
    how = {"without": "self-consistency", "store": place / "runs.db", "max_depth": 2, "split": "always"}
    return bench(items, "upfront", model=Answering(), title="Sums", **how)  # type: ignore[arg-type]


def test_a_study_is_a_log_for_each_arm_that_inspect_reads(tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample_summaries
    from ramify.planner.bridges import save_eval_logs

    study = studied(tmp_path)
    paths = save_eval_logs(study.run, tmp_path / "logs", store=tmp_path / "runs.db")
    assert [path.name for path in paths] == [f"{study.run}-direct.eval", f"{study.run}-upfront.eval"]
    assert len(list_eval_logs(str(tmp_path / "logs"))) == 2
    direct, upfront = (read_eval_log(str(path)) for path in paths)
    for log, accuracy in ((direct, 1.0), (upfront, 0.0)):
        assert (log.status, log.eval.task, log.results.scores[0].metrics["accuracy"].value) == (
            "success",
            "Sums",
            accuracy,
        )
    (sample, _) = upfront.samples
    assert (sample.id, sample.target, sample.output.completion) == ("1", "4", "Answer: 5")
    assert [event.metadata["purpose"] for event in sample.events] == ["decompose", "execute", "execute", "compose"]
    assert sample.store["ramify_run"]["tasks"].startswith("[DONE] Task 0: 2 + 2")
    summaries = [each.scores["number"].value for path in paths for each in read_eval_log_sample_summaries(str(path))]
    assert summaries == ["C", "C", "I", "I"]


def test_the_command_writes_the_logs_of_a_study_and_of_nothing_else(tmp_path: Path, ramify: Ramify) -> None:
    study = studied(tmp_path)
    where = ("--store", str(tmp_path / "runs.db"), "--eval-logs", str(tmp_path / "logs"))
    said = ramify("compare", study.run, *where)
    assert (said.code, len(said.out.splitlines())) == (0, 2), said.err
    said = ramify("compare", f"{study.run}.1", *where)
    assert (said.code, "--eval-logs writes a study" in said.err) == (2, True)
