"""What each arm got right and what that took, and each arm beside another on the same items."""

from dataclasses import dataclass
from statistics import fmean, median, quantiles

from ramify.planner.asking.odds import share_between

from .content import ArmSpec, StudyData, Trial
from .statistics import holm, interval_of_mean, mcnemar

_NINE_TENTHS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one arm got right, and what an item took it; means over the items that were judged.

    Attributes:
        arm: the arm.
        items: items that were judged.
        right: those that it has right.
        accuracy: the share of these, and where the true one lies, in 95 of 100 cases (`between`).
        split: items that were split.
        unanswered: items without an answer; they count as wrong.
        calls, input_tokens, cached_tokens, output_tokens: for an item; the cached ones are among the input tokens.
        cost_usd: for an item; None if the cost of any call is unknown.
        seconds: the median for an item; None if there is none.
        most_seconds: what nine of ten items took at the most; None if there are too few.
        ceiling: the share of items for which at least one sample was right, which no vote among them can get beyond:
            1 - beta, where beta is the share for which all samples fail together. None for a single sample.
        ceiling_between: where the true one lies.
    """

    arm: ArmSpec
    items: int
    right: int
    accuracy: float
    between: tuple[float, float]
    split: int
    unanswered: int
    calls: float
    input_tokens: float
    cached_tokens: float
    output_tokens: float
    cost_usd: float | None
    seconds: float | None
    most_seconds: float | None
    ceiling: float | None = None
    ceiling_between: tuple[float, float] | None = None

    @property
    def tokens(self) -> float:
        """Prompt and reply tokens of an item."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """One arm beside the one that others are compared with, on the items that both have done.

    Attributes:
        arm: the arm.
        base: the one that it is compared with.
        items: items that both have done.
        gained: ids of the items that only `arm` has right: where it helped.
        lost: those that only `base` has right: where it hurt.
        gain: by how much `arm` is right more often, and where the true gain lies, in 95 of 100 cases (`between`).
        p: McNemar's exact p-value.
        p_holm: the same, corrected for all arms that are compared.
    """

    arm: ArmSpec
    base: ArmSpec
    items: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    gain: float
    between: tuple[float, float]
    p: float
    p_holm: float

    @property
    def is_sure(self) -> bool:
        """Whether the arms differ by more than chance explains: corrected p below 0.05, and the interval beside 0."""
        low, high = self.between
        return self.p_holm < 0.05 and (low > 0 or high < 0)  # noqa: PLR2004 - as everybody has it

    @property
    def differ(self) -> float:
        """The share of the items that only one of the two has right."""
        return (len(self.gained) + len(self.lost)) / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Equal:
    """An arm that splits beside as many samples, with a vote, as have used the same.

    Attributes:
        arm: the arm.
        samples_of: the arm whose samples are taken.
        unit: "tokens" or "USD".
        used: what an item took `arm`, in that unit.
        samples: how many samples that is; parts of one are a mean of two numbers of samples.
        wanted: how many it would have been; more than `samples` if there are not so many.
        accuracy: how often the vote of so many samples is right.
        items: items that both have done.
        gain: by how much `arm` is right more often, and where the true gain lies, in 95 of 100 cases (`between`).
    """

    arm: ArmSpec
    samples_of: ArmSpec
    unit: str
    used: float
    samples: float
    wanted: float
    accuracy: float
    items: int
    gain: float
    between: tuple[float, float]


def figures_of(study: StudyData, arm: ArmSpec) -> Figures:
    """Return what an arm of a study got right, and what that took."""
    done = list(study.done(arm.name).values())
    right = sum(bool(each.right) for each in done)
    several = [each for each in done if len(each.samples) > 1]
    hopeful = sum(any(right for _, right in each.samples) for each in several)
    costs = [each.cost_usd for each in done]
    known = [cost for cost in costs if cost is not None]
    seconds = [each.seconds for each in done if each.seconds is not None]
    return Figures(
        arm=arm,
        items=len(done),
        right=right,
        accuracy=right / len(done) if done else 0.0,
        between=share_between(right, len(done)),
        split=sum(each.is_split for each in done),
        unanswered=sum(bool(each.error) for each in done),
        calls=_mean(done, "calls"),
        input_tokens=_mean(done, "input_tokens"),
        cached_tokens=_mean(done, "cached_tokens"),
        output_tokens=_mean(done, "output_tokens"),
        cost_usd=fmean(known) if known and len(known) == len(costs) else None,
        seconds=median(seconds) if seconds else None,
        most_seconds=quantiles(seconds, n=10)[_NINE_TENTHS] if len(seconds) > _NINE_TENTHS else None,
        ceiling=hopeful / len(several) if several else None,
        ceiling_between=share_between(hopeful, len(several)) if several else None,
    )


def _mean(done: list[Trial], name: str) -> float:
    return fmean(getattr(each.usage, name) for each in done) if done else 0.0


def comparisons_of(study: StudyData) -> list[Versus]:
    """Return each other arm of a study beside its base."""
    others = [arm for arm in study.arms if arm != study.base]
    paired = [list(study.pairs(arm.name, study.base.name)) for arm in others]
    gained = [tuple(one.item for one, other in pairs if one.right and not other.right) for pairs in paired]
    lost = [tuple(one.item for one, other in pairs if other.right and not one.right) for pairs in paired]
    chances = [mcnemar(len(won), len(gone)) for won, gone in zip(gained, lost, strict=True)]
    found = zip(others, paired, gained, lost, chances, holm(chances), strict=True)
    return [
        Versus(
            arm=arm,
            base=study.base,
            items=len(pairs),
            gained=won,
            lost=gone,
            gain=(len(won) - len(gone)) / len(pairs) if pairs else 0.0,
            between=interval_of_mean([bool(one.right) - bool(other.right) for one, other in pairs]),
            p=p,
            p_holm=corrected,
        )
        for arm, pairs, won, gone, p, corrected in found
    ]
