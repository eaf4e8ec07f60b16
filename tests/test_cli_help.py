"""Every command's help says in one line what it is for, and shows an example that the command itself understands."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from ramify.planner.cli.app import build_app
from typer.main import get_command

from .ramify_command import Ramify


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that call it."""
    command = command or get_command(build_app())
    inner = getattr(command, "commands", {})
    if not inner:
        yield path, command
    for name, each in inner.items():
        yield from commands(each, (*path, name))


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in commands()])
def test_the_help_has_an_example_that_can_be_read(words: tuple[str, ...], command: Any) -> None:
    examples = re.findall(r"ramify [^;\n]+", re.split(r"Examples?: ", command.help)[-1])
    assert examples, command.help
    for example in examples:
        given = shlex.split(example.partition(" >> ")[0])[1:]
        assert tuple(given[: len(words)]) == words
        command.make_context("ramify", given[len(words) :]).close()


def test_the_command_alone_says_what_to_do_first(ramify: Ramify) -> None:
    said = ramify()
    assert (said.code, said.err) == (0, "")
    steps = re.findall(r"^  (ramify .+?)  +\S", said.out, re.MULTILINE)
    assert [shlex.split(step)[1] for step in steps] == ["solve", "doctor", "solve"]
    assert "`ramify --help`" in said.out


@pytest.mark.parametrize("group", [(), ("prompts",), ("config",), ("store",), ("workers",)])
def test_no_line_of_a_list_of_commands_is_cut_off(group: tuple[str, ...], ramify: Ramify) -> None:
    said = ramify(*group, "--help")
    listed = said.out.partition("Commands:")[2].strip().splitlines()
    assert len(listed) >= 2
    assert [line for line in listed if line.endswith("...")] == []


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in commands()])
def test_an_option_that_is_used_wrongly_is_met_with_the_help_of_its_command(
    words: tuple[str, ...], command: Any, ramify: Ramify
) -> None:
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    for option in options:
        said = ramify(*words, f"{option.opts[0]}=x" if option.is_flag else option.opts[0])
        assert (said.code, said.out) == (2, "")
        assert said.err.endswith(f"(see `ramify {' '.join(words)} --help`)\n")
