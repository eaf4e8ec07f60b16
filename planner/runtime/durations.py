"""A duration for people to read."""

_MINUTE_S = 60
_HOUR_S = 3600


def format_duration(seconds: float) -> str:
    """Return a duration for people to read.

    >>> [format_duration(seconds) for seconds in (0.0421, 1.26, 59.97, 200, 7260)]
    ['42 ms', '1.3 s', '1 min 0 s', '3 min 20 s', '2 h 1 min']
    """
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < _MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S:,} h {whole % _HOUR_S // _MINUTE_S} min"
