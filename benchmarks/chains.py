"""Five leaves over one document, each building on the one before, put to a real model: with and without a chain.

    python benchmarks/chains.py --base-url URL [--model NAME] [--tokens 3500] [--reply-tokens 200] [--seed 1]

With `conversation: chain` each leaf goes on with the conversation of the one before, so a server's cache has read all
of its prompt but the last reply and the new question. The two runs have documents of their own, so that neither finds
what the other has warmed. State the model and its quantisation with every figure, and have nothing else ask the server.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from caches import agent_of, ledger
from ramify.planner import Executor, Run
from ramify.planner.store import Store
from ramify.tasks import Material, Task, TaskConfig

LINKS: Final = (
    "List the five entries with the most crates, a line each: number, goods, place, crates.",
    "Say which place occurs most often in that list, or that none does.",
    "Write one sentence about each entry of the list, with its goods and its place.",
    "Add up the crates of the five entries.",
    "Write a note of three sentences to the harbour master: the list, the sum, and the place.",
)


def run_of(options: argparse.Namespace, *, conversation: Any, seed: int, store: Path) -> tuple[Run, float]:
    """Return the run of the plan, and how many seconds it took."""
    text, _ = ledger(options.tokens, seed)
    root = Task(
        content="Report on the ledger.",
        id="0",
        attachments=(Material(name="ledger.txt", text=text),),
        config=TaskConfig(conversation=conversation, max_retries=0),
    )
    root.add_subtasks(
        [
            Task(content=content, id=f"0.{number}", dependencies=[f"0.{number - 1}"] if number > 1 else [])
            for number, content in enumerate(LINKS, 1)
        ]
    )
    started = time.perf_counter()
    return Executor(agent_of(options), jobs=1, store=store).run(root), time.perf_counter() - started


def rows_of(run: Run, store: Path, name: str) -> list[str]:
    """Return a line of the table for each link."""
    rows = []
    with Store.open(store) as opened:
        for task in run.task.subtasks:
            replies = [call.reply for call in opened.calls(run.id, task.id)]
            prompt = sum(reply["input_tokens"] for reply in replies)
            cached = sum(reply.get("cached_tokens", 0) for reply in replies)
            said = sum(reply["output_tokens"] for reply in replies)
            took = sum(reply["latency_s"] for reply in replies)
            share = cached / prompt if prompt else 0
            cells = (name, task.id, task.state.value, len(replies), prompt, cached, f"{share:.0%}", said, f"{took:.1f}")
            rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-url", required=True, help="the address of an OpenAI-compatible server")
    parser.add_argument("--model", default="lm", help="the name that the server knows")
    parser.add_argument("--tokens", type=int, default=3500, help="about how long the document is")
    parser.add_argument("--reply-tokens", type=int, default=200, help="the most tokens of one reply")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    lines = ["| conversation | leaf | state | calls | prompt tokens | cached | share | reply tokens | seconds |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for number, conversation in enumerate(("fresh", "chain")):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder, "runs.db")
            run, took = run_of(options, conversation=conversation, seed=options.seed + number, store=store)
            lines += rows_of(run, store, conversation)
            sys.stderr.write(f"{conversation}: {run.status}, {took:.1f} s, {run.usage.text}\n")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
