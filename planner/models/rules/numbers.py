"""How exact numbers are bounded and written: an integer, a terminating decimal, or a fraction."""

from fractions import Fraction

MAX_DIGITS = 4_000
"""The most digits that a number may have above or below its fraction bar; Python writes no more than 4,300."""

MAX_PLACES = 1_000
"""The most decimal places that are written; a number with more is written as a fraction."""

MAX_BITS = MAX_DIGITS * 3_321_928 // 1_000_000


def is_too_large(value: Fraction) -> bool:
    """Return whether `value` has more digits than are worked with."""
    return max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS


def value_text(value: Fraction) -> str:
    """Return `value` exactly, as an integer, a decimal if one ends within `MAX_PLACES`, or a fraction.

    >>> [value_text(Fraction(n, d)) for n, d in [(6, 2), (-1, 8), (849, 7)]]
    ['3', '-0.125', '849/7']
    """
    twos, fives, rest = _factors(value.denominator)
    places = max(twos, fives)
    if places == 0 or rest != 1 or places > MAX_PLACES:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _factors(number: int) -> tuple[int, int, int]:
    twos = (number & -number).bit_length() - 1
    rest, fives = number >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return twos, fives, rest
