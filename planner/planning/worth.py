"""Which goals are not worth asking about: what can be told from their words alone, before a model is asked.

Small models split what they are asked to split, whether that helps or not, so that the question itself is what decides.
It knows no model, and reads no more than the words of one task.
"""

import re

_SHORT_WORDS = 12
_SHORT_SIGNS = 24
"""Signs of a script that writes a word in one sign or two, such as Chinese."""

_SIGNS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_QUESTION = re.compile(r"[?\uff1f\u061f]")
_SEVERAL = re.compile(
    r"""
    ^\s*(?:[-*\u2022]|\d+[.)])\s        # a line of a list
    | [,;\u3001\uff0c\uff1b]            # what stands between the parts of a list or of a sentence
    | \b(?:for\s+each|each|respectively|then|first|after\s+that|jeweils?|je|dann|zuerst|danach|anschlie\u00dfend)\b
    | \u5206\u522b|\u7136\u540e|\u5148|\u6700\u540e|\u5404
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)


def stays_whole(goal: str) -> str | None:
    """Return why `goal` is not worth splitting, as far as its words tell; None if they do not.

    >>> stays_whole("What is the capital of Portugal?")
    'it is one question'
    >>> stays_whole("Translate 'good evening' into Italian.")
    'it is short, and names one thing'
    >>> stays_whole("Describe the history, the climate and the food of Oslo.")
    """
    words = goal.strip()
    questions = _QUESTION.findall(words)
    if len(questions) == 1 and words.endswith(questions[0]):
        return "it is one question"
    signs = len(_SIGNS.findall(words))
    is_short = signs <= _SHORT_SIGNS if signs else len(words.split()) <= _SHORT_WORDS
    return "it is short, and names one thing" if is_short and not _SEVERAL.search(words) else None
