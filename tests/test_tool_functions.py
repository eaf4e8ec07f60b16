"""Tools from Python functions: their schemas, their arguments as models write them, and what is refused when made."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from ramify.planner import Agent, Tool, ToolError, WorkContext, tool
from ramify.planner.errors import UsageError
from ramify.planner.testing import ScriptedModel
from ramify.planner.tools.arguments import LONGEST, read_arguments
from ramify.planner.tools.docstrings import read_docstring


class Box(BaseModel):
    title: str
    size: int = 1


@tool
def find(
    words: str,
    kind: Literal["book", "film"] = "book",
    *,
    most: Annotated[int, "how many at the most"] = 3,
    box: Annotated[Box | None, Field(description="where to look")] = None,
    copy: bool = False,
    context: WorkContext | None = None,
) -> list[str]:
    """Find works by words.

    Only titles are looked at.

    Args:
        words: what to look for,
            in any order
        kind (str): what sort of work
        box: not this one
    Returns:
        words: in order
    """
    return [f"{words} {kind} {most} {box} {copy} {context}"]


def test_the_schema_is_taken_from_type_hints_and_docstring() -> None:
    assert (find.name, find.description) == ("find", "Find works by words.\n\nOnly titles are looked at.")
    assert find.parameters["required"] == ["words"]
    properties = find.parameters["properties"]
    assert list(properties) == ["words", "kind", "most", "box", "copy"]
    assert properties["words"] == {"type": "string", "description": "what to look for, in any order"}
    assert properties["kind"] == {
        "type": "string", "enum": ["book", "film"], "default": "book", "description": "what sort of work",
    }  # fmt: skip
    assert (properties["most"]["description"], properties["box"]["description"]) == (
        "how many at the most",
        "where to look",
    )
    assert find.parameters["$defs"]["Box"]["properties"]["title"] == {"type": "string"}
    json.dumps(find.parameters)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "words: field required"),
        ({"words": ["a"]}, "words: it must be text"),
        ({"words": "a", "most": "many"}, "most: it is 'many'; it must be a whole number"),
        ({"words": "a", "kind": "song"}, "kind: it is 'song'; it must be 'book' or 'film'"),
        ({"words": "a", "box": {"titel": "x"}}, "box.title: field required"),
        ({"word": "a"}, "there is no argument 'word'; did you mean 'words'?; words: field required"),
        ({"words": "a", "context": "mine"}, "there is no argument 'context'"),
        ({f"n{i}": 1 for i in range(9)}, "; and 5 more"),
    ],
)
def test_arguments_that_do_not_fit_are_complained_about_by_name(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ToolError) as caught:
        find.check(arguments)
    assert complaint in str(caught.value)


def test_arguments_may_be_written_as_text_where_they_can_be_read() -> None:
    find.check({"words": "a", "most": "4", "copy": "true"})


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        (' {"a": 1} ', {"a": 1}),
        ("```json\n{}\n```", {}),
        ("{'a': 1,}", {"a": 1}),
        ("{a: 1}", {"a": 1}),
        ('{"a": "say "hi" now"}', {"a": 'say "hi" now'}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
    ],
)
def test_sloppy_json_is_read(text: str, arguments: dict[str, Any]) -> None:
    assert read_arguments(text) == arguments


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1', "have no end|has no end"),
        ('{"path": "/tmp/a', "no end"),
        ('{"path": "/tmp/a}', "no end"),
        ("{'a': 'x", "no end"),
        ('{"a": [1, 2', "no end"),
        ('{"a": 1}}', "more after the end"),
        ('{"a": 1} and more', "more after the end"),
        ("[1]", "one JSON object"),
        ("rm -rf /", "one JSON object"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a":' + "[" * 100_000, "levels deep"),
        ('{"a":' * 100 + "1" + "}" * 100, "levels deep"),
        ('{"a": "\\ud800"}', "half of a character"),
        ('{"a": "' + "x" * LONGEST + '"}', "characters"),
    ],
)
def test_json_is_never_closed_or_guessed(text: str, complaint: str) -> None:
    with pytest.raises(ToolError, match=complaint):
        read_arguments(text)


@given(st.text(max_size=60) | st.lists(st.sampled_from(list('{}[]"\\,:a1 ')), max_size=30).map("".join))
def test_arguments_are_an_object_or_an_error(text: str) -> None:
    try:
        found = read_arguments(text)
    except ToolError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize("end", range(1, 30))
def test_no_beginning_of_arguments_is_taken_for_the_whole(end: int) -> None:
    whole = '{"path": "/tmp/a", "deep": [1]}'
    with pytest.raises(ToolError):
        read_arguments(whole[:end])


@pytest.mark.parametrize(
    ("doc", "description", "about"),
    [
        (None, "", {}),
        ("Do.", "Do.", {}),
        (
            "Do.\n\n:param str a: the a\n    goes on\n:param b: bee\n:returns: x",
            "Do.",
            {"a": "the a goes on", "b": "bee"},
        ),
        (
            "Do.\n\nParameters\n----------\na : int\n    The a.\nb\n    Bee.\n\nReturns\n-------\nint\n    c : no",
            "Do.",
            {"a": "The a.", "b": "Bee."},
        ),
        ("Do.\n\nArguments:\n  a: x: y\n  *rest: z\nRaises:\n  E: never", "Do.", {"a": "x: y", "rest": "z"}),
        ("Do.\n\n>>> 1\n1", "Do.", {}),
    ],
)
def test_docstrings_are_read_in_their_usual_forms(doc: str | None, description: str, about: dict[str, str]) -> None:
    assert read_docstring(doc) == (description, about)


def test_what_cannot_be_a_tool_is_refused_when_it_is_made() -> None:
    with pytest.raises(UsageError, match="'no name' is not a valid tool name"):
        tool(name="no name")(lambda: None)
    with pytest.raises(UsageError, match=r"the tool '<lambda>'|'<lambda>' is not a valid tool name"):
        tool(lambda: None)
    with pytest.raises(UsageError, match=r"takes \*rest; list its inputs by name"):
        tool(name="x")(lambda *rest: None)
    with pytest.raises(UsageError, match="takes _hidden; input names must not start with _"):
        tool(name="x")(lambda _hidden: None)
    with pytest.raises(UsageError, match="has a parameter that JSON cannot express"):

        @tool
        def compare(how: Callable[[int], int]) -> str:
            return str(how(1))

    with pytest.raises(UsageError, match="two tools are named 'find'"):
        _ = Agent(ScriptedModel({}), tools=[find, find]).tools
    with pytest.raises(UsageError, match="int is not a tool"):
        _ = Agent(ScriptedModel({}), tools=[3]).tools  # type: ignore[list-item]


def test_a_tool_is_still_a_function_and_a_function_is_made_a_tool() -> None:
    assert find("a")[0].startswith("a book 3")

    def plain(n: int) -> int:
        return n

    (made,) = Agent(ScriptedModel({}), tools=[plain]).tools
    assert isinstance(made, Tool)
    assert (made.name, made.may_repeat) == ("plain", True)
