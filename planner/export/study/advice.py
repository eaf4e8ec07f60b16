"""What a study says to do, in one sentence with how sure that is; it advises, and decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ramify.tasks.counting import counted

from .content import DIRECT, ArmSpec
from .figures import Equal, Figures, Versus
from .statistics import items_for, least_gain

FEWEST = 8
"""Items below which nothing is said: no split of so few that differ is beyond chance."""

GOOD_ENOUGH = 0.45
"""The accuracy of one call above which splitting seldom helps.

Source: Kim et al., "Towards a Science of Scaling Agent Systems", arXiv 2512.08296. Their fits are weak: it is a hint.
"""

_TEN_POINTS = 0.1

Verdict = Literal["split", "sample", "one call", "open", "too few"]


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do.

    Attributes:
        verdict: "split", "sample" (ask several times, and vote), "one call" (do neither), "open" if the study does not
            tell, "too few" if hardly anything is done.
        arm: the arm that is meant; empty if none is.
        words: the sentence.
    """

    verdict: Verdict
    arm: str
    words: str


def advice_of(
    base_arm: ArmSpec, figures: Sequence[Figures], others: Sequence[Versus], equals: Sequence[Equal]
) -> Advice:
    """Return what a study says to do; the arguments are those of `Study`.

    An arm wins over one call if McNemar's test, corrected for all arms, and the bootstrap interval both say so. One
    that splits also has to be better than as many samples as take the same tokens: these are simpler.
    """
    base = next(each for each in figures if each.arm == base_arm)
    compared = [each for each in others if each.items >= FEWEST]
    if not compared:
        most = max((each.items for each in others), default=base.items)
        return Advice("too few", "", f"Too few results to advise: {counted(most, 'item')} in more than one arm.")
    splitting = [each for each in compared if each.arm.splits]
    best = max(splitting or compared, key=lambda each: (each.gain, each.arm == compared[0].arm))
    if best.is_sure and best.gain > 0:
        return _better(figures, equals, best)
    sampled = next((each for each in compared if not each.arm.splits and each.is_sure and each.gain > 0), None)
    if sampled is not None:
        also = f"; {best.arm.name} shows no clear gain ({_gain(best)})" if splitting else ""
        return Advice("sample", sampled.arm.name, f"Ask several times: {_told(figures, sampled)}{also}.")
    if best.is_sure:
        return Advice("one call", base.arm.name, f"{_do_not(best)}: {_told(figures, best)}.")
    return _open(figures, base, best)


def pilot_words(base: Figures) -> str:
    """Return what a pilot of one plain call says of splitting."""
    low, high = base.between
    found = f"one call is right on {base.right} of {base.items} items ({base.accuracy:.0%}, {low:.0%} to {high:.0%})"
    hint = "arXiv 2512.08296 (weak fits): a hint, not a rule"
    if low > GOOD_ENOUGH:
        return f"{found}: above {GOOD_ENOUGH:.0%}, splitting seldom helps; {hint}"
    if high < GOOD_ENOUGH:
        return f"{found}: below {GOOD_ENOUGH:.0%}, splitting may help; {hint}"
    side = "above" if base.accuracy > GOOD_ENOUGH else "below"
    return f"{found}: more likely {side} {GOOD_ENOUGH:.0%}, the mark above which splitting seldom helps; {hint}"


def points(share: float) -> str:
    """Return a difference of two shares in points, with its sign.

    >>> points(0.104), points(-0.05), points(0.0)
    ('+10', '-5', '0')
    """
    rounded = round(100 * share)
    return f"{rounded:+d}" if rounded else "0"


def ratio(one: float, other: float) -> str:
    """Return how many times `other` a figure is.

    >>> ratio(300, 100), ratio(50, 100), ratio(0, 0), ratio(1, 0)
    ('3.0', '0.5', '1.0', 'many')
    """
    if one == other:
        return "1.0"
    return f"{one / other:.1f}" if other else "many"


def _better(figures: Sequence[Figures], equals: Sequence[Equal], best: Versus) -> Advice:
    equal = next((each for each in equals if each.arm == best.arm and each.unit == "tokens"), None)
    if not best.arm.splits:
        return Advice("sample", best.arm.name, f"Ask several times: {_told(figures, best)}.")
    if equal is None:
        more = "; no arm samples, so the gain of as many plain calls is unknown"
        return Advice("split", best.arm.name, f"Split with {best.arm.name}: {_told(figures, best)}{more}.")
    low, _ = equal.between
    beside = f"beside {equal.samples:.1f} samples of {equal.samples_of.name}, {_between(equal.gain, equal.between)}"
    if low > 0:
        return Advice("split", best.arm.name, f"Split with {best.arm.name}: {_told(figures, best)}; {beside}.")
    what = "no better than" if equal.gain > 0 else "not better than"
    words = (
        f"Ask several times before you split: {best.arm.name} gains ({_gain(best)}), but it is {what} sampling at equal"
        f" tokens ({beside})"
    )
    return Advice("sample", equal.samples_of.name, f"{words}.")


def _open(figures: Sequence[Figures], base: Figures, best: Versus) -> Advice:
    """Return what is said where no arm is shown to be better or worse."""
    seen = least_gain(best.items, differ=best.differ)
    needed = items_for(_TEN_POINTS, differ=max(best.differ, _TEN_POINTS))
    power = (
        f"{best.items} items are enough to find a gain of {100 * seen:.0f} points (power 80%); to find one of 10"
        f" points, use about {needed:,} items"
    )
    if best.gain <= 0:
        verb = "splitting" if best.arm.splits else "sampling"
        words = f"Stay with {_named(base)}: {verb} shows no gain; {_told(figures, best)}; {power}."
        return Advice("one call", base.arm.name, words)
    return Advice("open", "", f"Not settled: {_told(figures, best)}; {power}.")


def _do_not(best: Versus) -> str:
    return "Do not split" if best.arm.splits else "Do not sample"


def _named(base: Figures) -> str:
    return "one call" if base.arm.kind == DIRECT else base.arm.name


def _told(figures: Sequence[Figures], versus: Versus) -> str:
    """Return how an arm does beside the first one, and what it takes."""
    by_name = {each.arm.name: each for each in figures}
    one, base = by_name[versus.arm.name], by_name[versus.base.name]
    return (
        f"{versus.arm.name} is right on {one.accuracy:.0%}, {_named(base)} on {base.accuracy:.0%} ({_gain(versus)}),"
        f" with {ratio(one.tokens, base.tokens)} times the tokens"
    )


def _gain(versus: Versus) -> str:
    return f"{_between(versus.gain, versus.between)}, p = {versus.p_holm:.2g} (Holm)"


def _between(gain: float, between: tuple[float, float]) -> str:
    low, high = between
    return f"{points(gain)} points, {points(low)} to {points(high)}"
