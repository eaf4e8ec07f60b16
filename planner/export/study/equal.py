"""Splitting beside sampling at equal tokens and at equal cost: what as many plain samples, with a vote, would have got.

An arm that asks N times shows what any smaller number of samples would have given: each choice of k of its N answers is
voted on, and what the votes get is averaged. Between two numbers of samples, both are mixed. So nothing is paid twice.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from statistics import fmean

from .content import ArmSpec, StudyData, Trial
from .figures import Equal
from .statistics import interval_of_mean

_MOST_CHOICES = 200


def equals_of(study: StudyData) -> list[Equal]:
    """Return each arm that splits beside samples that have used the same, in tokens and, if known, in dollars."""
    sampled = sampled_arm(study)
    if sampled is None:
        return []
    found = (_equal(study, arm, sampled, unit) for arm in study.arms if arm.splits for unit in ("tokens", "USD"))
    return [each for each in found if each is not None]


def sampled_arm(study: StudyData) -> ArmSpec | None:
    """Return the arm with the most samples that has the models and prompts of all; None if none asks more than once."""
    arms = [arm for arm in study.arms if arm.samples > 1 and study.done(arm.name)]
    return max(arms, key=lambda arm: (not arm.parameters, arm.samples), default=None)


def curve(study: StudyData, arm: ArmSpec) -> list[tuple[float, float | None, float]]:
    """Return (tokens, cost or None, accuracy) of the vote of 1, 2, ... of the samples of an arm, for an item each."""
    done = list(study.done(arm.name).values())
    tokens, cost = _a_sample(done, "tokens"), _a_sample(done, "USD")
    return [
        (number * (tokens or 0.0), None if cost is None else number * cost, fmean(_rightness(done, number)))
        for number in range(1, arm.samples + 1)
        if done
    ]


def vote_value(samples: Sequence[tuple[str, bool]], number: int) -> float:
    """Return how often the vote of `number` of these samples is right; of answers that are as frequent, one is drawn.

    >>> vote_value([("4", True), ("5", False), ("4", True)], 1), vote_value([("4", True), ("5", False), ("4", True)], 3)
    (0.6666666666666666, 1.0)
    """
    choices = islice(combinations(samples, min(number, len(samples))), _MOST_CHOICES)
    return fmean(_chosen(choice) for choice in choices)


def _chosen(choice: Sequence[tuple[str, bool]]) -> float:
    counts = Counter(answer for answer, _ in choice if answer)
    if not counts:
        return 0.0
    most = max(counts.values())
    rights = dict(choice)
    return fmean(rights[answer] for answer, count in counts.items() if count == most)


def _equal(study: StudyData, arm: ArmSpec, sampled: ArmSpec, unit: str) -> Equal | None:
    pairs = list(study.pairs(arm.name, sampled.name))
    used = _used([one for one, _ in pairs], unit)
    a_sample = _a_sample([other for _, other in pairs], unit)
    if not pairs or used is None or not a_sample:
        return None
    wanted = used / a_sample
    samples = min(max(1.0, wanted), float(sampled.samples))
    less = int(samples)
    more, part = min(less + 1, sampled.samples), samples - less
    trials = [other for _, other in pairs]
    mixed = zip(_rightness(trials, less), _rightness(trials, more), strict=True)
    voted = [(1 - part) * one + part * other for one, other in mixed]
    gains = [bool(one.right) - value for (one, _), value in zip(pairs, voted, strict=True)]
    return Equal(
        arm=arm,
        samples_of=sampled,
        unit=unit,
        used=used,
        samples=samples,
        wanted=wanted,
        accuracy=fmean(voted),
        items=len(pairs),
        gain=fmean(gains),
        between=interval_of_mean(gains),
    )


def _rightness(trials: Sequence[Trial], number: int) -> Iterator[float]:
    return (vote_value(each.samples, number) if each.samples else float(bool(each.right)) for each in trials)


def _used(trials: Sequence[Trial], unit: str) -> float | None:
    """Return what an item took, in tokens or dollars; None if that is not known, or nothing."""
    used = [each.usage.tokens if unit == "tokens" else each.cost_usd for each in trials]
    known = [each for each in used if each is not None]
    return (fmean(known) or None) if known and len(known) == len(used) else None


def _a_sample(trials: Sequence[Trial], unit: str) -> float | None:
    used, samples = _used(trials, unit), fmean(max(1, len(each.samples)) for each in trials) if trials else 0.0
    return None if used is None else used / samples
