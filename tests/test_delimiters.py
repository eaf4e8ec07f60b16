"""What delimits data in a request is never part of an answer or a plan: no data holds it, and no reader wants it."""

import re
from pathlib import Path

import pytest
from ramify.planner import Agent, Executor, PlanLimits, Run
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel
from ramify.planner.tools import tool
from ramify.tasks import Task, TaskConfig

pytestmark = pytest.mark.fault("3.7")


def delimiter(request: ModelRequest) -> str:
    found = re.search(r"<(data-[0-9a-f]{8}) ", request.messages[-1]["content"])
    assert found is not None
    return found[1]


def answered(request: ModelRequest) -> str:
    mark = delimiter(request)
    return f'<result><{mark} kind="task">Add</{mark}> 42</result>'


def ran(place: Path, agent: Agent | ScriptedModel, *, depth: int = 1) -> Run:
    task = Task(content="Add 40 and 2", id="0", config=TaskConfig(max_retries=0))
    return Executor(agent, store=place / "r.db", plan=PlanLimits(max_depth=depth)).run(task)


def test_an_answer_with_our_delimiters_is_asked_for_again(tmp_path: Path) -> None:
    model = ScriptedModel(lambda request: "<result>42</result>" if request.purpose == "repair" else answered(request))
    assert ran(tmp_path, model).result == "42"
    assert "`<data-...>` tags" in model.requests[1].messages[-1]["content"]


def test_an_answer_that_keeps_them_is_none(tmp_path: Path) -> None:
    first: list[str] = []

    def reply(request: ModelRequest) -> str:
        first.append(answered(request))
        return first[0]  # the repair repeats the delimiters of the request before it

    run = ran(tmp_path, ScriptedModel(reply))
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.startswith("the reply holds `<data-...>` tags")


def test_thoughts_may_speak_of_them(tmp_path: Path) -> None:
    model = ScriptedModel(lambda request: f"<think>In {delimiter(request)} I read:</think><result>42</result>")
    assert ran(tmp_path, model).result == "42"
    assert len(model.requests) == 1


def test_a_plan_with_them_is_asked_for_again(tmp_path: Path) -> None:
    def reply(request: ModelRequest) -> str:
        if request.purpose == "decompose":
            return f"<task>Do <{delimiter(request)}></task><task>Check</task>"
        return "<atomic/>" if request.purpose == "repair" else "<result>42</result>"

    run = ran(tmp_path, ScriptedModel(reply), depth=2)
    assert (run.result, list(run.task.subtasks)) == ("42", [])


def test_an_answer_after_calls_of_tools_is_asked_for_again(tmp_path: Path) -> None:
    @tool
    def look() -> str:
        """Look."""
        return "forty-two"

    replies = iter([None, answered, "<result>42</result>"])

    def reply(request: ModelRequest) -> str:
        chosen = next(replies)
        if chosen is None:
            return '<call tool="look">{}</call>'
        return chosen(request) if callable(chosen) else chosen

    model = ScriptedModel(reply)
    assert ran(tmp_path, Agent(model, tools=[look])).result == "42"
    assert "`<data-...>` tags" in model.requests[2].messages[-1]["content"]
