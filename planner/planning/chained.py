"""The conversations that leaves of a plan would go on with (`conversation: chain`), as far as a plan tells it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ramify.planner.asking.agent import Agent
from ramify.planner.asking.budget import Configs
from ramify.planner.asking.reading import reads_words
from ramify.planner.errors import PlannerError
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.workers.chains import CHAIN, leaves_before, without_said
from ramify.planner.workers.registry import is_for_model
from ramify.prompts import ExecuteVariables
from ramify.prompts.rendered import Message
from ramify.tasks import Task, TaskState

_MOST_LINKS = 500
"""After how many leaves a conversation is taken to be longer than any model reads."""


class Chains:
    """What is said in the conversations of a plan, if each answer that is missing has a certain length.

    Args:
        agent: whose they are.
        configs: the limits of each task.
        holds: says whether the model can read a request.
        answer: the length of an answer, in characters.
    """

    def __init__(self, agent: Agent, configs: Configs, holds: Callable[[ModelRequest], bool], *, answer: int) -> None:
        self._agent = agent
        self._configs = configs
        self._holds = holds
        self._answer = answer
        self._said: dict[str, tuple[Message, ...]] = {}

    def request(self, task: Task, alone: ModelRequest) -> tuple[ModelRequest, int]:
        """Return what is asked for the leaf `task`, and how many characters of it were said before.

        Args:
            task: the leaf; those that it needs were asked about before.
            alone: what is asked where it goes on with no conversation.
        """
        if self._configs.of(task).conversation != CHAIN:
            return alone, 0
        before = next((each for each in leaves_before(task, self._configs) if each.id in self._said), None)
        continued = None if before is None else self._continued(alone, before, self._said[before.id])
        result = task.result if task.state is TaskState.DONE else "x" * self._answer
        answered = Message(role="assistant", content=f"<result>{result}</result>")
        self._said[task.id] = (*(continued or alone).messages, answered)
        if before is None or continued is None:
            return alone, 0
        return continued, sum(len(each["content"]) for each in self._said[before.id])

    def _continued(self, alone: ModelRequest, before: Task, said: tuple[Message, ...]) -> ModelRequest | None:
        """Return what is asked where that goes on with what was `said` about `before`; None if it is too long."""
        if not isinstance(alone.variables, ExecuteVariables) or len(said) > 2 * _MOST_LINKS:
            return None
        new = without_said(alone.variables, before, said, alone.nonce)
        told = self._agent.request(self._agent.render(new, nonce=alone.nonce))
        added = (each for each in told.messages if each["role"] != "system")
        request = replace(told, messages=(*said, *added))
        return request if self._holds(request) else None


def has_chains(root: Task, agent: Agent, configs: Configs) -> bool:
    """Return whether a leaf of a plan may go on with a conversation of another one."""
    leaves = (each for each in root.walk() if each.is_leaf and is_for_model(each))
    if agent.tools or not any(configs.of(each).conversation == CHAIN for each in leaves):
        return False
    with suppress(PlannerError):  # the model may lack a key here
        return reads_words(agent)
    return True
