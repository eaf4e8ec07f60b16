"""A document is a program: its fenced blocks are run from top to bottom, and what they show is what has to come out.

    ```console          each `$ command` (lines with `> ` go on with it), then what it prints, on both streams
    ```python           a program of its own; a ```text block that follows at once is what it prints, else nothing is
    ```yaml plan.yaml   a file of that name, for the blocks below it; also for other languages that take a file

Blocks of other kinds are for reading. In what is shown, `...` stands for some characters, or alone on a line for some
lines.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .patience import HANG_S

ROOT = Path(__file__).parent.parent

_KILLED_BY = 128
"""What shells add to the number of the signal that killed a program."""

_FENCE = re.compile(r"^```(?P<info>.*)\n(?P<body>(?:(?!^```).*\n)*)^```$", re.MULTILINE)
_FOLLOWING = re.compile(r"\n\n```text\n(?P<body>(?:(?!^```).*\n)*)^```$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One thing that a document says will happen.

    Attributes:
        line: where it stands, from 1.
        language: "console", "python" or "file".
        source: the command, the program, or the words of the file.
        shown: what it prints, as the document shows it; for a file, its name.
    """

    line: int
    language: str
    source: str
    shown: str


def steps_of(text: str) -> Iterator[Step]:
    """Yield what the blocks of a document do, in order."""
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 2
        language, _, name = fence["info"].partition(" ")
        if name:
            yield Step(line, "file", fence["body"], name)
        elif language == "console":
            yield from _commands(fence["body"], line)
        elif language == "python":
            output = _FOLLOWING.match(text, fence.end())
            yield Step(line, "python", fence["body"], output["body"] if output else "")


def _commands(body: str, first_line: int) -> Iterator[Step]:
    steps: list[Step] = []
    for line, words in enumerate(body.splitlines(), first_line):
        if words.startswith("$ "):
            steps.append(Step(line, "console", words[2:], ""))
            continue
        last = steps.pop()  # a console block begins with a command
        if words.startswith("> ") and not last.shown:
            steps.append(Step(last.line, "console", f"{last.source}\n{words[2:]}", ""))
        else:
            steps.append(Step(last.line, "console", last.source, f"{last.shown}{words}\n"))
    yield from steps


def rows_of(text: str) -> list[list[str]]:
    """Return the rows of all Markdown tables of a text, in cells."""
    lines = (line for line in text.splitlines() if line.startswith("| ") and not line.startswith("|---"))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def is_as_shown(shown: str, real: str) -> bool:
    r"""Return whether `real` is what a document shows.

    >>> is_as_shown("run ... done\n...\nend\n", "run r1 done\na\nb\nend\n")
    True
    >>> is_as_shown("run ... done\n", "run r1\n done\n")
    False
    """
    lines = [
        r"(?:.*\n)*?" if line == "..." else r"[^\n]*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), real if real.endswith("\n") or not real else f"{real}\n") is not None


class Reader:
    """Somebody who does what documents say, in a folder that holds what the repository shows to its readers.

    Args:
        folder: an empty folder.
        replaced: words in commands and programs that stand for others here, such as addresses.
    """

    def __init__(self, folder: Path, *, replaced: Mapping[str, str] | None = None) -> None:
        self._home = folder / "home"
        self.desk = folder / "desk"
        self._replaced = dict(replaced or {})
        self._code = 0
        for made in (self._home, self.desk, folder / "bin"):
            made.mkdir(parents=True)
        for name, words in (("ramify", f'{sys.executable}" -m ramify.planner.cli'), ("python", f'{sys.executable}"')):
            command = folder / "bin" / name
            command.write_text(f'#!/bin/sh\nexec "{words} "$@"\n')
            command.chmod(0o755)
        self.environment = {
            "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._home),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "120",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        for shown in ("README.md", "examples", "docs"):
            for source in sorted(path for path in [ROOT / shown, *(ROOT / shown).rglob("*")] if path.is_file()):
                target = self.desk / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())

    def do(self, step: Step) -> str:
        """Do what `step` says, and return what came out of it on both streams."""
        if step.language == "file":
            (self.desk / step.shown).write_text(step.source, encoding="utf-8")
            return step.shown
        source = step.source
        for word, other in self._replaced.items():
            source = source.replace(word, other)
        command = [sys.executable, "-c", source]
        if step.language == "console":
            command = ["/bin/bash", "-c", f"(exit {self._code})\n{source}"]
        process = subprocess.run(
            command, cwd=self.desk, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=HANG_S, check=False,
        )  # fmt: skip
        self._code = process.returncode if process.returncode >= 0 else _KILLED_BY - process.returncode
        if step.language == "python":
            assert process.returncode == 0, process.stdout.decode()
        return process.stdout.decode()
