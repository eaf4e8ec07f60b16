"""README and docs tell the truth: every block runs and shows what comes out, tables and pictures are the code's own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ramify.planner
import ramify.planner.cli.exits
from ramify.planner.models.retry import rules_table
from ramify.planner.settings.options import OPTIONS
from ramify.tasks import Task, TaskManager
from ramify.tasks.tree.states import state_diagram

from .documented import ROOT, Reader, is_as_shown, rows_of, steps_of
from .openai_server import Chat, OpenAIServer

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LOCAL_SERVER = "http://127.0.0.1:11434/v1"
"""The address of a local server in the documents; here it is that of the test server."""

_OWN_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_GALLERY = re.compile(r"\]\((images/gallery/(?!timeline)\w+\.svg)\)")
"""Pictures that the commands above them draw; times move the bars of a timeline."""

_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def reply(chat: Chat) -> str:
    return "<atomic/>" if "<atomic" in chat.said("system") else "<result>I can be reached.</result>"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(reply) as started:
        yield started


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_does_what_is_shown(document: Path, tmp_path: Path, server: OpenAIServer) -> None:
    reader = Reader(tmp_path, replaced={LOCAL_SERVER: server.base_url})
    steps = list(steps_of(document.read_text(encoding="utf-8")))
    asked_before = len(server.chats)
    for step in steps:
        real = reader.do(step)
        assert is_as_shown(step.shown, real), (
            f"{document.name}:{step.line}\n{step.source}\nshown:\n{step.shown}\nreal:\n{real}"
        )
    assert (len(server.chats) > asked_before) is any(LOCAL_SERVER in step.source for step in steps)
    for picture in _GALLERY.findall(document.read_text(encoding="utf-8")):
        assert drawn(reader.desk / Path(picture).name) == drawn(document.parent / picture), picture


def drawn(picture: Path) -> str:
    """Return a picture without what differs from run to run."""
    return re.sub(r"[\d.]+ (ms|s)\b", "", picture.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for name, part in _OWN_LINK.findall(document.read_text(encoding="utf-8")):
        target = document.parent / name if name else document
        if not target.exists() or (part and part not in parts_of(target.read_text(encoding="utf-8"))):
            broken.append(f"{name}#{part}")
    assert broken == []


def parts_of(text: str) -> set[str]:
    """Return the parts of a page that links name, as GitHub makes them of its headings."""
    headings = _HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_fits_on_a_few_screens() -> None:
    assert len(text_of("README.md").splitlines()) <= 150


@pytest.mark.parametrize(
    ("shown", "real", "fits"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nb", True),
        ("a\nb\n", "a\nb\nc\n", False),
        ("a\n...\n", "a\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("run ..., done\n", "run r1, done\n", True),
        ("run ..., done\n", "run r1\n, done\n", False),
        ("", "", True),
        ("", "a word\n", False),
    ],
)
def test_what_is_shown_is_held_against_what_comes_out(shown: str, real: str, fits: bool) -> None:  # noqa: FBT001 - a table
    assert is_as_shown(shown, real) is fits


def test_there_are_blocks_in_every_document_that_shows_something() -> None:
    counts = {path.name: len(list(steps_of(path.read_text(encoding="utf-8")))) for path in DOCUMENTS}
    assert min(counts.values()) >= 1, counts
    assert sum(counts.values()) > 40


def test_the_state_diagram_is_drawn_from_the_table() -> None:
    assert f"```mermaid\n{state_diagram()}```\n" in text_of("README.md")


def test_the_table_of_failures_is_the_one_the_code_is_run_from() -> None:
    assert rules_table() in text_of("docs/reference.md")


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    exits = ramify.planner.cli.exits
    documented = {
        int(row[0]): row[1].split(";")[0]
        for row in rows_of(text_of("docs/errors-and-exit-codes.md"))
        if row[0].isdecimal()
    }
    in_code = {
        int(code): words.split(";")[0]
        for code, words in re.findall(r"^(\d+) +(.+)$", exits.__doc__ or "", re.MULTILINE)
    }
    assert documented == in_code
    named = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert set(documented) == named


def test_every_setting_is_explained() -> None:
    section = text_of("docs/reference.md").partition("## Every setting")[2].partition("\n## ")[0]
    explained = {name for row in rows_of(section) for name in re.findall(r"`(\w+)`", row[0])}
    assert explained == set(OPTIONS)


def test_every_command_is_listed() -> None:
    command = [sys.executable, "-m", "ramify.planner.cli", "--help"]
    helped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    there = set(re.findall(r"^  (\w+) ", helped.partition("Commands:")[2], re.MULTILINE))
    listed = {word for row in rows_of(text_of("README.md")) for word in re.findall(r"`ramify (\w+)", row[0])}
    assert listed == there


def test_the_file_map_names_what_is_there() -> None:
    section = text_of("README.md").partition("## Where things are")[2].partition("\n## ")[0]
    places = [place for row in rows_of(section) for place in re.findall(r"`([^`]+)`", row[0])]
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_every_public_name_of_the_planner_is_told() -> None:
    text = text_of("docs/python-api.md")
    assert [name for name in ramify.planner.__all__ if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", ["Run", "Task"])
def test_the_members_that_are_told_exist(name: str) -> None:
    owner, of = {"Run": (ramify.planner.Run, "run"), "Task": (Task, "root")}[name]
    told = set(re.findall(rf"\b{of}\.(\w+)", text_of("docs/python-api.md")))
    assert told
    members = {*dir(owner), *getattr(owner, "model_fields", ()), "id", "task"}
    assert told <= members, told - members


def test_what_is_said_to_have_become_of_camels_names_is_there() -> None:
    sections = re.split(r"^## ", text_of("docs/from-camel.md"), flags=re.MULTILINE)
    names = {
        section.partition("\n")[0]: [name for row in rows_of(section)[1:] for name in re.findall(r"`(\w+)`", row[0])]
        for section in sections
    }
    assert len(names["Attributes"]) == 7
    assert len(names["Methods of Task"]) == 14
    assert set(names["Attributes"]) <= {*Task.model_fields, "parent", "subtasks"}
    assert set(names["Methods of Task"]) <= set(dir(Task))
    assert set(names["TaskManager"]) <= set(dir(TaskManager))


def test_the_picture_is_what_its_command_draws(tmp_path: Path) -> None:
    picture = tmp_path / "weekend.svg"
    command = [sys.executable, str(ROOT / "examples" / "picture.py"), str(picture)]
    subprocess.run(command, cwd=tmp_path, check=True)
    shown_command = "python examples/picture.py docs/images/weekend.svg"
    assert f"`{shown_command}`" in text_of("README.md")
    assert drawn(picture) == drawn(ROOT / "docs/images/weekend.svg")
