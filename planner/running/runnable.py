"""Whether a tree can be run: its graph, its workers, its limits, its permissions; all known before anything starts."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.budget import Configs
from ramify.planner.errors import UsageError
from ramify.planner.settings.settings import load_settings
from ramify.planner.tools.protocol import permissions_of
from ramify.planner.work.grants import Grants
from ramify.planner.work.special_types import SCRIPT
from ramify.planner.workers import Worker, Workers
from ramify.planner.workers.model import ModelWorker
from ramify.planner.workers.plugins import plugin_workers
from ramify.planner.workers.registry import ChecksGiven, WorkersGiven, is_for_model
from ramify.planner.workers.script import Script, ScriptWorker
from ramify.planner.workers.sources import load_workers
from ramify.planner.workers.teams import TeamWorker
from ramify.tasks import Task, TaskState
from ramify.tasks.tree.graph import check_can_end

from .run_settings import RunSettings

_MISSPELLED = 0.8
"""How much a permission is like another, of 1, to be taken for it."""


def check_runnable(root: Task, workers: Workers, grants: Grants) -> None:
    """Raise if the tree of `root` could not be run by `workers` with what `grants` allow them."""
    check_can_end(root)
    workers.check_tree(root, grants)
    refuse_secrets(root, grants)


def check_tools(root: Task, agent: Agent, grants: Grants) -> None:
    """Raise `NotAllowedError` if a task of the tree is for `agent`, and its tools take what is not granted."""
    needed = permissions_of(agent.tools)
    if needed and any(is_for_model(task) or task.type == SCRIPT for task in root.walk() if task.is_leaf):
        grants.check(root, needed)


def check_asking(root: Task, workers: Workers, agent: Agent, settings: RunSettings) -> None:
    """Refuse what the open tasks of a tree ask of their models, if it contradicts itself; before any call is paid for.

    Raises:
        UsageError: if one is voted on at temperature 0, or has to call a tool, and there are none.
    """
    configs = Configs(settings.defaults, settings.instead)
    asked: dict[str | None, ModelWorker | TeamWorker | None] = {SCRIPT: None}
    for task in root.walk():
        if not task.is_leaf or not (task.state is TaskState.OPEN or task.state is TaskState.RUNNING):
            continue
        if task.type not in asked:
            worker = workers.of(task)
            asked[task.type] = worker if isinstance(worker, ModelWorker | TeamWorker) else None
        if (who := asked[task.type]) is not None:
            who.check_asking(task, configs.of(task), agent)


def check_allow(workers: Workers, agent: Agent, grants: Grants) -> None:
    """Refuse a permission that nobody knows, and that is nearly one which somebody does; others do no harm.

    Raises:
        UsageError: if there is one.
    """
    known = {"network", "subprocess", "shell", *permissions_of(agent.tools)}
    known = known.union(*(each.permissions for each in workers.given.values()))
    for word in sorted(set(grants.allow) - known):
        if near := get_close_matches(word, known, 1, _MISSPELLED):
            raise UsageError(f"allow: unknown permission {word!r}; did you mean {near[0]}?")


def workers_of(
    settings: RunSettings,
    given: WorkersGiven | None,
    checks: ChecksGiven | None,
    agents: Mapping[str, Agent],
    script: Script | None = None,
) -> Workers:
    """Return who does the tasks of a run: enabled plugins, over these what its sources define, over all what is given.

    With them come the functions that checks call. What stands beside a script counts as one of the sources.
    """
    chosen = load_settings().workers
    workers, predicates = load_workers(settings.worker_sources)
    if script is not None:
        beside, checks_beside = script.beside
        workers, predicates = {**beside, **workers}, {**checks_beside, **predicates}
    disabled = [name for name, each in chosen.items() if each.enabled is False]
    return Workers(
        {**plugin_workers(chosen), **workers, **_refuse_doubles(agents, Workers(given).given)},
        {**predicates, **(checks or {})},
        disabled=disabled,
        script=None if script is None else ScriptWorker(script),
        engine=settings.engine,
    )


def _refuse_doubles(agents: Mapping[str, Agent], given: Mapping[str, Worker]) -> dict[str, Worker]:
    """Return agents and workers together; a name that both have is refused."""
    for name in agents:
        if name in given:
            raise UsageError(f"an agent and a worker are both named {name!r}; rename one")
    return {**{name: ModelWorker(agent) for name, agent in agents.items()}, **given}


def grants_of(allow: Iterable[str], secrets: Mapping[str, str] | None) -> Grants:
    """Return what is granted: what is allowed here to all tasks, and what the settings allow to single workers."""
    chosen = load_settings().workers
    return Grants(allow, secrets, for_types={name: each.allow for name, each in chosen.items()})


def refuse_secrets(root: Task, grants: Grants) -> None:
    """Raise `UsageError` if a secret's value stands in a task, where it would be stored."""
    redactor = grants.redactor
    if not redactor:
        return
    for task in root.walk():
        words = f"{task.content}\n{task.inputs}\n{task.metadata}\n{[each.text for each in task.attachments]}"
        words += f"\n{[each.to_data() for each in task.checks]}"
        if redactor.text(words) != words:
            raise UsageError(
                f"task {task.id} contains the value of a secret, which would be stored; remove it, and let the worker"
                " get it with context.secret(NAME)"
            )
