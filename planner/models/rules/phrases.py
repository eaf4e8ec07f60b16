"""The closed list of words that may stand around an expression, and of steps that work on the result before them.

Everything else is left alone: a word problem is not arithmetic.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_QUESTION = re.compile(
    r"(?:(?:please|now)\s{1,9})?(?:what\s{1,9}is|what['\u2019]s|how\s{1,9}much\s{1,9}is|compute|calculate|evaluate|work\s{1,9}out"
    r"|determine|find|simplify|solve)(?::\s{0,9}|\s{1,9}|(?=[(\[\u221a+\u2212-]))"
    r"(?:the\s{1,9}(?:exact\s{1,9})?(?:value|result)\s{1,9}of:?\s{0,9})?",
    re.IGNORECASE,
)
_REFERENCE = r"(?:the (?:previous )?(?:result|answer|value|number)|this (?:result|number)|that|this|it)"
_MENTION = re.compile(rf"(?<!\w){_REFERENCE}(?!\w)", re.IGNORECASE)
_STEPS: Mapping[re.Pattern[str], str] = MappingProxyType(
    {
        re.compile(pattern.replace("REF", _REFERENCE), re.IGNORECASE): form
        for pattern, form in (
            (r"multiply (?:REF )?(?:by|with) (?P<n>.+)", "({ref}) * ({n})"),
            (r"divide (?:REF )?by (?P<n>.+)", "({ref}) / ({n})"),
            (r"divide (?P<n>.+) by REF", "({n}) / ({ref})"),
            (r"add REF to (?P<n>.+)", "({n}) + ({ref})"),
            (r"add (?P<n>.+?)(?: to REF)?", "({ref}) + ({n})"),
            (r"subtract REF from (?P<n>.+)", "({n}) - ({ref})"),
            (r"subtract (?P<n>.+?)(?: from REF)?", "({ref}) - ({n})"),
            (r"double REF", "({ref}) * 2"),
            (r"halve REF", "({ref}) / 2"),
            (r"square REF", "({ref}) ^ 2"),
            (r"(?:take )?the square root of REF", "sqrt({ref})"),
        )
    }
)
_LONGEST_STEP = 1_000


def unwrap(text: str) -> str:
    """Return `text` without the words that ask for its value.

    >>> unwrap("What is 2 + 2?"), unwrap("compute the value of 6 * 7 =")
    ('2 + 2', '6 * 7')
    """
    bare = text.strip().lstrip("= ").rstrip("?=. \t\n")
    asked = _QUESTION.match(bare)
    return bare[asked.end() :] if asked else bare


def step_expression(text: str, result: str) -> str | None:
    """Return the expression that a step means which works on the result before it; None if it is no such step.

    Args:
        text: what the step says.
        result: the result before it, as an expression.

    >>> step_expression("multiply the result by 4", "5")
    '(5) * (4)'
    """
    if len(text) > _LONGEST_STEP:
        return None
    step = " ".join(unwrap(text).split())
    for pattern, form in _STEPS.items():
        found = pattern.fullmatch(step)
        if found:
            return form.format(ref=result, **found.groupdict())
    return _MENTION.sub(f"({result})", step) if _MENTION.search(step) else None
