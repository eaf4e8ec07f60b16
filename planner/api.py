"""The short way: `solve`, `asolve` and `decompose`, from a goal to an answer or a plan."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable, iscoroutinefunction
from pathlib import Path
from typing import Any, Unpack

from ramify.prompts import PromptLibrary
from ramify.tasks import Check, Material, Task, TaskConfig
from ramify.tasks.checks import read_check
from ramify.tasks.tree.documents import validation_text

from .asking.agent import ASKED, Agent, AgentSettings, model_and_server
from .asking.attachments import read_materials
from .errors import RunError, UsageError
from .executor import Executor
from .models.protocol import Model, Sampling
from .planning.policies import OWN, PolicyGiven, policy_named, stored_name
from .planning.split import PlanLimits
from .run import Run
from .running.keywords import Given, SolveKeywords, check_agent_alone, check_keywords
from .running.kinds import check_kinds
from .runtime.several import several
from .settings.layers import GIVEN
from .settings.settings import Settings, load_settings
from .store.records import status_words
from .tools.functions import ToolsGiven
from .workers.agents import read_agents

GOAL_LIMIT = 1_000_000
"""The most characters of a goal; longer texts are attached as files."""


Approve = Callable[[Task], bool | str | Awaitable[bool | str]]
"""Sees a complete plan, may change it, and says whether it may be run, or in words what should be different."""


def solve(goal: str, *, approve: Callable[[Task], bool | str] | None = None, **how: Unpack[SolveKeywords]) -> Run:
    """Plan a goal, run the plan, and return the run; `run.result` is the answer.

    Works in scripts and in notebooks.

    Args:
        goal: what is to be done.
        approve: gets the root of the complete plan, may change it, and returns whether to run it; if not, the run is
            returned "waiting" with its original plan. Text that it returns asks the planner for another plan.
        **how: the following keywords, and every option of a run, such as `jobs`, `store`, `max_depth` and `allow`: see
            docs/settings.md.

    Keyword Args:
        model: a model's name, or your own model; default: `RAMIFY_MODEL`.
        agent: an agent, instead of `model`.
        files: text files to attach: a path or several.
        materials: documents to attach, as `Material`.
        inputs: arguments, as JSON data by name.
        limits: limits of the whole run; single limits can be given as keywords instead.
        workers: functions or `Worker`s; the planner assigns tasks to them.
        agents: agents by name; the planner assigns tasks to them.
        check: checks of the answer: `Check`s, or texts such as "matches=^[0-9]+$".
        checks: functions for checks, by name.
        tools: tools that the model may call.
        secrets: values of secrets, by name.
        middleware: objects that change inputs and outcomes, in order.
        on_ask: gets the cost when it reaches `ask_at_usd`, and returns True to continue, False to stop, or the cost at
            which to ask again; may be async. Default: stop.
        clarify: gets the model's questions about an ambiguous goal, and returns an answer to each, or one to all; may
            be async. Default: wait, or make assumptions with `assume`.
        on_unknown: gets a step that must not repeat and has an unknown outcome, and returns `step.done(RESULT)`,
            `step.again()` or None; may be async. Default: wait.
        on_event: called with every event.
        record: a file to record calls to; `model="replay:FILE"` answers from it.

    Raises:
        NoModelError: if no model can be used; the message says what to do.
        UsageError: if the goal or an argument cannot be used.
    """
    check_kinds({"approve": approve})
    if approve is None:
        return start(goal, **how).wait()
    if iscoroutinefunction(approve):
        raise UsageError("approve is async; use asolve instead of solve")
    executor, root = prepare(goal, **how)
    run = executor.new_run(root, plan_only=True).start().wait()
    while run.is_planned and (go_on := _after(executor, run, approve(run.task))) is not None:
        run = go_on.start().wait()
    return run


async def asolve(goal: str, *, approve: Approve | None = None, **how: Unpack[SolveKeywords]) -> Run:
    """Do the same as `solve` on the caller's event loop; `approve` may be async."""
    check_kinds({"approve": approve})
    executor, root = prepare(goal, **how)
    if approve is None:
        return await executor.arun(root)
    run = await executor.new_run(root, plan_only=True).drive()
    while run.is_planned:
        said = approve(run.task)
        go_on = _after(executor, run, await said if isawaitable(said) else said)
        if go_on is None:
            break
        run = await go_on.drive()
    return run


def _after(executor: Executor, run: Run, said: object) -> Run | None:
    """Return the run that goes on as somebody has said who has seen its plan; None if it does not."""
    if isinstance(said, str):
        return executor.revise(run.id, said, run.task)
    if not isinstance(said, bool | None):
        raise UsageError(
            f"approve returned {type(said).__name__}; it must return True to run the plan, text to ask"
            f" for a revision, or False; `ramify resume {run.id}` runs the plan as it is"
        )
    return executor.go_on(run.id, run.task) if said else None


def start(goal: str, **how: Unpack[SolveKeywords]) -> Run:
    """Do what `solve` does in the background, and return the run at once."""
    executor, root = prepare(goal, **how)
    return executor.start(root)


def decompose(goal: str, **how: Unpack[SolveKeywords]) -> Task:
    """Plan a goal and return the tree without running it; takes the keywords of `solve`.

    The plan is stored, so you can resume an interrupted one with `ramify resume`.

    Raises:
        NoModelError: if no model can be used; the message says what to do.
        RunError: if the goal could not be planned.
    """
    executor, root = prepare(goal, **how)
    run = executor.new_run(root, plan_only=True).start().wait()
    if run.is_planned:
        return run.task
    raise run.cause or RunError(f"run {run.id} made no plan; it {status_words(run.status)}: {run.error}")


def prepare(
    goal: str,
    *,
    model: str | Model | None = None,
    agent: Agent | None = None,
    files: str | Path | Iterable[str | Path] = (),
    materials: Material | Iterable[Material] = (),
    inputs: dict[str, Any] | None = None,
    check: Check | str | Iterable[Check | str] = (),
    tools: ToolsGiven = (),
    **given: Any,
) -> tuple[Executor, Task]:
    """Return the executor and the root for a goal; see `solve`. What is not `given` is taken from the settings."""
    check_keywords(given, SolveKeywords.__annotations__)
    check_kinds({"goal": goal, "model": model, "agent": agent, "files": files})
    _check_split(given)
    policy = given.pop("policy", None)
    named = {"policy": policy} if policy is None or isinstance(policy, str) else {}
    settings, answering, live = settled(model, agent, {**given, **named})
    root = make_root(goal, [*several(materials, Material), *read_materials(files)], inputs)
    root.checks = read_checks(check)
    answering = answering.with_tools(tools) if tools else answering
    limits = plan_limits(settings) if policy is None or named else plan_limits(settings, policy=stored_name(policy))
    executor = executor_of(settings, agent=answering, plan=limits, policy=None if named else policy, **live)
    return executor, with_config(root, settings)


def _check_split(given: Mapping[str, Any]) -> None:
    """Refuse what is said in a call of how its goal is split, and contradicts itself, or has nothing to limit."""
    split, policy = given.get("split"), given.get("policy")
    if unused := "split is 'never'" if split == "never" else "policy is 'direct'" if policy == "direct" else None:
        refuse_unused(given, ("max_depth", "max_children", "methods"), unused)
    if split == "never" and policy not in {None, "direct"}:
        raise UsageError(f"split is 'never', but policy {policy!r} splits tasks; leave one out")


def refuse_unused(given: Mapping[str, Any], names: Iterable[str], why: str, way: str = "leave one out") -> None:
    """Raise `UsageError` if one of the options `names` was given, which has nothing to do; say why, and the way."""
    for name in names:
        if given.get(name) is not None:
            raise UsageError(f"{why}, so {name} has nothing to {'split' if name == 'methods' else 'limit'}; {way}")


def settled(model: str | Model | None, agent: Agent | None, given: Mapping[str, Any]) -> tuple[Settings, Agent, Given]:
    """Return the settings that hold, the agent that answers, and what of `given` is no setting."""
    if agent is not None:
        check_agent_alone({**given, "model": model})
    own_model = None if model is None or isinstance(model, str) else model
    live: Any = {name: value for name, value in given.items() if name in Given.__annotations__}
    options = {name: value for name, value in given.items() if name not in live}
    settings = load_settings(model=None if own_model else model, **options)
    return settings, agent or agent_of(settings, own_model), live


def executor_of(
    settings: Settings,
    *,
    agent: Agent | None = None,
    plan: PlanLimits | None = None,
    policy: PolicyGiven | None = None,
    **live: Unpack[Given],
) -> Executor:
    """Return the executor that `settings` ask for; what is given besides is taken instead."""
    how: dict[str, Any] = {**live, **settings.part("run")}
    how |= settings.part("limits", given_only=live.get("limits") is not None)
    how["agents"] = {**read_agents(settings.agents, source=settings.sources["agents"]), **(live.get("agents") or {})}
    answering = agent or agent_of(settings)
    return Executor(answering, store=settings.store, plan=plan, policy=policy, tracing=settings.tracing, **how)


def agent_of(settings: Settings, model: Model | None = None) -> Agent:
    """Return the agent that `settings` ask for, with `model` if that is given."""
    name, base_url = model_and_server(settings)
    sampling = Sampling(**settings.part("sampling"))
    asking = AgentSettings(sampling=sampling, **{name: getattr(settings, name) for name in ASKED})
    prompts = PromptLibrary(settings.prompts)
    return Agent(model or name, prompts=prompts, base_url=base_url, settings=asking, store=settings.store)


def plan_limits(settings: Settings, **instead: Any) -> PlanLimits:
    """Return how far goals are split, and when, as `settings` say, but for what is said `instead`.

    Raises:
        UsageError: if there is no such policy, or it contradicts another option; where both come from is said.
    """
    said = {**settings.part("plan"), **instead}
    try:
        limits = PlanLimits(**said)
        if not limits.policy.startswith(OWN):
            policy_named(limits.policy, limits.max_depth)
    except UsageError as error:
        sources = {name: settings.sources[name] for name in ("policy", "split") if name in said and name not in instead}
        places = [f"{name} is from {place}" for name, place in sources.items() if place not in {GIVEN, "default"}]
        raise UsageError(f"{error} ({'; '.join(places)})" if places else str(error)) from None
    return limits


def read_checks(given: Check | str | Iterable[Check | str]) -> tuple[Check, ...]:
    """Return checks, some of which may be written as `KIND=VALUE`.

    Raises:
        UsageError: if a text describes no check.
    """
    read = []
    for each in several(given, Check):
        try:
            read.append(read_check(each) if isinstance(each, str) else each)
        except ValueError as error:
            raise UsageError(f"the check {each!r} cannot be used: {validation_text(error)}") from None
    return tuple(read)


def with_config(root: Task, settings: Settings) -> Task:
    """Return `root` with what `settings` say of all its tasks, unless it says otherwise itself."""
    said = settings.part("task")
    if said:
        root.config = root.config.over(TaskConfig(**said))
    return root


def make_root(goal: str, materials: list[Material], inputs: dict[str, Any] | None = None) -> Task:
    """Return the root task of a goal.

    Raises:
        UsageError: if the goal is blank, or too long to be one.
    """
    if not goal or not goal.strip():
        raise UsageError("the goal is blank")
    if len(goal) > GOAL_LIMIT:
        raise UsageError(
            f"the goal has {len(goal):,} characters; {GOAL_LIMIT:,} are allowed. Put the text in a file, attach it"
            " with -f FILE (files=[...]), and let the goal say what to do with it"
        )
    return Task(content=goal.strip(), id="0", attachments=materials, inputs=inputs or {})
