"""The executor: runs task trees durably, in the foreground or as a handle, and carries stored runs on."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Unpack, cast
from uuid import uuid4

from ramify.tasks import Task
from ramify.tasks.tree.config import NO_USAGE, Usage
from ramify.tasks.tree.fields import keep_data
from ramify.tasks.tree.running import put

from .asking.agent import Agent
from .asking.budget import RunLimits
from .asking.person import Person
from .asking.stored_agent import StoredAgent
from .errors import UsageError
from .models.protocol import Model
from .planning.expecting import Pace
from .planning.piloting import check_pilot
from .planning.policies import PolicyGiven, check_plan_only, names_policies, plans_ahead, policy_given, stored_name
from .planning.policy import Policy
from .run import Follower, Progress, Run, progress_of
from .running.editing import PlanEdit
from .running.forking import forked_session, new_run_id
from .running.keywords import ExecutorKeywords, Given, check_keywords
from .running.kinds import check_kinds
from .running.knowing import check_planning
from .running.middleware import check_middleware
from .running.recording import Recording
from .running.resuming import EditedOptions, ResumeOptions, session_of, with_edit
from .running.run_settings import RunSettings
from .running.runnable import check_allow, check_asking, check_runnable, check_tools, grants_of, workers_of
from .running.scripts import scripted
from .running.session import Session
from .running.timing import pace_of
from .runtime.kernel import has_kernel
from .settings.settings import Tracing, load_settings, store_place
from .store import NewRun, RunRecord, Store
from .store.records import PLANNING_PHASE, RUNNING_PHASE
from .tools.sources import load_tools
from .workers import Workers
from .workers.agents import agents_of, described
from .workers.script import Script, ScriptFunction, script_of

ScriptGiven = Script | ScriptFunction
"""What users give as a script."""


class Executor:
    """Runs task trees: leaves in dependency order and in parallel, with every step stored.

    Args:
        agent: an agent, a model's name, or your own model.
        **how: the following keywords, and options of a run: `jobs`, `allow`, `max_calls`, ...

    Keyword Args:
        store: a file or a database URL; default: from the settings, or `.ramify/ramify.db`.
        plan: how to split the goal; None runs the tree as it is, apart from tasks with their own policy.
        policy: when to split tasks, overriding `plan`: a policy's name, or your own class or object, which you pass
            again on resume.
        limits: limits of the whole run; single limits can be given as keywords instead.
        workers: functions or `Worker`s, in a list or by task type.
        agents: agents by name; a task's `type` is a name, or several as `writer+critic`.
        checks: functions for checks, by name.
        worker_sources: Python files or modules with workers; a resumed run finds them again.
        tool_sources: Python files or modules with tools, or `mcp:NAME`; a resumed run finds them again.
        secrets: secrets by name; others come from the environment.
        middleware: objects that change inputs and outcomes, in order: see `Middleware`.
        on_ask: gets the cost when it reaches `ask_at_usd`, and returns True to continue, False to stop, or the cost at
            which to ask again; may be async. Default: stop.
        clarify: gets the model's questions about an ambiguous goal, and returns an answer to each, or one to all; may
            be async. Default: wait, or make assumptions with `assume`.
        on_unknown: gets a step that must not repeat and has an unknown outcome, and returns `step.done(RESULT)`,
            `step.again()` or None; may be async. Default: wait.
        on_event: called with every event, on the run's event loop.
        record: a file to record each run's calls to, for `replay:FILE`.
        tracing: whether to send OpenTelemetry spans; default: from the settings.

    Raises:
        UsageError: if an argument cannot be used.
    """

    def __init__(self, agent: Agent | Model | str | None = None, **how: Unpack[ExecutorKeywords]) -> None:
        check_keywords(how, ExecutorKeywords.__annotations__)
        check_kinds({"agent": agent})
        self._store = how.get("store")
        self._tracing = how.get("tracing")
        self._given = cast("Given", {name: value for name, value in how.items() if name in Given.__annotations__})
        self._agents = how.get("agents") or {}
        settings = RunSettings(agents=described(self._agents))
        policy = how.get("policy")
        named = {**how, "policy": None if policy is None else stored_name(policy)}
        settings = settings.changed(named, plan=how.get("plan"), limits=how.get("limits") or RunLimits())
        self._policy = policy_given(policy, settings.plan)
        self._grants = grants_of(settings.allow, how.get("secrets"))
        self._settings: RunSettings = settings.model_copy(update={"allow": self._grants.allow})
        self._agent = agent if isinstance(agent, Agent) else Agent(agent, store=self._store)
        if settings.tool_sources:
            self._agent = self._agent.with_tools(load_tools(settings.tool_sources))
        self._middleware = check_middleware(how.get("middleware", ()))

    @property
    def agent(self) -> Agent:
        """The agent."""
        return self._agent

    def pace(self) -> Pace:
        """Return how fast its runs go, for `estimate`: `jobs` at a time, and what the store knows of their tasks."""
        return pace_of(self._store, self._agent.named, self._settings)

    def run(self, task: Task | str) -> Run:
        """Run the tree of `task`, or a goal as text, to its end; also works in a running event loop.

        Raises:
            NoModelError: if no model can be used.
            CycleError: if tasks wait for each other.
            UsageError: if a task is for a worker that is not there, or has a limit that nobody can keep.
            StoreError: if the store cannot be used.
        """
        return self.start(task).wait()

    async def arun(self, task: Task | str) -> Run:
        """Run the tree of `task` on the caller's event loop: see `run`."""
        return await self.new_run(task).drive()

    def run_script(self, script: ScriptGiven, *, inputs: dict[str, Any] | None = None) -> Run:
        """Run a script to its end; also works in a running event loop.

        Args:
            script: an async function that is given a `ScriptContext`, whose calls are the tasks of the run.
            inputs: what its context has as `inputs`, as JSON data.

        Raises:
            UsageError: if it is no such function.
            StoreError: if the store cannot be used.
        """
        given = script_of(script)
        return self.new_run(given.root(inputs), script=given).start().wait()

    async def arun_script(self, script: ScriptGiven, *, inputs: dict[str, Any] | None = None) -> Run:
        """Run a script on the caller's event loop: see `run_script`."""
        given = script_of(script)
        return await self.new_run(given.root(inputs), script=given).drive()

    def start(self, task: Task | str) -> Run:
        """Run the tree of `task` in the background, and return the run at once."""
        return self.new_run(task).start()

    def pilot(self, task: Task | str, leaves: int = 20) -> Run:
        """Run the tree of `task` until this many leaves have gone to the model: see `run`.

        `estimate(task, pilot=run.as_pilot())` says from that what the whole takes, and `resume` goes on with it.

        Raises:
            UsageError: if the tree has neither votes nor checks, so that the pilot would show nothing.
        """
        root = _root_of(task)
        check_pilot(root)
        return self.new_run(root).end_after(leaves).start().wait()

    @classmethod
    def resume(cls, store: str | Path | None, run_id: str | None = None, **options: Unpack[EditedOptions]) -> Run:
        """Continue a stored run to its end, and return it; finished tasks do not run again.

        An edit of the plan is on disk before anything is run. Then exactly what depends on it is done again.

        Args:
            store: where it is stored; as for the executor.
            run_id: its id, or the start of it; None for the newest run.
            **options: any of the following keywords, and what changes; see `ResumeOptions`.

        Keyword Args:
            plan: the plan as it is to be from here on: a tree, or a file. A task that it leaves out is DELETED.
            set: new contents, by task id.
            set_result: a person's own results, by task id.
            from_task: a task, or several, that are done again, with all below them and all that depends on them.

        Raises:
            RunError: if there is no such run.
            LeaseError: if another process is running it.
            NoModelError: if its model cannot be used here.
            DocumentError: if the plan file cannot be used.
            TreeError: if there is no task with one of the ids.
            UsageError: if the edited plan cannot be run.
        """
        return cls.reopen(store, run_id, **with_edit(options)).start().wait()

    @classmethod
    def fork(cls, store: str | Path | None, run_id: str | None = None, **options: Unpack[EditedOptions]) -> Run:
        """Run a copy of a stored run to its end, and return it; the stored run is unchanged.

        What is finished there is not done again, and costs nothing. The arguments, and what is raised, are those of
        `resume`; another process may be running the stored run meanwhile.
        """
        return cls.new_fork(store, run_id, **with_edit(options)).start().wait()

    @classmethod
    def new_fork(cls, store: str | Path | None, run_id: str | None = None, **options: Unpack[ResumeOptions]) -> Run:
        """Return a fork of a stored run, ready for `start` or `drive`: see `fork`."""
        return cls._stored(store, run_id, options, fork_id=new_run_id())

    @classmethod
    def reopen(cls, store: str | Path | None, run_id: str | None = None, **options: Unpack[ResumeOptions]) -> Run:
        """Return a stored run, ready for `start` or `drive`: see `resume`."""
        return cls._stored(store, run_id, options)

    @classmethod
    def _stored(
        cls, store: str | Path | None, run_id: str | None, options: ResumeOptions, *, fork_id: str | None = None
    ) -> Run:
        """Return a stored run, or a fork of it, ready to be carried on."""
        check_keywords(options, ResumeOptions.__annotations__)
        check_kinds({"store": store, "run_id": run_id})
        opened = open_store(store, create=False)
        try:
            found = find(opened, run_id)
            recording = Recording.at(options.get("record"), fork_id or found.id)
            make = session_of if fork_id is None else partial(forked_session, run_id=fork_id)
            session = make(opened, found, options, store=store)
        except BaseException:
            opened.close()
            raise
        return Run(
            session,
            is_new=False,
            on_event=options.get("on_event"),
            recording=recording,
            followers=followers(options.get("tracing")),
        )

    def go_on(self, run_id: str, plan: Task | None = None) -> Run:
        """Return a planned run with an approved plan, ready for `start` or `drive`.

        Args:
            run_id: its id.
            plan: its plan as it is to be run, if it was changed; that is on disk when this returns.

        Raises:
            LeaseError: if another process holds the run.
            TreeError: if the plan is of another task.
            UsageError: if the plan cannot be run.
        """
        return self._reopened(run_id, PlanEdit(plan=plan, approves=True))

    def revise(self, run_id: str, words: str, plan: Task | None = None) -> Run:
        """Return a planned run that needs another plan; `start` or `drive` only plans it again.

        Args:
            run_id: its id.
            words: what should be different; the planner is asked in them. They are on disk when this returns.
            plan: its plan, if it was changed besides.

        Raises:
            LeaseError: if another process holds the run.
            UsageError: if the words are blank or too many, or the plan is under way.
        """
        return self._reopened(run_id, PlanEdit(plan=plan, wish=words))

    def _reopened(self, run_id: str, edit: PlanEdit) -> Run:
        again: Any = {**self._given, "limits": None}  # as they are stored
        return self.reopen(self._store, run_id, edit=edit, agent=self._agent, tracing=self._tracing, **again)

    @classmethod
    def status(cls, store: str | Path | None, run_id: str | None = None) -> Progress:
        """Return the status of a stored run, whichever process runs it.

        Args:
            store: where it is stored; as for the executor.
            run_id: its id, or the start of it; None for the newest run.

        Raises:
            RunError: if there is no such run.
        """
        with Store.open(store_place(store), create=False) as opened:
            record = find(opened, run_id)
            return progress_of(opened.load_tree(record.id), record.status, record.error)

    def check(self, task: Task, script: Script | None = None) -> Workers:
        """Check that the tree of `task` can run, and return its workers; nothing is stored.

        Raises:
            TreeError: if the root is DELETED.
            DependencyError: if a task needs one that is not in the tree, or that will never run.
            CycleError: if tasks wait for each other.
            UsageError: if it is no root, or a task is for a worker that is not there, or has a limit that nobody keeps.
        """
        if task.parent is not None:
            raise UsageError(f"task {task.id} is part of the tree of task {task.parent.id}; run the root of the tree")
        agents = agents_of(self._settings.agents, self._agents, self._agent)
        workers = workers_of(self._settings, self._given.get("workers"), self._given.get("checks"), agents, script)
        check_runnable(task, workers, self._grants)
        check_planning(task, self._settings.plan)
        check_tools(task, self._agent, self._grants)
        check_asking(task, workers, self._agent, self._settings)
        check_allow(workers, self._agent, self._grants)
        return workers

    def new_run(
        self,
        task: Task | str,
        *,
        plan_only: bool = False,
        policy: PolicyGiven | None = None,
        script: Script | None = None,
    ) -> Run:
        """Return a new run of the tree of `task`, ready for `start` or `drive`: see `run`.

        Args:
            task: the root, or a goal as text.
            plan_only: whether it ends once its plan is complete, with the status "waiting"; resuming it runs the plan.
            policy: when tasks are split, instead of what the executor says; as there.
            script: what does the root, if that is of the type `script`.
        """
        task = _root_of(task)
        workers = self.check(task, script)
        settings, own = self._planned_by(task, policy)
        settings = settings if script is None else scripted(settings, script)
        check_plan_only(settings.plan, own, plan_only=plan_only)
        used = {}  # by another run, and not by this one
        for each in task.walk():
            keep_data(each)
            if each.usage is not NO_USAGE:
                used[each] = each.usage
        changes = {
            "agent": StoredAgent.of(self._agent),
            "stops_when_planned": plan_only,
            "tools": tuple(each.name for each in self._agent.tools),
        }
        settings = settings.model_copy(update=changes)
        new = new_record(task, self._agent, settings, policy=own)
        recording = Recording.at(self._given.get("record"), new.id)
        store = open_store(self._store)
        session = Session(
            store=store,
            record=new,
            root=task,
            agent=self._agent,
            settings=settings,
            workers=workers,
            grants=self._grants,
            middleware=self._middleware,
            policy=own,
            person=Person.among(self._given),
        )
        try:
            with _without(used):
                store.create_run(new, task)
        except BaseException:
            session.hold.release()
            store.close()
            raise
        on_event = self._given.get("on_event")
        return Run(session, is_new=True, on_event=on_event, recording=recording, followers=followers(self._tracing))

    def _planned_by(self, root: Task, policy: PolicyGiven | None) -> tuple[RunSettings, Policy | None]:
        """Return how a run of the tree of `root` runs, and its policy if that is one of the user's own."""
        settings, own = self._settings, self._policy
        if policy is not None:
            settings = settings.changed({"policy": stored_name(policy)})
            own = policy_given(policy, settings.plan)
        if settings.plan is None and names_policies(root):
            settings = settings.changed({"policy": "direct"})
        return settings, own


def followers(tracing: Tracing | None = None, *, is_inside: bool = False) -> list[Follower]:
    """Return what follows a run from outside: spans, if they are wanted, and the cell of a notebook.

    Args:
        tracing: whether spans are made; as the settings say unless given.
        is_inside: whether the run is part of another one, which is shown instead.
    """
    found: list[Follower] = [partial(_traced, wanted=tracing)]
    if not is_inside and has_kernel():
        from .progress.notebook import shown_in_cell

        found.append(shown_in_cell)
    return found


@contextmanager
def _traced(run: Run, wanted: Tracing | None) -> Iterator[None]:
    """Have spans made of a run if they are wanted, and nobody has asked for them already."""
    wanted = wanted or load_settings().tracing
    if wanted.is_on and not run.bus.has_call_watchers:
        from .tracing import instrument

        instrument(run, content=wanted.content)
    yield


def _root_of(given: Any) -> Task:
    if isinstance(given, Task):
        return given
    if isinstance(given, str) and given.strip():
        return Task(content=given.strip(), id="0")
    what = "a blank text" if isinstance(given, str) else type(given).__name__
    raise UsageError(f"pass a Task, or a goal as text, not {what}; load_plan(FILE) reads a plan")


@contextmanager
def _without(used: Mapping[Task, Usage]) -> Iterator[None]:
    """Let nothing be used by the tasks that have `used` something, unless something is raised."""
    for task in used:
        put(task, usage=NO_USAGE)
    try:
        yield
    except BaseException:
        for task, usage in used.items():
            put(task, usage=usage)
        raise


def new_record(
    task: Task, agent: Agent, settings: RunSettings, *, run_id: str | None = None, policy: Policy | None = None
) -> NewRun:
    """Return the record of a new run of the tree of `task`; its id is made up unless given."""
    return NewRun(
        id=run_id or new_run_id(),
        goal=task.content,
        created_at=time.time(),
        model=agent.model.name,
        made_by=agent.model.maker,
        settings=settings.model_dump(mode="json"),
        nonce_seed=uuid4().hex,
        phase=PLANNING_PHASE if plans_ahead(settings.plan, policy) and not settings.script else RUNNING_PHASE,
    )


def open_store(place: str | Path | None, *, create: bool = True) -> Store:
    """Open the store at `place`, or where the settings say, as the settings say.

    Raises:
        StoreError: if it cannot be opened.
    """
    return Store.open(store_place(place), synchronous=load_settings().synchronous, create=create)


def find(store: Store, run_id: str | None) -> RunRecord:
    """Return the run with that id, or with the unique beginning of one; the last run for None.

    Raises:
        RunError: if there is none.
    """
    return store.last_run() if run_id is None else store.find_run(run_id)
