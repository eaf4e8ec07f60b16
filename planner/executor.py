"""The executor: runs task trees durably, in the foreground or as a handle, and carries stored runs on."""

import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from ramify.tasks import Task, TaskState
from ramify.tasks.config import NO_USAGE
from ramify.tasks.graph import check_tree
from ramify.tasks.plans import load_plan

from .agent import Agent, model_and_server
from .budget import RunLimits, refuse_unkept_limits
from .editing import PlanEdit, edit_run
from .errors import NoModelError, UsageError
from .events import Subscriber
from .handle import Progress, Run, progress_of
from .models.protocol import Model
from .plan import PlanLimits
from .recording import Recording
from .run import OnError
from .run_settings import AgentSettings, RunSettings
from .session import RUNNING_PHASE, Session
from .settings import load_settings, store_place
from .store import NewRun, RunRecord, Store
from .work import PythonWorker, check_workers


class Executor:
    """Runs task trees: leaves in dependency order, several at once, every step on disk before it counts.

    Args:
        agent: who does the tasks: an agent, a model's name, or a model of your own.
        jobs: tasks that run at the same time.
        store: a file, or the URL of a database; `.ramify/ramify.db` unless `RAMIFY_STORE` or a settings file says
            otherwise.
        plan: how the goal is split before it is run; None runs the tree as it is.
        limits: what the whole run may take.
        on_error: whether other tasks go on when one has failed ("continue"), or nothing new is started ("stop").
        workers: Python functions that do the tasks of a `type`; each takes a task and returns text or JSON data.
        on_event: called with every event, on the run's loop.
        cache: whether an answer to the same request in any run of the store is taken instead of a new call.
        record: a file that each run's calls are written to when it ends, for `replay:FILE`.

    Raises:
        UsageError: if an argument cannot be used.
    """

    def __init__(
        self,
        agent: Agent | Model | str | None = None,
        *,
        jobs: int = 8,
        store: str | Path | None = None,
        plan: PlanLimits | None = None,
        limits: RunLimits | None = None,
        on_error: OnError = "continue",
        workers: Mapping[str, PythonWorker] | None = None,
        on_event: Subscriber | None = None,
        cache: bool = False,
        record: str | Path | None = None,
    ) -> None:
        if jobs < 1:
            raise UsageError(f"jobs is the number of tasks that run at the same time; it cannot be {jobs}")
        self._agent = agent if isinstance(agent, Agent) else Agent(agent, store=store)
        self._store = store
        self._record = None if record is None else Path(record)
        self._settings = RunSettings(jobs=jobs, plan=plan, limits=limits or RunLimits(), on_error=on_error, cache=cache)
        self._workers = dict(workers or {})
        self._on_event = on_event

    @property
    def agent(self) -> Agent:
        """Who does the tasks."""
        return self._agent

    def run(self, task: Task) -> Run:
        """Run the tree of `task` to its end, and return the run; works where an event loop is running too.

        Raises:
            NoModelError: if no model can be used.
            CycleError: if tasks wait for each other.
            UsageError: if a task is for a worker that is not there, or has a limit that nobody can keep.
            StoreError: if the store cannot be used.
        """
        return self.start(task).wait()

    async def arun(self, task: Task) -> Run:
        """Run the tree of `task` on the caller's event loop; otherwise as `run`."""
        return await self.new_run(task).drive()

    def start(self, task: Task) -> Run:
        """Run the tree of `task` in the background, and return the run at once; its id is good in other processes."""
        return self.new_run(task).start()

    @classmethod
    def resume(
        cls,
        store: str | Path | None,
        run_id: str | None = None,
        *,
        agent: Agent | Model | str | None = None,
        workers: Mapping[str, PythonWorker] | None = None,
        retry_failed: bool = False,
        plan: Task | str | Path | None = None,
        set: Mapping[str, str] | None = None,  # noqa: A002 - as the option is called
        set_result: Mapping[str, str] | None = None,
        from_task: str | None = None,
        jobs: int | None = None,
        limits: RunLimits | None = None,
        on_event: Subscriber | None = None,
        cache: bool | None = None,
        record: str | Path | None = None,
    ) -> Run:
        """Carry a stored run on to its end, and return it; what is finished is not done again.

        An edit of the plan is on disk before anything is run. Then exactly what depends on it is done again.

        Args:
            store: where it is stored; as for the executor.
            run_id: its id, or the unique beginning of one; None for the last run.
            agent: who goes on with it; as it was unless given. A model of your own has to be given again.
            workers: the functions for tasks with a type; they have to be given again.
            retry_failed: whether tasks that have failed are done again.
            plan: the plan as it is to be from here on: a tree, or a file. A task that it leaves out is DELETED.
            set: new contents, by task id.
            set_result: a person's own results, by task id.
            from_task: a task that is done again, with all below it and all that depends on it.
            jobs: tasks that run at the same time; as it was unless given.
            limits: what the run may take; as it was unless given.
            on_event: called with every event, on the run's loop.
            cache: whether answers of other runs are taken; as it was unless given.
            record: a file that all calls of the run are written to when it ends, for `replay:FILE`.

        Raises:
            RunError: if there is no such run.
            LeaseError: if another process is running it.
            NoModelError: if its model cannot be used here.
            DocumentError: if the plan file cannot be used.
            TreeError: if there is no task with one of the ids.
            UsageError: if the edited plan cannot be run.
        """
        edit = PlanEdit(
            plan=plan if plan is None or isinstance(plan, Task) else load_plan(plan),
            contents=set or {},
            results=set_result or {},
            again=() if from_task is None else (from_task,),
        )
        return cls.reopen(
            store, run_id, agent=agent, workers=workers, retry_failed=retry_failed, edit=edit, jobs=jobs, limits=limits,
            on_event=on_event, cache=cache, record=record,
        ).start().wait()  # fmt: skip

    @classmethod
    def reopen(
        cls,
        store: str | Path | None,
        run_id: str | None = None,
        *,
        agent: Agent | Model | str | None = None,
        base_url: str | None = None,
        workers: Mapping[str, PythonWorker] | None = None,
        retry_failed: bool = False,
        edit: PlanEdit | None = None,
        jobs: int | None = None,
        limits: RunLimits | None = None,
        on_event: Subscriber | None = None,
        cache: bool | None = None,
        record: str | Path | None = None,
    ) -> Run:
        """Return a stored run ready to be carried on with `start` or `drive`; otherwise as `resume`.

        With `base_url`, its model is asked at another address.
        """
        opened = open_store(store, create=False)
        try:
            found = find(opened, run_id)
            if edit:
                edit_run(opened, found.id, edit, check=lambda root: check_runnable(root, workers or {}))
                found = opened.find_run(found.id)
            settings = RunSettings.model_validate(found.settings)
            recording = None if record is None else Recording(Path(record), found.id)
            changes = {"jobs": jobs, "limits": limits, "cache": cache}
            settings = settings.model_copy(update={name: value for name, value in changes.items() if value is not None})
            root = opened.load_tree(found.id)
            if retry_failed:
                reset_failed(root)
            session = Session(
                store=opened,
                record=found,
                root=root,
                agent=_agent_of(settings, found, agent, base_url=base_url, store=store),
                settings=settings,
                workers=dict(workers or {}),
            )
            check_workers(root, session.workers)
        except BaseException:
            opened.close()
            raise
        return Run(session, is_new=False, on_event=on_event, recording=recording)

    def go_on(self, run_id: str, plan: Task) -> Run:
        """Return a planned run, ready to be carried on with `start` or `drive`, whose plan somebody has approved.

        Args:
            run_id: its id.
            plan: its plan as it is to be run; what was changed in it is on disk when this returns.

        Raises:
            LeaseError: if another process holds the run.
            TreeError: if the plan is of another task.
            UsageError: if the plan cannot be run.
        """
        return self.reopen(
            self._store,
            run_id,
            agent=self._agent,
            workers=self._workers,
            edit=PlanEdit(plan=plan, approves=True),
            on_event=self._on_event,
            record=self._record,
        )

    @classmethod
    def status(cls, store: str | Path | None, run_id: str | None = None) -> Progress:
        """Return where a stored run stands, whichever process runs it.

        Args:
            store: where it is stored; as for the executor.
            run_id: its id, or the unique beginning of one; None for the last run.

        Raises:
            RunError: if there is no such run.
        """
        with Store.open(store_place(store), create=False) as opened:
            record = find(opened, run_id)
            return progress_of(opened.load_tree(record.id), record.status, record.error)

    def new_run(self, task: Task, *, plan_only: bool = False) -> Run:
        """Return a new run of the tree of `task`, stored and ready for `start` or `drive`; otherwise as `run`.

        Args:
            task: the root.
            plan_only: whether it ends once its plan is complete, with the status "waiting"; resuming it runs the plan.
        """
        if task.parent is not None:
            raise UsageError(f"task {task.id} is part of the tree of task {task.parent.id}; run the root of the tree")
        check_runnable(task, self._workers)
        for each in task.walk():
            if each.usage is not NO_USAGE:  # what another run has used is not this run's
                each.usage = NO_USAGE
        model = self._agent.model
        changes = {"agent": AgentSettings.of(self._agent), "stops_when_planned": plan_only}
        settings = self._settings.model_copy(update=changes)
        new = NewRun(
            id=f"r{uuid4().hex[:10]}",
            goal=task.content,
            created_at=time.time(),
            model=model.name,
            made_by=model.maker,
            settings=settings.model_dump(mode="json"),
            nonce_seed=uuid4().hex,
            phase="planning" if settings.plan else RUNNING_PHASE,
        )
        recording = None if self._record is None else Recording(self._record, new.id)
        store = open_store(self._store)
        store.create_run(new, task)
        session = Session(
            store=store,
            record=store.find_run(new.id),
            root=task,
            agent=self._agent,
            settings=settings,
            workers=self._workers,
        )
        return Run(session, is_new=True, on_event=self._on_event, recording=recording)


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


def check_runnable(root: Task, workers: Mapping[str, PythonWorker]) -> None:
    """Raise if the tree of `root` could not be run by `workers` and the model."""
    check_tree(root)
    refuse_unkept_limits(root)
    check_workers(root, workers)


def reset_failed(root: Task) -> None:
    """Open the tasks of a tree that have failed, so that they are done again."""
    for task in root.walk():
        if task.state is TaskState.FAILED:
            task.reset()


def _agent_of(
    settings: RunSettings,
    record: RunRecord,
    given: Agent | Model | str | None,
    *,
    base_url: str | None,
    store: str | Path | None,
) -> Agent:
    if isinstance(given, Agent):
        return given
    stored = settings.agent or AgentSettings()
    if isinstance(given, Model):
        agent = stored.make()
        return Agent(given, role_name=agent.role_name, prompts=agent.prompts, asking=agent.asking)
    if given is not None:
        name, server = model_and_server(load_settings(model=given, base_url=base_url))
        stored = stored.model_copy(update={"model": name, "base_url": server})
    elif base_url is not None:
        stored = stored.model_copy(update={"base_url": base_url})
    agent = stored.make(store=store)
    try:
        _ = agent.model
    except NoModelError as error:
        raise NoModelError(f"run {record.id} was made by {record.made_by}: {error}") from error
    return agent
