"""What events tell: for each type, what it means and what its data holds; `docs/reference.md` shows this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, UnionType

from .events import EventType

DataForm = Mapping[str, type | UnionType]


@dataclass(frozen=True, slots=True)
class EventForm:
    """The form of one type of events.

    Attributes:
        means: what has happened, for people to read.
        data: what is always in the data, and of which type.
        sometimes: what may be there besides.
    """

    means: str
    data: DataForm
    sometimes: DataForm


def _form(means: str, /, sometimes: DataForm | None = None, **data: type | UnionType) -> EventForm:
    return EventForm(means, MappingProxyType(data), MappingProxyType(dict(sometimes or {})))


EVENT_FORMS: Mapping[EventType, EventForm] = MappingProxyType(
    {
        EventType.RUN_STARTED: _form("a process starts or resumes the run", resumed=bool),
        EventType.RUN_FORKED: _form(
            "the run starts as a fork: the original run, its tasks, how many are done, and what it cost; earlier events"
            " are shared",
            run=str,
            tasks=int,
            done=int,
            paid=dict,
        ),
        EventType.PLAN_GROWN: _form("a plan is being written; these subtasks have arrived", subtasks=list),
        EventType.PLAN_ATTACHED: _form(
            "a task was split into subtasks, perhaps by a `method` with `parameters`",
            {"method": str, "parameters": dict},
            subtasks=list,
        ),
        EventType.METHOD_PASSED_OVER: _form("a method was found for a task but not used", method=str, why=str),
        EventType.PLAN_ATOMIC: _form("a task stays whole", why=str),
        EventType.PLANNED: _form("the plan is complete", tasks=int),
        EventType.PLAN_EDITED: _form(
            "the plan changed, or tasks run again: the changes in each task and the tasks that run again; `subtasks`:"
            " added or removed by the planner; `by`, `below`, `failed`: who replanned which task after which failures;"
            " `words`: what a person asked for",
            {"subtasks": list, "by": str, "below": str, "failed": dict, "words": str},
            changes=list,
            redone=list,
        ),
        EventType.PLAN_APPROVED: _form("a person or program approved the plan"),
        EventType.PLAN_REVISED: _form("a person asks for another plan, in these words", words=str),
        EventType.PLAN_STEERED: _form(
            "a person asks to change the open part of the plan; `asks`: whether the planner is called; `failed`: failed"
            " tasks and why",
            {"waits": bool},
            words=str,
            asks=bool,
            failed=dict,
        ),
        EventType.TASK_STARTED: _form("a task is executed, or composed from its subtasks", attempt=int, doing=str),
        EventType.TASK_PROGRESS: _form("a worker reports its progress", fraction=float | None, doing=str),
        EventType.TASK_RETRYING: _form(
            "an attempt failed; the next counts as a `retry`, a `check round` or `planning`",
            attempt=int,
            error=str,
            delay_s=float,
            counts_as=str,
        ),
        EventType.TASK_TRIED: _form(
            "a task failed whole and is split instead: why, and what the planner is told",
            error=str,
            told=str,
        ),
        EventType.CHECKED: _form(
            "an answer was checked: pass, fail or unsure",
            {"complaint": str},
            check=str,
            outcome=str,
            attempt=int,
        ),
        EventType.VOTED: _form(
            "a vote was won by `ahead`, or cannot be decided (`undecided`): counts of the most frequent answers, and"
            " what was discarded",
            {"undecided": bool},
            ahead=int,
            samples=int,
            counts=list,
            discarded=dict,
        ),
        EventType.TASK_DONE: _form("a task is done and its result is stored"),
        EventType.TASK_FAILED: _form(
            "a task failed; `where` is the line of your code that raised the error",
            {"where": str},
            error=str,
        ),
        EventType.TASK_RELEASED: _form(
            "a task is open again because its work was interrupted; `lost`: its process ended",
            {"lost": bool},
            why=str,
        ),
        EventType.CALL_STARTED: _form("a model is called", purpose=str, model=str),
        EventType.TASK_ADDED: _form("a worker added a task and everything below it", by=str, tasks=int),
        EventType.TASK_CHANGED: _form(
            "a middleware changed a task's inputs or outcome", by=str, what=str, before=str, after=str
        ),
        EventType.STEP_INTENDED: _form(
            "a step that must not repeat (`no`), or only `with_key`, is about to start",
            step=str,
            may_repeat=str,
            idempotency_key=str,
        ),
        EventType.STEP_DONE: _form("a worker finished a step; it will not repeat", step=str),
        EventType.STEP_UNKNOWN: _form("it is unknown whether such a step was done, and why", step=str, why=str),
        EventType.CALL_DONE: _form(
            "a model replied; `recorded`: the reply came from a recording, cache or journal; `taken_from`: from which"
            " run; `cached_tokens`: those of its `tokens` that were cached",
            {"taken_from": str, "cached_tokens": int},
            purpose=str,
            recorded=bool,
            latency_s=float,
            tokens=int,
            cost_usd=float | None,
        ),
        EventType.CALL_FAILED: _form(
            "a call failed; `calls` is 1 if it was sent, and then its usage counts; `cost_usd` is null if unknown;"
            " `estimated`: the reply broke off, and its tokens were counted as they came",
            {"cached_tokens": int, "estimated": bool},
            purpose=str,
            model=str,
            error=str,
            latency_s=float,
            calls=int,
            input_tokens=int,
            output_tokens=int,
            cost_usd=float | None,
        ),
        EventType.PROMPT_CUT: _form(
            "a prompt was shortened to `shown` of `given` characters; `window`: the tokens that fit",
            purpose=str,
            shown=int,
            given=int,
            window=float | None,
            message=str,
        ),
        EventType.EMITTED: _form("a worker sent its own event", name=str, data=dict),
        EventType.ALERT: _form("a worker raised an alert", message=str, data=dict),
        EventType.LIMIT_NEAR: _form(
            "80 % of a limit of the run or of a task is used; sent once per limit",
            limit=str,
            used=float,
            allowed=float,
            message=str,
        ),
        EventType.PERSON_ASKED: _form(
            "a person is asked about the `cost`, an ambiguous `goal`, or a `step` with an unknown outcome",
            about=str,
            questions=list,
        ),
        EventType.PERSON_ANSWERED: _form(
            "a person answered; `assumed`: the model answered itself; `steps`: those in question, with attempts",
            {"assumed": bool, "steps": dict},
            about=str,
            answers=list,
        ),
        EventType.RUN_WAITING: _form("the run waits for an unreachable model", why=str, delay_s=float),
        EventType.RUN_CONTROLLED: _form(
            "someone outside cancelled (`cancel`) or paused (`pause`) the run or changed its `limits`: user@host, the"
            " process there, and by what (`cli`, `python`, `page`); `changes`: old and new limits",
            {"changes": dict},
            action=str,
            by=str,
            pid=int,
            via=str,
        ),
        EventType.RUN_STOPPING: _form("the run is stopping: it starts nothing new", why=str),
        EventType.WARNING: _form(
            "a problem that does not stop the run; `limit`: one that cannot be enforced; `plan`: `kept` because there"
            " is no other, or `cut` because part of it is unreadable",
            {"limit": str, "plan": str},
            message=str,
        ),
        EventType.RUN_FINISHED: _form("the run ended in this process", status=str),
    }
)
"""The form of each type of events. Numbers that may be fractions are `float`, and a whole one is as good."""
