"""`show`: what is in a run, as a tree, task by task, and version by version of its plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .flags import Last, RunId, refuse_others, takes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ramify.planner.events.methods_used import MethodUse
    from ramify.planner.store import CallRecord, EventRecord, RunRecord, StepRecord, Store
    from ramify.tasks import Task

_OF_SHELL = frozenset({"run_id", "last", "store", "interactive"})
_OF_HISTORY = frozenset({"run_id", "last", "store", "history"})
_OF_PLANS = frozenset({"run_id", "last", "store", "as_json", "plans", "between"})


@takes("store", "as_json")
def show(
    given: Mapping[str, Any],
    *,
    context: typer.Context,
    run_id: RunId = None,
    task_id: Annotated[str | None, typer.Argument(metavar="ID", help="One task.")] = None,
    last: Last = False,
    messages: Annotated[
        bool, typer.Option("--messages", help="Show prompts, replies, tool calls and failures.")
    ] = False,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Explore the run in a small shell.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show how the plan changed.")] = False,
    plans: Annotated[bool, typer.Option("--plans", help="Show all versions of the plan, and why it changed.")] = False,
    between: Annotated[
        str | None,
        typer.Option("--between", metavar="A:B", help="With --plans: what is different in version B from version A."),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option("--depth", metavar="N", min=1, help="Show N levels of the tree."),
    ] = None,
    states: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help="Show only tasks in this state and their ancestors; repeatable."),
    ] = None,
) -> int:
    """Show a run, or one of its tasks.

    Examples: ramify show --last; ramify show r12 0.3 --messages; ramify show --last --state failed --depth 3
    """
    from .finding import opened_run
    from .selecting import selected

    if plans or between is not None:
        refuse_others(context, "--plans only lists versions of the plan", kept=_OF_PLANS)
        return _show_plans(given, run_id, between, last=last)
    is_history = history and not given["as_json"]
    if interactive:
        refuse_others(context, "--interactive opens a shell", kept=_OF_SHELL)
    elif is_history:
        refuse_others(context, "--history only shows how the plan changed", kept=_OF_HISTORY)
    if last and task_id is None and not is_history:
        run_id, task_id = None, run_id  # the only word is a task's id then
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        if interactive:
            from .shell import talk

            return talk(store, record, given["store"])
        found = _found(store, record, task_id, messages=messages, history=history)
    kept = selected(found.task, depth=depth, states=states or ())
    if given["as_json"]:
        _print_data(found, kept)
    elif found.history is not None:
        _print_history(found.history)
    else:
        _print_words(found, kept, states or ())
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What is shown of a run, or of one of its tasks.

    Attributes:
        record: the run.
        task: the task that is shown, or the root.
        is_one: whether one task was asked for.
        made_by: who has answered.
        effects: steps that may not simply be repeated.
        told: what tells where the run comes from, what was not as it should be, and who controlled it.
        methods: the methods that were found for its tasks.
        checked: what the checks of the one task have said.
        history: how the plan has changed, if that is wanted.
        asked: calls, steps and failed attempts, if they are wanted.
    """

    record: "RunRecord"
    task: "Task"
    is_one: bool
    made_by: str
    effects: "list[StepRecord]"
    told: "list[EventRecord]"
    methods: "list[MethodUse]"
    checked: "list[EventRecord]"
    history: "list[EventRecord] | None"
    asked: "tuple[list[CallRecord], list[StepRecord], list[EventRecord]] | None"


def _found(store: "Store", record: "RunRecord", task_id: str | None, *, messages: bool, history: bool) -> _Found:
    from ramify.planner.export.making import who_made
    from ramify.planner.running.editing import plan_history

    from .check_flags import checked_events
    from .conversation import failures

    root = store.load_tree(record.id)
    task = root if task_id is None else root.find(task_id)
    told, methods = _noted(store, record.id)
    asked = None
    if messages:
        failed = failures(store.events(record.id), task_id)
        asked = (store.calls(record.id, task_id), store.steps(record.id, task_id), failed)
    return _Found(
        record=record,
        task=task,
        is_one=task_id is not None,
        made_by=who_made(store, record, root),
        effects=_effects(store, record, task_id),
        told=told,
        methods=methods,
        checked=checked_events(store.events(record.id), task.id) if task_id and task.checks else [],
        history=plan_history(store, record.id) if history else None,
        asked=asked,
    )


def _print_data(found: _Found, kept: "Collection[Task] | None") -> None:
    """Print what was found as JSON."""
    from ramify.planner.export.run_data import call_data, event_data, run_data, step_data

    from .output import print_json
    from .records import told_data

    data = {
        **run_data(found.record, found.task, found.made_by, kept=kept),
        **told_data(found.told),
        "effects": [step_data(step) for step in found.effects],
        "methods": [use.to_data() for use in found.methods],
    }
    if found.asked is not None:
        calls, steps, failed = found.asked
        data["calls"] = [call_data(call) for call in calls]
        data["steps"] = [step_data(step) for step in steps]
        data["failed_attempts"] = [event_data(event) for event in failed]
    if found.history is not None:
        data["history"] = [event_data(event) for event in found.history]
    if found.checked:
        data["checked"] = [event_data(event) for event in found.checked]
    print_json(data)


def _print_history(versions: "list[EventRecord]") -> None:
    from .output import print_text
    from .records import history_text

    print_text(history_text(versions))


def _print_words(found: _Found, kept: "Collection[Task] | None", states: "Sequence[str]") -> None:
    """Print what was found for people, and what is left out of it."""
    from .check_flags import checked_text
    from .conversation import conversation_text
    from .output import print_text
    from .records import run_text, task_text, task_tree_text
    from .selecting import tell_if_many, tell_if_none

    if not found.is_one:
        made_by, told = found.made_by, found.told
        words = run_text(found.record, found.task, told, found.effects, found.methods, made_by=made_by, kept=kept)
    elif kept is None:
        words = task_text(found.task, found.effects, found.methods)
    else:
        words = task_tree_text(found.task, kept).rstrip()
    print_text(words)
    tell_if_none(kept, states)
    tell_if_many(None if found.is_one or kept is not None else found.task)
    if found.checked:
        print_text(f"\nchecks:\n{checked_text(found.checked)}")
    if found.asked is not None:
        print_text(conversation_text(*found.asked) or "\nno model was called")


def _effects(store: "Store", record: "RunRecord", task_id: str | None) -> "list[StepRecord]":
    from ramify.planner.export.effects import effects_of
    from ramify.planner.export.run_data import status_of

    return effects_of(store.steps(record.id, task_id, effects=True), is_running=status_of(record) == "running")


def _noted(store: "Store", run_id: str) -> "tuple[list[EventRecord], list[MethodUse]]":
    """Return what tells where a run comes from, what was not as it should be and who controlled it, and its methods."""
    from ramify.planner.events.events import EventType
    from ramify.planner.events.methods_used import TOLD_BY, methods_of

    kinds = (EventType.PROMPT_CUT, EventType.RUN_FORKED, EventType.RUN_CONTROLLED, EventType.WARNING)
    told = store.events_of(run_id, kinds)
    return told, methods_of(store.events_of(run_id, TOLD_BY))


def _show_plans(given: Mapping[str, Any], run_id: str | None, between: str | None, *, last: bool) -> int:
    """Show the versions of a plan, or what is different between two of them."""
    from ramify.planner.show import versions as plan_versions

    from .finding import opened_run
    from .output import print_json, print_text
    from .records import changes_text, versions_text

    numbers = None if between is None else _numbers(between)
    with opened_run(run_id, last=last, store=given["store"]) as (store, record):
        versions = plan_versions.versions_of(store.events_of(record.id, plan_versions.TOLD_BY))
    if numbers is None:
        if given["as_json"]:
            print_json({"run": record.id, "plans": [version.to_data() for version in versions]})
        else:
            print_text(versions_text(versions))
        return 0
    changes = plan_versions.between(versions, *numbers)
    if given["as_json"]:
        print_json({"run": record.id, "from": numbers[0], "to": numbers[1], "changes": changes})
    else:
        print_text(changes_text(changes) or f"plan {numbers[1]} is the same as plan {numbers[0]}")
    return 0


def _numbers(between: str) -> tuple[int, int]:
    first, _, last = between.partition(":")
    if not (first.strip().isdecimal() and last.strip().isdecimal()):
        from ramify.planner.errors import UsageError

        raise UsageError(f"--between needs two versions of the plan, such as 1:2, not {between}")
    return int(first), int(last)


COMMANDS = {"show": show}
