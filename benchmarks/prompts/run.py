"""The bench of the prompts: goals that should and should not be split, and word problems, put to a real model.

    python benchmarks/prompts/run.py --base-url http://127.0.0.1:8091/v1 --label "qwen1.5 Q4_K_M, llama.cpp"
    python benchmarks/prompts/run.py ... --variant mine=./my_prompts --use tune   # beside the templates that ship
    python benchmarks/prompts/run.py ... --only problems --arm plain --arm solve
    python benchmarks/prompts/run.py --report                                     # only the table of what is there

Each item is a run of Ramify in one store. What is done stands in `results.jsonl` of the folder and is not done again,
so that a bench that was stopped goes on where it was. Items are there for tuning ("tune") or for reporting ("held"):
what is told of templates comes from the second kind. Intervals are Wilson's, at 95 %.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

from ramify.planner import Agent, AgentSettings, Executor, PlanLimits, Store
from ramify.planner.asking.attachments import read_materials
from ramify.planner.asking.odds import share_between
from ramify.planner.models.protocol import Sampling
from ramify.tasks import RamifyError, Task

HERE = Path(__file__).parent
SAMPLES = 3
"""How many chains of thought vote in the arm `votes`."""

Item = dict[str, Any]
Result = dict[str, Any]
_ALIKE = 0.9


class Bench:
    """Asks one model, and keeps what came of it.

    Args:
        folder: where the store and the results are.
        options: the words of the command line.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = folder / "runs.db"
        self.path = folder / "results.jsonl"
        self.options = options
        self.results = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        self._done = {self._key(result) for result in self.results}

    @staticmethod
    def _key(result: Result) -> tuple[Any, ...]:
        return tuple(result[name] for name in ("label", "variant", "arm", "item", "seed"))

    def ask(
        self, item: Item, *, variant: str, prompts: str | None, arm: str, do: Callable[[Agent, Item], Result]
    ) -> None:
        """Do one item, unless it is done already."""
        known = {
            "label": self.options.label,
            "variant": variant,
            "arm": arm,
            "item": item["id"],
            "seed": self.options.seed,
            "use": item["use"],
        }
        if self._key(known) in self._done:
            return
        agent = Agent(
            self.options.model,
            base_url=self.options.base_url,
            prompts=prompts,
            settings=self.settings(),
        )
        result = known | do(agent, item)
        self.results.append(result)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
        shown = {name: result[name] for name in ("split", "right", "tokens") if name in result}
        print(f"{variant} {arm} {item['id']}: {shown}", file=sys.stderr, flush=True)

    def settings(self, more: int = 0) -> AgentSettings:
        """Return how the model is asked; `more` is added to the seed."""
        seed, temperature = self.options.seed + more, self.options.temperature
        return AgentSettings(sampling=Sampling(seed=seed, temperature=temperature, max_output_tokens=1200))

    def run(self, agent: Agent, task: Task, plan: PlanLimits | None, *, plan_only: bool = False) -> Result:
        """Run `task`, and return what came of it and what it took."""
        executor = Executor(agent, store=self.store, plan=plan, jobs=1)
        try:
            run = executor.new_run(task, plan_only=plan_only).start().wait()
        except RamifyError as error:
            return {"status": "failed", "error": str(error), "calls": [], "tokens": 0, "task": task}
        with Store.open(self.store, create=False) as store:
            calls = [(call.key.purpose, str(call.reply["text"])) for call in store.calls(run.id)]
        usage = run.usage
        return {
            "status": run.status,
            "error": run.error,
            "calls": calls,
            "prompt_tokens": usage.input_tokens,
            "reply_tokens": usage.output_tokens,
            "tokens": usage.input_tokens + usage.output_tokens,
            "task": run.task,
        }


def planned(bench: Bench, agent: Agent, item: Item) -> Result:
    """Plan a goal, one level deep."""
    task = Task(
        content=item["goal"], id="0", attachments=read_materials([HERE / "files" / name for name in item["files"]])
    )
    found = bench.run(agent, task, PlanLimits(max_depth=2), plan_only=True)
    purposes = Counter(purpose for purpose, _ in found["calls"])
    subtasks = list(found.pop("task").subtasks)
    goal = item["goal"]
    first = found["calls"][0][1] if found["calls"] else ""
    return found | {
        "kind": item["kind"],
        "language": item["language"],
        "should_split": item["should_split"],
        "has_order": item["has_order"],
        "asked": bool(purposes["decompose"]),
        "split": bool(subtasks),
        "first_try": not purposes["repair"]
        and purposes["decompose"] <= 1
        and "could be read" not in str(found["error"]),
        "needs": any(task.dependencies for task in subtasks),
        "restated": any(SequenceMatcher(None, task.content, goal).ratio() > _ALIKE for task in subtasks),
        "kept_language": all(language_of(task.content) == item["language"] for task in subtasks),
        "subtasks": [[task.content, list(task.dependencies)] for task in subtasks],
        "reply": first[:2000],
        "calls": dict(purposes),
    }


def answered(bench: Bench, agent: Agent, item: Item, arm: str) -> Result:
    """Answer a word problem: by `solve`, one plain call, one chain of thought, or a vote of several."""
    question = item["question"]
    tokens, answers, texts = 0, [], []
    if arm == "solve":
        found = bench.run(agent, Task(content=question, id="0"), PlanLimits())
        tokens, texts = found["tokens"], [found["task"].result or str(found["error"])]
    else:
        for sample in range(SAMPLES if arm == "votes" else 1):
            words = question
            if arm != "plain":
                words += "\n\nThink step by step. End with a line `Answer: ` and the number."
            agent.settings = bench.settings(sample)
            found = bench.run(agent, Task(content=words, id="0", type="generate"), None)
            tokens += found["tokens"]
            texts.append(found["task"].result or str(found["error"]))
    answers = [number_of(text) for text in texts]
    told = Counter(answer for answer in answers if answer is not None).most_common(1)
    right = bool(told) and abs(told[0][0] - float(item["answer"])) < 1e-6 * max(1.0, abs(float(item["answer"])))
    return {"tokens": tokens, "right": right, "answers": answers, "texts": [text[:1500] for text in texts]}


def number_of(text: str) -> float | None:
    """Return the last number of an answer, without what separates thousands."""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text.replace("\u202f", "").replace(" 000", "000"))
    return float(found[-1].replace(",", "")) if found else None


_WORDS = {
    "de": {"der", "die", "das", "und", "ein", "eine", "einen", "für", "mit", "von", "zu", "den", "dem", "des", "im",
           "auf", "ist", "nach", "aus", "welche", "wird", "über", "drei", "sechs"},
    "en": {"the", "and", "a", "an", "of", "for", "with", "to", "in", "on", "is", "each", "from", "by", "their"},
}  # fmt: skip


def language_of(text: str) -> str:
    """Return en, de or zh: by the script, else by the words that are in every sentence of the one and not the other.

    It is not what Ramify tells languages by, whose mistakes would go unseen then.
    """
    if len(re.findall(r"[\u4e00-\u9fff]", text)) > len(text) / 4:
        return "zh"
    words = re.findall(r"\w+", text.lower())
    scores = {name: sum(word in known for word in words) for name, known in _WORDS.items()}
    umlauts = sum(bool(re.search("[äöüß]", word)) for word in words)
    return "de" if scores["de"] + umlauts > scores["en"] else "en"


def interval(hits: int, of: int) -> str:
    """Return a share with Wilson's interval at 95 %.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if not of:
        return "-"
    low, high = share_between(hits, of)
    return f"{hits}/{of} = {hits / of:.0%} ({low:.0%}-{high:.0%})"


def report(results: Iterable[Result]) -> str:
    """Return the tables of all results, in Markdown."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result["label"], result["use"], f"{result['variant']} / {result['arm']}"), []).append(result)
    lines = []
    for (label, use, name), found in sorted(groups.items()):
        lines.append(f"\n{label}; items: {use}; {name}\n")
        lines += [f"- {line}" for line in (_goals(found) if "split" in found[0] else _problems(found))]
    return "\n".join(lines)


def _goals(found: Sequence[Result]) -> list[str]:
    splits = [each for each in found if each["split"]]
    asked = [each for each in found if each["asked"]]

    def share(what: str, of: Sequence[Result], name: str) -> str:
        return f"{what}: {interval(sum(bool(each[name]) for each in of), len(of))}"

    return [
        share("split, of those that should be", [each for each in found if each["should_split"]], "split"),
        share("split, of trivial ones", [each for each in found if each["kind"] == "trivial"], "split"),
        share("split, of others that should stay whole", [
            each for each in found if not each["should_split"] and each["kind"] != "trivial"], "split"),
        share("asked about", found, "asked"),
        share("grammar at the first try, of those asked about", asked, "first_try"),
        share("needs there, of plans with an order", [each for each in splits if each["has_order"]], "needs"),
        share("language kept, of plans", splits, "kept_language"),
        share("goal restated, of plans", splits, "restated"),
        f"tokens of those asked about: {_mean(asked, 'prompt_tokens')} in, {_mean(asked, 'reply_tokens')} out",
    ]  # fmt: skip


def _problems(found: Sequence[Result]) -> list[str]:
    return [
        f"right: {interval(sum(each['right'] for each in found), len(found))}",
        f"tokens: {_mean(found, 'tokens')}",
    ]


def _mean(found: Sequence[Result], name: str) -> str:
    return f"{sum(each.get(name, 0) for each in found) / len(found):.0f}" if found else "-"


def items_of(name: str, use: str) -> list[Item]:
    """Return the goals or the problems that are for `use`."""
    items = [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [item for item in items if use in {"all", item["use"]}]


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description="Put goals and word problems to a model, with any templates.")
    parser.add_argument("--base-url")
    parser.add_argument("--model", default="lm")
    parser.add_argument("--label", default="a model", help="model, quantisation and server, for the tables")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=DIR", help="templates to compare")
    parser.add_argument("--only", choices=["goals", "problems"])
    parser.add_argument("--arm", action="append", default=[], choices=["solve", "plain", "thought", "votes"])
    parser.add_argument("--use", choices=["tune", "held", "all"], default="tune")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--folder", type=Path, default=Path("prompts-bench"))
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.folder, options)
    variants = [tuple(each.split("=", 1)) for each in options.variant] or [("built in", None)]
    if not options.report:
        for name, prompts in variants:
            for item in items_of("goals", options.use) if options.only != "problems" else ():
                bench.ask(item, variant=name, prompts=prompts, arm="plan", do=partial(planned, bench))
            for item in items_of("problems", options.use) if options.only != "goals" else ():
                for arm in options.arm or ["solve", "plain", "thought"]:
                    if arm == "solve" or name == variants[0][0]:
                        bench.ask(item, variant=name, prompts=prompts, arm=arm, do=partial(answered, bench, arm=arm))
    print(report(bench.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
