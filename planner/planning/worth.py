"""What the words of a goal tell of how it is split: whether that is worth asking about, and in which order it goes.

Small models split what they are asked to split, whether that helps or not, so that the question itself is what decides;
and they leave out half of the needs that the goal names. It knows no model, and reads the words of one task alone.
"""

import re

_SHORT_WORDS = 12
_SHORT_SIGNS = 24
"""Signs of a script that writes a word in one sign or two, such as Chinese."""

# These are compiled when they are first used, as most commands never plan.
_SIGNS = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_QUESTION = r"[?\uff1f\u061f]"
_SEVERAL = r"""(?xim)
    ^\s*(?:[-*\u2022]|\d+[.)])\s        # a line of a list
    | [,;\u3001\uff0c\uff1b]            # what stands between the parts of a list or of a sentence
    | \b(?:for\s+each|each|respectively|then|first|after\s+that|jeweils?|je|dann|zuerst|danach|anschlie\u00dfend)\b
    | \b(?:and|or|versus|vs|compare|und|oder|sowie|vergleiche?)\b
    | [\u548c\u4e0e\u53ca\u6216]|\u6bd4\u8f83
    | \u5206\u522b|\u7136\u540e|\u5148|\u6700\u540e|\u5404
    """
_ORDER = (
    r"(?i)\b(?:then|afterwards|after\s+that|finally|dann|danach|anschlie\u00dfend|zuletzt|zum\s+Schluss|daraus)\b"
    r"|\u7136\u540e|\u518d|\u6700\u540e|\u63a5\u7740"
)


def names_an_order(goal: str) -> bool:
    """Return whether `goal` says that one thing is done after another.

    >>> names_an_order("List five sources, then rank them"), names_an_order("Describe Oslo and Rome")
    (True, False)
    """
    return re.search(_ORDER, goal) is not None


def stays_whole(goal: str) -> str | None:
    """Return why `goal` is not worth splitting, as far as its words tell; None if they do not.

    >>> stays_whole("What is the capital of Portugal?")
    'it is a single question'
    >>> stays_whole("Translate 'good evening' into Italian.")
    'it is short and names one thing'
    >>> stays_whole("Describe the history, the climate and the food of Oslo.")
    """
    words = goal.strip()
    questions = re.findall(_QUESTION, words)
    if len(questions) == 1 and words.endswith(questions[0]):
        return "it is a single question"
    signs = len(re.findall(_SIGNS, words))
    is_short = signs <= _SHORT_SIGNS if signs else len(words.split()) <= _SHORT_WORDS
    return "it is short and names one thing" if is_short and not re.search(_SEVERAL, words) else None
