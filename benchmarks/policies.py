"""The same ten goals under each policy, put to a real model: what each takes, in calls, tokens and seconds.

    python benchmarks/policies.py --base-url URL [--model NAME] [--policy NAME ...] [--jobs 2] [--store FILE]

Every run has the same seed, so that it can be done again; the goals were not used for making the prompts. Runs that
fail count with what they took. Whether an answer is good is not judged here; `benchmarks/prompts` does that. The store
keeps all runs, to be read with `ramify show`. State the model, its quantisation and the server with every figure.
"""

import argparse
import statistics
import sys
import time
from typing import Any, Final

from ramify.planner import solve
from ramify.planner.errors import RamifyError

GOALS: Final = (
    "What is 18 plus 27?",
    "Name the capital of Portugal.",
    "Write a haiku about rain on a tin roof.",
    "Explain in three sentences why the sky is blue.",
    "Write a one-paragraph description of a lighthouse, then give three titles for it.",
    "List three risks and three benefits of keeping bees on a city roof, then say which side weighs more.",
    "Compare trains, buses and bicycles for a commute of eight kilometres: cost, time and comfort for each.",
    "Plan a birthday party for twelve children: the food, the games and a timetable for the afternoon.",
    "Schreibe je einen Absatz über Frühling, Sommer, Herbst und Winter in den Alpen.",
    "First pick a name for a bakery, then write its slogan, then an opening announcement with both.",
)
COLUMNS: Final = ("seconds", "calls", "prompt", "cached", "reply", "leaves", "first answer, s")


def measured(goal: str, policy: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what one run took."""
    first: list[float] = []

    def heard(event: Any) -> None:
        if not first and event.type == "task_done":
            first.append(time.perf_counter() - started)

    started = time.perf_counter()
    try:
        run = solve(
            goal, model=options.model, base_url=options.base_url, policy=policy, jobs=options.jobs, seed=options.seed,
            max_depth=None if policy == "direct" else options.max_depth, store=options.store, on_event=heard,
        )  # fmt: skip
    except RamifyError as error:
        sys.stderr.write(f"{policy}: {goal[:40]}: {error}\n")
        return {"done": False}
    used = run.usage
    return {
        "done": str(run.status) == "done",
        "run": run.id,
        "seconds": time.perf_counter() - started,
        "calls": used.calls,
        "prompt": used.input_tokens,
        "cached": used.cached_tokens or 0,
        "reply": used.output_tokens,
        "leaves": sum(not each.subtasks for each in run.task.walk()),
        "first answer, s": first[0] if first else 0.0,
    }


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-url", required=True, help="the address of an OpenAI-compatible server")
    parser.add_argument("--model", default="lm", help="the name that the server knows")
    parser.add_argument("--policy", action="append", help="a policy; all that ship, unless given")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--max-depth", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", default=":memory:", help="the store to keep the runs in")
    options = parser.parse_args()
    seen: dict[str, list[dict[str, Any]]] = {}
    for goal in GOALS:
        for policy in options.policy or ("direct", "as_needed", "upfront", "streaming"):
            seen.setdefault(policy, []).append(measured(goal, policy, options))
            sys.stderr.write(f"{policy}: {goal[:40]}: {seen[policy][-1]}\n")
    sys.stdout.write(f"| policy | done | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * len(COLUMNS)}\n")
    for policy, runs in seen.items():
        sums = [sum(run.get(name, 0) for run in runs) for name in COLUMNS[:-1]]
        first = statistics.median([run[COLUMNS[-1]] for run in runs if run.get(COLUMNS[-1])] or [0.0])
        figures = " | ".join(f"{each:,.0f}" for each in (*sums, first))
        sys.stdout.write(f"| {policy} | {sum(run['done'] for run in runs)} of {len(runs)} | {figures} |\n")


if __name__ == "__main__":
    main()
