"""One measurement: a process of its own for the program, an empty folder, a time limit; or a kill and what it cost."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cases import Case
from contender import LOG
from contenders import HERE

KILL_SEED: Final = 11
SETTLED_S: Final = 0.1
"""How long before a kill a leaf has ended whose result is surely on disk, in an engine that writes at once."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one measurement gave.

    Attributes:
        value: in the unit of the case; None if there is none.
        failure: why there is none.
        memory_mb: the most memory that the program took.
        notes: other numbers, by name.
    """

    value: float | None = None
    failure: str = ""
    memory_mb: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)


class Desk:
    """Where measurements are made.

    Args:
        folder: on the disk that is to be measured; emptied for each.
        timeout_s: after how many seconds a program is stopped.
    """

    def __init__(self, folder: Path, *, timeout_s: float) -> None:
        self._folder = folder
        self._timeout_s = timeout_s

    def measure(self, case: Case, program: Sequence[str], *, round_number: int) -> Sample:
        """Return what one run of `program` gives."""
        self._empty()
        try:
            if case.kind == "crash":
                return self._kill(case, program, round_number)
            return _sample_of(case, self._answer(case, program))
        except subprocess.TimeoutExpired:
            return Sample(failure=f"stopped after {self._timeout_s:g} s")
        except subprocess.CalledProcessError as error:
            return Sample(failure=_last_words(error.stderr))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _empty(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        os.sync()

    def _command(self, case: Case, program: Sequence[str], *more: str) -> list[str]:
        sizes = ["--size", str(case.size), "--leaf-s", str(case.leaf_s), "--jobs", str(case.jobs)]
        return [*program, case.kind, *sizes, "--folder", str(self._folder), *more]

    def _answer(self, case: Case, program: Sequence[str], *more: str) -> dict[str, Any]:
        done = subprocess.run(  # noqa: S603 - our own command
            self._command(case, program, *more),
            capture_output=True, text=True, check=True, timeout=self._timeout_s, env=_environment(),
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    def _kill(self, case: Case, program: Sequence[str], round_number: int) -> Sample:
        """Kill the program at a random instant, let it go on, and count what it did again."""
        share = random.Random(f"{KILL_SEED}/{round_number}").uniform(0.2, 0.8)  # noqa: S311 - the same for everybody
        log = self._folder / LOG
        process = subprocess.Popen(  # noqa: S603 - our own command
            self._command(case, program),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=_environment(),
        )  # fmt: skip
        _wait_for(log, process, self._timeout_s)
        time.sleep(share * case.leaf_s * case.size / case.jobs)
        os.killpg(process.pid, signal.SIGKILL)
        killed_at = time.monotonic()
        process.wait()
        before = _lines(log)
        answer = self._answer(case, program, "--resume")
        again = {leaf for word, leaf, _ in _lines(log)[len(before) :] if word == "start"}
        ended = {leaf: at for word, leaf, at in before if word == "end"}
        settled = {leaf for leaf, at in ended.items() if at < killed_at - SETTLED_S}
        notes = {"had finished": len(ended), "of them 100 ms before": len(again & settled)}
        return Sample(float(len(again & ended.keys())), memory_mb=answer["memory_mb"], notes=notes)


def _sample_of(case: Case, answer: dict[str, Any]) -> Sample:
    seconds, memory_mb = float(answer["seconds"]), float(answer["memory_mb"])
    value = {"MB": memory_mb, "ms a leaf": seconds * 1000 / case.size}.get(case.unit, seconds)
    return Sample(value, memory_mb=memory_mb, notes=answer["notes"])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE)}


def _wait_for(log: Path, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Return when the first body has started."""
    give_up_at = time.monotonic() + timeout_s
    while not log.exists() or not log.stat().st_size:
        if process.poll() is not None:
            raise subprocess.CalledProcessError(process.returncode, "it", stderr="it ended before its first leaf")
        if time.monotonic() > give_up_at:
            process.kill()
            raise subprocess.TimeoutExpired("it", timeout_s)
        time.sleep(0.002)


def _lines(log: Path) -> list[tuple[str, int, float]]:
    return [(word, int(leaf), float(at)) for word, leaf, at in map(str.split, log.read_text().splitlines())]


def _last_words(stderr: str) -> str:
    """Return the last line of what a program said, without the paths of this machine."""
    lines = stderr.strip().splitlines() or ["it failed and said nothing"]
    return re.sub(r"(/[\w.+-]+){2,}", "...", lines[-1])[:160]
