"""What events tell: for each type, what it means and what its data holds; `docs/events.md` shows this table."""

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
        EventType.RUN_STARTED: _form("a process has begun to carry the run on", resumed=bool),
        EventType.RUN_FORKED: _form(
            "the run begins as a fork, and shares the events before this one: of which run, how many tasks there are,"
            " how many are done, and what that run had paid",
            run=str,
            tasks=int,
            done=int,
            paid=dict,
        ),
        EventType.PLAN_GROWN: _form("a plan is being written; these subtasks are there already", subtasks=list),
        EventType.PLAN_ATTACHED: _form(
            "a task has been split; its subtasks are there; `method` is the one that did so, with its `parameters`",
            {"method": str, "parameters": dict},
            subtasks=list,
        ),
        EventType.METHOD_PASSED_OVER: _form(
            "a method was found for a task that is to be split, and is not used", method=str, why=str
        ),
        EventType.PLAN_ATOMIC: _form("a task stays whole", why=str),
        EventType.PLANNED: _form("the plan is complete", tasks=int),
        EventType.PLAN_EDITED: _form(
            "the plan was changed, or tasks are done again: what is different in each task, old and new, and which are;"
            " `subtasks` are new or gone as the planner was asked for another plan; where the run did so `by` itself:"
            " of which task's plan, and which subtasks had failed, with why; `words` are a person's, who wanted it",
            {"subtasks": list, "by": str, "below": str, "failed": dict, "words": str},
            changes=list,
            redone=list,
        ),
        EventType.PLAN_APPROVED: _form("a person, or a program, lets the plan be run"),
        EventType.PLAN_REVISED: _form("a person wants another plan; the planner is asked in these words", words=str),
        EventType.PLAN_STEERED: _form(
            "a person wants what is open of a plan changed that is under way; the planner `asks` how, in these words,"
            " or there is no plan yet, and it is made by them; `failed` are tasks that had failed, with why",
            {"waits": bool},
            words=str,
            asks=bool,
            failed=dict,
        ),
        EventType.TASK_STARTED: _form("a task is executed, or composed from its subtasks", attempt=int, doing=str),
        EventType.TASK_PROGRESS: _form("a worker says how far it is", fraction=float | None, doing=str),
        EventType.TASK_RETRYING: _form(
            "an attempt has failed; another follows, which counts as a `retry`, a `check round` or one of `planning`",
            attempt=int,
            error=str,
            delay_s=float,
            counts_as=str,
        ),
        EventType.TASK_TRIED: _form(
            "a task has failed for good in one piece, and is split instead: why, and what the planner is told of it",
            error=str,
            told=str,
        ),
        EventType.CHECKED: _form(
            "a check of an answer has its outcome: pass, fail or unsure",
            {"complaint": str},
            check=str,
            outcome=str,
            attempt=int,
        ),
        EventType.VOTED: _form(
            "one answer leads by `ahead`, or none is ever going to (`undecided`): how often each of the most frequent"
            " came, and what did not count",
            {"undecided": bool},
            ahead=int,
            samples=int,
            counts=list,
            discarded=dict,
        ),
        EventType.TASK_DONE: _form("a task has its result, and it is on disk"),
        EventType.TASK_FAILED: _form(
            "a task has failed; `where` is the line of your own code that raised what is no error of Ramify's",
            {"where": str},
            error=str,
        ),
        EventType.TASK_RELEASED: _form(
            "a task is open again, as its work was broken off; `lost` if its process ended meanwhile",
            {"lost": bool},
            why=str,
        ),
        EventType.CALL_STARTED: _form("a model is asked, now that limits let it be", purpose=str, model=str),
        EventType.TASK_ADDED: _form("a worker has added a task, with all below it", by=str, tasks=int),
        EventType.TASK_CHANGED: _form(
            "a middleware has changed what a task is given, or what came of it", by=str, what=str, before=str, after=str
        ),
        EventType.STEP_INTENDED: _form(
            "a step is about to be taken that may not simply be repeated: not at all (`no`), or `with_key`",
            step=str,
            may_repeat=str,
            idempotency_key=str,
        ),
        EventType.STEP_DONE: _form("a worker has taken a step that is not taken again", step=str),
        EventType.STEP_UNKNOWN: _form("nobody knows whether such a step was taken, and why", step=str, why=str),
        EventType.CALL_DONE: _form(
            "a model's reply is there; `recorded` if it was not asked for now, `taken_from` says whose it was;"
            " of its `tokens` the server had read `cached_tokens` before",
            {"taken_from": str, "cached_tokens": int},
            purpose=str,
            recorded=bool,
            latency_s=float,
            tokens=int,
            cost_usd=float | None,
        ),
        EventType.CALL_FAILED: _form(
            "a call has ended without a reply; `calls` is 1 if it was sent, and then it counts with what it has used;"
            " `cost_usd` is null if nobody knows",
            {"cached_tokens": int},
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
            "a prompt showed `shown` of the `given` characters of its data; `window` is how many tokens fit",
            purpose=str,
            shown=int,
            given=int,
            window=float | None,
            message=str,
        ),
        EventType.EMITTED: _form("a worker tells something of its own", name=str, data=dict),
        EventType.ALERT: _form("a worker calls for attention", message=str, data=dict),
        EventType.LIMIT_NEAR: _form(
            "80 % of a limit are used, of the run or of a task for what is below it; told once for each limit of a run",
            limit=str,
            used=float,
            allowed=float,
            message=str,
        ),
        EventType.PERSON_ASKED: _form(
            "a person is asked, about the `cost`, an ambiguous `goal`, or a `step` of which nobody knows whether it was"
            " taken, and the run, or what needs the step, waits",
            about=str,
            questions=list,
        ),
        EventType.PERSON_ANSWERED: _form(
            "a person has answered; where the answers are `assumed`, the model has said them; `steps` are those that"
            " the answers are about, each with its attempt",
            {"assumed": bool, "steps": dict},
            about=str,
            answers=list,
        ),
        EventType.RUN_WAITING: _form("the run waits for a model that is out of reach", why=str, delay_s=float),
        EventType.RUN_CONTROLLED: _form(
            "somebody outside has asked for something, which is done: to `cancel` the run, to `pause` it, or other"
            " `limits`; who, as user@host, from which process there, and by what (`cli`, `python`, `page`); `changes`"
            " are the limits that are different, old and new",
            {"changes": dict},
            action=str,
            by=str,
            pid=int,
            via=str,
        ),
        EventType.RUN_STOPPING: _form("nothing new is started", why=str),
        EventType.WARNING: _form(
            "something is not as it should be, and the run goes on; `limit` is one that cannot hold, `plan` is `kept`"
            " as no other could be had, or `cut` where a part of it cannot be read",
            {"limit": str, "plan": str},
            message=str,
        ),
        EventType.RUN_FINISHED: _form("the run has ended in this process", status=str),
    }
)
"""The form of each type of events. Numbers that may be fractions are `float`, and a whole one is as good."""
