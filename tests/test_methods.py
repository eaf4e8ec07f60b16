"""Methods in runs: tried before the model, refused by their preconditions, kept over kills, saved from runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ramify.planner import Executor, PlanLimits, Run, solve
from ramify.planner.errors import PlannerError, UsageError
from ramify.planner.events.events import Event, EventType
from ramify.planner.planning.methods import Methods
from ramify.planner.progress.ledger import Ledger
from ramify.planner.progress.plain import PlainLines
from ramify.planner.progress.tree import lines_of
from ramify.planner.store import Store
from ramify.planner.testing import ScriptedModel
from ramify.tasks import Task
from ramify.tasks.errors import DocumentError

from .blocks_world import BLOCKS, FOLDER, problem
from .patience import HANG_S
from .ramify_command import Ramify, ramify_process

PLAN = '<task id="a">Describe Oslo</task><task id="b">Describe Bergen</task><task needs="a b">Weigh Oslo, Bergen</task>'
GOAL = "Compare Oslo with Bergen for a long weekend"
LIKE = "Compare Rome with Paris for a long weekend"
OTHER = "For a long weekend, compare what Rome and Paris have to offer"
FILLED = '<parameter name="first">Rome</parameter><parameter name="second">Paris</parameter>'
METHOD = "goal: Compare {a} with {b}\nkeywords: [compare]\ntasks: ['Describe {a}', 'Describe {b}']\n"


def scripted(**replies: str) -> ScriptedModel:
    return ScriptedModel({"execute": "<result>done</result>", "compose": "<result>all</result>", **replies})


def asked(model: ScriptedModel, *purposes: str) -> list[str]:
    """Return what was asked to plan, or for these purposes."""
    wanted = purposes or ("decompose", "fit", "repair", "replan")
    return [f"{request.purpose} {request.task_id}" for request in model.requests if request.purpose in wanted]


def solved(place: Path, goal: str, model: ScriptedModel, **how: Any) -> Run:
    return solve(goal, model=model, store=place / "r.db", **{"methods": place / "methods", **how})


def words(run: Run) -> list[str]:
    return [task.content for task in run.task.subtasks]


def passed_over(run: Run) -> list[str]:
    return [use.why for use in run.methods if use.why]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a method that was saved from a run."""
    run = solve(GOAL, model=scripted(decompose=PLAN), store=tmp_path / "first.db", max_depth=2, methods="none")
    with Store.open(tmp_path / "first.db") as store:
        Methods(tmp_path / "methods").save(store.read_run(run.id), name="compare")
    return tmp_path


def write(place: Path, **texts: str) -> Path:
    folder = place / "methods"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_a_saved_method_splits_a_like_goal_without_a_planning_call(saved: Path) -> None:
    model = scripted()
    run = solved(saved, LIKE, model)
    assert (run.status, words(run)) == ("done", ["Describe Rome", "Describe Paris", "Weigh Rome, Paris"])
    assert run.task.subtasks[2].dependencies == ["0.1", "0.2"]
    assert asked(model) == []
    assert [use.text for use in run.methods] == ["split by the method compare (first: Rome, second: Paris)"]


def test_a_goal_in_other_words_costs_one_planning_call(saved: Path) -> None:
    model = scripted(fit=FILLED)
    run = solved(saved, OTHER, model)
    assert words(run) == ["Describe Rome", "Describe Paris", "Weigh Rome, Paris"]
    assert asked(model) == ["fit 0"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ('<failed reason="other">it asks for a song</failed>', "says that it does not fit: it asks for a song"),
        ('<parameter name="first">Bern</parameter>', 'the parameter "first" is "Bern", which is not in the goal'),
        ("I do not know.", "its parameters could not be filled in"),
    ],
)
def test_a_method_that_the_model_cannot_fill_in_leaves_the_goal_to_be_planned(
    saved: Path, reply: str, why: str
) -> None:
    model = scripted(fit=reply, decompose="<task>Rome</task><task>Paris</task>")
    run = solved(saved, OTHER, model, max_depth=2)
    assert words(run) == ["Rome", "Paris"]
    assert asked(model) == ["fit 0", "decompose 0"]
    assert why in passed_over(run)[0]


def test_the_model_is_asked_about_one_method_at_most(tmp_path: Path) -> None:
    texts = {f"m{n}": METHOD.replace("compare", word) for n, word in enumerate(["compare", "rome", "[paris, weekend]"])}
    write(tmp_path, **{name: text.replace("[[", "[").replace("]]", "]") for name, text in texts.items()})
    model = scripted(fit='<failed reason="other">no</failed>', decompose="<atomic/>")
    run = solved(tmp_path, OTHER, model)
    assert asked(model) == ["fit 0", "decompose 0"]
    assert [use.method for use in run.methods] == ["m2"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("preconditions: {keywords: [price]}", "the goal has no 'price'"),
        ("preconditions: {matches: '[0-9]'}", "'[0-9]' does not occur in the goal"),
        ("preconditions: {matches: '(a+)+$'}\nkeywords: []", "does not occur in the goal"),
        ("preconditions: {check: 'fits.py:never'}", "fits.py:never says no"),
        ("preconditions: {check: ['fits.py:always', 'fits.py:towns']}", "Rome is no town in Norway"),
        ("preconditions: {check: 'fits.py:raises'}", "KeyError: 'x'"),
        ("preconditions: {check: 'fits.py:odd'}", "returned 3; a predicate must return True, False"),
        ("preconditions: {check: 'fits.py:asks'}", "asks for 'town'; available are a, b, parameters, task"),
        ("preconditions: {check: 'fits.py:gone'}", "has no function 'gone'"),
        ("preconditions: {check: 'gone.py:towns'}", "does not exist"),
        ("preconditions: {check: 'no_such_module_x:towns'}", "cannot be imported"),
    ],
)
def test_a_method_that_does_not_fit_any_more_is_refused_by_its_preconditions(
    tmp_path: Path, more: str, why: str
) -> None:
    write(tmp_path, m=METHOD.replace("keywords: [compare]\n", "") + more)
    (tmp_path / "methods" / "fits.py").write_text(
        "def never(): return False\ndef always(task, parameters): return task.id == '0' and 'a' in parameters\n"
        "def towns(a): return True if a in {'Oslo'} else f'{a} is no town in Norway'\n"
        "def raises(): return {}['x']\nasync def odd(b): return 3\ndef asks(town): return True\n"
    )
    model = scripted(decompose="<task>one</task><task>two</task>")
    run = solved(tmp_path, LIKE, model, max_depth=2)
    assert words(run) == ["one", "two"]
    assert asked(model) == ["decompose 0"]
    assert why in passed_over(run)[0]


def test_a_function_may_say_the_tasks(tmp_path: Path) -> None:
    write(tmp_path, m="goal: Count to {n}\ntasks: says.py:steps\n")
    (tmp_path / "methods" / "says.py").write_text(
        "def steps(n, task):\n    return [{'id': str(i), 'task': f'Say {i}'} for i in range(1, int(n) + 1)]\n"
    )
    run = solved(tmp_path, "Count to 15", scripted())
    assert words(run) == [f"Say {n}" for n in range(1, 16)]
    run = solved(tmp_path, "Count to ten", scripted(decompose="<atomic/>"))
    assert passed_over(run) == ["ValueError: invalid literal for int() with base 10: 'ten'"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("7", "'int' object is not iterable"),
        ("[{'tsak': 'x'}]", "has no `task`"),
        ("[object()]", "are not JSON"),
        ("[]", "it has no tasks"),
        ("['a', {'task': 'b', 'type': 'nobody'}]", "its plan cannot be run here: task 0.2 needs a worker 'nobody'"),
        ("['a', {'task': 'b', 'needs': ['c']}]", "needs unknown task c"),
        ("[{'task': 'a', 'needs': ['0.2']}, {'task': 'b', 'needs': ['0.1']}]", "wait"),
        ("[{'task': 'a', 'tasks': [{'task': 'b', 'tasks': ['c', 'd']}]}]", "reaches level 4, but max_depth is 3"),
        ("[{'task': 'a', 'config': {'policy': 'nobody'}}]", "its plan cannot be run here: task 0.1, config.policy"),
    ],
)
def test_what_a_function_says_that_is_no_plan_is_passed_over(tmp_path: Path, said: str, why: str) -> None:
    write(tmp_path, m="goal: Do {it}\ntasks: says.py:steps\n")
    (tmp_path / "methods" / "says.py").write_text(f"def steps(): return {said}\n")
    run = solved(tmp_path, "Do something", scripted(decompose="<atomic/>"))
    assert run.status == "done"
    assert why in passed_over(run)[0]


def test_subtasks_are_split_by_methods_in_turn_and_by_nobody_else(tmp_path: Path) -> None:
    write(
        tmp_path,
        both="goal: Compare {a} with {b}\ntasks: ['Describe {a}', 'Describe {b}', Say which wins]\n",
        one="goal: Describe {town}\ntasks: ['The food of {town}', 'The sights of {town}']\n",
    )
    model = scripted()
    run = solved(tmp_path, "Compare Oslo with Rome", model, split="always")
    assert [task.content for task in run.task.subtasks[0].subtasks] == ["The food of Oslo", "The sights of Oslo"]
    assert asked(model) == []
    whole = [event.data["why"] for event in run.events() if event.type == EventType.PLAN_ATOMIC]
    assert whole == ["it is part of the method both, which split task 0"]
    assert solved(tmp_path, "Compare Oslo with Rome", scripted(), max_depth=2).task.subtasks[0].is_leaf


def test_methods_in_a_circle_are_told_and_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="goal: Do {x} well\ntasks: ['Do {x} again', Rest]\n",
        b="goal: Do {x} again\ntasks: ['Do {x} well', Eat]\n",
    )
    model = scripted()
    run = solved(tmp_path, "Do it well", model, max_depth=30)
    assert run.status == "done"
    assert passed_over(run) == ["it has split task 0 above with the same parameters, and would do so forever"]
    assert sum(1 for _ in run.task.walk()) == 5
    texts = {"a": "goal: Do {x} well\ntasks: ['Do very {x} well', Rest]\n", "b": "enabled: false\ngoal: Do {x} again\n"}
    write(tmp_path, **texts)
    run = solved(tmp_path, "Do it well", scripted(), max_depth=6)
    assert max(task.get_depth() for task in run.task.walk()) == 6


@pytest.mark.parametrize("policy", ["upfront", "streaming", "as_needed"])
def test_methods_are_tried_under_every_policy(tmp_path: Path, policy: str) -> None:
    write(tmp_path, m=METHOD)
    model = scripted(**{"execute 0": '<failed reason="too_big">it is long</failed>'})
    run = solved(tmp_path, "Compare Oslo with Rome", model, policy=policy)
    assert (run.status, words(run)) == ("done", ["Describe Oslo", "Describe Rome"])
    assert asked(model) == []


def test_what_splits_nothing_tries_no_method(tmp_path: Path) -> None:
    write(tmp_path, m=METHOD)
    with pytest.raises(UsageError, match="split is 'never', so methods has nothing to split"):
        solved(tmp_path, "Compare Oslo with Rome", scripted(), split="never")
    run = Executor(scripted(), store=tmp_path / "r.db").run("Compare Oslo with Rome")
    assert run.task.is_leaf
    assert solved(tmp_path, "Compare Oslo with Rome", scripted(decompose="<atomic/>"), methods="none").task.is_leaf


def test_the_usual_folder_is_used_where_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, m=METHOD)
    (tmp_path / ".ramify").mkdir()
    (tmp_path / "methods").rename(tmp_path / ".ramify" / "methods")
    run = solve("Compare Oslo with Rome", model=scripted())
    assert len(run.task.subtasks) == 2


def test_a_plan_that_has_no_room_leaves_the_task_whole(tmp_path: Path) -> None:
    write(tmp_path, m=METHOD)
    run = solved(tmp_path, "Compare Oslo with Rome", scripted(), max_tasks=2)
    assert run.task.is_leaf
    assert run.status == "done"


def test_a_broken_file_is_refused_before_a_run_is_stored(tmp_path: Path) -> None:
    write(tmp_path, m=METHOD, broken="goal: Do {a}\ntasks: ['Do {b}', x]\n")
    with pytest.raises(DocumentError, match=r"broken\.yaml:2:\d+: task 0\.1: \{b\} is not a parameter of the goal"):
        solved(tmp_path, "Compare Oslo with Rome", scripted())
    with pytest.raises(UsageError, match=r"the methods folder .* does not exist"):
        solved(tmp_path, "Compare Oslo with Rome", scripted(), methods=tmp_path / "gone")
    assert not (tmp_path / "r.db").exists()
    Methods(tmp_path / "methods").enable("broken", is_enabled=False)
    assert len(solved(tmp_path, "Compare Oslo with Rome", scripted()).task.subtasks) == 2


def test_a_task_below_the_root_is_saved_with_what_it_is_made_of(tmp_path: Path) -> None:
    root = Task("Plan", id="p")
    root.add_subtasks([Task("Look", id="look"), Task("Compare Oslo with Bergen", id="c")])
    root.find("c").add_subtasks(
        [Task("Of Oslo", id="x", dependencies=["look"]), Task("Of Bergen", id="y", type="model")]
    )
    run = Executor(scripted(), store=tmp_path / "r.db").run(root)
    methods = Methods(tmp_path / "methods")
    with Store.open(tmp_path / "r.db") as store:
        saved = methods.save(store.read_run(run.id), "c")
        assert saved.method.name == "compare-first-with-second"
        assert saved.left_out == ("look",)
        assert (saved.method.provenance["run"], saved.method.provenance["goal"]) == (run.id, "Compare Oslo with Bergen")
        with pytest.raises(UsageError, match="already exists"):
            methods.save(store.read_run(run.id), "c")
        with pytest.raises(UsageError, match="task look has no planned subtasks"):
            methods.save(store.read_run(run.id), "look")
        with pytest.raises(UsageError, match="does not contain 'Rome', which a is to stand for"):
            methods.save(store.read_run(run.id), "c", name="b", parameters={"a": "Rome"})
    made = saved.method.subtasks_of(Task("x", id="0"), {"first": "A", "second": "B"})
    assert [(task.id, task.content, task.type) for task in made] == [("0.1", "Of A", None), ("0.2", "Of B", "model")]


def test_a_plan_that_has_not_worked_is_not_saved(tmp_path: Path) -> None:
    run = solve(
        GOAL, model=scripted(decompose=PLAN, **{"execute 0.1": '<failed reason="other">no</failed>'}),
        store=tmp_path / "r.db", max_depth=2, on_error="partial",
    )  # fmt: skip
    with Store.open(tmp_path / "r.db") as store, pytest.raises(UsageError, match=r"task 0\.1 has FAILED"):
        Methods(tmp_path / "methods").save(store.read_run(run.id))


KILLED = """
import sys
from pathlib import Path
from ramify.planner import Executor, PlanLimits
from ramify.planner.testing import ScriptedModel

place = Path(sys.argv[1])

def answer(request):
    with (place / "asked").open("a") as file:
        print(request.purpose, request.task_id, file=file)
    return {replies!r}.get(request.purpose, "<result>done</result>")

limits = PlanLimits(methods=place / "methods")
if __name__ == "__main__":
    if len(sys.argv) > 2:
        run = Executor.resume(place / "r.db", agent=ScriptedModel(answer))
    else:
        run = Executor(ScriptedModel(answer), store=place / "r.db", plan=limits, jobs=1).run({goal!r})
    print(run.status, *[task.content for task in run.task.subtasks], sep="|")
"""


@pytest.mark.parametrize("point", ["during-plan-commit", "after-done-commit", "before-running-commit:2"])
def test_a_run_that_was_killed_keeps_its_method_and_pays_for_nothing_again(saved: Path, point: str) -> None:
    program = saved / "program.py"
    program.write_text(KILLED.replace("{replies!r}", repr({"fit": FILLED})).replace("{goal!r}", repr(OTHER)))
    command = [sys.executable, str(program), str(saved)]
    killed = subprocess.run(command, env={"RAMIFY_FAILPOINT": point}, capture_output=True, timeout=HANG_S, check=False)
    assert killed.returncode == -9, killed.stderr
    if point != "during-plan-commit":
        (saved / "methods" / "compare.yaml").unlink()
    done = subprocess.run([*command, "again"], capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.stdout == "done|Describe Rome|Describe Paris|Weigh Rome, Paris\n", done.stderr
    made = (saved / "asked").read_text().splitlines()
    assert [each for each in made if not each.startswith("execute")] == ["fit 0", "compose 0"]
    assert len(made) <= 6


def test_a_run_goes_on_without_its_methods_and_asks_for_no_plan_of_their_tasks(tmp_path: Path) -> None:
    much = "Look at all that is there of it, and then at what is not there yet, and say more"
    write(tmp_path, m=f"goal: Do {{x}} now\ntasks: ['Prepare {{x}}', '{much}']\n")
    model = scripted()
    run = solved(tmp_path, "Do it now", model, max_calls=1, jobs=1, policy="streaming")
    assert run.status == "stopped"
    shutil.rmtree(tmp_path / "methods")
    again = Executor.resume(tmp_path / "r.db", run.id, agent=model, max_calls=99)
    assert again.status == "done"
    assert asked(model) == []
    warnings = [event.data["message"] for event in again.events() if event.type == EventType.WARNING]
    assert ["no longer exists, so no methods are used" in each for each in warnings][-1:] == [True]
    with pytest.raises(UsageError, match="the methods folder nowhere does not exist"):
        solved(tmp_path, "Do it now", model, methods="nowhere")


def blocks_file(place: Path, size: int = 50) -> Path:
    start, goal = problem(size, Random(9))
    path = place / "world.json"
    path.write_text(json.dumps({"start": start, "goal": goal}))
    return path


def executed(root: Task) -> dict[str, str]:
    """Return the world that the moves of a run make of its start, by the rules of the game alone."""
    world: dict[str, str] = json.loads(root.attachments[0].text)["start"]
    for task in root.subtasks:
        block, to = str(task.inputs["block"]), str(task.inputs["to"])
        assert block not in world.values()
        assert to == "table" or (to != block and to not in world.values())
        world[block] = to
    return world


def test_fifty_blocks_are_arranged_without_a_language_model(tmp_path: Path) -> None:
    file = blocks_file(tmp_path)
    run = solve(
        "Arrange the blocks of world.json", files=file, model="rules", methods=FOLDER, workers=[BLOCKS.put_block],
        store=tmp_path / "r.db",
    )  # fmt: skip
    goal = json.loads(file.read_text())["goal"]
    assert run.status == "done"
    assert executed(run.task) == goal
    assert run.task.subtasks[-1].output == goal
    with Store.open(tmp_path / "r.db") as store:
        assert {call.key.purpose for call in store.calls(run.id)} == {"compose"}


def test_fifty_blocks_are_arranged_by_the_command_through_a_kill(tmp_path: Path, ramify: Ramify) -> None:
    file, store = blocks_file(tmp_path), str(tmp_path / "r.db")
    words = ["solve", "Arrange the blocks of world.json", "-f", str(file), "--methods", str(FOLDER), "--model", "rules"]
    words += ["--workers", str(FOLDER / "blocks.py"), "--store", store]
    assert ramify_process(*words, RAMIFY_FAILPOINT="after-done-commit:20").code == -9
    resumed = ramify("resume", "--last", "--store", store, "--json")
    assert resumed.code == 0, resumed.err
    shown = ramify("show", "--last", "--store", store)
    assert "methods: arrange has split task 0" in shown.out
    with Store.open(store) as opened:
        root = opened.load_tree(opened.last_run().id)
    assert executed(root) == json.loads(file.read_text())["goal"]
    assert all(task.attempts == 1 for task in root.subtasks[:20])


def test_a_method_whose_function_is_not_there_is_listed_as_broken(
    tmp_path: Path, ramify: Ramify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, towns="goal: Compare {a}\npreconditions: {check: fits.py:fits}\ntasks: [look]\n")
    listed = ramify("methods", "list", "--methods", "methods")
    assert ("towns   broken" in listed.out, "does not exist" in listed.err) == (True, True)
    (tmp_path / "methods" / "fits.py").write_text("def fits(a):\n    return True\n")
    assert "towns   enabled" in ramify("methods", "list", "--methods", "methods").out


def test_the_commands_save_show_edit_switch_and_delete(
    tmp_path: Path, ramify: Ramify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = solve(GOAL, model=scripted(decompose=PLAN), store=tmp_path / "r.db", max_depth=2)
    store = ("--store", "r.db")
    said = ramify("methods", "list")
    assert (said.code, "there are no methods in .ramify/methods" in said.err) == (0, True)
    said = ramify("methods", "save", run.id, *store, "--name", "towns", "-p", "a=Oslo", "-p", "b=Bergen")
    assert (said.code, said.out) == (0, "towns\n"), said.err
    assert "{a} stands for 'Oslo'" in said.err
    assert "Compare {a} with {b} for a long weekend" in ramify("methods", "show", "towns").out
    assert "towns   enabled" in ramify("methods", "list").out
    ramify("methods", "disable", "towns")
    assert json.loads(ramify("methods", "show", "towns", "--json").out)["method"]["state"] == "disabled"
    ramify("methods", "enable", "towns")
    monkeypatch.setenv("EDITOR", "false")
    monkeypatch.delenv("VISUAL", raising=False)
    assert ramify("methods", "edit", "towns").code != 0
    (tmp_path / "spoil").write_text("#!/bin/sh\necho 'bad: 1' >> $1\n")
    (tmp_path / "spoil").chmod(0o755)
    monkeypatch.setenv("EDITOR", str(tmp_path / "spoil"))
    spoilt = ramify("methods", "edit", "towns")
    assert (spoilt.code != 0, "unknown key bad" in spoilt.err) == (True, True)
    listed = ramify("methods", "list")
    assert ("towns   broken" in listed.out, "unknown key bad" in listed.err) == (True, True)
    assert ramify("methods", "delete", "towns").code == 0
    assert ramify("methods", "show", "towns").err.startswith("ramify: error: there is no method 'towns'")
    assert "NAME=WORDS" in ramify("methods", "save", run.id, *store, "-p", "Oslo").err
    assert "leave one out" in ramify("methods", "save", run.id, *store, "-p", "a=Oslo", "--fixed").err


def test_the_live_tree_and_plain_lines_name_the_method(saved: Path) -> None:
    events: list[Event] = []
    run = solved(saved, LIKE, scripted(), on_event=events.append)
    ledger, plain = Ledger(run.task), PlainLines()
    lines = [plain.line_of(event) for event in events]
    for event in events:
        ledger.take(event)
    assert "0 split into 3 by the method compare: 0.1 0.2 0.3" in lines
    assert "by the method compare" in [line.note for line in lines_of(ledger, now=events[-1].at, height=30)][1]


def test_what_a_method_did_is_shown_everywhere(saved: Path, ramify: Ramify) -> None:
    run = solved(saved, LIKE, scripted())
    store = ("--store", str(saved / "r.db"))
    assert "methods: compare has split task 0" in ramify("show", run.id, *store).out
    assert "split by the method compare (first: Rome, second: Paris)" in ramify("show", run.id, "0", *store).out
    assert json.loads(ramify("show", run.id, "--json", *store).out)["methods"] == [
        {"task": "0", "method": "compare", "is_used": True, "parameters": {"first": "Rome", "second": "Paris"}}
    ]
    assert "split by the method compare" in run.report(saved / "report.html").read_text()
    assert '"method": "compare"' in run.report(saved / "report.json").read_text()


def test_a_preview_says_what_methods_have_planned(tmp_path: Path, ramify: Ramify) -> None:
    folder = write(tmp_path, m="goal: Add up {a} and {b}\ntasks: ['{a} + 1', '{b} + 1']\n")
    said = ramify(
        "solve", "Add up 2 and 3", "--methods", str(folder), "--model", "rules", "--store", str(tmp_path / "r.db"),
        "--estimate",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "methods: m has split task 0, without the model" in said.out


def test_an_executor_takes_methods_with_its_plan(tmp_path: Path) -> None:
    write(tmp_path, m=METHOD)
    model = ScriptedModel({"*": "<result>done</result>"})
    limits = PlanLimits(methods=tmp_path / "methods", max_depth=2)
    run = Executor(model, store=tmp_path / "r.db", plan=limits).run("Compare Oslo with Rome")
    assert words(run) == ["Describe Oslo", "Describe Rome"]
    with pytest.raises(PlannerError):
        Methods(tmp_path / "methods").get("none")
