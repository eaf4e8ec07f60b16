"""Replies by a JSON schema: what the schemas allow, how the JSON is read, and how it is found out who takes one."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, AgentSettings, Executor, PlanLimits, Store
from ramify.planner.models.replay import ReplayModel
from ramify.planner.models.schema_dialects import is_strict, without_bounds
from ramify.prompts import PromptLibrary
from ramify.tasks import ReplyError, Task
from ramify.tasks.checks import Check
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.json_schemas import check_schema, misfits
from ramify.tasks.replies.answers import REASONS
from ramify.tasks.replies.by_schema import answer_in, answer_schema, plan_schema, verdict_schema
from ramify.tasks.replies.grammar import Failure, PlanStream, parse_plan
from ramify.tasks.replies.verdicts import VALUES, Verdict, parse_verdict

from .openai_server import Answer, Chat, Fault, Handler, OpenAIServer
from .ramify_command import Ramify

PLAN = plan_schema(max_tasks=3, types=["model", "look"], known_ids=["0.1"])
PLAIN = plan_schema(max_tasks=12)
VERDICT = verdict_schema(VALUES)
TREE = {"$defs": {"node": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "$ref": "#/$defs/node"}
ANSWER = answer_schema(TREE, has_steps=True)

TWO = {"plan": {"tasks": [{"content": "Look", "needs": []}, {"content": "Leap", "needs": ["1"]}]}}
ATOMIC = {"plan": {"atomic": True}}


def task(content: str = "Look", *needs: str, type_: str = "model") -> dict[str, Any]:
    return {"content": content, "needs": list(needs), "type": type_}


def plan(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"plan": {"tasks": list(tasks)}}


FITS: list[tuple[dict[str, Any], Any, bool]] = [
    (PLAN, plan(task(), task("Leap", "1", "0.1", type_="look")), True),
    (PLAN, plan(task()), True),  # one that is handed over is enough
    (PLAN, plan(task(), task(), task(), task()), False),
    (PLAN, plan(task("Look", "7")), False),
    (PLAN, plan(task(type_="nobody")), False),
    (PLAN, ATOMIC, False),  # small models say nothing else where they may
    (PLAN, {"plan": {"tasks": []}}, False),
    (PLAN, {"plan": {"failed": {"reason": "refused", "detail": "No."}}}, True),
    (PLAN, {"plan": {"failed": {"reason": "tired", "detail": "No."}}}, False),
    (PLAIN, TWO, True),
    (PLAIN, {"plan": {"tasks": TWO["plan"]["tasks"][:1]}}, True),  # what is atomic
    (VERDICT, {"verdict": {"value": "pass"}}, True),
    (VERDICT, {"verdict": {"value": "fail"}}, False),
    (VERDICT, {"verdict": {"issues": ["it rains"], "value": "fail"}}, True),
    (VERDICT, {"verdict": {"issues": ["it rains"], "value": "pass"}}, False),
    (VERDICT, {"verdict": {"issues": ["it rains"], "value": "unsure"}}, True),
    (ANSWER, {"steps": "One by one.", "answer": {"result": [[], [[]]]}}, True),
    (ANSWER, {"steps": "One by one.", "answer": {"result": [7]}}, False),
    (ANSWER, {"steps": "", "answer": {"failed": {"reason": "no_tool", "detail": "No eyes."}}}, True),
    (ANSWER, {"answer": {"result": []}}, False),
]


@pytest.mark.parametrize(("schema", "value", "fits"), FITS)
def test_a_schema_allows_what_tags_can_say_and_no_contradictions(
    schema: dict[str, Any], value: Any, *, fits: bool
) -> None:
    check_schema(schema)
    assert (misfits(schema, value) == []) is fits


@pytest.mark.parametrize("schema", [PLAN, PLAIN, VERDICT, ANSWER])
def test_our_schemas_are_strict_as_openai_wants_them(schema: dict[str, Any]) -> None:
    assert is_strict(schema)
    assert is_strict(bare := without_bounds(schema))
    assert not any(bound in json.dumps(bare) for bound in ("minLength", "maxLength", "minItems", "maxItems"))


def test_a_schema_that_leaves_something_open_is_not_strict() -> None:
    loose = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert not is_strict(loose)
    assert not is_strict(answer_schema(loose, has_steps=False))
    assert not is_strict({"type": "array", "items": {}})
    anything = {"type": "object", "additionalProperties": False}
    assert not is_strict(anything)
    assert not is_strict(answer_schema(anything, has_steps=True))


def test_a_strict_schema_may_require_in_any_order() -> None:
    both = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    assert is_strict({"type": "object", "properties": both, "required": ["b", "a"], "additionalProperties": False})


# Reading


@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "<think>A plan? {{}}</think>\n{}"])
def test_the_json_of_a_plan_says_what_its_tags_would(frame: str) -> None:
    read = parse_plan(
        frame.replace("{}", json.dumps(TWO), 1) if "think" not in frame else f"<think>{{}}</think>{json.dumps(TWO)}"
    )
    assert [(each.key, each.content, each.needs) for each in read.tasks] == [("1", "Look", ()), ("2", "Leap", ("1",))]
    assert parse_plan(json.dumps(ATOMIC)).atomic
    for reason in REASONS:
        failed = {"plan": {"failed": {"reason": reason, "detail": "No."}}}
        assert parse_plan(json.dumps(failed)).failed == Failure(reason, "No.")
    typed = parse_plan(
        json.dumps(plan(task(), task("Leap", "0.1", type_="look"))), types=["look", "model"], known_ids=["0.1"]
    )
    assert [(each.type, each.needs) for each in typed.tasks] == [("model", ()), ("look", ("0.1",))]


def test_tags_inside_of_json_are_words() -> None:
    words = json.dumps(plan(task("Write <task>a</task> and <atomic/>"), task("Say </think> and <failed>")))
    assert [each.content for each in parse_plan(words).tasks] == [
        "Write <task>a</task> and <atomic/>", "Say </think> and <failed>",
    ]  # fmt: skip
    stream = PlanStream()
    heard = [each for i in range(0, len(words), 5) for each in stream.feed(words[i : i + 5])]
    assert heard == list(parse_plan(words).tasks)
    assert len(stream.close().tasks) == 2


def test_needs_that_no_task_can_have_are_left_out_and_told() -> None:
    circle = plan(task("a", "1", "2"), task("b", "1", "3", "9"), task("c", "2", "0"))
    read = parse_plan(json.dumps(circle), types=["model"])
    assert [each.needs for each in read.tasks] == [(), ("1",), ("2",)]
    (note,) = read.notes
    assert '"1", "2" of task 1; "3", "9" of task 2; "0" of task 3' in note
    ahead = plan(task("a", "2"), task("b"))
    assert [each.needs for each in parse_plan(json.dumps(ahead), types=["model"]).tasks] == [("2",), ()]


def test_what_is_whole_was_not_cut_by_a_limit_of_length() -> None:
    assert len(parse_plan(json.dumps(TWO), finish_reason="length").tasks) == 2
    with pytest.raises(TruncatedReplyError):
        parse_plan(json.dumps(TWO), finish_reason="content_filter")


@pytest.mark.parametrize("read", [parse_plan, parse_verdict, answer_in])
@pytest.mark.parametrize("key", ["plan", "verdict", "answer"])
def test_json_that_breaks_off_is_a_cut_reply(read: Callable[[str], object], key: str) -> None:
    words = json.dumps({key: {"tasks": [{"content": "Look"}]}})
    for end in range(words.index("tasks"), len(words)):
        try:
            read(words[:end])
        except (TruncatedReplyError, ReplyError):
            continue
        assert (read is answer_in, key == "answer") == (True, False)  # which leaves it to others


HOSTILE = [
    '{"plan": ' * 100_000,
    '{"plan": {"tasks": ' + "[" * 100 + "]" * 100 + "}}",
    '{"plan": {"tasks": [' + ",".join(['{"content": "a", "needs": ["1"]}'] * 20_000) + "]}}",
    '{"plan": {"tasks": [{"content": "a", "needs": [' + ",".join(f'"{n}"' for n in range(50_000)) + "]}]}}",
    '{"plan": {"tasks": [7]}}',
    '{"plan": {"tasks": [{"content": {"deep": 1}, "needs": [{}]}]}}',
    '{"plan": {}}',
    '{"plan": 7}',
    '{"plan": {"tasks": [{"content": "a", "needs": ["' + "9" * 5_000 + '"]}, {"content": "b"}]}}',
    '{"verdict": {"value": ["pass"]}}',
    '{"verdict": {"value": "pass", "issues": [[[1]]]}, "plan": 0}',
    '{"answer": {"result": NaN}}',
    '{"answer": {"failed": 7}}',
    "{'plan': {'tasks': " + '"' * 10_000,
]


@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("read", [lambda reply: parse_plan(reply, max_tasks=12), parse_verdict, answer_in])
def test_hostile_json_is_read_or_refused(read: Callable[[str], object], reply: str) -> None:
    with suppress(ReplyError):
        read(reply)


def test_too_many_tasks_are_refused_by_schema_or_not() -> None:
    with pytest.raises(ReplyError, match="there are 4 tasks, the most is 3"):
        parse_plan(json.dumps(plan(*[task()] * 4)), max_tasks=3, types=["model"])


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ('{"verdict": {"value": "pass"}}', Verdict("pass")),
        ('{"verdict": {"issues": ["a | b"], "value": "fail"}}', Verdict("fail", ("a | b",))),
        ('{"verdict": "fail", "issues": [{"demand": "a", "evidence": "b"}]}', Verdict("fail", ("a | b",))),
    ],
)
def test_the_json_of_a_verdict_says_what_its_tags_would(reply: str, said: Verdict) -> None:
    assert parse_verdict(reply) == said


def test_a_json_verdict_that_contradicts_itself_is_none() -> None:
    for reply in (
        '{"verdict": {"value": "fail"}}',
        '{"verdict": {"value": "pass", "issues": ["a"]}}',
        '{"verdict": {}}',
    ):
        with pytest.raises(ReplyError):
            parse_verdict(reply)


# Who takes a schema


def as_json(chat: Chat) -> bool:
    asked = chat.said("system") + chat.user
    return any(f'{{"{key}"' in asked for key in ("plan", "verdict", "steps", "answer"))


def words(chat: Chat) -> str:
    """Answer in the form that the prompt asks for."""
    if "You plan work" in chat.said("system"):
        return json.dumps(TWO) if as_json(chat) else '<task id="a">Look</task><task needs="a">Leap</task>'
    return "<result>ok</result>"


def keeps(chat: Chat) -> str | Fault:
    assert ("response_format" in chat.body) is as_json(chat)
    return words(chat)


def refuses(message: str) -> Handler:
    return lambda chat: Fault("bad_request", message=message) if "response_format" in chat.body else words(chat)


def solve(server: OpenAIServer, store: Path, *, content: str = "Cross the river.", **settings: Any) -> Any:
    agent = Agent("lm", base_url=server.base_url, settings=AgentSettings(**settings))
    limits = PlanLimits(max_depth=2, split="always")
    return Executor(agent, store=store, plan=limits).run(Task(content=content, id="0"))


def warnings(run: Any, store: Path) -> list[str]:
    with Store.open(store, create=False) as opened:
        return [event.data["message"] for event in opened.events(run.id) if event.type == "warning"]


def test_a_server_that_takes_schemas_is_asked_by_them_for_plans_alone(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    with OpenAIServer(keeps) as server:
        run = solve(server, store)
        forms = [chat.body.get("response_format") for chat in server.chats]
    assert [each.content for each in run.task.subtasks] == ["Look", "Leap"]
    assert forms[0] is not None
    assert forms[0]["json_schema"] == {"name": "decompose", "schema": plan_schema(max_tasks=12), "strict": True}
    assert forms[1:] == [None] * 3  # two answers and one that joins them are free text
    assert warnings(run, store) == []


@pytest.mark.parametrize("said", ["'response_format' is not supported", "Bad Request"])
def test_a_server_that_refuses_schemas_is_asked_for_tags_after_one_try(
    tmp_path: Path, ramify: Ramify, said: str
) -> None:
    store = tmp_path / "runs.db"
    check = [Check(verify="It is right.")]
    with OpenAIServer(lambda chat: _judged(refuses(said), chat)) as server:
        agent = Agent("lm", base_url=server.base_url)
        root = Task(content="Cross the river.", id="0", checks=check)
        run = Executor(agent, store=store, plan=PlanLimits(max_depth=2, split="always")).run(root)
        assert [chat.number for chat in server.chats if "response_format" in chat.body] == [1]
    assert run.status == "done"
    (told,) = warnings(run, store)
    assert [each.message for each in run.warnings] == [told]
    shown = ramify("show", "--last", "--store", str(store)).out
    assert "\nwarning: lm at " in shown
    assert "using tags for the rest" in shown
    assert said in told
    assert "using tags for the rest of the run (--constrain never skips the try)" in told


def _judged(handler: Handler, chat: Chat) -> Any:
    is_verdict = "You check a result" in chat.said("system") and "response_format" not in chat.body
    return '<verdict value="pass"/>' if is_verdict else handler(chat)


def test_an_error_that_tags_meet_too_is_not_about_the_schema(tmp_path: Path) -> None:
    with OpenAIServer(lambda _: Fault("bad_request", message="Invalid value for 'temperature'.")) as server:
        run = solve(server, tmp_path / "runs.db")
        assert ["response_format" in chat.body for chat in server.chats[:2]] == [True, False]
    assert run.status == "failed"
    assert warnings(run, tmp_path / "runs.db") == []


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ('<task id="a">Look</task><task needs="a">Leap</task>', 1),
        ("1. Look\n2. Leap", 1),
        ('{"tasks": ["Look", "Leap"]}', 0),
        ('```json\n{"plan": {"tasks": ["Look", "Leap"]}}\n```', 0),
    ],
)
def test_a_server_that_ignores_schemas_is_understood(tmp_path: Path, reply: str, told: int) -> None:
    store = tmp_path / "runs.db"
    with OpenAIServer(lambda chat: reply if "response_format" in chat.body else words(chat)) as server:
        run = solve(server, store)
        assert len(server.chats) == 4
    assert [each.content for each in run.task.subtasks] == ["Look", "Leap"]
    assert len([told for told in warnings(run, store) if "ignores the schema" in told]) == told


def test_a_reply_that_keeps_to_no_form_is_repaired_in_tags(tmp_path: Path) -> None:
    def handler(chat: Chat) -> str:
        if "response_format" in chat.body:
            return "I would rather talk."
        return words(chat) if "You put a reply" not in chat.said("system") else "<task>Look</task><task>Leap</task>"

    with OpenAIServer(handler) as server:
        run = solve(server, tmp_path / "runs.db")
        assert ["response_format" in chat.body for chat in server.chats] == [True, *[False] * 4]
        assert "<atomic/>" in server.chats[1].user
    assert len(run.task.subtasks) == 2


def test_broken_json_is_repaired_by_the_schema(tmp_path: Path) -> None:
    def handler(chat: Chat) -> str:
        return '{"plan": {"tasks": [7]}}' if chat.number == 1 else json.dumps(TWO) if chat.number == 2 else words(chat)

    with OpenAIServer(handler) as server:
        run = solve(server, tmp_path / "runs.db")
        assert ["response_format" in chat.body for chat in server.chats] == [True, True, *[False] * 3]
        assert '{"plan": {"tasks": [' in server.chats[1].user
    assert len(run.task.subtasks) == 2


@pytest.mark.parametrize("said", ["Cross the river.", "Build a bridge."])
def test_a_plan_of_one_task_leaves_the_goal_whole(tmp_path: Path, said: str) -> None:
    one = json.dumps({"plan": {"tasks": [{"content": said, "needs": []}]}})
    with OpenAIServer(lambda chat: one if "response_format" in chat.body else words(chat)) as server:
        run = solve(server, tmp_path / "runs.db")
        assert len(server.chats) == 2
    assert (run.status, list(run.task.subtasks)) == ("done", [])


def test_a_cut_plan_is_asked_for_shorter_by_the_schema(tmp_path: Path) -> None:
    def handler(chat: Chat) -> Answer:
        cut = Answer('{"plan": {"tasks": [{"content": "Lo', finish_reason="length")
        return cut if chat.number == 1 else Answer(words(chat))

    with OpenAIServer(handler) as server:
        run = solve(server, tmp_path / "runs.db")
        assert "response_format" in server.chats[1].body
    assert len(run.task.subtasks) == 2


def test_never_sends_no_schema_and_always_falls_back_to_nothing(tmp_path: Path) -> None:
    with OpenAIServer(refuses("no response_format here")) as server:
        assert solve(server, tmp_path / "a.db", constrain="never").status == "done"
        assert not any("response_format" in chat.body for chat in server.chats)
        run = solve(server, tmp_path / "b.db", constrain="always")
    assert run.status == "failed"
    assert "no response_format here" in str(run.error)


def test_always_sends_schemas_to_a_server_that_ignores_them_too(tmp_path: Path) -> None:
    def ignores(chat: Chat) -> str:
        is_plan = "You plan work" in chat.said("system")
        return '<task id="a">Look</task><task needs="a">Leap</task>' if is_plan else '<verdict value="pass"/>'

    with OpenAIServer(
        lambda chat: ignores(chat) if "response_format" in chat.body else "<result>ok</result>"
    ) as server:
        agent = Agent("lm", base_url=server.base_url).with_settings(constrain="always")
        root = Task(content="Cross the river.", id="0", checks=[Check(verify="It is crossed.")])
        run = Executor(agent, store=tmp_path / "runs.db", plan=PlanLimits(max_depth=2, split="always")).run(root)
        sent = ["response_format" in chat.body for chat in server.chats]
    assert (run.status, sent) == ("done", [True, False, False, False, True])  # plan, leaves, answer, verdict


def test_the_first_goes_ahead_alone_and_the_others_learn_from_it(tmp_path: Path) -> None:
    async def handler(chat: Chat) -> str | Fault:
        if "response_format" in chat.body:
            await asyncio.sleep(0.05)
            return Fault("bad_request", message="unknown field: response_format")
        return "<result>4</result>"

    root = Task(content="Count.", id="0")
    for number in range(6):
        root.add_subtask(Task(content=f"Count {number}", id=f"0.{number}", checks=[Check(schema={"type": "integer"})]))
    with OpenAIServer(handler) as server:
        run = Executor(Agent("lm", base_url=server.base_url), store=tmp_path / "runs.db", jobs=6).run(root)
        assert sum("response_format" in chat.body for chat in server.chats) == 1
    assert [each.output for each in run.task.subtasks] == [4] * 6


def test_a_schema_that_alone_is_refused_is_not_sent_again_and_others_are(tmp_path: Path) -> None:
    def handler(chat: Chat) -> str | Fault:
        schema = json.dumps(chat.body.get("response_format"))
        if "multipleOf" in schema:
            return Fault("bad_request", message="failed to parse grammar")
        if as_json(chat):
            return '{"steps": "I count.", "answer": {"result": 4}}'
        return "<result>4</result>"

    root = Task(content="Count.", id="0")
    for number, more in enumerate(({}, {"multipleOf": 2}, {"multipleOf": 2}, {})):
        root.add_subtask(
            Task(content=f"Count {number}", id=f"0.{number}", checks=[Check(schema={"type": "integer", **more})])
        )
    with OpenAIServer(handler) as server:
        run = Executor(Agent("lm", base_url=server.base_url), store=tmp_path / "runs.db", jobs=1).run(root)
        sent = [
            "multipleOf" in json.dumps(c.body["response_format"]) for c in server.chats if "response_format" in c.body
        ]
    assert [each.output for each in run.task.subtasks] == [4] * 4
    assert sorted(sent) == [False, False, True]
    (told,) = warnings(run, tmp_path / "runs.db")
    assert "using tags for this request" in told


def test_a_model_may_say_by_the_schema_that_it_cannot(tmp_path: Path) -> None:
    said = '{"steps": "Where?", "answer": {"failed": {"reason": "missing_input", "detail": "no map"}}}'
    with OpenAIServer(lambda _: said) as server:
        root = Task(content="Count.", id="0", checks=[Check(schema={"type": "integer"})])
        run = Executor(Agent("lm", base_url=server.base_url), store=tmp_path / "runs.db").run(root)
    assert "no map (missing_input)" in str(run.task.error)


@pytest.mark.parametrize("handler", [keeps, refuses("no response_format")])
def test_a_replay_asks_by_the_schema_what_was_asked_so(tmp_path: Path, handler: Handler) -> None:
    store = tmp_path / "runs.db"
    with OpenAIServer(handler) as server:
        run = solve(server, store)
    model = ReplayModel.of_run(run.id, store)
    again = Executor(Agent(model), store=store, plan=PlanLimits(max_depth=2, split="always")).run(
        Task(content="Cross the river.", id="0")
    )
    assert (again.status, again.result) == ("done", run.result)


@pytest.mark.parametrize("form", [True, False])
def test_a_resumed_run_finds_its_replies_in_the_form_that_they_had(tmp_path: Path, *, form: bool) -> None:
    store = tmp_path / "runs.db"
    handler = keeps if form else refuses("no response_format")

    def failing(chat: Chat) -> Any:
        return Fault("bad_key") if "You plan work" not in chat.said("system") else handler(chat)

    with OpenAIServer(failing) as server:
        run = solve(server, store)
        assert run.status == "stopped"
        server.handler = handler
        planned = len(server.chats)
        again = Executor.resume(store, run.id)
        asked = server.chats[planned:]
    assert again.status == "done"
    assert not any("You plan work" in chat.said("system") or "response_format" in chat.body for chat in asked)


def test_a_resumed_run_remembers_that_schemas_are_ignored(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"

    def ignores(chat: Chat) -> Any:
        if "You plan work" in chat.said("system"):
            return '<task id="a">Look</task><task needs="a">Leap</task>'
        return "<verdict value='pass'/>" if "You check" in chat.said("system") else "<result>ok</result>"

    def failing(chat: Chat) -> Any:
        return ignores(chat) if "You plan work" in chat.said("system") else Fault("bad_key")

    with OpenAIServer(failing) as server:
        agent = Agent("lm", base_url=server.base_url)
        root = Task(content="Cross the river.", id="0", checks=[Check(verify="It is crossed.")])
        run = Executor(agent, store=store, plan=PlanLimits(max_depth=2, split="always")).run(root)
        assert run.status == "stopped"
        server.handler = ignores
        planned = len(server.chats)
        again = Executor.resume(store, run.id)
        asked = server.chats[planned:]
    assert again.status == "done"
    assert any("You check" in chat.said("system") for chat in asked)
    assert not any("response_format" in chat.body for chat in asked)


@pytest.mark.parametrize("template", ["decompose", "verify", "execute", "compose"])
def test_a_prompt_for_json_says_nothing_of_tags(template: str) -> None:
    contract = PromptLibrary().contract_of(template, as_json=True)
    assert not any(tag in contract for tag in ("<task", "<atomic", "<failed", "<result", "<issue", "<verdict"))
    assert '{"' in contract
