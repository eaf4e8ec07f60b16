"""features.md has a row for each line of the features, and what each row shows is what comes out.

A section of the page is one program: its blocks, then the expressions of its rows; then its commands, in order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .documented import ROOT, Reader, Step, is_as_shown, rows_of, steps_of
from .openai_server import Answer, Chat, OpenAIServer
from .test_examples import SCRIPTS

PAGE = ROOT / "tests" / "features.md"
LOCAL_SERVER = "http://127.0.0.1:11434/v1"
LINES = {"S0": 30, "S1": 22, "S2": 25, "S3": 20, "S4": 18}
"""How many lines each of the five texts has."""
ADAPTED = {
    *("S0.6", "S0.11", "S0.12", "S0.19", "S0.24", "S0.30", "S1.9", "S1.10", "S1.18", "S1.21", "S2.24", "S2.25"),
    *("S3.3", "S3.4", "S3.5", "S3.6", "S3.17", "S3.18", "S3.19", "S4.1", "S4.5", "S4.6", "S4.9", "S4.10", "S4.11"),
    *("S4.12", "S4.14", "S4.15", "S4.16", "S4.17"),
}
"""Lines that are done otherwise than the text says."""
LEFT_OUT = {"S4.18"}

_SEPARATOR = "\x1e"
_SHOW = f"""
def _show(line, work):
    try:
        shown = work()
    except Exception as error:
        shown = f"{{type(error).__name__}}: {{error}}"
    print("{_SEPARATOR}", line, "\\n", shown, sep="")
"""
_CODE = re.compile(r"(`+) ?(.+?) ?\1")
_EXAMPLE = re.compile(r"\[[^]]*\]\(\.\./examples/([\w./]+)\)")


@dataclass(frozen=True)
class Row:
    """A row of the page.

    Attributes:
        line: the line of the features that it is about.
        words: what can be done.
        shown_by: an expression, a command after `$ `, or a link to an example.
        gives: the value of the expression; of a command or an example, one line of what it prints.
    """

    line: str
    words: str
    shown_by: str
    gives: str

    @property
    def code(self) -> str:
        """The expression or command; empty for an example."""
        found = _CODE.fullmatch(self.shown_by)
        return found[2].replace("\\|", "|") if found else ""

    @property
    def example(self) -> str:
        """The example's name; empty if it is none."""
        found = _EXAMPLE.fullmatch(self.shown_by)
        return found[1] if found else ""

    @property
    def expected(self) -> str:
        """What comes out."""
        found = _CODE.fullmatch(self.gives)
        return found[2].replace("\\|", "|") if found else ""


def sections() -> list[str]:
    return re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def rows_in(section: str) -> list[Row]:
    return [Row(*row) for row in rows_of(section) if re.fullmatch(r"S\d\.\d+", row[0]) and len(row) == 4]


ROWS = [row for section in sections() for row in rows_in(section)]


def program_of(section: str) -> str:
    """Return the program that a section is."""
    blocks = [step.source for step in steps_of(section) if step.language == "python"]
    rows = [row for row in rows_in(section) if row.code and not row.code.startswith("$ ")]
    return "\n".join([*blocks, _SHOW, *(f"_show({row.line!r}, lambda: {row.code})" for row in rows)])


def reply(chat: Chat) -> str | Answer:
    if chat.texts:
        return str([[float(len(text)), 1.0] for text in chat.texts])
    return "<atomic/>" if "<atomic" in chat.said("system") else "<result>Said by a server.</result>"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What came of each row, by its line."""
    with OpenAIServer(reply) as server:
        reader = Reader(tmp_path_factory.mktemp("features"), replaced={LOCAL_SERVER: server.base_url})
        yield {line: output for section in sections() for line, output in outputs_of(section, reader)}


def outputs_of(section: str, reader: Reader) -> Iterator[tuple[str, str]]:
    for step in steps_of(section):
        if step.language == "file":
            reader.do(step)
    for part in reader.do(Step(1, "python", program_of(section), "")).split(_SEPARATOR)[1:]:
        line, _, output = part.partition("\n")
        yield line, output.rstrip("\n")
    for row in rows_in(section):
        if row.code.startswith("$ "):
            yield row.line, reader.do(Step(1, "console", row.code.removeprefix("$ "), ""))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.line)
def test_a_row_gives_what_it_shows(row: Row, shown: dict[str, str]) -> None:
    if row.example:
        assert row.expected in [line.strip() for line in SCRIPTS[row.example].splitlines()]
        return
    real = shown[row.line]
    if row.code.startswith("$ "):
        assert any(is_as_shown(f"{row.expected}\n", line.strip()) for line in real.splitlines()), real
    else:
        assert is_as_shown(f"{row.expected}\n", real), real


def test_every_line_has_one_row_and_no_row_is_only_words() -> None:
    lines = {f"{text}.{number}" for text, count in LINES.items() for number in range(1, count + 1)}
    assert sorted(row.line for row in ROWS) == sorted(lines - LEFT_OUT)
    assert [row.line for row in ROWS if not (row.code or row.example) or not row.expected] == []


def test_what_is_adapted_says_so_and_how() -> None:
    assert {row.line for row in ROWS if row.words.startswith("*Adapted:* ")} == ADAPTED


def test_what_is_left_out_says_why() -> None:
    told = {row[0]: row[1] for row in rows_of(PAGE.read_text(encoding="utf-8")) if len(row) == 2}
    assert set(told) - {"line"} == LEFT_OUT
    assert all(len(told[line].split()) > 5 for line in LEFT_OUT)
