"""How a stored run is made ready to go on: as it was, but for what is given and what is edited."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import JsonValue
from ramify.planner.asking.agent import ASKED, Agent, model_and_server
from ramify.planner.asking.person import Person
from ramify.planner.asking.stored_agent import StoredAgent
from ramify.planner.errors import NoModelError, UsageError
from ramify.planner.models.protocol import Model
from ramify.planner.models.registry import OWN_MODELS
from ramify.planner.planning.policies import OWN, own_policy, policy_named, stored_name
from ramify.planner.planning.policy import Policy
from ramify.planner.runtime.several import several
from ramify.planner.settings.options import ResumedOptions
from ramify.planner.settings.settings import Tracing, load_settings
from ramify.planner.store import RunRecord, Store
from ramify.planner.tools.functions import ToolsGiven, names_of
from ramify.planner.tools.sources import load_tools
from ramify.planner.work.grants import Grants
from ramify.planner.workers import Workers
from ramify.planner.workers.agents import agents_of
from ramify.tasks import Task
from ramify.tasks.plans.plans import load_plan
from ramify.tasks.tree.edits import Difference

from .editing import PlanEdit, edit_run
from .keywords import Given, check_agent_alone, check_keywords
from .knowing import check_planning
from .middleware import check_middleware
from .run_settings import RunSettings
from .runnable import check_allow, check_asking, check_runnable, check_tools, grants_of, workers_of
from .scripts import script_again
from .session import Session

if TYPE_CHECKING:
    from ramify.planner.workers.script import Script, ScriptFunction


class ResumeOptions(ResumedOptions, Given, total=False):
    """With what a stored run is carried on; what is not given is as it was, as the last one who carried it on had it.

    `allow` grants permissions besides those that were granted, `worker_sources` and `tool_sources` stand instead of
    those that were, and so does every other option: see docs/settings.md. Workers, tools, checks and agents of one's
    own have to be given again, unless the run knows the files that they come from; secrets, unless they are in the
    environment; and middleware.

    Attributes:
        agent: who goes on with it. A model of your own has to be given again.
        tools: tools for its agent besides those that it has.
        script: the script that does its root, unless it was loaded from a file.
        accept_changes: whether its script may be another one than before; what differs is done again.
        retry_failed: whether tasks that have failed are done again.
        answer: the answer to what its model has asked about its goal.
        step_done: what came of steps that may not be repeated, and of which nobody knew whether they were taken, by the
            id of their task; where it has several of them, by the id and the step's name, as `ID NAME`.
        step_again: the ids of tasks, or `ID NAME`, whose steps of that sort are to be taken again.
        steer: what should be different in what is open of its plan, in words for the planner.
        edit: how its plan is changed before it goes on.
        tracing: whether OpenTelemetry spans are made of it; as the settings say unless given.

    A policy of one's own has to be given again too: `policy`, its class or an object of it.
    """

    agent: Agent | Model | str | None
    tools: ToolsGiven
    script: "Script | ScriptFunction | None"
    accept_changes: bool
    retry_failed: bool
    answer: str | None
    step_done: Mapping[str, JsonValue]
    step_again: Sequence[str]
    steer: str | None
    edit: PlanEdit | None
    tracing: Tracing | None


class EditedOptions(ResumeOptions, total=False):
    """What `Executor.resume` and `fork` take besides: the single parts of an edit of the plan."""

    plan: Task | str | Path | None
    set: Mapping[str, str] | None
    set_result: Mapping[str, str] | None
    from_task: str | Iterable[str] | None


def session_of(opened: Store, found: RunRecord, options: ResumeOptions, *, store: str | Path | None) -> Session:
    """Return the session that carries the run `found` on; an edit of its plan is on disk then, if it can be run so.

    Args:
        opened: the store, which the session takes.
        found: the run.
        options: what changes.
        store: where the store is, as it was given.
    """
    carrier, edit = carrier_of(opened, found, options, store=store), edit_of(options)
    if edit:
        edit_run(opened, found.id, edit, check=carrier.check, redact=carrier.grants.redactor.text)
        found = opened.find_run(found.id)
    read_at = opened.last_seq(found.id)
    root = opened.load_tree(found.id)
    if not edit:
        carrier.check(root)
    return carrier.session(found, root, read_at)


def with_edit(options: EditedOptions) -> ResumeOptions:
    """Return `options` with the edit of the plan that its keywords make.

    Raises:
        DocumentError: if the plan file cannot be used.
        UsageError: if there is an edit already, or a keyword is none.
    """
    check_keywords(options, EditedOptions.__annotations__)
    plan, again = options.get("plan"), options.get("from_task")
    edit = PlanEdit(
        plan=plan if plan is None or isinstance(plan, Task) else load_plan(plan),
        contents=options.get("set") or {},
        results=options.get("set_result") or {},
        again=() if again is None else several(again),
    )
    if edit and options.get("edit"):
        raise UsageError("use either edit, or plan, set, set_result and from_task")
    kept: Any = {name: value for name, value in options.items() if name in ResumeOptions.__annotations__}
    return cast("ResumeOptions", kept | {"edit": edit} if edit else kept)


def edit_of(options: ResumeOptions) -> PlanEdit:
    """Return how the plan is changed before the run goes on."""
    edit = options.get("edit") or PlanEdit()
    if options.get("retry_failed"):
        edit = replace(edit, failed=True)
    if options.get("answer") is not None:
        edit = replace(edit, answer=options.get("answer"))
    if options.get("steer") is not None:
        edit = replace(edit, steer=options.get("steer"))
    return replace(edit, step_done=options.get("step_done") or {}, step_again=several(options.get("step_again") or ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Who and what carries a stored run on: the fields are those of `Session`."""

    store: Store
    run_id: str
    agent: Agent
    settings: RunSettings
    workers: Workers
    grants: Grants
    middleware: Sequence[Any]
    policy: Policy | None
    person: Person
    accepts_changes: bool

    def check(self, root: Task, differences: Sequence[Difference] = ()) -> None:
        """Raise unless the tree can be run, and what is different in it would change something."""
        check_runnable(root, self.workers, self.grants)
        check_planning(root, self.settings.plan, is_resumed=True)
        check_tools(root, self.agent, self.grants)
        check_asking(root, self.workers, self.agent, self.settings)
        check_allow(self.workers, self.agent, self.grants)
        for difference in differences:
            if difference.kind == "changed":
                task = root.find(difference.task_id)
                self.workers.of(task).check_edit(task, difference, store=self.store, run_id=self.run_id)

    def session(self, record: RunRecord, root: Task, read_at: int) -> Session:
        """Return the session that carries `record` on, whose tree is `root`, read after event number `read_at`."""
        return Session(
            store=self.store,
            record=record,
            root=root,
            agent=self.agent,
            settings=self.settings,
            workers=self.workers,
            grants=self.grants,
            middleware=self.middleware,
            policy=self.policy,
            person=self.person,
            accepts_changes=self.accepts_changes,
            read_at=read_at,
        )


def carrier_of(opened: Store, found: RunRecord, options: ResumeOptions, *, store: str | Path | None) -> Carrier:
    """Return who carries the run `found` on, as `session_of` is asked to."""
    if isinstance(options.get("agent"), Agent):
        check_agent_alone({"stop_runaway": options.get("stop_runaway")})
    settings = _settings_of(found, options)
    policy = _policy_of(settings, options.get("policy"), found.id)
    grants = grants_of(settings.allow, options.get("secrets"))
    agent = _agent_of(settings, found, options.get("agent"), base_url=options.get("base_url"), store=store)
    agent = agent.with_tools([*several(options.get("tools", ())), *load_tools(settings.tool_sources)])
    agents = agents_of(settings.agents, options.get("agents") or {}, agent)
    script = script_again(settings, options.get("script"), found.id)
    workers = workers_of(settings, options.get("workers"), options.get("checks"), agents, script)
    middleware = check_middleware(options.get("middleware", ()))
    _refuse_without_tools(settings, found, agent)
    return Carrier(
        store=opened,
        run_id=found.id,
        agent=agent,
        settings=settings,
        workers=workers,
        grants=grants,
        middleware=middleware,
        policy=policy,
        person=Person.among(options),
        accepts_changes=bool(options.get("accept_changes") or edit_of(options).changes_tasks),
    )


def _policy_of(settings: RunSettings, given: object, run_id: str) -> Policy | None:
    """Return the policy of one's own that a run goes on with; None if it has none, or one that goes by its name."""
    if given is not None and not isinstance(given, str):
        return own_policy(given)
    name = None if settings.plan is None else settings.plan.policy
    if name is not None and name.startswith(OWN):
        raise UsageError(
            f"run {run_id} uses your own policy {name.removeprefix(OWN)}; pass it again in Python:"
            f" Executor.resume(store, {run_id!r}, policy=...), or choose another: --policy as_needed"
        )
    if name is not None:
        policy_named(name, 1)
    return None


def _settings_of(found: RunRecord, options: ResumeOptions) -> RunSettings:
    settings: RunSettings = RunSettings.model_validate(found.settings)
    if options.get("max_tasks") is not None and settings.plan is None and options.get("policy") is None:
        raise UsageError(f"run {found.id} runs a given plan, so max_tasks has no effect; leave it out")
    named: dict[str, Any] = {name: value for name, value in options.items() if name in ResumedOptions.__annotations__}
    if named.get("policy") is not None:
        named["policy"] = stored_name(named["policy"])
    given = {name: value for name, value in named.items() if value not in (None, (), [])}
    agent = _answered_by(settings.agent or StoredAgent(), options.get("agent"), options.get("base_url"))
    agent = agent.model_copy(update={name: value for name, value in given.items() if name in ASKED})
    limits = options.get("limits") or settings.limits
    try:
        changed = settings.changed(given, agent=agent, limits=limits)
    except UsageError as error:
        raise UsageError(f"run {found.id} cannot continue like this: {error}") from None
    allow = tuple(dict.fromkeys([*settings.allow, *changed.allow]))
    return changed.changed({"allow": allow})


def _refuse_without_tools(settings: RunSettings, record: RunRecord, agent: Agent) -> None:
    missing = [name for name in settings.tools if name not in names_of(agent.tools)]
    if missing:
        raise UsageError(
            f"run {record.id} was started with tools that are missing now: {', '.join(missing)}; pass them again with"
            " --tools FILE (in Python: tools=[...])"
        )


def _answered_by(stored: StoredAgent, given: Agent | Model | str | None, base_url: str | None) -> StoredAgent:
    """Return the agent that is stored, with another model, or its model at another address, if one is named.

    A model that is named alone is asked at the run's own server: prompts go nowhere else unless somebody says so.
    """
    if given is None:
        return stored if base_url is None else stored.model_copy(update={"base_url": base_url})
    if not isinstance(given, str):
        return stored
    name, server = model_and_server(load_settings(model=given, base_url=base_url))
    if base_url is None and stored.base_url is not None and given.partition(":")[0] not in OWN_MODELS:
        server = stored.base_url
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
        raise UsageError("base_url has no effect on your own agent or model; set the address there")
    if isinstance(given, Agent):
        return given
    stored = settings.agent or StoredAgent()
    if isinstance(given, Model):
        agent = stored.make()
        return Agent(given, role_name=agent.role_name, prompts=agent.prompts, settings=agent.settings)
    agent = stored.make(store=store)
    try:
        _ = agent.model
    except NoModelError as error:
        raise NoModelError(f"run {record.id} was made by {record.made_by}: {error}") from error
    return agent
