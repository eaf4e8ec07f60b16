"""A study as logs of inspect_ai, one for each arm: `inspect view` opens them, and its data frames read them.

Written by inspect's own writer from what the store has. This file is imported only where inspect_ai is installed.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

from inspect_ai.event import ModelEvent
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalMetric,
    EvalPlan,
    EvalPlanStep,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score
from ramify.planner.bench.api import stored_study
from ramify.planner.executor import open_store
from ramify.planner.export.study.content import ArmSpec, Trial
from ramify.planner.export.study.study import Study
from ramify.planner.models.protocol import ModelReply
from ramify.planner.runtime.version import version
from ramify.planner.store import CallRecord, RunRecord, Store
from ramify.tasks import Usage

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_BY_ROLE = {"system": ChatMessageSystem, "assistant": ChatMessageAssistant}
_STOPS = {"length": "max_tokens", "content_filter": "content_filter", "tool_calls": "tool_calls"}


def save_eval_logs(
    run_id: str | None = None, folder: str | Path = "logs", *, store: str | Path | None = None
) -> list[Path]:
    """Write a stored study as `.eval` files, one for each arm, and return them; files of the same names go.

    Args:
        run_id: the run of the study, or the unique beginning of its id; None for the last run.
        folder: where they go; it is made if it is not there.
        store: where the study is stored; as for the executor.

    Raises:
        RunError: if there is no such run.
        UsageError: if it is no study.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for log in eval_logs(run_id, store=store):
        name = _ODD.sub("-", f"{log.eval.run_id}-{log.eval.task_attribs['arm']}")
        path = folder / f"{name}.eval"
        write_eval_log(log, str(path), format="eval")
        paths.append(path)
    return paths


def eval_logs(run_id: str | None = None, *, store: str | Path | None = None) -> list[Any]:
    """Return a stored study as inspect's `EvalLog`s, one for each arm. Args and errors as for `save_eval_logs`."""
    with open_store(store, create=False) as opened:
        record = opened.last_run() if run_id is None else opened.find_run(run_id)
        study = stored_study(opened, record)
        return [_log(study, arm, record, opened) for arm in study.arms]


def _log(study: Study, arm: ArmSpec, record: RunRecord, store: Store) -> Any:
    trials = [each for each in study.trials if each.arm == arm.name]
    judged = [each for each in trials if each.right is not None]
    samples = [_sample(each, study, store) for each in judged]
    model = str(arm.parameters.get("model") or record.model or study.made_by)
    used = sum((each.usage for each in judged), Usage())
    return EvalLog(
        status="success" if len(judged) == len(trials) else "cancelled",
        eval=EvalSpec(
            created=_time(record.created_at),
            eval_id=f"{record.id}-{arm.name}",
            run_id=record.id,
            task=study.title,
            task_id=f"{record.id}-{arm.name}",  # tasks of one id pass for retries of each other
            task_attribs={"arm": arm.name},
            solver=f"ramify/{arm.kind}",
            solver_args=dict(arm.parameters),
            dataset=EvalDataset(name=study.title, samples=len(trials), sample_ids=[each.item for each in trials]),
            model=model,
            config=EvalConfig(),
            packages={"ramify": version()},
            metadata={"arm": arm.name, "kind": arm.kind, "samples": arm.samples, "check": study.check},
        ),
        plan=EvalPlan(name=arm.name, steps=[EvalPlanStep(solver=f"ramify/{arm.kind}", params=dict(arm.parameters))]),
        results=_results(judged, len(trials), study.check),
        stats=EvalStats(
            started_at=_time(record.created_at),
            completed_at=_time(record.finished_at) if record.finished_at else "",
            model_usage={model: _usage(used)},
        ),
        samples=samples,
    )


def _results(judged: list[Trial], total: int, check: str) -> Any:
    count = len(judged)
    accuracy = sum(bool(each.right) for each in judged) / count if count else 0.0
    error = sqrt(accuracy * (1 - accuracy) / (count - 1)) if count > 1 else 0.0
    metrics = {name: EvalMetric(name=name, value=value) for name, value in (("accuracy", accuracy), ("stderr", error))}
    score = EvalScore(name=check, scorer=check, scored_samples=count, unscored_samples=total - count, metrics=metrics)
    return EvalResults(total_samples=total, completed_samples=count, scores=[score])


def _sample(trial: Trial, study: Study, store: Store) -> Any:
    """Return what came of an item, with the tree and the calls of the run that did it."""
    root = store.load_tree(trial.run) if trial.run else None
    reply = root.result if root is not None and not trial.error else ""
    model = study.made_by
    return EvalSample(
        id=trial.item,
        epoch=1,
        input=trial.question,
        target=trial.expected,
        messages=[ChatMessageUser(content=trial.question), ChatMessageAssistant(content=reply, model=model)],
        output=ModelOutput(
            model=model,
            choices=[ChatCompletionChoice(message=ChatMessageAssistant(content=reply, model=model))],
            error=trial.error or None,
        ),
        scores={
            study.check: Score(
                value=CORRECT if trial.right else INCORRECT,
                answer=trial.answer,
                explanation=trial.error or None,
                metadata={"samples": [list(each) for each in trial.samples]} if trial.samples else None,
            )
        },
        metadata={"run": trial.run, "split": trial.is_split},
        store={} if root is None else {"ramify_run": {"id": trial.run, "tasks": root.to_string(state=True)}},
        events=list(_events(trial.run, store)) if trial.run else [],
        model_usage={model: _usage(trial.usage)},
        total_time=trial.seconds,
        error=EvalError(message=trial.error, traceback="", traceback_ansi="") if trial.error else None,
    )


def _events(run_id: str, store: Store) -> Iterator[Any]:
    for call in store.calls(run_id):
        yield _event(call)


def _event(call: CallRecord) -> Any:
    """Return a call as an event of the transcript."""
    reply = ModelReply.from_data(call.reply)
    said = ChatMessageAssistant(content=reply.text, model=reply.model)
    return ModelEvent(
        timestamp=datetime.fromtimestamp(call.started_at, UTC),
        completed=datetime.fromtimestamp(call.started_at + call.latency_s, UTC),
        working_time=call.latency_s,
        model=call.model,
        role=None,
        input=[_message(each) for each in call.request["messages"]],
        tools=[],
        tool_choice="auto",
        config=GenerateConfig(),
        output=ModelOutput(
            model=reply.model,
            choices=[ChatCompletionChoice(message=said, stop_reason=_STOPS.get(reply.finish_reason, "stop"))],
            usage=_usage(reply.usage()),
            time=call.latency_s,
        ),
        metadata={"task": call.key.task_id, "purpose": call.key.purpose, "attempt": call.key.attempt},
    )


def _message(said: Mapping[str, Any]) -> Any:
    """Return a message of a prompt; what a tool gave is shown as a user's, as its call is not known any more."""
    return _BY_ROLE.get(said["role"], ChatMessageUser)(content=said["content"] or "")


def _usage(used: Usage) -> Any:
    """Return what calls have used as inspect counts it: input without what was read from a cache."""
    return ModelUsage(
        input_tokens=used.input_tokens - used.cached_tokens,
        input_tokens_cache_read=used.cached_tokens or None,
        output_tokens=used.output_tokens,
        total_tokens=used.tokens,
        total_cost=None if used.calls_without_cost else used.cost_usd,
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
