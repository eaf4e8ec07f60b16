"""What votes have to be for all steps to be right: by how much a winner has to lead, and what no lead can reach.

The lead is for the upper end of the interval of the error rate, so that it holds if the pilot was lucky. A pilot whose
upper end is one half or more is too small for that, and the rate itself is taken.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ramify.planner.asking.odds import TARGET, ahead_for, answers_of_vote, chance_of_all, share_between
from ramify.tasks.counting import counted

from .piloting import Pilot

_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteEstimate:
    """What votes have to be for all steps to be right; every range is `(low, high)`.

    Attributes:
        pilot: the run that it is learned from.
        leaves: how many of its leaves say how often an answer is wrong.
        votes: how many votes they took; 0 if checks alone have judged their answers.
        answers: how many answers were counted, and how many of them were `wrong`.
        error_rate: the share of single answers that are wrong, and where the true one lies (`error_between`).
        steps: leaves that all have to be right, with a chance of `target`.
        ahead: by how many answers a winner has to lead: the `vote_ahead` to take.
        ahead_at_rate: the same if `error_rate` is exact.
        is_sure: whether `ahead` holds for the upper end of the interval; if not, the pilot is too small.
        chance: that all are right at `ahead`, for the two ends of the interval, apart from stuck leaves.
        answers_a_vote: answers that a vote takes on the average, those that do not count included.
        discarded: the share of answers that did not count in the pilot's votes: cut, malformed, too long.
        checked: leaves of the pilot whose answers a check has judged.
        stuck: those of them whose answers failed alike, so that no vote helps.
        ceiling: the share of leaves that no vote gets beyond, whatever the lead; None if no check has judged any.
        ceiling_between: where the true one lies, in 95 of 100 cases.
        ceiling_of_all: the best chance that all steps are right, at that ceiling.
    """

    pilot: str
    leaves: int
    votes: int
    answers: int
    wrong: int
    error_rate: float
    error_between: tuple[float, float]
    steps: int
    target: float
    ahead: int
    ahead_at_rate: int
    is_sure: bool
    chance: tuple[float, float]
    answers_a_vote: tuple[float, float]
    discarded: float
    checked: int
    stuck: int
    ceiling: float | None
    ceiling_between: tuple[float, float] | None
    ceiling_of_all: float | None

    @classmethod
    def of(cls, pilot: Pilot, *, steps: int, target: float = TARGET) -> "VoteEstimate":
        """Return what votes have to be for so many `steps` to be right with a chance of `target`.

        Raises:
            UsageError: if half of the answers are wrong or more, so that no vote helps, or a number cannot be used.
        """
        rate, (low, high) = pilot.rate.share, pilot.rate.between
        at_rate = ahead_for(rate, steps, target)
        is_sure = high < _HALF
        ahead = ahead_for(high, steps, target) if is_sure else at_rate
        ends = (low, high if is_sure else max(rate, low))
        few, many = (answers_of_vote(end, ahead) / (1 - pilot.discarded) for end in ends)
        ceiling = 1 - pilot.stuck / pilot.checked if pilot.checked else None
        few_stuck, many_stuck = share_between(pilot.stuck, pilot.checked)
        return cls(
            pilot=pilot.run_id,
            leaves=pilot.leaves,
            votes=pilot.rate.votes,
            answers=pilot.rate.answers,
            wrong=pilot.rate.wrong,
            error_rate=rate,
            error_between=(low, high),
            steps=steps,
            target=target,
            ahead=ahead,
            ahead_at_rate=at_rate,
            is_sure=is_sure,
            chance=(chance_of_all(high, ahead, steps), chance_of_all(low, ahead, steps)),
            answers_a_vote=(few, many),
            discarded=pilot.discarded,
            checked=pilot.checked,
            stuck=pilot.stuck,
            ceiling=ceiling,
            ceiling_between=None if ceiling is None else (1 - many_stuck, 1 - few_stuck),
            ceiling_of_all=None if ceiling is None else ceiling**steps,
        )

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return it for people to read: what each line is about, and what it says."""
        return [
            ("pilot", f"run {self.pilot}, {counted(self.leaves, 'leaf task')}"),
            ("wrong answers", self._rate_words()),
            ("votes", self._lead_words()),
            ("answers a vote", self._answers_words()),
            ("ceiling", self._ceiling_words()),
        ]

    def _rate_words(self) -> str:
        by = f"lost in {counted(self.votes, 'vote')}" if self.votes else "rejected by checks"
        between = "{:.2%} to {:.2%}".format(*self.error_between)
        return f"{self.error_rate:.2%} ({between}); {self.wrong:,} of {counted(self.answers, 'answer')} {by}"

    def _lead_words(self) -> str:
        wanted = (
            f"--vote-ahead {self.ahead}: all of {counted(self.steps, 'leaf task')} right in {self.target:.1%} of runs"
        )
        if self.is_sure:
            return f"{wanted}, at the upper end; {self.ahead_at_rate} at {self.error_rate:.2%}"
        return (
            f"{wanted}, if {self.error_rate:.2%} is exact; the pilot is too small to be sure: up to half of the answers"
            " may be wrong, so give it more leaves"
        )

    def _answers_words(self) -> str:
        words = "{:.2f} to {:.2f}".format(*self.answers_a_vote)
        return f"{words}; {self.discarded:.1%} do not count: malformed, cut or too long" if self.discarded else words

    def _ceiling_words(self) -> str:
        if self.ceiling is None or self.ceiling_between is None:
            return (
                "unknown; no leaf task of the pilot has a check, and voting cannot find errors that all answers share"
            )
        between = "{:.1%} to {:.1%}".format(*self.ceiling_between)
        found = f"all answers to {self.stuck:,} of {counted(self.checked, 'checked leaf task')} failed"
        words = f"voting gets at most {self.ceiling:.1%} ({between}) of the leaf tasks right; {found}"
        if self.ceiling_of_all is not None and self.ceiling_of_all < self.target:
            words += (
                f"; all are right in at most {self.ceiling_of_all:.1%} of runs, so votes alone cannot reach the target"
            )
        return words
