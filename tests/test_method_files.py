"""The files of methods: patterns with holes, what is wrong with a file and where, and methods made of trees."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ramify.planner.planning.methods import Methods
from ramify.tasks import Check, Task
from ramify.tasks.errors import DocumentError, ReplyError
from ramify.tasks.methods.method import Method
from ramify.tasks.methods.patterns import Pattern, closed, filled, holes_of
from ramify.tasks.methods.reading import load_method, read_method
from ramify.tasks.methods.saving import guessed_parameters, method_text, opened
from ramify.tasks.replies.fits import Fit, parse_fit

from .effort import Work, is_near_linear

COMPARE = """\
goal: Compare {a} with {b}
keywords: [compare]
tasks:
  - id: one
    task: Describe {a}
  - Describe {b}
  - task: Weigh {a} against {b}
    needs: [one, "0.2"]
"""


def read(text: str, name: str = "m") -> Method:
    return read_method(text, source=f"{name}.yaml", name=name)


@pytest.mark.parametrize(
    ("pattern", "goal", "values"),
    [
        ("Compare {a} with {b}", "Compare Oslo with Bergen", {"a": "Oslo", "b": "Bergen"}),
        ("Compare {a} with {b}.", "compare   Oslo\nwith Bergen!", {"a": "Oslo", "b": "Bergen"}),
        ("Compare {a} with {b}", "Compare A with B with C", {"a": "A", "b": "B with C"}),
        ("{n} times {m}", "6 times 7", {"n": "6", "m": "7"}),
        ("{a} and {a} again", "Oslo and oslo again", {"a": "Oslo"}),
        ("{a} and {a} again", "Oslo and Rome again", None),
        ("{a} and {a}", "rock and roll and rock and roll", {"a": "rock and roll"}),
        ("Say {a}, {b}: {a} first", "Say x, y, z: x, y first", {"a": "x, y", "b": "z"}),
        ("{a} x {b} y {a}", "p x 1 y 2 y p", {"a": "p", "b": "1 y 2"}),
        ("{a} and {a}", "and and and", {"a": "and"}),
        ("{a} or {a} in {b}", "a or b or a or b in c in d", {"a": "a or b", "b": "c in d"}),
        ("{a} and {a}", "a and", None),
        ("Compare {a} with {b}", "Compare Oslo and Bergen", None),
        ("Compare {a} with {b}", "Compare with Bergen", None),
        ("Say {a} ({b})", "Say hello (twice)", {"a": "hello", "b": "twice"}),
        ("Write {{x}} as {y}", "Write {x} as z", {"y": "z"}),
        ("Say hello", "say  hello.", {}),
        ("Say hello", "say hello to her", None),
        ("Match .* in {a}", "Match .* in a.txt", {"a": "a.txt"}),
    ],
)
def test_a_pattern_binds_what_stands_in_its_holes(pattern: str, goal: str, values: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(goal) == values


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("{a}", "fit every goal"),
        ("{a} {b}", "fit every goal"),
        ("Compare {a}{b}", "there is nothing between {a} and {b}"),
    ],
)
def test_a_pattern_that_cannot_be_told_is_refused(pattern: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Pattern(pattern)


_WORDS = st.text(st.sampled_from("ab{}_ .x"), min_size=1, max_size=12).filter(str.strip)


@given(st.text(st.sampled_from("{}ab_ 1\n")))
def test_what_is_closed_is_filled_to_the_same_text(text: str) -> None:
    assert filled(closed(text), {"a": "other", "b": "other"}) == text


@given(_WORDS, _WORDS)
def test_a_filled_pattern_fits_again(first: str, second: str) -> None:
    pattern = Pattern("Compare {a} with {b}")
    found = pattern.match(filled(pattern.text, {"a": first, "b": second}))
    assume(" with " not in f"{first} {second} ")
    stripped = [each.strip() for each in (first, second)]
    assume(stripped[1].rstrip(".") == stripped[1])
    assert found == {"a": stripped[0], "b": stripped[1]}


def test_matching_is_linear_in_the_goal() -> None:
    pattern = Pattern("x {a} and {b} and {c} and {d} end")

    def work(size: int) -> Work:
        return lambda: [pattern.match(f"x {word * size}") for word in ("and ", "a and", "a", " ", "and b")]

    assert is_near_linear(work, size=20_000)


def test_a_hole_that_is_there_twice_is_looked_for_in_bounded_time() -> None:
    pattern = Pattern("x {a} and {b} and {a} and {c} and {b} end")

    def work(size: int) -> Work:
        return lambda: [pattern.match(f"x {word * size}") for word in ("and ", "a and ", "a", "and b end")]

    assert is_near_linear(work, size=4_000)


def test_what_a_hole_holds_is_no_template() -> None:
    method = read("goal: Tell {it}\ntasks: ['Say {it}', 'Repeat {it}']\n")
    words = "{{ 7 * 7 }} {% raw %} {it} {other}"
    assert [each.content for each in method.subtasks_of(Task("Tell it", id="0"), {"it": words})] == [
        f"Say {words}", f"Repeat {words}"
    ]  # fmt: skip


def test_subtasks_stand_below_the_task_that_is_split() -> None:
    nested = COMPARE + "  - task: Tell of {a}\n    needs: [deep]\n    tasks:\n      - {id: deep, task: 'More of {b}'}\n"
    with pytest.raises(DocumentError, match=r"needs task deep, its own descendant"):
        read(nested)
    method = read(COMPARE + "  - task: Tell\n    tasks:\n      - {task: 'More of {b}', needs: [one]}\n      - Less\n")
    parent = Task("Compare Oslo with Rome", id="0.3")
    children = method.subtasks_of(parent, {"a": "Oslo", "b": "Rome"})
    parent.add_subtasks(children)
    assert [(each.id, each.content, each.dependencies) for each in parent.walk()][1:] == [
        ("0.3.1", "Describe Oslo", []),
        ("0.3.2", "Describe Rome", []),
        ("0.3.3", "Weigh Oslo against Rome", ["0.3.1", "0.3.2"]),
        ("0.3.4", "Tell", []),
        ("0.3.4.1", "More of Rome", ["0.3.1"]),
        ("0.3.4.2", "Less", []),
    ]


def test_parameters_are_filled_in_inputs_and_in_what_a_model_looks_for() -> None:
    method = read(
        "goal: Look at {file}\ntasks:\n"
        "  - task: Read {file}\n    type: file\n    inputs: {path: '{file}', list: ['{file}', 1]}\n"
        "    checks: [{verify: 'names {file}'}, {matches: '{file}'}, {command: [grep, '{file}']}]\n"
        "  - Tell of it\n"
    )
    first = method.subtasks_of(Task("x", id="0"), {"file": "a.*"})[0]
    assert first.inputs == {"path": "a.*", "list": ["a.*", 1]}
    assert first.checks == (
        Check(verify="names a.*"), Check(matches="{file}"), Check(command=["grep", "{file}"])
    )  # fmt: skip


BROKEN: dict[str, tuple[str, str]] = {
    "no goal": ("tasks: [a, b]\n", "m.yaml:1:1: it has no `goal`"),
    "no tasks": ("goal: Do {a}\n", "m.yaml:1:1: it has no `tasks`"),
    "empty tasks": ("goal: Do {a}\ntasks: []\n", "m.yaml:2:8: tasks: the list is empty"),
    "a list": ("- a\n", "m.yaml:1:1: a method must start with `goal: ...`; this is a list"),
    "no yaml": ("goal: [\n", "m.yaml:2:1: not YAML"),
    "goal is a list": ("goal: [a]\ntasks: [a, b]\n", "m.yaml:1:7: goal: must be text, not a list"),
    "unquoted brace": ("goal: {a} is\ntasks: [a, b]\n", "m.yaml:1"),
    "unknown key": ("goal: Do it\nkeyword: [a]\ntasks: [a, b]\n", "m.yaml:2:1: unknown key keyword; did you mean keyw"),
    "unknown parameter": (
        "goal: Do {thing}\ntasks: ['Do {thingg}', b]\n",
        "is not a parameter of the goal; did you mean thing",
    ),
    "words about none": (
        "goal: Do {a}\nparameters: {bee: x}\ntasks: [a, b]\n",
        "m.yaml:2:14: parameters: bee is not in the goal",
    ),
    "enabled is text": ("goal: Do\nenabled: maybe\ntasks: [a, b]\n", "m.yaml:2:10: enabled: must be true or false"),
    "keywords": ("goal: Do\nkeywords: [{a: 1}]\ntasks: [a, b]\n", "m.yaml:2:12: keywords: must be text"),
    "preconditions": ("goal: Do\npreconditions: [a]\ntasks: [a, b]\n", "m.yaml:2:16: preconditions: must be a map"),
    "a pattern": (
        "goal: Do\npreconditions: {matches: '('}\ntasks: [a, b]\n",
        "m.yaml:2:26: preconditions: matches: not",
    ),
    "a check": (
        "goal: Do\npreconditions: {check: lambda}\ntasks: [a, b]\n",
        "name a Python function as FILE.py:NAME or module:NAME, not",
    ),
    "tasks are text": ("goal: Do\ntasks: 7\n", "m.yaml:2:8: tasks: name a Python function as"),
    "a circle": ("goal: Do\ntasks: [{task: a, needs: ['0.2']}, {task: b, needs: ['0.1']}]\n", "wait"),
    "a need": ("goal: Do\ntasks: [a, {task: b, needs: [c]}]\n", "m.yaml:2:30: task 0.2 needs unknown task c"),
    "a wrong type": (
        "goal: Do\ntasks: [a, {task: b, priority: high}]\n",
        "task 0.2: priority: must be a whole number",
    ),
    "a result": (
        "goal: Do\ntasks: [a, {task: b, result: c}]\n",
        "m.yaml:2:30: task 0.2: result: a method has no results",
    ),
    "another name": (
        "name: other\ngoal: Do\ntasks: [a, b]\n",
        "m.yaml:1:7: name: it is other, but its file is named m",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_a_file_is_said_with_its_place(case: str) -> None:
    text, fault = BROKEN[case]
    with pytest.raises(DocumentError) as refused:
        read(text)
    assert fault in str(refused.value)
    assert str(refused.value).startswith("m.yaml:")


def test_a_file_that_is_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("goal: Do it\ntasks:\n" + "  - again and again\n" * 200_000)
    with pytest.raises(DocumentError, match="larger than 2 MB"):
        load_method(path)
    with pytest.raises(DocumentError, match="has 60,000 tasks; at most 10,000 are allowed"):
        read("goal: Do it\ntasks:\n" + "  - x\n" * 60_000)


def test_what_is_not_enabled_is_read_no_further() -> None:
    assert not read("goal: Do {a}\nenabled: false\ntasks: [1, {task: [], x: 1}]\n").is_enabled


def tree() -> Task:
    root = Task("Compare Oslo with Bergen for 3 days", id="0")
    root.add_subtasks([Task("Describe oslo in 3 days", id="0.1"), Task("Describe Bergen; {x}", id="0.2")])
    root.add_subtasks([Task("Weigh Oslo and Bergen", id="0.4", dependencies=["0.1", "0.2"], config={"max_retries": 1})])
    root.find("0.4").add_subtasks([Task("Look at Oslo", id="0.4.1", inputs={"town": "Oslo"}), Task("Look", id="z")])
    return root


def test_a_method_of_a_tree_makes_the_same_tree_again() -> None:
    root = tree()
    values = guessed_parameters(root)
    assert values == {"first": "Oslo", "second": "Bergen", "third": "3"}
    method = read(method_text(root, parameters=values, provenance={"run": "r1"}))
    assert method.goal.text == "Compare {first} with {second} for {third} days"
    assert method.keywords == ("compare", "days")
    assert method.goal.match("compare Rome with Paris for 5 days") == {"first": "Rome", "second": "Paris", "third": "5"}
    made = method.subtasks_of(Task(root.content, id="0"), values)
    assert [each.content.casefold() for top in made for each in top.walk()] == [
        each.content.casefold() for top in root.subtasks for each in top.walk()
    ]
    assert made[2].dependencies == ["0.1", "0.2"]
    assert made[2].config.max_retries == 1
    assert made[2].subtasks[0].inputs == {"town": "Oslo"}


@pytest.mark.parametrize(
    ("goal", "found"),
    [
        ("Describe Oslo", []),
        ("Plan a ferry trip to Oslo and back, with a ferry lunch", ["plan", "ferry", "trip"]),
        ("Vergleiche Oslo mit Bergen im Winter", ["vergleiche", "winter"]),
    ],
)
def test_a_saved_method_is_found_by_words_that_say_what_it_is_about(goal: str, found: list[str]) -> None:
    root = Task(goal, id="0")
    root.add_subtasks([Task("Look at Oslo", id="0.1"), Task("Look at Bergen", id="0.2")])
    values = {"town": "Oslo", "other": "Bergen"} if "Bergen" in goal else {"town": "Oslo"}
    assert list(read(method_text(root, parameters=values, provenance={})).keywords) == found


@given(st.text(st.sampled_from("ab {}x."), max_size=30), st.text(st.sampled_from("abx"), min_size=1, max_size=3))
def test_what_is_opened_is_filled_to_the_same_text(text: str, words: str) -> None:
    assert filled(opened(text, {"p": words}), {"p": words}) == text
    assert set(holes_of(opened(text, {"p": words}))) <= {"p"}


_GOAL = "How far is Oslo from the sea?"


@pytest.mark.parametrize(
    ("reply", "values", "why"),
    [
        ('<parameter name="a">Oslo</parameter><parameter name="b">the sea</parameter>', ("Oslo", "the sea"), ""),
        ('{"fit": {"parameters": {"a": "oslo", "b": "the sea"}}}', ("oslo", "the sea"), ""),
        ('<failed reason="other">it asks for a song</failed>', None, "it asks for a song"),
        ('{"fit": {"failed": {"reason": "other", "detail": "a song"}}}', None, "a song"),
    ],
)
def test_a_reply_fills_parameters_or_says_why_not(reply: str, values: tuple[str, str] | None, why: str) -> None:
    wanted = None if values is None else dict(zip("ab", values, strict=True))
    assert parse_fit(reply, names=["a", "b"], goal=_GOAL) == Fit(wanted, why)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ('<parameter name="a">Oslo</parameter>', 'the parameter "b" is not filled in'),
        (
            '<parameter name="a">Rome</parameter><parameter name="b">the sea</parameter>',
            '"Rome", which is not in the g',
        ),
        ("Oslo and the sea", 'the parameter "a" is not filled in'),
        ('{"fit": {"parameters": {"a": ["Oslo"], "b": 7}}}', "is not filled in"),
    ],
)
def test_what_is_not_in_the_goal_fills_no_parameter(reply: str, fault: str) -> None:
    with pytest.raises(ReplyError, match=fault):
        parse_fit(reply, names=["a", "b"], goal=_GOAL)


def test_methods_are_switched_off_and_on_with_all_else_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(f"# mine\n{COMPARE}")
    methods = Methods(tmp_path)
    methods.enable("m", is_enabled=False)
    assert not methods.get("m").is_enabled
    methods.enable("m")
    text = (tmp_path / "m.yaml").read_text()
    assert methods.get("m").is_enabled
    assert text.startswith(f"# mine\n{COMPARE}")
    methods.delete("m")
    assert methods.names() == []
    with pytest.raises(Exception, match="there is no method 'm'"):
        methods.get("m")


@pytest.mark.parametrize("name", ["../m", "/etc/passwd", ".", "a/b", ""])
def test_a_name_leads_out_of_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.yaml").write_text(COMPARE)
    (tmp_path / "in").mkdir()
    with pytest.raises(Exception, match="there is no method"):
        Methods(tmp_path / "in").path_of(name)
