"""How long a reply may become by what is asked for: plans and verdicts by default, answers where somebody says so.

Thoughts are tokens of a reply, and nobody knows how many a model needs; so what nobody has given does not hold for a
model that thinks. That it does is known of a model by litellm's lists, by the template in its file or by the effort
that is asked of it, or seen: a reply that was used up before its first word is asked for once more without a cap, and
so is all that follows. The same holds where a server refuses a request for its cap, as one does in whose window prompt
and cap together have no room.
"""

import re
from dataclasses import replace
from typing import Protocol

from ramify.planner.errors import ModelError
from ramify.planner.models.protocol import Cap, Model, ModelRequest, Sampling
from ramify.planner.models.retry import FailureKind
from ramify.prompts.variables import DecomposeVariables, FitVariables, PromptVariables, VerifyVariables

from .schemas import words_of

_PLAN, _PLANNED_TASK, _VERDICT, _PARAMETER = 400, 150, 1_500, 200
_ANSWERS = frozenset({"execute", "compose"})
_REFUSALS = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED, FailureKind.CONTEXT_EXCEEDED})
_NAMES = re.compile(r"max_(?:completion_|output_|new_)?tokens")


class Asking(Protocol):
    """What `AgentSettings` say of it."""

    sampling: Sampling
    max_plan_tokens: int | None
    max_verdict_tokens: int | None
    max_answer_tokens: int | None


def cap_of(variables: PromptVariables, settings: Asking) -> Cap | None:
    """Return how long the reply to a prompt of `variables` may become, besides `max_output_tokens`; None if no matter.

    Args:
        variables: what is asked with.
        settings: how it is asked; what they say takes the place of the default.
    """
    if isinstance(variables, DecomposeVariables):
        default = _PLAN + _PLANNED_TASK * variables.max_tasks
        return _cap("max_plan_tokens", settings.max_plan_tokens, default, settings)
    if isinstance(variables, FitVariables):
        default = _PLAN + _PARAMETER * len(variables.parameters)
        return _cap("max_plan_tokens", settings.max_plan_tokens, default, settings)
    if isinstance(variables, VerifyVariables):
        return _cap("max_verdict_tokens", settings.max_verdict_tokens, _VERDICT, settings)
    return answer_cap(settings) if variables.template in _ANSWERS else None


def answer_cap(settings: Asking) -> Cap | None:
    """Return how long an answer may become, besides `max_output_tokens`; None if no matter."""
    most = settings.max_answer_tokens
    return None if most is None else Cap("max_answer_tokens", most)


def _cap(option: str, given: int | None, default: int, settings: Asking) -> Cap | None:
    if given is not None:
        return Cap(option, given)
    sampling = settings.sampling
    if sampling.max_output_tokens is not None or sampling.reasoning_effort is not None:
        return None
    return Cap(option, default, is_default=True)


class Caps:
    """Whether default caps hold for one model.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._hold: bool | None = None

    def put_on(self, request: ModelRequest) -> ModelRequest:
        """Return the request without its default cap, if these do not hold."""
        if request.cap is None or not request.cap.is_default:
            return request
        if self._hold is None:
            self._hold = not getattr(self._model, "thinks", False)
        return request if self._hold else replace(request, cap=None)

    def lift(self) -> None:
        """Have none hold from here on."""
        self._hold = False

    def lifted_by(self, request: ModelRequest, error: ModelError) -> str:
        """Return that none holds from here on, as `error` may be due to that of `request`; nothing if it cannot be."""
        cap = request.cap
        if cap is None or not cap.is_default or not _is_due(error, cap):
            return ""
        self.lift()
        flag = cap.option.replace("_", "-")
        return f"{words_of(error)}; the default limit is off for the rest of the run (set one with --{flag})"


def _is_due(error: ModelError, cap: Cap) -> bool:
    """Return whether a reply was used up before its first word, or a server has refused the request for its cap."""
    if error.kind not in _REFUSALS:
        return error.kind == FailureKind.CUT_OFF
    prompt, window = error.prompt_tokens, error.window_tokens
    if prompt is not None and window is not None:
        return prompt <= window < prompt + cap.tokens
    return _NAMES.search(str(error)) is not None
