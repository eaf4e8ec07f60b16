"""Where each mended fault is held: what went wrong in build 3231257 in the world, and which tests say it is right.

`pytest -m fault` runs them all; `python -m tests.test_faults` prints the table.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

FAULTS = {
    # never hangs, never dies with its worker
    "1.1": "SystemExit or KeyboardInterrupt from a worker or a tool hung the process",
    "1.2": "StopIteration from a plain function hung the run",
    "1.3": "a CancelledError that a worker raised by itself hung the run",
    "1.4": "an exception whose __str__ raises left tasks RUNNING",
    "1.5": "a plain function past its time limit ran several times at once",
    "1.6": "an async function that blocks held up all runs without a word",
    "1.7": "context variables reached async workers, not plain ones or tools",
    "1.8": "the first Ctrl-C waited for minutes without a word",
    # on disk before it counts
    "2.1": "--retry-failed opened tasks in memory only",
    "2.2": "a refused spawn had renamed its task",
    "2.3": "what a worker returned differed live and after a resume",
    "2.4": "NaN and Infinity made exports that are no JSON",
    "2.5": "a lone surrogate in a reply failed every later prompt",
    "2.6": "billed replies that were refused counted as no call",
    "2.7": "a raised limit was not kept, and the resume line did not carry it",
    "2.8": "a need below a DELETED task, or a DELETED root, was stored and could never run",
    "2.9": "changes by hand to a tree that runs were lost",
    "2.10": "passwords and tokens of a base URL were stored; exports could be read by all",
    # what a model or server really sends
    "3.1": "two deadlines of one length gave an empty error, and planning was not retried",
    "3.2": "an attachment that did not fit was cut to a small part without a word",
    "3.3": "words for no needs were refused; a failed repair was a verdict on the goal",
    "3.4": "a planner that gave up at the root ended the run",
    "3.5": "plans of one task and of the goal itself were taken; invented types cost a repair",
    "3.6": "gaps became part of the result",
    "3.7": "several results, or our own delimiter, came out as the answer",
    "3.8": "a missing end tag was paid for again; a cut reply was asked three times alike",
    "3.9": "YAML plans lost their needs; unknown keys and examples in code were misread",
    "3.10": "no choices, content in parts and thoughts alone were told wrongly",
    "3.11": "empty tool arguments came back as unreadable",
    "3.12": "a server that loads its model was told to be busy, with long waits",
    "3.13": "the goal's language, and most of the goal, did not reach the leaves",
    "3.14": "a full context was told as an output limit that nobody had set",
    "3.15": "tools were dropped by a server without a word; calls written as text were answers",
    "3.16": "errors that are for good were tried again",
    # workers and Python
    "4.1": "a worker's only input was not passed; misspelled inputs were dropped; None failed after the work",
    "4.2": "values that cannot be stored were told without place and type",
    "4.3": "a worker that raises broke the live tree, and file and line were hidden",
    "4.4": "unknown keywords were ignored; a text for a task or for files was misread",
    "4.5": "messages about plans, agents and jobs lacked file, line and remedy",
    "4.6": "adding dependencies backwards was quadratic; lint ended silently at ten cycles",
    # exports and the tools that read them
    "5.1": "Mermaid labels lost words, or the whole diagram",
    "5.2": "CSV ids were read as numbers, and negative numbers as text",
    "5.3": "Markdown links broke, and words were read as marks",
    "5.4": "MCP resources lost their text, name and address; tools of one name clashed",
    "5.5": "traces named wrong providers, left tool calls out and had no operations",
    "5.6": "printed pages, framed pages, fonts and legends were wrong",
    "5.7": "pictures were worse where dot is installed",
    "5.8": "who made it differed between views; times held the loading of a library",
    "5.9": "large reports took minutes; show had no depth and no filter by state",
    # files and rules of the web
    "6.1": "robots.txt was not read by RFC 9309",
    "6.2": "a cost limit on a model without a price held nothing and said nothing",
    "6.3": "report and graph wrote over files that other commands refuse to replace",
    "6.4": "tests failed by the clock",
}


def held() -> dict[str, list[str]]:
    """Return by number the tests that hold it, as pytest names them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for name, numbers in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            for number in numbers:
                found[number].append(f"tests/{path.name}::{name}")
    return found


def _marked(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, [number for each in node.decorator_list for number in _numbers(each)]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield "", _numbers(node.value)


def _numbers(node: ast.AST) -> list[str]:
    return [
        str(each.value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault"
        for each in call.args
        if isinstance(each, ast.Constant)
    ]


@pytest.mark.parametrize("number", FAULTS)
def test_every_mended_fault_is_held_by_a_test(number: str) -> None:
    assert held().get(number), f"no test is marked @pytest.mark.fault({number!r}): {FAULTS[number]}"


def test_every_mark_names_a_fault_of_the_table() -> None:
    assert not set(held()) - set(FAULTS)


if __name__ == "__main__":
    for each, what in FAULTS.items():
        print(f"{each:5} {what}")
        print(*(f"      {test}" for test in held().get(each, ["nothing yet"])), sep="\n")
