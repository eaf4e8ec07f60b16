"""What running a plan will take: calls, tokens, cost, and how long its longest chain is; no model is asked.

What is known is counted, and what nobody can know is a range, from one end of an assumption to the other:

    calls          one for every leaf of the model's, or as many as a vote takes at the least, one or more for every
                   composition; as many more as results of the longest kind would fill prompts
    input tokens   the real prompts, with `ANSWER_TOKENS` for each result that is still missing; a token is 3 to 5
                   characters
    output tokens  `ANSWER_TOKENS` for each call, or less where the sampling settings allow less
    cost           both, at the model's known prices

Not in the ranges: repairs and retries, whose most is said as `calls_at_most`; what a model thinks without saying it;
tasks that split while they run; calls that workers make.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.budget import DEFAULTS, Configs
from ramify.planner.asking.composing import batches
from ramify.planner.asking.voting import SAMPLES_A_LEAD
from ramify.planner.models.protocol import Model
from ramify.planner.workers.registry import is_for_model
from ramify.prompts.blocks import DEFAULT_BUDGET, make_nonce, texts_of
from ramify.prompts.variables import PromptVariables, TaskResult
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.prompt_variables import compose_variables, execute_variables
from ramify.tasks.tree.graph import critical_path, waves
from ramify.tasks.tree.states import FINISHED

ANSWER_TOKENS = (50, 1_000)
"""How long an answer is taken to be, in tokens: from a fact to two pages."""

TOKEN_CHARACTERS = (5, 3)
"""How many characters of a prompt are taken to be a token: few tokens, many tokens."""

_CALLS_AN_ATTEMPT = 2  # a malformed reply is repaired once


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What running a plan will take; every range is `(low, high)`.

    Attributes:
        model: the model's name; None if none is set.
        tasks: tasks that are still to be done.
        worker_tasks: those of them that the model does not do; their own cost is not known.
        calls: model calls, if none fails.
        calls_at_most: model calls, if every attempt but the last fails and every reply has to be repaired.
        input_tokens: tokens that are sent.
        output_tokens: tokens that come back.
        cost_usd: in US dollars; None if the prices of the model are not known.
        critical_path: ids of the tasks of the longest chain, first to last, each counted as one step.
        waves: ids of the tasks by the step in which they could run.
    """

    model: str | None
    tasks: int
    worker_tasks: int
    calls: tuple[int, int]
    calls_at_most: int
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    cost_usd: tuple[float, float] | None
    critical_path: list[str]
    waves: list[list[str]]

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        cost = "unknown" if self.cost_usd is None else f"${self.cost_usd[0]:,.4f} to ${self.cost_usd[1]:,.4f}"
        workers = f", {self.worker_tasks:,} of them by workers, whose calls are not counted" * bool(self.worker_tasks)
        rows = (
            ("to be done", f"{counted(self.tasks, 'task')}{workers}"),
            ("calls", f"{_range(self.calls)}; at most {self.calls_at_most:,} with every repair and retry"),
            ("input tokens", _range(self.input_tokens)),
            ("output tokens", _range(self.output_tokens)),
            ("cost", f"{cost} ({self.model or 'no model is set'})"),
            ("critical path", f"{counted(len(self.critical_path), 'task')}: {' > '.join(self.critical_path)}"),
            ("waves", f"{len(self.waves):,}"),
        )
        return "\n".join(f"{name}: {words}" for name, words in rows)


def estimate(
    task: Task, *, model: str | Model | None = None, agent: Agent | None = None, base_url: str | None = None
) -> Estimate:
    """Return what it will take to run the tree of `task`; what is finished takes nothing, and no model is asked.

    Args:
        task: the root of a plan.
        model: the model's name, or a model of your own; that of the settings unless given. It needs no key here.
        agent: an agent, instead of `model`; its prompts are what is counted.
        base_url: the address of an OpenAI-compatible server.
    """
    asking = agent or Agent(model, base_url=base_url)
    left = [each for each in task.walk() if each.state not in FINISHED]
    asked = [each for each in left if not each.is_leaf or is_for_model(each)]
    configs = Configs(DEFAULTS)
    low, high, at_most = _Count(), _Count(), 0
    answers = _answer_tokens(asking)
    for each in asked:
        for count, tokens, characters in zip((low, high), answers, TOKEN_CHARACTERS, strict=True):
            before = count.calls
            for prompt in _prompts(each, task, asking, answer=tokens * characters):
                for _ in range(_votes(each, configs)):
                    count.add(-(-prompt // characters), tokens)
        at_most += _most_calls(each, configs.of(each), count.calls - before)
    steps = {each.id for each in left}
    return Estimate(
        model=asking.named,
        tasks=len(left),
        worker_tasks=len(left) - len(asked),
        calls=(low.calls, high.calls),
        calls_at_most=at_most,
        input_tokens=(low.input_tokens, high.input_tokens),
        output_tokens=(low.output_tokens, high.output_tokens),
        cost_usd=_cost(asking, low, high),
        critical_path=[
            each.id for each in critical_path(task, lambda each: float(each.id in steps)) if each.id in steps
        ],
        waves=[ids for wave in waves(task) if (ids := [each.id for each in wave if each.id in steps])],
    )


def _votes(task: Task, configs: Configs) -> int:
    """Return how many answers to each question of `task` it takes at the least."""
    return (configs.of(task).vote_ahead or 1) if task.is_leaf else 1


def _most_calls(task: Task, config: TaskConfig, calls: int) -> int:
    attempts = 1 + (config.max_retries or 0)
    if task.is_leaf and config.vote_ahead:
        return (config.max_samples or SAMPLES_A_LEAD * config.vote_ahead) * attempts
    return calls * _CALLS_AN_ATTEMPT * attempts


@dataclass(slots=True)
class _Count:
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, input_tokens: int, output_tokens: int) -> None:
        self.calls += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens


def _answer_tokens(agent: Agent) -> tuple[int, int]:
    low, high = ANSWER_TOKENS
    most = agent.settings.sampling.max_output_tokens or high
    return min(low, most), min(high, most)


def _prompts(task: Task, root: Task, agent: Agent, *, answer: int) -> Iterator[int]:
    """Yield the length of every prompt of `task`, in characters, if each missing result has `answer` characters."""
    if task.is_leaf:
        variables = execute_variables(task, root=root, **agent.prompt_settings)
        yield _length(agent, variables.model_copy(update={"needs": _with_results(variables.needs, answer)}))
        return
    whole = compose_variables(task, **agent.prompt_settings)
    children = _with_results(whole.children, answer)
    while len(groups := batches(children, DEFAULT_BUDGET)) > 1:
        for group in groups:
            yield _length(agent, whole.model_copy(update={"children": group}))
        joined = TaskResult(id="0.1 to 0.9", content="What the subtasks 0.1 to 0.9 gave", result="x" * answer)
        children = (joined,) * len(groups)
    yield _length(agent, whole.model_copy(update={"children": children}))


def _with_results(results: tuple[TaskResult, ...], answer: int) -> tuple[TaskResult, ...]:
    is_missing = [each.state not in {TaskState.DONE.value, TaskState.DELETED.value} for each in results]
    return tuple(
        each.model_copy(update={"state": TaskState.DONE.value, "result": "x" * answer}) if missing else each
        for each, missing in zip(results, is_missing, strict=True)
    )


def _length(agent: Agent, variables: PromptVariables) -> int:
    nonce = make_nonce("estimate", data=texts_of(variables))
    return sum(len(message["content"]) for message in agent.render(variables, nonce=nonce).messages)


def _cost(agent: Agent, *counts: _Count) -> tuple[float, float] | None:
    prices = agent.prices
    if prices is None:
        return None
    low, high = (count.input_tokens * prices[0] + count.output_tokens * prices[1] for count in counts)
    return low, high


def _range(bounds: tuple[int, int]) -> str:
    low, high = bounds
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
