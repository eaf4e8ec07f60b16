"""Tools of MCP servers: a real server is started, asked, called, ended, and allowed no more than was granted."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ramify.planner import Agent, Executor, Run, mcp_tools
from ramify.planner.errors import NotAllowedError, UsageError
from ramify.planner.testing import ScriptedModel
from ramify.planner.tools import FunctionTool
from ramify.planner.tools.naming import by_name
from ramify.tasks import Task, TaskConfig

from .ramify_command import Ramify, ramify_process
from .test_tool_loop import Wish, by_elements, told

SERVER = Path(__file__).with_name("mcp_server.py")
COMMAND = [sys.executable, str(SERVER)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "seen"


def ran(log: Path, model: ScriptedModel, *, allow: Any = ("mcp:shop",), secrets: Any = None, **settings: Any) -> Run:
    settings.setdefault("env", {})
    settings["env"] = {"SEEN": str(log), **settings["env"]}
    agent = Agent(model, tools=[mcp_tools(COMMAND, name="shop", **settings)])
    task = Task(content="Shop", id="0", config=TaskConfig(max_retries=0))
    return Executor(agent, store=log.with_name("runs.db"), allow=allow, secrets=secrets).run(task)


def model_of(*turns: Wish | list[Wish] | str) -> ScriptedModel:
    return ScriptedModel(
        [turn if isinstance(turn, str) else by_elements([turn] if isinstance(turn, tuple) else turn) for turn in turns]
    )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_started_asked_called_and_ended(log: Path) -> None:
    wishes: list[Wish] = [
        ("price", {"product": "tea"}), ("order", {"product": "tea", "pieces": 2}), ("price", {"product": "nothing"}),
        ("price", {}),
    ]  # fmt: skip
    model = model_of(wishes, "done")
    run = ran(log, model)
    assert (run.status, run.result) == ("done", "done")
    assert "Tell what a product costs." in model.requests[0].messages[0]["content"]
    outcome = told(model, 1)
    for words in ("tea costs 3 euros", '"tea": 2', "there is no such product", "product is missing"):
        assert words in outcome
    lines = log.read_text().splitlines()
    assert sorted(lines[1:]) == ["order 2 tea", "price nothing", "price tea"]
    assert not is_alive(int(lines[0].split()[1]))


def test_a_server_needs_its_permission_and_gives_only_what_is_allowed(log: Path) -> None:
    with pytest.raises(NotAllowedError, match="needs the permission mcp:shop"):
        ran(log, model_of("x"), allow=())
    assert not log.exists()
    model = model_of(("order", {"product": "tea"}), "done")
    assert ran(log, model).status == "done"
    model = model_of(("order", {"product": "tea"}), "done")
    agent = Agent(model, tools=[mcp_tools(COMMAND, name="shop", env={"SEEN": str(log)}, allow=["price"])])
    Executor(agent, store=log.with_name("runs.db"), allow=["mcp:shop"]).run(Task(content="Shop", id="0"))
    assert "there is no tool 'order'; there are: price" in told(model, 1)
    assert log.read_text().count("order") == 1
    agent = Agent(model_of("x"), tools=[mcp_tools(COMMAND, name="shop", env={"SEEN": str(log)}, allow=["prise"])])
    run = Executor(agent, store=log.with_name("runs.db"), allow=["mcp:shop"]).run(Task(content="Shop", id="0"))
    assert "the server shop has no tool 'prise'; did you mean 'price'?" in str(run.error)


def test_a_server_that_ends_is_started_again_and_the_model_is_told(log: Path) -> None:
    model = model_of(("die", {"how": "at once"}), ("price", {"product": "tea"}), "done")
    run = ran(log, model)
    assert (run.status, run.result) == ("done", "done")
    assert "ended before it answered the call of die, so it is unknown whether it was done" in told(model, 1)
    assert "the shop burns down" in told(model, 1)
    assert "tea costs 3 euros" in told(model, 2)
    starts = [line for line in log.read_text().splitlines() if line.startswith("start")]
    assert len(starts) == 2
    assert not any(is_alive(int(line.split()[1])) for line in starts)


def test_a_server_that_ends_in_what_may_not_be_repeated_asks_a_person(log: Path) -> None:
    run = ran(log, model_of(("burn", {}), "done"))
    assert run.status == "waiting"
    assert "turn 1, call 1: burn failed (the server shop ended" in str(run.error)
    assert log.read_text().count("burn") == 1
    model = model_of(("burn", {}), "done")
    assert ran(log, model, may_repeat=["burn"]).status == "done"


def test_a_call_that_takes_too_long_is_given_up(log: Path) -> None:
    model = model_of(("wait", {}), "done")
    assert ran(log, model, timeout_s=0.3).status == "done"
    assert "took longer than 0.3 s" in told(model, 1)


def test_a_secret_reaches_the_server_and_nothing_else(log: Path, tmp_path: Path) -> None:
    model = model_of([("tell", {"variable": "TOKEN"}), ("tell", {"variable": "HOME_OF_NOBODY"})], "done")
    run = ran(
        log, model, env={"TOKEN": "secret:SHOP"}, allow=["mcp:shop", "secret:SHOP"], secrets={"SHOP": "hunter22-hidden"}
    )
    assert run.status == "done"
    assert "[secret hidden]" in told(model, 1)
    assert "not set" in told(model, 1)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hunter22" not in path.read_bytes()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["/no/such/program"], "the MCP server shop (/no/such/program) cannot be used: "),
        ([sys.executable, "-c", "import sys; sys.exit('no shop today')"], "its last output: no shop today"),
    ],
)
def test_a_server_that_cannot_be_used_is_said_in_a_line(tmp_path: Path, command: list[str], complaint: str) -> None:
    agent = Agent(ScriptedModel({}), tools=[mcp_tools(command, name="shop")])
    run = Executor(agent, store=tmp_path / "runs.db", allow=["mcp:shop"]).run(Task(content="Shop", id="0"))
    assert run.status == "failed"
    assert complaint in str(run.error)
    assert "\n" not in str(run.error)


def test_servers_are_named_after_their_program_or_script() -> None:
    assert mcp_tools("python -u tools/my-shop.py --fast").name == "my-shop"
    assert mcp_tools("/usr/bin/shop.d --x").name == "shop"
    with pytest.raises(UsageError, match="is blank"):
        mcp_tools("")


def test_without_the_package_there_is_one_clear_line() -> None:
    code = (
        "import sys; sys.modules['mcp'] = None\n"
        "from ramify.planner import mcp_tools\nfrom ramify.planner.errors import UsageError\n"
        "try:\n    mcp_tools('x')\nexcept UsageError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == 'MCP servers need the package mcp; install it with: pip install "ramify[mcp]"\n'


@pytest.mark.fault("5.4")
def test_resources_are_told_by_their_text_or_by_name_and_address(log: Path) -> None:
    model = model_of(("leaflet", {}), "done")
    assert ran(log, model).status == "done"
    outcome = told(model, 1)
    assert "shop://leaflet:\nTea is good.\n" in outcome
    assert "[resource, image/png, shop://logo, which is not shown]" in outcome
    assert "[prices](shop://prices) (text/csv, all prices)" in outcome
    assert "[image, image/png, which is not shown]" in outcome


@pytest.mark.fault("5.4")
def test_two_servers_with_tools_of_one_name_are_told_apart(log: Path) -> None:
    env = {"SEEN": str(log)}
    servers = [
        mcp_tools(COMMAND, name=name, env=env, allow=allow)
        for name, allow in (("shop", ["price", "order"]), ("market", ["price"]))
    ]
    model = model_of([("market_price", {"product": "tea"}), ("shop_price", {"product": "rice"})], "done")
    run = Executor(Agent(model, tools=servers), store=log.with_name("runs.db"), allow=["mcp:shop", "mcp:market"]).run(
        Task(content="Shop", id="0")
    )
    assert run.status == "done", run.error
    for name in ("shop_price", "market_price", "order"):
        assert name in model.requests[0].messages[0]["content"]
    assert {"tea costs 3 euros", "rice costs 3 euros"} <= set(re.findall(r"\w+ costs 3 euros", told(model, 1)))


@pytest.mark.fault("5.4")
@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([("a", "x"), ("b", "y")], ["x", "y"]),
        ([("a", "x"), ("b", "x")], ["a_x", "b_x"]),
        ([(None, "x"), ("b", "x")], ["x", "b_x"]),
        ([("a", "x"), ("b", "x"), (None, "a_y"), ("a", "y")], ["a_x", "b_x", "a_y", "y"]),
        ([("a", "x"), ("b", "x"), (None, "a_x")], None),
        ([(None, "x"), (None, "x")], None),
        ([("a" * 60, "x" * 9), ("b", "x" * 9)], None),
    ],
)
def test_a_name_that_is_given_twice_gets_its_servers_before_it(
    given: list[tuple[str | None, str]], names: list[str] | None
) -> None:
    tools = [(source, FunctionTool(lambda: "", name=name)) for source, name in given]
    if names is None:
        with pytest.raises(
            UsageError, match=r"two tools are named '\w+', and '\w+' is not a valid name .* leave one out"
        ):
            by_name(tools)
        return
    assert list(by_name(tools)) == [tool.name for tool in by_name(tools).values()] == names


@pytest.mark.fault("5.4")
def test_the_command_line_lists_a_servers_tools_if_it_may_be_started(log: Path, ramify: Ramify) -> None:
    Path("ramify.toml").write_text(
        f'[mcp.shop]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\nallow = ["price", "order"]\n'
        f'[mcp.shop.env]\nSEEN = "{log}"\n'
    )
    words = ("tools", "list", "--tools", "mcp:shop")
    unopened = ramify(*words)
    assert "shop" in unopened.out
    assert "to list the tools of shop, allow its server to start: --allow mcp:shop" in unopened.err
    assert not log.exists()
    said = ramify(*words, "--allow", "mcp:shop")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[:2] for line in said.out.splitlines()[1:]] == [["price", "Tell"], ["order", "Order"]]
    assert not is_alive(int(log.read_text().split()[1]))
    document = json.loads(ramify(*words, "--allow", "mcp:shop", "--json").out)
    assert [row["name"] for row in document["tools"]] == ["price", "order"]
    assert document["tools"][0]["parameters"]["required"] == ["product"]


def test_the_command_line_takes_servers_from_the_settings(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ramify.toml").write_text(
        f'[mcp.shop]\ncommand = "{sys.executable}"\nargs = ["{SERVER}"]\nallow = ["price"]\n'
        f'[mcp.shop.env]\nSEEN = "{log}"\n'
    )
    (tmp_path / "plan.yaml").write_text("goal: Shop\n")
    call = '<call tool="price">{"product": "tea"}</call>'
    (tmp_path / "replies").write_text(f"{call}\n---\n<result>3 euros</result>\n")
    words = ("run", "plan.yaml", "--model", "human:replies", "--tools", "mcp:shop")
    refused = ramify_process(*words)
    assert (refused.code, "--allow mcp:shop" in refused.err) == (2, True)
    said = ramify_process(*words, "--allow", "mcp:shop")
    assert (said.code, said.out) == (0, "3 euros\n"), said.err
    missing = ramify_process("run", "plan.yaml", "--model", "human:replies", "--tools", "mcp:shpo")
    assert (missing.code, "no MCP server 'shpo'; did you mean 'shop'?" in missing.err) == (2, True)
