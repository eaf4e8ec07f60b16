"""Ten questions about one document, put to a real model: how much of the prompts its server need not read again.

    python benchmarks/caches.py --base-url URL [--model NAME] [--against OTHER/bin/python] [--repeat 1] [--jobs 1]

Every run is a process of its own with a document of its own, so that no run finds what another has warmed. `--against`
names the interpreter of another build of Ramify, which takes turns with this one. A build that keeps no cached tokens
shows none. State the model and its quantisation with every figure, and have nothing else ask the server meanwhile.
"""

import argparse
import importlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

ENTRY_TOKENS: Final = 17
"""About how many tokens one entry of the document is."""

_GOODS: Final = ("barley", "copper", "flax", "glass", "honey", "linen", "oak", "salt", "tar", "wool")
_PLACES: Final = ("Arden", "Bremmel", "Corvik", "Dunmore", "Eskel", "Farrow", "Galen", "Hartop", "Ister", "Jorvan")


def ledger(tokens: int, seed: int) -> tuple[str, list[str]]:
    """Return a document of about so many tokens, and ten questions about it."""
    draw = random.Random(seed)  # noqa: S311 - goods, not secrets
    entries = [
        (number, draw.choice(_GOODS), draw.choice(_PLACES), draw.randint(2, 99))
        for number in range(1, max(10, tokens // ENTRY_TOKENS) + 1)
    ]
    lines = [f"Entry {number}: {many} crates of {what} went to {where}." for number, what, where, many in entries]
    asked = draw.sample(entries, 10)
    return "\n".join(lines), [f"Say in one word where the crates of entry {number} went." for number, *_ in asked]


def agent_of(options: argparse.Namespace) -> Any:
    """Return what asks the model, in the words of this build or of an older one."""
    from ramify.planner.models.protocol import Sampling

    planner = importlib.import_module("ramify.planner")
    sampling = Sampling(temperature=0, max_output_tokens=options.reply_tokens)
    if hasattr(planner, "AgentSettings"):
        settings = {"settings": planner.AgentSettings(sampling=sampling)}
    else:
        settings = {"asking": planner.Asking(sampling=sampling)}
    return planner.Agent(options.model, base_url=options.base_url, **settings)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run a plan of ten leaves below the document, and return what it took."""
    from ramify.planner import Executor
    from ramify.tasks import Material, Task

    text, questions = ledger(options.tokens, options.seed)
    root = Task(content="Say where the crates went.", id="0", attachments=(Material(name="ledger.txt", text=text),))
    root.add_subtasks([Task(content=each, id=f"0.{number}") for number, each in enumerate(questions, 1)])
    agent = agent_of(options)
    started = time.perf_counter()
    run = Executor(agent, jobs=options.jobs, store=Path("runs.db")).run(root)
    wall_s = time.perf_counter() - started
    used = run.usage
    return {
        "wall_s": wall_s,
        "calls": used.calls,
        "prompt": used.input_tokens,
        "cached": getattr(used, "cached_tokens", None),
        "reply": used.output_tokens,
        "done": sum(each.state.value == "DONE" for each in root.subtasks),
    }


def measured(python: str, options: argparse.Namespace, *, seed: int) -> dict[str, Any]:
    """Return what a build says of one run, in a process and a folder of its own."""
    command = [python, __file__, "--measure", "--base-url", options.base_url, "--model", options.model]
    for name in ("jobs", "tokens", "reply_tokens"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        ran = subprocess.run(  # noqa: S603 - ours
            [*command, "--seed", str(seed)], cwd=folder, capture_output=True, text=True, check=False
        )
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {ran.stderr}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def compare(options: argparse.Namespace) -> None:
    """Measure all builds in turn, and print a table of medians."""
    builds = {"this build": sys.executable} | ({"the other build": options.against} if options.against else {})
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in builds}
    for turn in range(options.repeat):
        for place, (name, python) in enumerate(builds.items()):
            seen[name].append(measured(python, options, seed=options.seed + turn * len(builds) + place))
            sys.stderr.write(f"{name}: {seen[name][-1]}\n")
    lines = ["| build | wall, s | calls | prompt tokens | of them cached | reply tokens | leaves done |"]
    lines.append("|---|---|---|---|---|---|---|")
    lines += [f"| {name} | {' | '.join(_medians(runs))} |" for name, runs in seen.items()]
    sys.stdout.write("\n".join(lines) + "\n")


def _medians(runs: list[dict[str, Any]]) -> list[str]:
    found = []
    for name in ("wall_s", "calls", "prompt", "cached", "reply", "done"):
        values = [run[name] for run in runs]
        found.append("-" if None in values else f"{statistics.median(values):,.{int(name == 'wall_s')}f}")
    return found


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-url", required=True, help="the address of an OpenAI-compatible server")
    parser.add_argument("--model", default="lm", help="the name that the server knows")
    parser.add_argument("--against", help="the interpreter of another build of Ramify")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=3500, help="about how long the document is")
    parser.add_argument("--reply-tokens", type=int, default=400, help="the most tokens of one reply")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        sys.stdout.write(json.dumps(measure(options)) + "\n")
    else:
        compare(options)


if __name__ == "__main__":
    main()
