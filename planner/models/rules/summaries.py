"""Extractive summaries: the sentences that say most about a text, word for word.

A word's weight is how often it occurs among the text's content words, a sentence's score the mean of its words'
weights; the best sentence is taken, the weights of its words are squared so that the next one says something else, and
so on. Earlier sentences, and those that share words with the heading, count for more.

Function words are left out for English alone; in other languages the frequent ones weigh too much.

Source: A. Nenkova and L. Vanderwende, "The Impact of Frequency on Summarization", MSR-TR-2005-101, 2005 (SumBasic);
place and heading after H. P. Edmundson, "New Methods in Automatic Extracting", Journal of the ACM 16(2), 1969.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from .documents import Sentence

_FUNCTION_WORDS = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further had has have having he her here hers him his how
    i if in into is it its itself just may me might more most must my no nor not now of off on once only or other our
    out over own same she should so some such than that the their theirs them then there these they this those through
    to too under until up us very was we were what when where which while who whom why will with would you your yours
    """.split()  # noqa: SIM905 - a list of 150 quoted words is no easier to read
)
_LONG_SENTENCE = 45


def default_count(sentences: int, *, most: int) -> int:
    """Return how many sentences stand for `sentences`: one in four, at most `most`."""
    return min(most, -(-sentences // 4))


def best_sentences(sentences: Sequence[Sentence], count: int, *, title: str = "") -> list[Sentence]:
    """Return the `count` sentences that say most, in the order of the text.

    Args:
        sentences: all sentences of the text.
        count: how many to take; all are returned if there are no more.
        title: the text's heading.
    """
    if len(sentences) <= count:
        return list(sentences)
    words = Counter(word for sentence in sentences for word in _content_words(sentence))
    total = sum(words.values())
    weights = {word: number / total for word, number in words.items()}
    title_words = frozenset(title.lower().split())

    def rank(i: int) -> tuple[float, int]:
        return -_score(sentences[i], weights, title_words, place=i / len(sentences)), i

    waiting = [rank(i) for i in {sentence.text: i for i, sentence in reversed([*enumerate(sentences)])}.values()]
    heapify(waiting)
    chosen: list[int] = []
    while waiting and len(chosen) < count:
        now = rank(heappop(waiting)[1])
        if waiting and now > waiting[0]:
            heappush(waiting, now)
            continue
        chosen.append(now[1])
        for word in set(_content_words(sentences[now[1]])):
            weights[word] **= 2
    return [sentences[i] for i in sorted(chosen)]


def _content_words(sentence: Sentence) -> list[str]:
    return [word for word in sentence.words if word not in _FUNCTION_WORDS]


def _score(sentence: Sentence, weights: Mapping[str, float], title_words: frozenset[str], *, place: float) -> float:
    words = _content_words(sentence)
    if not words:
        return 0.0
    mean = sum(weights[word] for word in words) / len(words)
    early = 1.5 - 0.5 * min(1.0, place * 4)
    titled = 1.2 if not title_words.isdisjoint(words) else 1.0
    is_lead_in = sentence.text.endswith(":")
    is_long = len(sentence.words) > _LONG_SENTENCE
    return mean * early * titled * (0.25 if is_lead_in else 1.0) * (0.5 if is_long else 1.0)
