"""A pilot: what a run, whole or not, says of another like it: how often an answer is wrong, and what calls take.

Three things are told apart, for the leaves that a model answered:

    error rate    by votes: the answers that lost, corrected for winners that were wrong (`odds.rate_behind`); where
                  checks have judged the winners, by what they said. Without votes, by the first answers that a check
                  refused.
    stuck         leaves whose answers were all alike in the vote, and refused by a check; without a vote, leaves that a
                  check refused in every round, after two at least. They are left out of the error rate: no vote helps
                  them. Errors that happen to agree are taken for stuck too, e^k of all votes.
    what it takes tokens, characters a token and dollars, as the journal has them

Votes are compared with nothing but each other, so without checks nobody can say how many leaves are stuck.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ramify.planner.asking.budget import DEFAULTS, Configs
from ramify.planner.asking.odds import rate_behind, share_between
from ramify.planner.errors import UsageError
from ramify.planner.events.events import Event, EventType
from ramify.planner.store.records import CallRecord, StoredRun
from ramify.planner.workers.registry import is_for_model
from ramify.tasks import Task
from ramify.tasks.tree.states import FINISHED

_JUDGED = frozenset({"pass", "fail"})
_FEWEST = 2
_NEEDED = "a pilot needs a vote_ahead of 2 or more (--vote-ahead 3), or checks"


@dataclass(slots=True)
class _Round:
    """One answer to a leaf, after a vote or without."""

    ahead: int = 1
    counted: int = 1
    won: int = 1
    asked: int = 1
    discarded: int = 0
    attempt: int | None = None
    refused: bool | None = None

    @property
    def compares(self) -> bool:
        return self.ahead >= _FEWEST and self.counted > 0

    @property
    def says_something(self) -> bool:
        return self.compares or self.refused is not None


@dataclass(frozen=True, slots=True)
class CallFigures:
    """What the calls of a pilot took that were made for one purpose.

    Attributes:
        calls: how many there were.
        characters: of their prompts.
        input_tokens, output_tokens: as the server counted them; 0 if it did not.
    """

    calls: int = 0
    characters: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def answer_tokens(self) -> float | None:
        """Tokens that came back with a call; None if nobody counted."""
        return self.output_tokens / self.calls if self.output_tokens else None

    @property
    def token_characters(self) -> float | None:
        """Characters of a prompt that are a token; None if nobody counted."""
        return self.characters / self.input_tokens if self.input_tokens else None


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a single answer is wrong.

    Attributes:
        share: the share that is.
        between: where the true one lies, in 95 of 100 cases.
        answers: how many answers were counted.
        wrong: how many of them lost, or were refused.
        votes: how many votes they were given in; 0 if checks alone have judged them.
    """

    share: float
    between: tuple[float, float]
    answers: int
    wrong: int
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """What a run says of another like it.

    Attributes:
        run_id: the run.
        leaves: leaves that say how often an answer is wrong, the stuck ones included.
        checked: those whose answer a check has judged.
        stuck: those whose answers failed alike.
        rate: how often a single answer to another leaf is wrong.
        discarded: the share of answers in votes that did not count: cut, malformed, too long.
        more_calls: calls of a leaf besides those of its first answers: repairs, verdicts, further rounds.
        figures: what calls took, by purpose: `execute` and `compose`.
        token_cost_usd: what a token has cost on the average; None if the cost of any call is unknown.
    """

    run_id: str
    leaves: int
    checked: int
    stuck: int
    rate: Rate
    discarded: float
    more_calls: float
    figures: Mapping[str, CallFigures]
    token_cost_usd: float | None


def pilot_of(stored: StoredRun) -> Pilot:
    """Return what a stored run says of another like it.

    Raises:
        UsageError: if it has neither votes nor checks of answers that a model gave.
    """
    leaves = {task.id for task in stored.root.walk() if task.is_leaf and is_for_model(task)}
    rounds = {task_id: found for task_id, found in _rounds(stored.events, leaves).items() if found[0].says_something}
    if not rounds:
        raise UsageError(_says_nothing(stored))
    stuck = {task_id for task_id, found in rounds.items() if _is_stuck(found)}
    asked = sum(found[0].asked for found in rounds.values())
    calls = [
        call for call in stored.calls if call.key.task_id in rounds and call.key.purpose not in {"decompose", "fit"}
    ]
    return Pilot(
        run_id=stored.record.id,
        leaves=len(rounds),
        checked=sum(any(each.refused is not None for each in found) for found in rounds.values()),
        stuck=len(stuck),
        rate=_rate_of([found[0] for task_id, found in rounds.items() if task_id not in stuck]),
        discarded=sum(found[0].discarded for found in rounds.values()) / asked,
        more_calls=max(0, len(calls) - asked) / len(rounds),
        figures={purpose: _figures(stored.calls, purpose) for purpose in ("execute", "compose")},
        token_cost_usd=_token_cost(stored.calls),
    )


def check_pilot(root: Task) -> None:
    """Make sure that a run of the tree of `root` would say how many answers are wrong.

    Raises:
        UsageError: if it would have neither votes nor checks of answers that a model gives.
    """
    configs = Configs(DEFAULTS)
    asked = [task for task in root.walk() if task.is_leaf and is_for_model(task) and task.state not in FINISHED]
    if not asked:
        raise UsageError(f"no leaf of task {root.id} is left for a model, so a pilot would measure nothing")
    if not any(task.checks or (configs.of(task).vote_ahead or 1) >= _FEWEST for task in asked):
        raise UsageError(f"the plan has no votes and no checks, so it cannot measure wrong answers; {_NEEDED}")


def _rounds(events: Iterable[Event], leaves: Collection[str]) -> dict[str, list[_Round]]:
    """Return the answers that each leaf was given, in order, by its id."""
    rounds: dict[str, list[_Round]] = {}
    for event in events:
        if event.task_id is None or event.task_id not in leaves:
            continue
        found = rounds.setdefault(event.task_id, [])
        if event.type == EventType.VOTED:
            found.append(_round_of(event.data))
        elif event.type == EventType.CHECKED and event.data["outcome"] in _JUDGED:
            attempt = event.data["attempt"]
            if not found or found[-1].attempt not in {None, attempt}:
                found.append(_Round())
            found[-1].attempt = attempt
            found[-1].refused = bool(found[-1].refused) or event.data["outcome"] == "fail"
    return {task_id: found for task_id, found in rounds.items() if found}


def _round_of(vote: Mapping[str, Any]) -> _Round:
    discarded = sum(vote["discarded"].values())
    won = max((count for _, count in vote["counts"]), default=0)
    return _Round(vote["ahead"], vote["samples"] - discarded, won, vote["samples"], discarded)


def _is_stuck(rounds: Sequence[_Round]) -> bool:
    first = rounds[0]
    if first.compares and first.won == first.counted:
        return bool(first.refused)
    judged = [each.refused for each in rounds if each.refused is not None]
    return len(judged) >= _FEWEST and all(judged)


def _rate_of(firsts: Sequence[_Round]) -> Rate:
    """Return the error rate of leaves that are not stuck: by their votes, if there are any, else by their checks."""
    votes = [each for each in firsts if each.compares]
    counted = votes or firsts
    answers = sum(each.counted for each in counted)
    if all(each.refused is not None for each in counted):
        wrong = sum(each.won if each.refused else each.counted - each.won for each in counted)
        return Rate(wrong / answers if answers else 0.0, share_between(wrong, answers), answers, wrong, len(votes))
    wrong = sum(each.counted - each.won for each in counted)
    aheads = Counter(each.ahead for each in votes)
    low, high = share_between(wrong, answers)
    between = (rate_behind(low, aheads), rate_behind(high, aheads))
    return Rate(rate_behind(wrong / answers, aheads), between, answers, wrong, len(votes))


def _says_nothing(stored: StoredRun) -> str:
    run_id = stored.record.id
    if any(event.type == EventType.VOTED for event in stored.events):
        return f"run {run_id} has votes of one answer each, which compare nothing; {_NEEDED}"
    return f"run {run_id} has no votes and no checks of leaves, so it cannot measure wrong answers; {_NEEDED}"


def _figures(calls: Iterable[CallRecord], purpose: str) -> CallFigures:
    found = [call for call in calls if call.key.purpose == purpose]
    return CallFigures(
        calls=len(found),
        characters=sum(len(str(message["content"])) for call in found for message in call.request["messages"]),
        input_tokens=sum(call.reply["input_tokens"] for call in found),
        output_tokens=sum(call.reply["output_tokens"] for call in found),
    )


def _token_cost(calls: Sequence[CallRecord]) -> float | None:
    costs = [call.reply["cost_usd"] for call in calls]
    tokens = sum(call.reply["input_tokens"] + call.reply["output_tokens"] for call in calls)
    return None if not tokens or None in costs else sum(costs) / tokens
