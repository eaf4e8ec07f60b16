"""The odds of a vote: how often the right answer wins, after how many answers, and by how much it has to lead.

For answers that are given independently, and are wrong at the rate e = 1 - p. The vote is a walk that goes up with each
right answer and down with each wrong one, until it is k away from where it began:

    r = e / p
    right answer wins       P = 1 / (1 + r^k)
    answers that count      k (2P - 1) / (2p - 1), or k^2 where e is one half
    least k for s steps     ceil(ln(t^(-1/s) - 1) / ln r), so that all are right with a chance of t

The worst case is assumed: all wrong answers are alike. Nothing here holds for errors that all answers to one question
share; of a share b of such questions, no vote gets more than 1 - b right.

Source: Meyerson et al., "Solving a Million-Step LLM Task with Zero Errors", https://arxiv.org/abs/2511.09030; the walk
is the gambler's ruin of Feller, "An Introduction to Probability Theory", XIV.
"""

from collections.abc import Mapping
from math import ceil, exp, expm1, inf, log, log1p, sqrt

from ramify.planner.errors import UsageError

TARGET = 0.95
"""The chance that all steps are right, unless somebody wants another one."""

IN_95 = 1.959963984540054
"""How many standard deviations either way hold 95 of 100 cases."""

_HALF = 0.5


def chance_of_vote(error_rate: float, ahead: int) -> float:
    """Return how often the right answer wins a vote, if one has to lead by `ahead`.

    Args:
        error_rate: the share of single answers that are wrong.
        ahead: by how many answers the winner leads.

    >>> [round(chance_of_vote(rate, ahead), 5) for rate, ahead in [(0.1, 3), (0.2, 4), (0.3, 5)]]
    [0.99863, 0.99611, 0.98575]

    Raises:
        UsageError: if the rate is no share, or the lead no count.
    """
    return exp(-_log_loss(error_rate, ahead))


def chance_of_all(error_rate: float, ahead: int, steps: int) -> float:
    """Return how often the right answer wins all votes of so many `steps`; otherwise as `chance_of_vote`.

    >>> round(chance_of_all(0.1, 3, 100), 3)
    0.872
    """
    return exp(-_log_loss(error_rate, ahead) * steps)


def answers_of_vote(error_rate: float, ahead: int) -> float:
    """Return how many answers that count a vote takes on the average; otherwise as `chance_of_vote`.

    >>> [round(answers_of_vote(rate, ahead), 3) for rate, ahead in [(0.1, 3), (0.2, 4), (0.3, 5), (0.5, 3)]]
    [3.74, 6.615, 12.144, 9.0]
    """
    drift = 1 - 2 * error_rate
    if abs(drift) < 1e-9:  # noqa: PLR2004 - where the quotient would be all rounding
        _log_loss(error_rate, ahead)
        return float(ahead * ahead)
    return ahead * (2 * chance_of_vote(error_rate, ahead) - 1) / drift


def ahead_for(error_rate: float, steps: int, target: float = TARGET) -> int:
    """Return by how many answers the winner of each vote has to lead, for all `steps` to be right.

    Args:
        error_rate: the share of single answers that are wrong.
        steps: votes that all have to be right.
        target: the chance of that.

    >>> ahead_for(0.0022, 2**20 - 1), ahead_for(0.3571, 2**20 - 1)
    (3, 29)

    Raises:
        UsageError: if the rate is one half or more, so that no vote helps, or something is no share or no count.
    """
    _check_share(error_rate, "the error rate")
    _check_count(steps, "the number of steps")
    check_target(target)
    if error_rate >= _HALF:
        raise UsageError(
            f"{error_rate:.1%} of the single answers are wrong; from half on, voting makes things worse if wrong"
            " answers agree; make the steps smaller or clearer, or use a better model"
        )
    if error_rate == 0:
        return 1
    # what may be lost is far below what 1 - x can tell apart
    return max(1, ceil(log(expm1(-log(target) / steps)) / (log(error_rate) - log1p(-error_rate))))


def check_target(target: float) -> None:
    """Raise `UsageError` if `target` is no chance that votes can give."""
    _check_share(target, "the target")
    if not 0 < target < 1:
        raise UsageError(f"the target is {target:g}, which no vote reaches; use one such as 0.95")


def rate_behind(lost: float, aheads: Mapping[int, int]) -> float:
    """Return the error rate that makes votes lose such a share of their answers; one half if none below does.

    The right answer is not known, and whatever wins is taken for it. So a wrong winner hides its errors, and the share
    that lost is less than the rate: with a lead of 2, answers of which 20 % are wrong lose 16 % of the votes.

    Args:
        lost: the share of the answers that did not win.
        aheads: how many votes there were, by the lead that each took.

    >>> round(rate_behind(0.16, {2: 50}), 2), round(rate_behind(0.1, {5: 50}), 2), rate_behind(0.3, {2: 50})
    (0.2, 0.1, 0.5)
    """
    low, high = 0.0, _HALF
    if lost >= _lost_at(high, aheads):
        return _HALF
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _lost_at(middle, aheads) > lost else (middle, high)
    return high if lost else 0.0


def _lost_at(error_rate: float, aheads: Mapping[int, int]) -> float:
    answers = sum(answers_of_vote(error_rate, ahead) * votes for ahead, votes in aheads.items())
    led = sum(ahead * votes for ahead, votes in aheads.items())
    return (answers - led) / (2 * answers)


def share_between(found: float, of: float, z: float = IN_95) -> tuple[float, float]:
    """Return between which shares the true one lies, after `found` of so many.

    Args:
        found: how many were so.
        of: how many there were.
        z: how sure that is, in standard deviations: in 95 of 100 cases unless given.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.

    >>> [round(end, 3) for end in share_between(0, 40)], [round(end, 3) for end in share_between(3, 40)]
    ([0.0, 0.088], [0.026, 0.199])
    """
    if not of:
        return 0.0, 1.0
    share, spread = found / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    return (0.0 if not found else middle - half), (1.0 if found == of else middle + half)


def _log_loss(error_rate: float, ahead: int) -> float:
    """Return ln(1 + r^k), which is -ln P, without the rounding of 1 - x."""
    _check_share(error_rate, "the error rate")
    _check_count(ahead, "the lead")
    if error_rate in (0, 1):
        return inf if error_rate else 0.0
    exponent = ahead * (log(error_rate) - log1p(-error_rate))
    return exponent + log1p(exp(-exponent)) if exponent > 0 else log1p(exp(exponent))


def _check_share(value: float, what: str) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{what} is {value:g}; it must be between 0 and 1")


def _check_count(value: int, what: str) -> None:
    if value < 1:
        raise UsageError(f"{what} is {value}; it must be at least 1")
