"""One end of an estimate: what is assumed there, or was measured in a pilot, and what the calls come to by that."""

from dataclasses import dataclass, field
from math import ceil

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.prefixes import shared_text
from ramify.planner.models.prompt_cache import PromptCache
from ramify.planner.models.protocol import ModelRequest
from ramify.tasks import Task

from .piloting import Pilot
from .vote_estimates import VoteEstimate

ANSWER_TOKENS = (50, 1_000)
"""How long an answer is taken to be, in tokens: from a fact to two pages."""

TOKEN_CHARACTERS = (5, 3)
"""How many characters of a prompt are taken to be a token: few tokens, many tokens."""


@dataclass(slots=True, kw_only=True)
class End:
    """One end of an estimate, on which calls are counted.

    Attributes:
        answer: how many tokens come back with an answer to a leaf.
        composed: how many with one that is composed.
        characters: how many of a prompt are a token.
        votes: how many answers a leaf takes; None if its own settings say it.
        cache: what the provider keeps of prompts.
        calls: counted so far, and so on.
    """

    answer: float
    composed: float
    characters: float
    votes: float | None
    cache: PromptCache
    calls: float = 0
    input_tokens: float = 0
    read_tokens: float = 0
    written_tokens: float = 0
    output_tokens: float = 0
    _begun: set[int] = field(default_factory=set)

    def count(self, task: Task, prompt: ModelRequest, answers: float, *, said: int = 0) -> None:
        """Count the calls that so many answers to one prompt of `task` take, of which `said` characters were said."""
        self.calls += answers
        self.input_tokens += answers * ceil(length_of(prompt) / self.characters)
        self.output_tokens += answers * (self.answer if task.is_leaf else self.composed)
        if said:
            is_read = self.cache.pays and said // self.characters >= self.cache.least_tokens
            self.read_tokens += answers * (said // self.characters) * is_read
            return
        begins = shared_text(prompt)
        tokens, place = len(begins) // self.characters, hash(begins)
        if not self.cache.pays or tokens < self.cache.least_tokens:
            return
        first = 0 if place in self._begun else min(1, answers)
        self.written_tokens += first * tokens
        self.read_tokens += (answers - first) * tokens
        self._begun.add(place)

    def cost(self, prices: tuple[float, float], *, forgets: bool) -> float:
        """Return what it comes to, in US dollars, with a cache that has all that it was given, or nothing."""
        read, written = self.read_tokens, self.written_tokens
        more = (self.cache.write - 1) * (read + written if forgets else written)
        less = 0.0 if forgets else (1 - self.cache.read) * read
        return (self.input_tokens + more - less) * prices[0] + self.output_tokens * prices[1]


def ends_of(agent: Agent, pilot: Pilot | None, voting: VoteEstimate | None) -> tuple[End, End]:
    """Return the low and the high end of what is not known; with a pilot they differ in the answers a vote takes."""
    low, high = ANSWER_TOKENS
    most = agent.settings.sampling.max_output_tokens or high
    cache = agent.prompt_cache or PromptCache()
    ends = [
        End(answer=tokens, composed=tokens, characters=characters, votes=None, cache=cache)
        for tokens, characters in zip((min(low, most), min(high, most)), TOKEN_CHARACTERS, strict=True)
    ]
    if pilot is not None and voting is not None:
        leaf, parent = pilot.figures["execute"], pilot.figures["compose"]
        for end, votes in zip(ends, voting.answers_a_vote, strict=True):
            end.answer = leaf.answer_tokens or end.answer
            end.composed = parent.answer_tokens or end.composed
            end.characters = leaf.token_characters or end.characters
            end.votes = votes + pilot.more_calls
    return ends[0], ends[1]


def length_of(prompt: ModelRequest) -> int:
    """Return the length of a prompt, in characters."""
    return sum(len(message["content"]) for message in prompt.messages)
