"""The `rules` model: it reads a request's variables, not the prompt's words, and replies in the prompt's contract."""

import asyncio
import time
from collections.abc import AsyncIterator

from ramify.planner.errors import NoModelError
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.prompts import ComposeVariables, DecomposeVariables, ExecuteVariables
from ramify.prompts.variables import FitVariables, PromptVariables

from .answers import compose, execute, plan
from .errors import RulesError
from .reply_text import failed_text

_LONG_INPUT = 20_000
"""Longer inputs, in characters, are worked on in a thread, so that the event loop goes on."""


class RulesModel:
    """Answers without a language model: arithmetic, outlines and extractive summaries of the user's own text.

    It is exact and deterministic, costs nothing, and never makes up a word.

    Attributes:
        prompt_budget: None: it reads a request's variables, which hold everything, so results need not fit one prompt.
    """

    name = "rules"
    maker = "rules (no language model)"
    is_language_model = False
    prompt_budget: int | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer `request`.

        Raises:
            NoModelError: if no rule can do such work; the message says what could.
        """
        started = time.perf_counter()
        variables = request.variables
        if variables is not None and _length(variables) > _LONG_INPUT:
            text = await asyncio.to_thread(_answer, request.purpose, variables)
        else:
            text = _answer(request.purpose, variables)
        return ModelReply(text=text, model=self.name, cost_usd=0.0, latency_s=time.perf_counter() - started)

    async def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Answer `request` line by line, then as a whole.

        Raises:
            NoModelError: if no rule can do such work; the message says what could.
        """
        reply = await self.complete(request)
        for line in reply.text.splitlines(keepends=True):
            yield line
        yield reply

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""


_ASKS = {
    "sample": "answer a question without a plan, as the arms direct, cot and self-consistency of a study do",
    "generate": "write a text",
    "rewrite": "rewrite a text",
    "steer": "change a plan by a person's words",
    "replan": "plan anew after a failure",
    "verify": "judge an answer",
}
"""What it is asked for that takes a language model, by purpose."""


def _answer(purpose: str, variables: PromptVariables | None) -> str:
    try:
        match variables:
            case DecomposeVariables():
                return plan(variables)
            case FitVariables():
                return failed_text("other", "no rule finds words for parameters; a goal in the method's own words fits")
            case ExecuteVariables():
                return execute(variables)
            case ComposeVariables():
                return compose(variables)
    except RulesError as error:
        return failed_text(error.reason, str(error))
    raise NoModelError(
        f"the model rules is not a language model and cannot {_ASKS.get(purpose, f'do {purpose!r}')}; "
        "name one with --model NAME or RAMIFY_MODEL, or use --model human"
    )


def _length(variables: PromptVariables) -> int:
    match variables:
        case DecomposeVariables():
            return len(variables.goal) + sum(len(material.text) for material in variables.materials)
        case ExecuteVariables():
            return len(variables.task) + sum(len(material.text) for material in variables.materials)
        case ComposeVariables():
            return len(variables.goal) + sum(len(child.content) + len(child.result) for child in variables.children)
    return 0
