"""What each parameter of a variation changes: the agent, its sampling, how the goal is split, limits, inputs.

model, base_url, prompts, role_name                        who answers
system, language, examples, timeout_s, native_tools, ...   how it is asked
temperature, top_p, max_output_tokens, seed, ...           sampling
policy, split, max_depth, max_children, max_tasks          how the goal is split, and when
content                                                    what is to be done
config.NAME                                                a limit of the task
inputs.NAME, or the name of an input that the task has     an argument
CHILD.NAME, or CHILD with an object                        arguments that are routed to the subtask CHILD
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from ramify.planner.asking.agent import ASKED, Agent, AgentSettings
from ramify.planner.errors import UsageError
from ramify.planner.models.protocol import Model, Sampling
from ramify.planner.models.registry import OWN_MODELS
from ramify.planner.planning.policies import policy_named
from ramify.planner.planning.split import PlanLimits
from ramify.planner.runtime.address import has_secrets, shown_address
from ramify.planner.settings.options import options_of
from ramify.tasks import Task, TaskConfig
from ramify.tasks.misfits import misfit

AGENT = ("model", "base_url", "prompts", "role_name")
SAMPLING = tuple(Sampling.__dataclass_fields__)
PLAN = tuple(options_of("plan"))
PLAIN = (*AGENT, *ASKED, *SAMPLING, *PLAN, "content")
"""Parameters that mean the same whatever the task."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A task and what does it, as a variation has them.

    Attributes:
        task: the root, changed.
        agent: who answers.
        plan: how the goal is split; None runs the tree as it is.
    """

    task: Task
    agent: Agent
    plan: PlanLimits | None


def check_parameters(task: Task, names: Mapping[str, Any]) -> None:
    """Raise `UsageError` if one of the parameters `names` would change nothing of `task`."""
    _refuse_secrets(names.get("base_url"))
    children = {child.name for child in task.subtasks if child.name}
    for name in names:
        head, dot, tail = name.partition(".")
        if name in PLAIN or name in task.inputs or name in children or (dot and head in {"inputs", *children}):
            continue
        if dot and head == "config" and tail in TaskConfig.model_fields:
            continue
        known = [*PLAIN, *task.inputs, *sorted(children), *(f"config.{each}" for each in TaskConfig.model_fields)]
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else "for an argument of the task, write inputs.NAME"
        raise UsageError(f"{name} cannot be varied; {hint}")


def _refuse_secrets(given: Any) -> None:
    """Raise if an address has a password or a token in it: parameters name their variations, and are stored."""
    for each in given if isinstance(given, list | tuple) else [given]:
        if isinstance(each, str) and has_secrets(each):
            raise UsageError(
                f"base_url={shown_address(each)} contains a secret, and parameters are stored; pass that address with"
                " --base-url or RAMIFY_BASE_URL, and vary something else"
            )


def vary(
    task: Task,
    agent: Agent,
    plan: PlanLimits | None,
    parameters: Mapping[str, Any],
    *,
    models: Mapping[str, Model] | None = None,
) -> Varied:
    """Return `task`, which is changed, and what does it, as `parameters` say.

    Args:
        task: the root.
        agent: who answers unless a parameter says otherwise.
        plan: how the goal is split unless a parameter says otherwise.
        parameters: the values, by name.
        models: models of the user's own, by the names that stand for them.

    Raises:
        UsageError: if a value cannot be used.
    """
    check_parameters(task, parameters)
    try:
        for name, value in parameters.items():
            _vary_task(task, name, value)
        limits = {name: parameters[name] for name in PLAN if name in parameters}
        if limits:
            plan = PlanLimits(**{**(plan or PlanLimits()).model_dump(), **limits})
            policy_named(plan.policy, plan.max_depth)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise UsageError(f"{'.'.join(map(str, problem['loc']))} cannot have this value: {misfit(problem)}") from None
    return Varied(task, _varied_agent(agent, parameters, models or {}), plan)


def _vary_task(task: Task, name: str, value: Any) -> None:
    head, dot, tail = name.partition(".")
    if name == "content":
        task.content = value
    elif dot and head == "config":
        task.config = TaskConfig(**{tail: value}).over(task.config)
    elif dot and head == "inputs":
        task.inputs = {**task.inputs, tail: value}
    elif name not in PLAIN:
        routed = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) and not dot else {}
        task.inputs = {**task.inputs, **(routed if routed and name not in task.inputs else {name: value})}


def _varied_agent(agent: Agent, parameters: Mapping[str, Any], models: Mapping[str, Model]) -> Agent:
    sampling = {name: parameters[name] for name in SAMPLING if name in parameters}
    changes: dict[str, Any] = {name: parameters[name] for name in ASKED if name in parameters}
    if sampling:
        changes["sampling"] = replace(agent.settings.sampling, **sampling)
    settings: AgentSettings = agent.settings.other(**changes)
    if not any(name in parameters for name in AGENT):
        return agent.with_settings(**changes) if changes else agent
    model = parameters.get("model")
    if model is None and "base_url" not in parameters:
        chosen: Model | str | None = agent.model
    else:
        chosen = models.get(str(model), model) if model is not None else agent.opened_as
    base_url, key = (None, None) if _has_no_server(chosen) else agent.server
    return Agent(
        chosen,
        role_name=parameters.get("role_name", agent.role_name),
        prompts=parameters.get("prompts") or agent.prompts,
        base_url=parameters.get("base_url", base_url),
        api_key=None if base_url is None or "base_url" in parameters else key,
        settings=settings,
        tools=agent.tools,
    )


def _has_no_server(model: Model | str | None) -> bool:
    return isinstance(model, Model) or (model is not None and model.partition(":")[0] in OWN_MODELS)
