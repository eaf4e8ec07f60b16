"""Several agents: who is told of them, who does what, how they work together, and what a kill leaves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, PlanLimits, RunLimits, solve, worker
from ramify.planner.asking.agent import AgentSettings
from ramify.planner.errors import ModelError, UsageError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.planner.workers.agents import agents_file, agents_of, read_agents
from ramify.tasks import Task, TaskConfig

from .openai_server import Answer, OpenAIServer
from .ramify_command import Ramify

SERVER = Path(__file__).with_name("mcp_server.py")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def words_of(request: ModelRequest, place: int = -1) -> str:
    return request.messages[place]["content"]


def tasks_for(*types: str) -> Task:
    root = Task(content="all", id="0", config=TaskConfig(max_retries=0))
    root.add_subtasks([Task(content=f"do {type_}", id=type_, type=type_) for type_ in types])
    return root


def test_a_plan_by_schema_may_give_a_task_to_every_two_agents_together(store: Path) -> None:
    boss = ScriptedModel({"decompose": "<atomic/>", "execute": "done"}, name="boss")
    agents = {name: Agent(boss, role_name=name) for name in ("writer", "critic", "checker")}
    Executor(
        Agent(boss, settings=AgentSettings(constrain="always")), agents=agents, workers={"look": str.upper},
        store=store, plan=PlanLimits(),
    ).run("a story, then a review")  # fmt: skip
    schema = json.dumps(boss.requests[0].schema)
    assert '"writer+critic", "writer+checker", "critic+checker"' in schema
    assert "+look" not in schema


def test_the_planner_is_told_of_agents_and_each_does_its_tasks(store: Path) -> None:
    plan = '<task id="a" type="writer">draft it</task><task id="b" type="critic" needs="a">judge it</task>'
    boss = ScriptedModel({"decompose": plan, "compose": "whole"}, name="boss")
    drafts, critiques = ScriptedModel({"execute": "draft"}, name="m1"), ScriptedModel({"execute": "good"}, name="m2")
    agents = {
        "writer": Agent(drafts, role_name="novelist", about="writes prose"),
        "critic": Agent(critiques, role_name="critic"),
    }
    run = solve("a story", model=boss, agents=agents, store=store, max_depth=2)
    assert [(task.type, task.result) for task in run.task.subtasks] == [("writer", "draft"), ("critic", "good")]
    system = words_of(boss.requests[0], 0)
    assert "- `writer`: writes prose" in system
    assert "- `critic`: an agent in the role of critic" in system
    assert "- `writer+critic`: writer and critic together" in system
    assert "Your role: novelist." in words_of(drafts.requests[0], 0)
    with Store.open(store) as opened:
        made = {(call.key.task_id, call.key.purpose): call.model for call in opened.calls(run.id)}
    assert made == {
        ("0", "decompose"): "boss", ("0.1", "execute"): "m1", ("0.2", "execute"): "m2", ("0", "compose"): "boss",
    }  # fmt: skip
    assert "critic" in run.to_mermaid()


def test_an_assignment_to_nobody_is_put_to_the_model_once_more_and_then_refused_by_name(store: Path) -> None:
    plan = '<task id="a" type="editor">edit</task><task id="b" type="writer">write</task>'
    model = ScriptedModel({"decompose": plan, "repair": plan, "execute": "done"})
    warnings: list[str] = []
    run = solve(
        "a story", model=model, agents={"writer": Agent(), "critic": Agent()}, store=store, max_depth=2,
        on_event=lambda event: warnings.append(event.data["message"]) if event.type == "warning" else None,
    )  # fmt: skip
    assert [request.purpose for request in model.requests] == ["decompose", "repair", "execute"]
    assert 'task "a" has the type "editor"' in words_of(model.requests[1])
    assert (run.task.subtasks[:], run.result) == ([], "done")
    assert "editor" in warnings[0]
    with pytest.raises(UsageError, match="task editor needs a worker 'editor', which does not exist"):
        Executor(model, agents={"writer": Agent()}, store=store).run(tasks_for("editor"))
    with pytest.raises(UsageError, match="task writer\\+critc needs a worker 'critc', which does not exist"):
        Executor(model, agents={"writer": Agent()}, store=store).run(tasks_for("writer+critc"))


def test_several_agents_work_on_one_task_and_the_first_joins_their_answers(store: Path) -> None:
    plan = '<task id="a" type="critic+writer">both</task><task id="b">x</task>'
    model = ScriptedModel(
        {"decompose": plan, "execute 0.2": "x", "compose 0": "whole", "compose 0.1": "joined", "execute": "mine"}
    )
    agents = {"writer": Agent(role_name="novelist"), "critic": Agent(role_name="critic")}
    run = solve("a story", model=model, agents=agents, store=store, max_depth=2, jobs=1)
    assert run.task.subtasks[0].result == "joined"
    first, second, join = [request for request in model.requests if request.task_id == "0.1"]
    assert (first.purpose, second.purpose, join.purpose) == ("execute", "execute", "compose")
    assert "Your role: critic." in words_of(first, 0)
    assert "The answer of the agent critic to the same task." in words_of(second)
    assert "Your role: novelist." in words_of(second, 0)
    assert "Your role: critic." in words_of(join, 0)
    assert words_of(join).count("mine") == 2


def test_what_one_agent_cannot_do_another_may(store: Path) -> None:
    cannot = '<failed reason="no_tool">no</failed>'
    weak, strong = ScriptedModel([cannot, "joined"]), ScriptedModel({"execute": "answer"})
    agents = {"weak": Agent(weak), "strong": Agent(strong)}
    root = Task(content="x", id="0", type="weak+strong")
    assert Executor(strong, agents=agents, store=store).run(root).result == "joined"
    assert 'state="FAILED"' in words_of(weak.requests[1])
    both = {"weak": Agent(ScriptedModel([cannot])), "strong": Agent(ScriptedModel([cannot]))}
    run = Executor(strong, agents=both, store=store).run(Task(content="x", id="0", type="weak+strong"))
    assert (run.status, run.task.error) == ("failed", "no (no_tool)")


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        ({"human": Agent()}, "the name of a worker that comes with Ramify"),
        ({"a+b": Agent()}, "is not a valid agent name"),
        ({"a": 3}, "the agent 'a' is int; use an Agent or a model's name"),
        ({"norm": Agent()}, "an agent and a worker are both named 'norm'"),
    ],
)
def test_agents_that_cannot_be_are_refused_by_name(agents: dict[str, Agent], said: str, store: Path) -> None:
    norm = worker(name="norm")(lambda task: "5")
    with pytest.raises(UsageError, match=said):
        Executor(ScriptedModel({}), agents=agents, workers=[norm], store=store).run(tasks_for())


def test_only_agents_work_together(store: Path) -> None:
    norm = worker(name="norm")(lambda task: "5")
    with pytest.raises(UsageError, match="'norm' is not an agent, and only agents can share a task"):
        Executor(ScriptedModel({}), agents={"a": Agent()}, workers=[norm], store=store).run(tasks_for("a+norm"))


KILLED = """
import os, signal, sys
from ramify.planner import Agent, Executor
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task
kill_at = int(sys.argv[2])
def reply(request):
    if len(model.requests) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    print(request.purpose, request.sample, flush=True)
    return "the same words"
model = ScriptedModel(reply)
how = {"agents": {"one": Agent(model), "two": Agent(model)}}
if os.path.exists(sys.argv[1]):
    print(Executor.resume(sys.argv[1], agent=model, **how).result)
else:
    print(Executor(model, store=sys.argv[1], **how).run(Task(content="x", id="0", type="one+two")).result)
"""


def test_the_journal_tells_agents_apart_so_a_kill_repeats_no_answer(store: Path) -> None:
    said = []
    for kill_at in (2, 2, 99):
        command = [sys.executable, "-c", KILLED, str(store), str(kill_at)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said.append((done.returncode, done.stdout.splitlines()))
    assert said == [(-9, ["execute 0"]), (-9, ["execute 10000"]), (0, ["compose 0", "the same words"])]


def test_a_resumed_run_knows_its_agents(store: Path) -> None:
    with OpenAIServer(lambda chat: Answer(str(chat.body["model"]))) as server:
        base: dict[str, Any] = {"base_url": server.base_url, "api_key": "key-for-nobody"}
        agents: dict[str, Agent | str] = {
            "writer": Agent("m-writer", role_name="novelist", **base),
            "critic": Agent(role_name="critic"),
            "reader": "m-reader",
        }
        boss = Agent("m-boss", **base)
        run = Executor(boss, agents=agents, store=store, limits=RunLimits(max_calls=1), jobs=1).run(
            tasks_for("writer", "critic", "reader")
        )
        assert run.status == "stopped"
        again = Executor.resume(store, run.id, limits=RunLimits())
        assert [task.result for task in again.task.subtasks] == ["m-writer", "m-boss", "m-reader"]
        assert b"key-for-nobody" not in b"".join(path.read_bytes() for path in store.parent.glob("runs.db*"))
        assert "Your role: critic." in str(server.chats[1].body["messages"])


def test_agents_are_described_in_files(ramify: Ramify, home: Path, tmp_path: Path) -> None:
    (home / "plan.yaml").write_text("goal: 2 * 3\ntype: sums\n")
    (home / "team.toml").write_text('[sums]\nmodel = "rules"\nrole = "accountant"\nabout = "adds up"\n')
    assert ramify("run", "plan.yaml", "--model", "rules", "-q").code == 2
    done = ramify("run", "plan.yaml", "--model", "rules", "--agents", "team.toml", "-q")
    assert (done.code, done.out) == (0, "6\n")
    assert "worker: sums" in ramify("show", "--last", "0").out
    (home / "ramify.toml").write_text('[agents.sums]\nrole = "accountant"\n')
    assert ramify("run", "plan.yaml", "--model", "rules", "-q").out == "6\n"
    (home / "team.toml").write_text('[sums]\nmodle = "rules"\n')
    bad = ramify("run", "plan.yaml", "--model", "rules", "--agents", "team.toml", "-q")
    assert bad.code == 2
    assert "has no setting 'modle'; did you mean 'model'?" in bad.err
    assert "cannot be read" in ramify("run", "plan.yaml", "--agents", "none.toml", "-q").err
    with pytest.raises(UsageError, match="has no agents"):
        agents_file(_file(tmp_path, "x = 1\n"))
    with pytest.raises(UsageError, match="the agent 'a'"):
        read_agents({"a": 3}, source="x")


def _file(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text)
    return path


def test_an_agent_without_a_model_keeps_its_own_tools_and_takes_none_of_the_runs(store: Path) -> None:
    def look(word: str) -> str:
        """Look a word up."""
        return f"{word} is a river"

    def other() -> str:
        """Do something else."""
        return "other"

    replies = iter(['<call tool="look">{"word": "Elbe"}</call>', "<result>a river</result>"])
    model = ScriptedModel(lambda request: next(replies) if request.purpose == "execute" else "<result>all</result>")
    run = Executor(
        Agent(model, tools=[other]), agents={"reader": Agent(role_name="reader", tools=[look])}, store=store
    ).run(tasks_for("reader"))
    assert run.task.subtasks[0].result == "a river"
    first, second = [request for request in model.requests if request.task_id == "reader"]
    assert "look" in str(first.messages)
    assert "Do something else" not in str(first.messages)
    assert "Elbe is a river" in str(second.messages)


SHOP = """
from ramify.planner import tool

@tool(permissions=["network"])
def price(product: str) -> str:
    "Tell what a product costs."
    return f"{product} costs 3 euros"

@tool
def order(product: str) -> str:
    "Order a product."
    return f"{product} is ordered"
"""
PRICE = '<call tool="price">{"product": "tea"}</call>\n---\n<result>3 euros</result>\n'


@pytest.fixture
def shop(home: Path) -> Path:
    (home / "shop.py").write_text(SHOP)
    (home / "plan.yaml").write_text("goal: What does tea cost?\ntype: buyer\n")
    (home / "replies.txt").write_text(PRICE)
    (home / "team.toml").write_text('[buyer]\ntools = ["price"]\n')
    return home


RUN = ("run", "plan.yaml", "--model", "human:replies.txt", "--agents", "team.toml")


def test_an_agent_that_is_described_asks_as_it_is_described() -> None:
    how: dict[str, Any] = {"native_tools": False, "language": "German", "timeout_s": 5.0, "examples": "none"}
    described = read_agents({"critic": {"sampling": {"seed": 3}, **how}}, source="a.toml")
    asking = agents_of(described, {}, Agent("rules"))["critic"].settings
    assert ({name: getattr(asking, name) for name in how}, asking.sampling.seed) == (how, 3)


def test_agents_in_files_name_their_tools(shop: Path, ramify: Ramify) -> None:
    assert (shop / "shop.py").exists()
    done = ramify(*RUN, "--tools", "shop.py", "--allow", "network", "-q")
    assert (done.code, done.out) == (0, "3 euros\n")
    said = ramify("show", "--last", "0", "--messages").out
    assert "tea costs 3 euros" in said
    assert "Order a product." not in said, "it has the tools that it names, and no other of the run's"


@pytest.mark.parametrize(
    ("tools", "options", "words"),
    [
        ('["prise"]', ("--tools", "shop.py"), "the agent 'buyer' has an unknown tool 'prise'; did"),
        ('["price"]', (), "unknown tool 'price'; there are: none. Tools come from --tools FILE"),
        ('["price"]', ("--tools", "shop.py"), "task 0 (type buyer) needs the permission network;"),
        ('["mcp:shop"]', (), "the settings have no MCP server 'shop'"),
        ('"price"', (), "the agent 'buyer' (from team.toml:2) cannot be used: tools: it must be a valid tuple"),
    ],
)
def test_tools_of_agents_that_cannot_be_are_refused_before_anything_starts(
    shop: Path, ramify: Ramify, tools: str, options: tuple[str, ...], words: str
) -> None:
    (shop / "team.toml").write_text(f"[buyer]\ntools = {tools}\n")
    said = ramify(*RUN, *options, "-q")
    assert said.code == 2
    assert words in said.err
    assert not (shop / ".ramify").exists()


def test_a_server_of_tools_is_named_by_the_agents_that_have_it(shop: Path, ramify: Ramify) -> None:
    server = f"[mcp.shop]\ncommand = '{sys.executable}'\nargs = ['{SERVER}']\nenv.SEEN = '{shop / 'seen'}'\n"
    team = '[agents.buyer]\ntools = ["mcp:shop"]\n[agents.payer]\ntools = ["mcp:shop"]\n'
    (shop / "ramify.toml").write_text(server + team)
    (shop / "plan.yaml").write_text("goal: x\ntype: buyer+payer\n")
    (shop / "replies.txt").write_text(PRICE + "---\n<result>nothing</result>\n---\n<result>all</result>\n")
    command = ("run", "plan.yaml", "--model", "human:replies.txt", "-q")
    refused = ramify(*command)
    assert (refused.code, "needs the permission mcp:shop" in refused.err) == (2, True)
    done = ramify(*command, "--allow", "mcp:shop")
    assert (done.code, done.out) == (0, "all\n"), done.err
    assert "tea costs 3 euros" in ramify("show", "--last", "0", "--messages").out
    assert (shop / "seen").read_text().count("start") == 1, "both have the same server"


def test_a_resumed_run_finds_the_tools_of_its_agents_or_says_that_they_are_not_there(shop: Path, store: Path) -> None:
    def weigh(product: str) -> str:
        """Weigh a product."""
        return f"{product}: 1 kg"

    weigher = Agent(tools=[weigh])
    agents: dict[str, Any] = {**read_agents({"buyer": {"tools": ["order"]}}, source="x"), "weigher": weigher}
    no_key = ModelError("no key", kind="bad_key", model="scripted")
    executor = Executor(
        ScriptedModel({"*": no_key}),
        agents=agents,
        tool_sources=[str(shop / "shop.py")],
        allow=["network"],
        store=store,
    )
    run = executor.run(tasks_for("buyer", "weigher"))
    assert run.status == "stopped"
    order = ['<call tool="order">{"product": "tea"}</call>', "<result>ordered</result>"]
    model = ScriptedModel([*order, '<call tool="weigh">{"product": "tea"}</call>', "<result>1 kg</result>", "all"])
    with pytest.raises(UsageError, match="the agent 'weigher' has an unknown tool 'weigh'"):
        Executor.resume(store, run.id, agent=model)
    again = Executor.resume(store, run.id, agent=model, agents={"weigher": weigher}, jobs=1)
    assert [task.result for task in again.task.subtasks] == ["ordered", "1 kg"]
    assert "tea is ordered" in str(model.requests[1].messages)
