"""`bench`: from a data set and arms to a study, as a stored run."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Unpack

from ramify.planner.api import executor_of, plan_limits, settled, with_config
from ramify.planner.asking.agent import Agent
from ramify.planner.errors import UsageError
from ramify.planner.executor import Executor, open_store
from ramify.planner.export.making import who_made
from ramify.planner.export.run_data import status_of
from ramify.planner.export.study.content import TRIAL, is_study
from ramify.planner.export.study.study import Study, study_of_tree
from ramify.planner.models.protocol import Model
from ramify.planner.run import Run
from ramify.planner.running.keywords import BenchKeywords, check_keywords
from ramify.planner.running.resuming import ResumeOptions
from ramify.planner.running.run_settings import RunSettings
from ramify.planner.runtime.several import several
from ramify.planner.store import RunRecord, Store
from ramify.planner.workers import Workers
from ramify.tasks import Task

from .arms import Arm, check_draws, read_arms
from .items import ItemSource, read_items
from .judging import AUTO, CheckGiven, Judge, ask_of, judge_of
from .plan import study_tree
from .work import TrialWorker


def bench(source: ItemSource, arms: str | Arm | Iterable[str | Arm] = (), **how: Unpack[BenchKeywords]) -> Study:
    """Put every item of a data set through every arm, and return what each arm gets right and what that takes.

    Each item in each arm is a run of its own, and all of them are one stored run. If it is stopped or killed,
    `resume_study` or `ramify resume` goes on with it, and nothing is paid for twice.

    Args:
        source: a file (.jsonl, .json, .csv, .tsv), or items as data, each with a `question` and an `answer`.
        arms: what is compared, as `Arm` or as text: "upfront", "short=upfront,prompts=./mine". One plain call
            (`direct`) and `self-consistency:5` are there besides.
        **how: any of the following keywords, and every option of a run, such as `jobs`, `store`, `max_depth` and
            `max_cost_usd`; docs/settings.md has them all.

    Keyword Args:
        without: arms that are taken out, by name or kind.
        check: how answers are judged: "auto", "exact", "number", "regex", "FILE.py:FUNCTION", "command=...", "model",
            "model=NAME", or a function that is given the reply and the answer.
        question: the field of the question; found by itself unless given.
        answer: the field of the answer, likewise.
        items: how many items are drawn; all unless given.
        pilot: end once so many items were done in one plain call; `resume_study` does the rest.
        ask: what every arm is told besides the question, such as how an answer ends; "" for nothing.
        title: what the study is called; the name of the file unless given.
        model: a model's name, or your own model; default: `RAMIFY_MODEL`.
        agent: an agent, instead of `model`.
        limits: what the whole study may take; it ends with what it has.
        on_event: called with every event.
        record: a file to record calls to.

    Raises:
        NoModelError: if no model can be used; the message says what to do.
        UsageError: if an item, an arm or an argument cannot be used.
    """
    return study_of_run(new_study(source, arms, **how).start().wait())


async def abench(source: ItemSource, arms: str | Arm | Iterable[str | Arm] = (), **how: Unpack[BenchKeywords]) -> Study:
    """Do what `bench` does, on the caller's event loop."""
    return study_of_run(await new_study(source, arms, **how).drive())


def open_study(run_id: str | None = None, *, store: str | Path | None = None) -> Study:
    """Return a stored study as it stands, whether it still goes on or not.

    Args:
        run_id: the id of its run, or the unique beginning of one; None for the last run.
        store: where it is stored; as for the executor.

    Raises:
        RunError: if there is no such run.
        UsageError: if it is no study.
    """
    with open_store(store, create=False) as opened:
        return stored_study(opened, opened.last_run() if run_id is None else opened.find_run(run_id))


def resume_study(
    run_id: str | None = None,
    *,
    store: str | Path | None = None,
    models: Iterable[Model] = (),
    check: Callable[..., Any] | None = None,
    **options: Unpack[ResumeOptions],
) -> Study:
    """Go on with a stored study, and return it; what is done is not done again.

    Args:
        run_id: the id of its run; None for the last run.
        store: where it is stored.
        models: models of your own that its arms name, again.
        check: a function of your own that judges, again.
        **options: what changes, as for `Executor.resume`.

    Raises:
        RunError: if there is no such run.
        UsageError: if a model or a function is missing.
    """
    given = {model.name: model for model in models}
    if given or check is not None:
        options["workers"] = {**Workers(options.get("workers") or {}).given, TRIAL: TrialWorker(given, check)}
    return study_of_run(Executor.reopen(store, run_id, **options).start().wait())


def new_study(
    source: ItemSource,
    arms: str | Arm | Iterable[str | Arm] = (),
    *,
    without: str | Sequence[str] = (),
    check: CheckGiven = AUTO,
    question: str | None = None,
    answer: str | None = None,
    items: int | None = None,
    pilot: int | None = None,
    ask: str | None = None,
    title: str | None = None,
    model: str | Model | None = None,
    agent: Agent | None = None,
    **given: Any,
) -> Run:
    """Return the run of a study, stored and ready for `start` or `drive`; see `bench`."""
    check_keywords(given, BenchKeywords.__annotations__)
    if given.get("policy") is not None:
        raise UsageError("in a study each arm has its own policy; leave out policy, and name it as an arm")
    found = read_items(source, question=question, answer=answer, most=_counted("items", items))
    judge = judge_of(check, found)
    settings, answering, live = settled(model, agent, given)
    plan = plan_limits(settings, policy="upfront")
    chosen = read_arms([arms] if isinstance(arms, str | Arm) else arms, without=several(without), plan=plan)
    check_draws(chosen, answering.settings.sampling.temperature)
    live["workers"] = _workers(chosen, judge, live.get("workers"))
    named = title or (Path(source).name if isinstance(source, str | Path) else "A study")
    piloted = _counted("pilot", pilot) or 0
    root = study_tree(
        found,
        chosen,
        judge,
        title=named,
        ask=ask_of(judge, found) if ask is None else ask,
        plan=plan,
        pilot=piloted,
    )
    run = executor_of(settings, agent=answering, **live).new_run(with_config(root, settings))
    return run.end_after(min(piloted, len(found)), where=lambda task: task.type == TRIAL) if piloted else run


def study_of_run(run: Run) -> Study:
    """Return the study that a run is, as it stands.

    Raises:
        UsageError: if it is none.
    """
    _check_study(run.task, run.id)
    return study_of_tree(run.task, run=run.id, status=run.status, made_by=run.made_by, jobs=run.jobs)


def stored_study(store: Store, record: RunRecord) -> Study:
    """Return the study that a stored run is, as it stands.

    Raises:
        UsageError: if it is none.
    """
    root = store.load_tree(record.id)
    _check_study(root, record.id)
    jobs = RunSettings.model_validate(record.settings).jobs
    made_by = who_made(store, record, root)
    return study_of_tree(root, run=record.id, status=status_of(record), made_by=made_by, jobs=jobs)


def _check_study(root: Task, run_id: str) -> None:
    if not is_study(root):
        raise UsageError(f"run {run_id} is not a study; `ramify bench` starts one, and `ramify runs` lists all runs")


def _workers(arms: Sequence[Arm], judge: Judge, given: Any) -> Any:
    """Return the workers of a study: with one for its trials, where an arm or the check is of the user's own."""
    models = {arm.own_model.name: arm.own_model for arm in arms if arm.own_model is not None}
    if not models and not judge.check.startswith("own:"):
        return given
    return {**Workers(given or {}).given, TRIAL: TrialWorker(models, judge.function)}


def _counted(name: str, number: int | None) -> int | None:
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise UsageError(f"{name} is {number!r}; it must be a whole number of items, 1 or more")
    return number
