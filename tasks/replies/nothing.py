"""The ways in which a model says that there is nothing: no needs, no type, no gap.

A form with a blank in it is filled in nearly always, so the words that mean "leave it out" are read as that. They count
as a whole text alone, never as a part of one.
"""

_WORDS = frozenset({
    "", "none", "null", "nil", "nothing", "no", "n/a", "na", "n.a", "not applicable", "nan", "undefined", "false",
    "empty", "void", "keine", "keines", "keins", "keiner", "nichts", "aucun", "aucune", "rien", "ninguno", "ninguna",
    "nada", "nessuno", "nessuna", "niente", "nenhum", "nenhuma", "geen", "inga", "ingen", "brak", "\u043d\u0435\u0442",
    "\u65e0", "\u7121", "\u6ca1\u6709", "\u6c92\u6709", "\u306a\u3057", "\uc5c6\uc74c",
})  # fmt: skip
_AROUND = " \t\r\n[](){}<>\"'`#*_~.!,;:/-\u2013\u2014\u2212\u2026\u3002\u201c\u201d\u2018\u2019"
_LONGEST = 60


def says_nothing(text: str) -> bool:
    """Return whether `text`, as a whole, means that there is nothing.

    >>> [says_nothing(text) for text in ("", "None.", "`nil`", "N/A", "[]", "-", "- none", "no salt")]
    [True, True, True, True, True, True, True, False]
    """
    return len(text) <= _LONGEST and text.strip(_AROUND).lower() in _WORDS
