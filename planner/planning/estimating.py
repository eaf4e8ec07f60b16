"""What running a plan will take: calls, tokens, cost, and how long its longest chain is; no model is asked.

What is known is counted, and what nobody can know is a range, from one end of an assumption to the other:

    calls          one for every leaf of the model's, or as many as a vote takes at the least, one or more for every
                   composition; as many more as results of the longest kind would fill prompts
    input tokens   the real prompts, with `ANSWER_TOKENS` for each result that is still missing; a token is 3 to 5
                   characters
    output tokens  `ANSWER_TOKENS` for each call, or less where the sampling settings allow less
    cached tokens  of the input: where prompts begin alike, and the provider's cache is known, all but the first are
                   taken to read that from there
    cost           all, at the model's known prices; the low end counts on the cache, the high end is that of one that
                   has always forgotten

Documents that are longer than the model's window, as far as its server says that, count as the tasks that read them in
parts, and so do compositions that take steps for it.

Not in the ranges: repairs and retries, whose most is said as `calls_at_most`; what a model thinks without saying it;
tasks that split while they run; calls that workers make.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.budget import DEFAULTS, Configs
from ramify.planner.asking.composing import batches
from ramify.planner.asking.prefixes import shared_characters, shared_text
from ramify.planner.asking.reading import RESULT_HEAD, bare_of_parts, reads_words
from ramify.planner.asking.voting import SAMPLES_A_LEAD
from ramify.planner.asking.windows import SMALLEST_BUDGET, Window
from ramify.planner.errors import PlannerError
from ramify.planner.models.prompt_cache import PromptCache
from ramify.planner.models.protocol import Model, ModelRequest, facts_of
from ramify.planner.runtime.background import run_sync
from ramify.planner.workers.registry import is_for_model
from ramify.prompts.blocks import DEFAULT_BUDGET, make_nonce, texts_of
from ramify.prompts.variables import PromptVariables, TaskResult
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.counting import counted
from ramify.tasks.parts import parts_of, tasks_of_parts
from ramify.tasks.prompt_variables import compose_variables, execute_variables, is_part
from ramify.tasks.tree.graph import critical_path, waves
from ramify.tasks.tree.states import FINISHED

ANSWER_TOKENS = (50, 1_000)
"""How long an answer is taken to be, in tokens: from a fact to two pages."""

TOKEN_CHARACTERS = (5, 3)
"""How many characters of a prompt are taken to be a token: few tokens, many tokens."""

_CACHED = "if the provider still has what prompts begin with alike (some minutes); the low cost counts on it"

_CALLS_AN_ATTEMPT = 2  # a malformed reply is repaired once


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What running a plan will take; every range is `(low, high)`.

    Attributes:
        model: the model's name; None if none is set.
        tasks: tasks that are still to be done, parts of documents included.
        parts: those of them that read a part of a document which is too long to be read at once.
        worker_tasks: those of them that the model does not do; their own cost is not known.
        calls: model calls, if none fails.
        calls_at_most: model calls, if every attempt but the last fails and every reply has to be repaired.
        input_tokens: tokens that are sent.
        cached_tokens: those of them that the provider is expected to have in its cache, as prompts begin alike.
        output_tokens: tokens that come back.
        cost_usd: in US dollars; None if the prices of the model are not known.
        critical_path: ids of the tasks of the longest chain, first to last, each counted as one step.
        waves: ids of the tasks by the step in which they could run.
    """

    model: str | None
    tasks: int
    parts: int
    worker_tasks: int
    calls: tuple[int, int]
    calls_at_most: int
    input_tokens: tuple[int, int]
    cached_tokens: tuple[int, int]
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
        parts = f", {self.parts:,} of them to read parts of documents" * bool(self.parts)
        rows = (
            ("to be done", f"{counted(self.tasks, 'task')}{workers}{parts}"),
            ("calls", f"{_range(self.calls)}; at most {self.calls_at_most:,} with every repair and retry"),
            ("input tokens", _range(self.input_tokens)),
            ("cached tokens", f"{_range(self.cached_tokens)} of these, {_CACHED}"),
            ("output tokens", _range(self.output_tokens)),
            ("cost", f"{cost} ({self.model or 'no model is set'})"),
            ("critical path", f"{counted(len(self.critical_path), 'task')}: {' > '.join(self.critical_path)}"),
            ("waves", f"{len(self.waves):,}"),
        )
        shown = (row for row in rows if row[0] != "cached tokens" or self.cached_tokens[1])
        return "\n".join(f"{name}: {words}" for name, words in shown)


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
    window = _window_of(asking, task)
    task = _with_parts(task, asking, window)
    left = [each for each in task.walk() if each.state not in FINISHED]
    asked = [each for each in left if not each.is_leaf or is_for_model(each)]
    configs = Configs(DEFAULTS)
    cache = asking.prompt_cache or PromptCache()
    low, high = (_Count(characters, cache) for characters in TOKEN_CHARACTERS)
    at_most = 0
    answers = _answer_tokens(asking)
    for each in asked:
        for count, tokens in zip((low, high), answers, strict=True):
            before = count.calls
            for prompt in _prompts(each, task, asking, window, answer=tokens * count.characters):
                told = replace(prompt, shared=shared_characters(each, prompt))
                for _ in range(_votes(each, configs)):
                    count.add(told, tokens)
        at_most += _most_calls(each, configs.of(each), count.calls - before)
    steps = {each.id for each in left}
    return Estimate(
        model=asking.named,
        tasks=len(left),
        parts=sum(map(is_part, left)),
        worker_tasks=len(left) - len(asked),
        calls=(low.calls, high.calls),
        calls_at_most=at_most,
        input_tokens=(low.input_tokens, high.input_tokens),
        cached_tokens=(low.read_tokens, high.read_tokens),
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
    characters: int
    cache: PromptCache
    calls: int = 0
    input_tokens: int = 0
    read_tokens: int = 0
    written_tokens: int = 0
    output_tokens: int = 0
    _begun: set[int] = field(default_factory=set)

    def add(self, prompt: ModelRequest, output_tokens: int) -> None:
        self.calls += 1
        self.input_tokens += -(-_length(prompt) // self.characters)
        self.output_tokens += output_tokens
        begins = shared_text(prompt)
        tokens, place = len(begins) // self.characters, hash(begins)
        if not self.cache.pays or tokens < self.cache.least_tokens:
            return
        if place in self._begun:
            self.read_tokens += tokens
        else:
            self.written_tokens += tokens
        self._begun.add(place)

    def cost(self, prices: tuple[float, float], *, forgets: bool) -> float:
        read, written = self.read_tokens, self.written_tokens
        more = (self.cache.write - 1) * (read + written if forgets else written)
        less = 0.0 if forgets else (1 - self.cache.read) * read
        return (self.input_tokens + more - less) * prices[0] + self.output_tokens * prices[1]


def _answer_tokens(agent: Agent) -> tuple[int, int]:
    low, high = ANSWER_TOKENS
    most = agent.settings.sampling.max_output_tokens or high
    return min(low, most), min(high, most)


def _prompts(task: Task, root: Task, agent: Agent, window: Window, *, answer: int) -> Iterator[ModelRequest]:
    """Yield every prompt of `task`, if each missing result has `answer` characters."""
    if task.is_leaf:
        variables = execute_variables(task, root=root, **agent.prompt_settings)
        yield _request(agent, variables.model_copy(update={"needs": _with_results(variables.needs, answer)}))
        return
    whole = compose_variables(task, **agent.prompt_settings)
    children = _with_results(whole.children, answer)
    budget, head = DEFAULT_BUDGET, 0
    if not window.holds(_request(agent, whole.model_copy(update={"children": children}))):
        room = window.room(_request(agent, whole.model_copy(update={"children": ()})))
        budget, head = max(SMALLEST_BUDGET, min(room)), RESULT_HEAD
    while len(groups := batches(children, budget, head=head)) > 1:
        for group in groups:
            yield _request(agent, whole.model_copy(update={"children": group}))
        joined = TaskResult(id="0.1 to 0.9", content="What the subtasks 0.1 to 0.9 gave", result="x" * answer)
        children = (joined,) * len(groups)
    yield _request(agent, whole.model_copy(update={"children": children}))


def _with_results(results: tuple[TaskResult, ...], answer: int) -> tuple[TaskResult, ...]:
    is_missing = [each.state not in {TaskState.DONE.value, TaskState.DELETED.value} for each in results]
    return tuple(
        each.model_copy(update={"state": TaskState.DONE.value, "result": "x" * answer}) if missing else each
        for each, missing in zip(results, is_missing, strict=True)
    )


def _length(prompt: ModelRequest) -> int:
    return sum(len(message["content"]) for message in prompt.messages)


def _request(agent: Agent, variables: PromptVariables) -> ModelRequest:
    nonce = make_nonce("estimate", data=texts_of(variables))
    return agent.request(agent.render(variables, nonce=nonce))


def _window_of(agent: Agent, root: Task) -> Window:
    """Return the window of the model, of which nothing is known if there are no documents, or nobody says it."""
    if any(each.attachments for each in root.walk()):
        with suppress(PlannerError):
            return Window(run_sync(facts_of(agent.model)).window)
    return Window()


def _with_parts(root: Task, agent: Agent, window: Window) -> Task:
    """Return a tree in which documents that are too long for the model are read in parts; `root` stays as it is."""
    if not any(each.attachments for each in root.walk()):
        return root
    with suppress(PlannerError):  # the model may lack a key here
        if not reads_words(agent):
            return root
    found: dict[str, list[Task]] = {}
    for task in root.walk():
        if task.is_leaf and task.state not in FINISHED and is_for_model(task) and agent.settings.parts:
            found[task.id] = _readers(task, root, agent, window)
    if not any(found.values()):
        return root
    tree: Task = Task.from_json(root.to_json())
    for task_id, readers in found.items():
        tree.find(task_id).add_subtasks(readers)
    return tree


def _readers(task: Task, root: Task, agent: Agent, window: Window) -> list[Task]:
    """Return the subtasks that read the documents of `task` in parts; none if it is taken to read them at once."""
    variables = execute_variables(task, root=root, **agent.prompt_settings)
    if not variables.materials or window.holds(_request(agent, variables)):
        return []
    room = window.room(_request(agent, bare_of_parts(task, variables)))
    fits_in_parts = min(room) >= SMALLEST_BUDGET and not room.fits(variables.materials)
    return tasks_of_parts(task, parts_of(variables.materials, room)) if fits_in_parts else []


def _cost(agent: Agent, low: _Count, high: _Count) -> tuple[float, float] | None:
    prices = agent.prices
    return None if prices is None else (low.cost(prices, forgets=False), high.cost(prices, forgets=True))


def _range(bounds: tuple[int, int]) -> str:
    low, high = bounds
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
