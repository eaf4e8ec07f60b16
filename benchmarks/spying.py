"""Where a run spends its time by samples: py-spy looks at a run of `ours.py` from outside, which slows it little.

py-spy (`pip install py-spy`) is a benchmark dependency; where it is not installed, the page says so.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contenders import HERE

RATE: Final = 500
"""Samples a second."""

TOP: Final = 16

THREADS: Final = {
    "the caller: check the tree and store it": re.compile("MainThread"),
    "the event loop": re.compile("ramify-loop"),
    "the writer": re.compile("ramify writer"),
}
_FRAME: Final = re.compile(r"(?P<function>.+) \((?P<file>[^()]*?)(?::\d+)?\)")


def spied(folder: Path, size: int, jobs: int) -> dict[str, str]:
    """Return what each thread was seen doing while `size` leaves that do nothing ran, as text, by thread.

    Raises:
        RuntimeError: if the run or py-spy fails; its text is what it wrote.
    """
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        return {"not sampled": "py-spy is not installed: pip install py-spy"}
    raw, work = folder / "samples.txt", folder / "spied"
    work.mkdir()
    run = [sys.executable, HERE / "ours.py", "leaves", "--size", size, "--jobs", jobs, "--folder", work]
    command = [spy, "record", "-f", "raw", "-t", "-r", RATE, "-o", raw, "--", *run]
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode or not raw.exists():
        raise RuntimeError(done.stderr or done.stdout)
    return read_samples(raw.read_text(encoding="utf-8").splitlines())


def read_samples(lines: Iterable[str]) -> dict[str, str]:
    """Return the samples that py-spy wrote in its raw form as one table a thread, without those of imports.

    >>> print(read_samples(["thread (7): ramify-loop;run (a/loop.py:3);step (a/loop.py:9) 3"])["the event loop"])
      own    all  function, of 3 samples
     100%   100%  step (a/loop.py)
       0%   100%  run (a/loop.py)
    """
    own: dict[str, Counter[str]] = {name: Counter() for name in THREADS}
    whole: dict[str, Counter[str]] = {name: Counter() for name in THREADS}
    for line in lines:
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        name = next((name for name, pattern in THREADS.items() if pattern.search(thread)), None)
        functions = [_without_line(frame) for frame in frames]
        if name is None or any("importlib" in each for each in functions):
            continue
        if name.startswith("the caller") and not any("new_run" in each for each in functions):
            continue
        own[name][functions[-1]] += int(count)
        whole[name].update(dict.fromkeys(functions, int(count)))
    return {name: _table(own[name], whole[name]) for name in THREADS if own[name]}


def _without_line(frame: str) -> str:
    found = _FRAME.fullmatch(frame)
    return frame if found is None else f"{found['function']} ({found['file']})"


def _table(own: Counter[str], whole: Counter[str]) -> str:
    total = sum(own.values())
    shown = sorted(whole, key=lambda each: (-own[each], -whole[each]))[:TOP]
    rows = [f"{own[each] / total:>5.0%}  {whole[each] / total:>5.0%}  {each}" for each in shown]
    return "\n".join([f"  own    all  function, of {total} samples", *rows])
