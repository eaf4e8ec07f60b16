"""A number with its noun, for people and models to read; every count that is told is made here."""

_VOWELS = "aeiou"


def counted(number: int, noun: str) -> str:
    """Return `number` with `noun` in the singular or plural that fits.

    >>> [counted(number, "new task") for number in (0, 1, 1200)], counted(2, "reply"), counted(2, "day")
    (['0 new tasks', '1 new task', '1,200 new tasks'], '2 replies', '2 days')
    """
    if number == 1:
        return f"1 {noun}"
    ends_in_y = noun.endswith("y") and noun[-2:-1] not in _VOWELS
    return f"{number:,} {f'{noun[:-1]}ies' if ends_in_y else f'{noun}s'}"
