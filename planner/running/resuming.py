"""How a stored run is made ready to go on: as it was, but for what is given and what is edited."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from pydantic import ValidationError
from ramify.planner.asking.agent import Agent, model_and_server
from ramify.planner.asking.budget import RunLimits
from ramify.planner.errors import NoModelError, UsageError
from ramify.planner.events.events import Subscriber
from ramify.planner.models.protocol import Model
from ramify.planner.planning.split import PlanLimits
from ramify.planner.runtime.several import several
from ramify.planner.settings.settings import Tracing, load_settings
from ramify.planner.store import RunRecord, Store
from ramify.planner.tools.functions import ToolsGiven, names_of
from ramify.planner.tools.sources import load_tools
from ramify.planner.workers.agents import AgentsGiven, agents_of
from ramify.planner.workers.registry import ChecksGiven, WorkersGiven
from ramify.tasks import Task
from ramify.tasks.tree.documents import validation_text
from ramify.tasks.tree.edits import Difference

from .editing import PlanEdit, edit_run
from .middleware import check_middleware
from .options import AgentSettings, RunSettings
from .runnable import check_runnable, check_tools, grants_of, workers_of
from .session import Session


class ResumeOptions(TypedDict, total=False):
    """With what a stored run is carried on; what is not given is as it was, as the last one who carried it on had it.

    Attributes:
        agent: who goes on with it. A model of your own has to be given again.
        base_url: the address at which its model is asked.
        workers: workers of your own; they have to be given again, unless the run knows where they come from.
        agents: agents that are to be others, by name; ones with models of your own have to be given again.
        checks: functions that checks call, by name; they have to be given again, unless the run knows where they come
            from.
        worker_sources: Python files and modules that define workers, instead of those that did.
        tools: tools for its agent besides those that it has; they have to be given again, as workers have.
        tool_sources: Python files, modules and servers that define tools, instead of those that did.
        allow: permissions that are granted besides those that were.
        secrets: values of secrets, by name; they have to be given again, unless they are in the environment.
        middleware: what may change the inputs and outcomes of tasks; it has to be given again.
        retry_failed: whether tasks that have failed are done again.
        edit: how its plan is changed before it goes on.
        jobs: tasks that run at the same time.
        limits: what the run may take.
        max_tasks: the most tasks of the tree, where the run's goal was planned by Ramify.
        max_turns: replies in one conversation with tools, whatever its tasks say.
        on_event: called with every event, on the run's loop.
        cache: whether answers of other runs are taken.
        record: a file that all calls of the run are written to when it ends, for `replay:FILE`.
        tracing: whether OpenTelemetry spans are made of it; as the settings say unless given.
    """

    agent: Agent | Model | str | None
    base_url: str | None
    workers: WorkersGiven | None
    agents: AgentsGiven | None
    checks: ChecksGiven | None
    worker_sources: Iterable[str] | None
    tools: ToolsGiven
    tool_sources: Iterable[str] | None
    allow: Iterable[str]
    secrets: Mapping[str, str] | None
    middleware: Sequence[Any]
    retry_failed: bool
    edit: PlanEdit | None
    jobs: int | None
    limits: RunLimits | None
    max_tasks: int | None
    max_turns: int | None
    on_event: Subscriber | None
    cache: bool | None
    record: str | Path | None
    tracing: Tracing | None


def session_of(opened: Store, found: RunRecord, options: ResumeOptions, *, store: str | Path | None) -> Session:
    """Return the session that carries the run `found` on; an edit of its plan is on disk then, if it can be run so.

    Args:
        opened: the store, which the session takes.
        found: the run.
        options: what is to be otherwise than it was.
        store: where the store is, as it was given.
    """
    settings = _settings_of(found, options)
    grants = grants_of(settings.allow, options.get("secrets"))
    agent = _agent_of(settings, found, options.get("agent"), base_url=options.get("base_url"), store=store)
    agent = agent.with_tools([*several(options.get("tools", ())), *load_tools(settings.tool_sources)])
    agents = agents_of(settings.agents, options.get("agents") or {}, agent)
    workers = workers_of(settings, options.get("workers"), options.get("checks"), agents)
    middleware = check_middleware(options.get("middleware", ()))
    _refuse_without_tools(settings, found, agent)

    def check(root: Task, differences: Sequence[Difference] = ()) -> None:
        check_runnable(root, workers, grants)
        check_tools(root, agent, grants)
        for difference in differences:
            if difference.kind == "changed":
                task = root.find(difference.task_id)
                workers.of(task).check_edit(task, difference, store=opened, run_id=found.id)

    edit = options.get("edit") or PlanEdit()
    if options.get("retry_failed"):
        edit = replace(edit, failed=True)
    if edit:
        edit_run(opened, found.id, edit, check=check)
        found = opened.find_run(found.id)
    root = opened.load_tree(found.id)
    if not edit:
        check(root)
    return Session(
        store=opened,
        record=found,
        root=root,
        agent=agent,
        settings=settings,
        workers=workers,
        grants=grants,
        middleware=middleware,
    )


def _settings_of(found: RunRecord, options: ResumeOptions) -> RunSettings:
    settings = RunSettings.model_validate(found.settings)
    sources, tool_sources = options.get("worker_sources"), options.get("tool_sources")
    changes = {
        "agent": _answered_by(settings.agent or AgentSettings(), options.get("agent"), options.get("base_url")),
        "jobs": options.get("jobs"),
        "limits": options.get("limits"),
        "plan": _plan_limits(found, settings.plan, options.get("max_tasks")),
        "max_turns": options.get("max_turns"),
        "cache": options.get("cache"),
        "worker_sources": tuple(map(str, several(sources))) if sources else None,
        "tool_sources": tuple(map(str, several(tool_sources))) if tool_sources else None,
        "allow": tuple(dict.fromkeys([*settings.allow, *several(options.get("allow", ()))])),
    }
    changed = settings.model_copy(update={name: value for name, value in changes.items() if value is not None})
    try:
        return RunSettings.model_validate(changed.model_dump())
    except ValidationError as error:
        raise UsageError(f"run {found.id} cannot go on so: {validation_text(error)}") from None


def _plan_limits(found: RunRecord, stored: PlanLimits | None, max_tasks: int | None) -> PlanLimits | None:
    if max_tasks is not None and stored is None:
        raise UsageError(f"run {found.id} runs a plan that was given, however many tasks it has; leave out max_tasks")
    return stored if max_tasks is None or stored is None else stored.model_copy(update={"max_tasks": max_tasks})


def _refuse_without_tools(settings: RunSettings, record: RunRecord, agent: Agent) -> None:
    missing = [name for name in settings.tools if name not in names_of(agent.tools)]
    if missing:
        raise UsageError(
            f"run {record.id} was begun with tools that are not there now: {', '.join(missing)}; give them again with"
            " --tools FILE (in Python: tools=[...])"
        )


def _answered_by(stored: AgentSettings, given: Agent | Model | str | None, base_url: str | None) -> AgentSettings:
    """Return the agent that is stored, with another model, or its model at another address, if one is named."""
    if given is None:
        return stored if base_url is None else stored.model_copy(update={"base_url": base_url})
    if not isinstance(given, str):
        return stored
    name, server = model_and_server(load_settings(model=given, base_url=base_url))
    return stored.model_copy(update={"model": name, "base_url": server})


def _agent_of(
    settings: RunSettings,
    record: RunRecord,
    given: Agent | Model | str | None,
    *,
    base_url: str | None,
    store: str | Path | None,
) -> Agent:
    if isinstance(given, Agent | Model) and base_url is not None:
        raise UsageError("base_url is of no use to an agent or a model of your own; make it with its own address")
    if isinstance(given, Agent):
        return given
    stored = settings.agent or AgentSettings()
    if isinstance(given, Model):
        agent = stored.make()
        return Agent(given, role_name=agent.role_name, prompts=agent.prompts, asking=agent.asking)
    agent = stored.make(store=store)
    try:
        _ = agent.model
    except NoModelError as error:
        raise NoModelError(f"run {record.id} was made by {record.made_by}: {error}") from error
    return agent
