"""What running a plan will take: calls, tokens, cost, and how long its longest chain is; no model is asked.

What is known is counted, and what nobody can know is a range, from one end of an assumption to the other:

    calls          one for every leaf of the model's, or as many as a vote takes at the least, one or more for every
                   composition; as many more as results of the longest kind would fill prompts
    input tokens   the real prompts, with `ANSWER_TOKENS` for each result that is still missing; a token is 3 to 5
                   characters
    output tokens  `ANSWER_TOKENS` for each call, or less where the sampling settings allow less
    cached tokens  of the input: where prompts begin alike, and the provider's cache is known, all but the first are
                   taken to read that from there; and so is what was said before in a conversation that goes on
    cost           all, at the model's known prices; the low end counts on the cache, the high end is that of one that
                   has always forgotten

Documents that are longer than the model's window, as far as its server says that, count as the tasks that read them in
parts, and so do compositions that take steps for it.

With a pilot, a run of the same kind, these assumptions give way to what was measured: how long answers are, how many
characters a token has, how many answers a vote takes for all leaves to be right, how many calls more a leaf needs, and
what a token costs.

Not in the ranges without a pilot: repairs and retries, whose most is said as `calls_at_most`, and what a model thinks
without saying it. Not in any: tasks that split while they run; calls that workers make.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.budget import DEFAULTS, Configs
from ramify.planner.asking.composing import batches
from ramify.planner.asking.odds import TARGET
from ramify.planner.asking.prefixes import shared_characters
from ramify.planner.asking.reading import RESULT_HEAD, bare_of_parts, reads_words
from ramify.planner.asking.voting import SAMPLES_A_LEAD
from ramify.planner.asking.windows import SMALLEST_BUDGET, Window
from ramify.planner.errors import PlannerError, UsageError
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

from .chained import Chains, has_chains
from .ends import End, ends_of
from .expecting import Expected, Pace, expected_of
from .piloting import Pilot
from .vote_estimates import VoteEstimate

_CACHED = "if the provider still caches the shared prefix (a few minutes); the low cost assumes it"

_OPTIONAL = frozenset({"voting", "expected"})
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
        critical_path: ids of the tasks of the longest chain, first to last: by how long they are expected to take, or
            each counted as one step where nothing is known of that.
        waves: ids of the tasks by the step in which they could run.
        voting: what votes have to be, by a pilot; None without one.
        expected: how long it will take; None if nothing is known of that.
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
    voting: VoteEstimate | None = None
    expected: Expected | None = None

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {name: value for name, value in asdict(self).items() if name not in _OPTIONAL or value is not None}

    def __str__(self) -> str:
        cost = "unknown" if self.cost_usd is None else f"${self.cost_usd[0]:,.4f} to ${self.cost_usd[1]:,.4f}"
        workers = f", {self.worker_tasks:,} of them for workers, whose calls are not counted" * bool(self.worker_tasks)
        parts = f", {self.parts:,} of them read parts of documents" * bool(self.parts)
        path = ": " * bool(self.critical_path) + " > ".join(self.critical_path)
        steps = [("critical path", f"{counted(len(self.critical_path), 'task')}{path}")]
        rows = [
            *(() if self.voting is None else self.voting.rows()),
            ("remaining", f"{counted(self.tasks, 'task')}{workers}{parts}"),
            ("calls", f"{_range(self.calls)}; at most {self.calls_at_most:,} with every repair and retry"),
            ("input tokens", _range(self.input_tokens)),
            ("cached tokens", f"{_range(self.cached_tokens)} of these, {_CACHED}"),
            ("output tokens", _range(self.output_tokens)),
            ("cost", f"{cost} ({self.model or 'no model is set'})"),
            *(self.expected.rows() if self.expected else steps),
            ("waves", f"{len(self.waves):,}"),
        ]
        shown = (row for row in rows if row[0] != "cached tokens" or self.cached_tokens[1])
        return "\n".join(f"{name}: {words}" for name, words in shown)


def estimate(
    task: Task,
    *,
    model: str | Model | None = None,
    agent: Agent | None = None,
    base_url: str | None = None,
    pilot: Pilot | None = None,
    target: float = TARGET,
    steps: int | None = None,
    pace: Pace | None = None,
) -> Estimate:
    """Estimate what running the tree of `task` takes; finished tasks take nothing, and no model is called.

    Args:
        task: the root of a plan.
        model: the model's name, or your own model; default: from the settings. It needs no key here.
        agent: an agent, instead of `model`; its prompts are counted.
        base_url: the address of an OpenAI-compatible server.
        pilot: figures measured in a similar run: `run.as_pilot()`. The estimate then also says how to vote.
        target: how often all leaves should be right.
        steps: assume this many leaves; needs a pilot.
        pace: the speed of the run: `executor.pace()`; default: that of a run without options or history.

    Raises:
        UsageError: if half the pilot's answers are wrong, so voting cannot help, or a number is invalid.
    """
    asking = agent or Agent(model, base_url=base_url)
    window = _window_of(asking, task)
    task = _with_parts(task, asking, window)
    leaves = sum(each.is_leaf and is_for_model(each) and each.state is not TaskState.DELETED for each in task.walk())
    voting = _voting_of(pilot, leaves, steps, target)
    left = [each for each in task.walk() if each.state not in FINISHED]
    asked = dict.fromkeys(each for each in left if not each.is_leaf or is_for_model(each))
    configs = Configs(DEFAULTS)
    low, high = ends_of(asking, pilot, voting)
    steps_of_plan = waves(task)
    talks = _talks(task, asking, configs, window, (low, high))
    order = asked if talks is None else [each for wave in steps_of_plan for each in wave if _is_said(each, asked)]
    at_most = 0.0
    for each in order:
        times = steps / leaves if steps is not None and each.is_leaf else 1
        for number, end in enumerate((low, high)):
            before = end.calls
            for prompt in _prompts(each, task, asking, window, answer=int(end.answer * end.characters)):
                is_talk = talks is not None and each.is_leaf
                request, said = talks[number].request(each, prompt) if talks and is_talk else (prompt, 0)
                told = replace(request, shared=shared_characters(each, request))
                if each in asked:
                    end.count(each, told, _answers(each, configs, end) * times, said=said)
        at_most += _most_calls(each, configs.of(each), end.calls - before, voting, times) if each in asked else 0
    to_do = {each.id for each in left}
    expected = expected_of(task, pace or Pace())
    path = [each.id for each in critical_path(task, lambda each: float(each.id in to_do)) if each.id in to_do]
    return Estimate(
        model=asking.named,
        tasks=len(left),
        parts=sum(map(is_part, left)),
        worker_tasks=len(left) - len(asked),
        calls=(ceil(low.calls), ceil(high.calls)),
        calls_at_most=ceil(max(at_most, high.calls)),
        input_tokens=(ceil(low.input_tokens), ceil(high.input_tokens)),
        cached_tokens=(ceil(low.read_tokens), ceil(high.read_tokens)),
        output_tokens=(ceil(low.output_tokens), ceil(high.output_tokens)),
        cost_usd=_cost(asking, pilot, low, high),
        critical_path=expected.critical_path if expected else path,
        waves=[ids for wave in steps_of_plan if (ids := [each.id for each in wave if each.id in to_do])],
        voting=voting,
        expected=expected,
    )


def _talks(
    task: Task, agent: Agent, configs: Configs, window: Window, ends: tuple[End, End]
) -> tuple[Chains, Chains] | None:
    """Return the conversations that leaves go on with, at each end; None if there are none."""
    if not has_chains(task, agent, configs):
        return None
    low, high = (Chains(agent, configs, window.holds, answer=int(end.answer * end.characters)) for end in ends)
    return low, high


def _is_said(task: Task, asked: Collection[Task]) -> bool:
    """Return whether `task` is asked about, or was before, so that others may go on with its conversation."""
    return task in asked or (task.is_leaf and task.state is TaskState.DONE and is_for_model(task))


def _voting_of(pilot: Pilot | None, leaves: int, steps: int | None, target: float) -> VoteEstimate | None:
    if pilot is None:
        if steps is not None:
            raise UsageError("steps needs a pilot")
        return None
    if not leaves:
        raise UsageError("no leaf of the plan uses a model, so there is nothing to vote on")
    return VoteEstimate.of(pilot, steps=leaves if steps is None else steps, target=target)


def _answers(task: Task, configs: Configs, end: End) -> float:
    """Return how many answers to each question of `task` it takes, at the least without a pilot."""
    if not task.is_leaf:
        return 1
    return (configs.of(task).vote_ahead or 1) if end.votes is None else end.votes


def _most_calls(task: Task, config: TaskConfig, calls: float, voting: VoteEstimate | None, times: float) -> float:
    attempts = 1 + (config.max_retries or 0)
    ahead = config.vote_ahead if voting is None else voting.ahead
    if task.is_leaf and ahead:
        return (config.max_samples or SAMPLES_A_LEAD * ahead) * attempts * times
    return calls * _CALLS_AN_ATTEMPT * attempts


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


def _request(agent: Agent, variables: PromptVariables) -> ModelRequest:
    nonce = make_nonce("estimate", data=texts_of(variables))
    return agent.request(agent.render(variables, nonce=nonce))


def _window_of(agent: Agent, root: Task) -> Window:
    """Return the window of the model, of which nothing is known if there are no documents, or nobody says it."""
    if any(each.attachments for each in root.walk()):
        with suppress(PlannerError):
            said = agent.settings.window
            return Window(said or run_sync(facts_of(agent.model)).window, is_said=said is not None)
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


def _cost(agent: Agent, pilot: Pilot | None, low: End, high: End) -> tuple[float, float] | None:
    """Return the cost at what a token of the pilot cost, cached ones among them, or else at the model's prices."""
    if pilot is not None and pilot.token_cost_usd is not None:
        least, most = ((end.input_tokens + end.output_tokens) * pilot.token_cost_usd for end in (low, high))
        return least, most
    prices = agent.prices
    return None if prices is None else (low.cost(prices, forgets=False), high.cost(prices, forgets=True))


def _range(bounds: tuple[int, int]) -> str:
    low, high = bounds
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
