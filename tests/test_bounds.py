"""What templates may make: those that grow without measure are refused before they do, all others are as they were."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner import Agent, Executor
from ramify.planner.testing import ScriptedModel
from ramify.prompts import PromptError, PromptLibrary
from ramify.prompts.bounds import Meter, TooMuchError, size_of
from ramify.prompts.growth import size_of_filter, size_of_method, size_of_operation
from ramify.prompts.jinja import render_text
from ramify.tasks import Task, TaskConfig

from .ramify_command import Ramify

GIVEN: dict[str, Any] = {
    "s": "x" * 100,
    "l": ["a", "b"],
    "d": {"k": "v"},
    "t": "a b\nc",
    "wide": "{:>100000000}",
    "deep": "{:>{}}",
    "big": "b" * 100_000,
}


def loops(depth: int) -> str:
    return "".join(f"{{% for i{n} in s %}}" for n in range(depth)) + "y" + "{% endfor %}" * depth


LISTS_OF_LISTS = '{% set a0 = ["x" * 50] %}' + "".join(
    f"{{% set a{n + 1} = [{', '.join([f'a{n}'] * 9)}] %}}" for n in range(12)
)

TOO_MUCH = "it makes more than 2"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('{{ "x" * 10**10 }}', TOO_MUCH),
        ('{{ 10**10 * "x" }}', TOO_MUCH),
        ("{{ [0] * 10**9 }}", TOO_MUCH),
        ("{{ 9**99999 }}", "a number becomes longer than 100,000 bits"),
        ('{{ ("f" * 40000) | int(0, 16) * 2 }}', "a number becomes longer than 100,000 bits"),
        (loops(4), TOO_MUCH),
        ("{% set x %}" + loops(4) + "{% endset %}{{ x | length }}", TOO_MUCH),
        ("{% for a in s %}{% for b in s %}{{ big }}{% endfor %}{% endfor %}", TOO_MUCH),
        ("{{ wide.format(1) }}", TOO_MUCH),
        ("{{ deep.format(1, 100000000) }}", "format is given a width that is a field itself"),
        ('{{ "%100000000d" % 1 }}', TOO_MUCH),
        ('{{ "%*d" % (100000000, 1) }}', TOO_MUCH),
        ('{{ "%.100000000f" | format(1) }}', TOO_MUCH),
        ('{{ ("%(a)s" * 1000) % {"a": big} }}', TOO_MUCH),
        ('{{ "x" | center(100000000) }}', TOO_MUCH),
        ('{{ l | map("center", 100000000) | list }}', TOO_MUCH),
        ("{% filter center(100000000) %}x{% endfilter %}", TOO_MUCH),
        ('{{ "x".ljust(100000000) }}', TOO_MUCH),
        ('{{ "x\ty".expandtabs(100000000) }}', TOO_MUCH),
        ('{{ big.replace("", big) }}', TOO_MUCH),
        ('{{ big | replace(new=big, old="b") }}', TOO_MUCH),
        ("{{ big.join(big) }}", TOO_MUCH),
        ("{{ big | join(big) }}", TOO_MUCH),
        ("{{ t | indent(100000000) }}", TOO_MUCH),
        ("{{ l | tojson(100000000) }}", "the filter tojson indents by 100 at the most"),
        ('{{ l | batch(1000000000, "x") | list }}', TOO_MUCH),
        ("{{ l | slice(1000000000) | list | length }}", TOO_MUCH),
        ('{{ ("x" * 10000000) | list | length }}', TOO_MUCH),
        ('{{ ("x" * 10000000).split("x") | length }}', TOO_MUCH),
        ("{{ [l] | sum(start=[]) }}", "the filter sum adds numbers alone"),
        ('{{ ("<!---->" * 100000) | striptags }}', "the filter striptags is given more than 200,000 characters"),
        (LISTS_OF_LISTS + "{{ a12 }}", TOO_MUCH),
        ("{% set a = big ~ big %}" * 10 + "{{ " + " ~ ".join(["a"] * 200) + " }}", TOO_MUCH),
        ("{% set a = big * 50 %}" + "".join(f"{{% set a{n} = a[1:] %}}" for n in range(9)), TOO_MUCH),
        ('{% autoescape "x" | center(10000000000) %}x{% endautoescape %}', TOO_MUCH),
        ("{% macro f(a, n) %}{% if n %}{{ f(a ~ a, n - 1) }}{% endif %}{% endmacro %}{{ f(s, 40) }}", TOO_MUCH),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}", "RecursionError"),
        ("{{ s.encode() }}", "a template cannot call encode of str"),
        ('{{ s.translate({120: "y" * 1000}) }}', "a template cannot call translate of str"),
        (loops(30), "it cannot be read: too many statically nested blocks"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "it cannot be read: it is nested too deep"),
        ("{{ 1" + " + 1" * 20000 + " }}", "it cannot be read: it is nested too deep"),
        ("{{ " + "1" * 5000 + " }}", "it cannot be read: Exceeds the limit"),
        ('{{ "abc" | truncate(2) }}', "expected length >= 3"),
    ],
)
def test_a_template_that_makes_too_much_is_refused_and_says_why(source: str, words: str) -> None:
    with pytest.raises(PromptError) as caught:
        render_text(source, GIVEN)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}",
        "{% for x in l recursive %}{% if loop.depth < 60 %}{{ loop(l) }}{% endif %}{% endfor %}",
    ],
)
def test_a_template_that_takes_too_long_is_given_up(source: str) -> None:
    with pytest.raises(PromptError, match=r"it takes longer than 0\.2 s to fill in"):
        render_text(source, GIVEN, most_s=0.2)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 2**10 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ 7 / 2 }} {{ 1 - 2 }} {{ -3 }}", "1024 3 1 3.5 -1 -3"),
        ('{{ "a" + "b" }}{{ "a" ~ 1 ~ none }}{{ "ab" * 2 }}', "aba1Noneabab"),
        ('{{ "%s %5.1f" | format("a", 1.25) }} {{ "{:>3} {a}".format(1, a=2) }}', "a   1.2   1 2"),
        ("{{ d }} {{ d.items() | list }} {{ (1, 2) }} {{ l[::-1] }}", "{'k': 'v'} [('k', 'v')] (1, 2) ['b', 'a']"),
        ('{{ l | map("upper") | join("-") }} {{ ", ".join(l | map("upper")) }}', "A-B A, B"),
        ("{{ t | indent }}|{{ t.split() | length }}|{{ t | wordwrap(3) }}", "a b\n    c|3|a b\nc"),
        ("{{ l | tojson(2) }}{{ l | batch(1) | list }}", "[\n  \"a\",\n  \"b\"\n][['a'], ['b']]"),
        ("{% for k, v in d.items() %}{{ k }}{{ v }}{{ loop.length }}{{ loop.last }}{% endfor %}", "kv1True"),
        ('{% for x in l if x != "a" %}{{ loop.index }}{{ x }}{% else %}none{% endfor %}', "1b"),
        ("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% for x in l recursive %}{{ x }}{% if loop.depth < 2 %}{{ loop(l) }}{% endif %}{% endfor %}", "aabbab"),
        ("{% set a, b = 1, 2 %}{{ a }}{{ b }}{{ 'a' in l }}{{ 4 is divisibleby 2 }}", "12TrueTrue"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{{ m(x=2) }}", "<1><2>"),
        ('{% autoescape true %}{{ "<" ~ 1 }}{% endautoescape %}{{ "<" | e }}', "&lt;1&lt;"),
    ],
)
def test_all_other_templates_are_as_they_were(source: str, text: str) -> None:
    assert render_text(source, GIVEN) == text


def test_much_may_be_made_of_much() -> None:
    text = "word " * 1_000_000
    made = render_text("{{ text }}{{ text | upper }}{{ text.split() | length }}", {"text": text})
    assert len(made) == 10_000_007


@given(st.text(max_size=20), st.text(max_size=5), st.text(max_size=5), st.integers(0, 50))
def test_what_grows_becomes_no_larger_than_was_told(text: str, old: str, new: str, width: int) -> None:
    assert size_of(text * width) <= max(1, size_of_operation("*", text, width))
    for name, given_ in {
        "center": (width,), "zfill": (width,), "expandtabs": (width,), "replace": (old, new), "join": ([old, new],),
        "upper": (), "split": (), "rsplit": (old or " ",), "splitlines": (),
    }.items():  # fmt: skip
        made = getattr(text, name)(*given_)
        assert len(made) <= size_of_method(name, text, given_), name
    assert size_of(list(text)) <= size_of_filter("list", text, ()) + len(text) + 1
    assert len(f"{{:>{width}}}".format(text)) <= size_of_method("format", f"{{:>{width}}}", (text,))
    assert len(f"%{width}s" % text) <= size_of_operation("%", f"%{width}s", text)


def test_a_meter_counts_what_is_made_and_what_is_in_it() -> None:
    meter = Meter(given=10)
    meter.take(20_000_050)
    assert meter.made(["four"]) == ["four"]
    with pytest.raises(TooMuchError, match="it makes more than 20,000,080 characters"):
        meter.made("eleven more")


def test_the_task_whose_prompt_makes_too_much_fails_and_the_others_go_on(tmp_path: Path) -> None:
    root = Task(content="all", id="0", type="prompt", config=TaskConfig(max_retries=0))
    for name, source in {"a": '{{ "x" * 10**10 }}', "b": "short"}.items():
        root.add_subtask(Task(content=name, id=name, type="prompt", inputs={"prompt": source}))
    run = Executor(ScriptedModel({}), store=tmp_path / "runs.db").run(root)
    assert run.task.find("b").result == "short"
    assert "the prompt of task a cannot be filled in: it makes more than 2" in str(run.task.find("a").error)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    source = PromptLibrary().get("execute").source
    grown = source.replace("{% block user %}", '{% block user %}{{ "x" * 10**10 }}')
    assert grown != source
    (tmp_path / "prompts" / "execute.j2").write_text(grown)
    return tmp_path / "prompts"


def test_a_template_of_the_users_own_may_not_make_too_much_either(folder: Path, tmp_path: Path) -> None:
    agent = Agent(ScriptedModel({}), prompts=PromptLibrary(folder))
    run = Executor(agent, store=tmp_path / "runs.db").run(Task(content="x", id="0", config=TaskConfig(max_retries=0)))
    assert run.status == "failed"
    assert "execute.j2:" in str(run.error)
    assert "it makes more than 2" in str(run.error)


def test_on_the_command_line_it_is_one_clear_line(home: Path, ramify: Ramify) -> None:
    (home / "plan.yaml").write_text("goal: g\ntype: prompt\ninputs: {prompt: '{{ \"x\" * 10**10 }}'}\n")
    said = ramify("run", "plan.yaml", "--model", "rules", "-q")
    assert said.code == 1
    assert "the prompt of task 0 cannot be filled in: it makes more than 2" in said.err.splitlines()[0]
