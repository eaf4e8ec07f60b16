"""Ramify as an agent of inspect_ai: each sample is the goal of a run, and its model the one that inspect has chosen.

Every call of the run goes through inspect's model. So inspect's limits, costs, caches and transcripts know it, and the
run itself is in the store, with its tree. This file is imported only where inspect_ai is installed.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from inspect_ai.agent import agent
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.util import LimitExceededError, span
from inspect_ai.util import store as sample_store
from ramify.planner.api import asolve
from ramify.planner.errors import LimitError, ModelError, RunError
from ramify.planner.models.protocol import FinishReason, ModelReply, ModelRequest
from ramify.planner.models.retry import FailureKind
from ramify.planner.run import Run
from ramify.planner.store.records import status_words
from ramify.prompts import Material

RUN_KEY = "ramify_run"
"""Where the store of a sample has what is to be known of its run."""

_FINISHES: Mapping[str, FinishReason] = {"max_tokens": "length", "model_length": "length"}
_ANSWERED = frozenset({"done", "partial"})
_BY_ROLE = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


class InspectModel:
    """Asks the model that inspect_ai has chosen, in the sample that is going on.

    Args:
        model: inspect's model.

    Attributes:
        limit: the limit of inspect's that a call has met, if one has.
    """

    is_language_model = True

    def __init__(self, model: Any) -> None:
        self._model = model
        self.name = self.maker = str(model)
        self.limit: LimitExceededError | None = None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer `request`; inspect tries again by itself what may pass.

        Raises:
            ModelError: if inspect gives the call up.
            LimitError: if a limit of inspect's is reached.
        """
        started = time.perf_counter()
        messages = [_BY_ROLE[each["role"]](content=each["content"]) for each in request.messages]
        try:
            async with span(f"{request.purpose} {request.task_id}", type="ramify"):
                output = await self._model.generate(messages, config=_config(request))
        except LimitExceededError as error:
            self.limit = error
            why = f"inspect has ended the sample: {error.message}"
            raise LimitError(why, limit=f"inspect's {error.type}") from error
        except Exception as error:
            raise ModelError(f"{self.name}: {error}", kind=FailureKind.UNKNOWN, model=self.name) from error
        return self._reply(output, time.perf_counter() - started)

    async def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Yield the answer to `request`, whole, as inspect gives it. Raises as `complete`."""
        reply = await self.complete(request)
        yield reply.text
        yield reply

    async def aclose(self) -> None:
        """Do nothing: the model is inspect's."""

    def _reply(self, output: Any, latency_s: float) -> ModelReply:
        if output.error or output.stop_reason == "content_filter":
            kind = FailureKind.CONTENT_FILTERED if output.stop_reason == "content_filter" else FailureKind.UNKNOWN
            why = output.error or "the reply was withheld by a content filter"
            raise ModelError(f"{self.name}: {why}", kind=kind, model=self.name)
        usage = output.usage
        cached = (usage.input_tokens_cache_read or 0) if usage else 0
        written = (usage.input_tokens_cache_write or 0) if usage else 0
        return ModelReply(
            text=output.completion,
            model=output.model or self.name,
            finish_reason=_FINISHES.get(output.stop_reason, "stop"),
            input_tokens=usage.input_tokens + cached + written if usage else 0,  # inspect counts these apart
            cached_tokens=cached,
            output_tokens=usage.output_tokens if usage else 0,
            cost_usd=usage.total_cost if usage else None,
            latency_s=latency_s,
        )


def _ramify_agent(
    *,
    policy: str | None = None,
    max_depth: int | None = None,
    max_tasks: int | None = None,
    split: str | None = None,
    recovery: str | None = None,
    vote_ahead: int | None = None,
    jobs: int | None = None,
    prompts: str | None = None,
    cache: bool | None = None,
    store: str | None = None,
    model_role: str | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Do each sample as a run of Ramify: its last user message is the goal, what stands before is given as material.

    What was tried before can be had again: with `cache=True` a call that a run of the store has made is not made again,
    so `inspect eval-retry` pays for nothing twice.

    Args:
        policy: when tasks are split, such as "as_needed".
        max_depth: levels of the tree at the most.
        max_tasks: tasks of it at the most.
        split: "auto", "always" or "never".
        recovery: how far it goes until a task has failed: "retry", "split" or "replan".
        vote_ahead: answers are voted on until one leads by so many.
        jobs: tasks that run at the same time.
        prompts: a folder of templates.
        cache: whether answers to the same requests are taken from the store.
        store: where runs are stored.
        model_role: the role of inspect's model that is asked; the evaluated model unless given.
        options: any other keyword of `solve`.
    """
    named = {
        "policy": policy, "max_depth": max_depth, "max_tasks": max_tasks, "split": split, "recovery": recovery,
        "vote_ahead": vote_ahead, "jobs": jobs, "prompts": prompts, "cache": cache, "store": store,
    }  # fmt: skip
    how: dict[str, Any] = {name: value for name, value in named.items() if value is not None} | (options or {})

    async def execute(state: Any) -> Any:
        """Answer the last message as the goal of a run."""
        model = InspectModel(get_model(role=model_role))
        goal, before = _goal_of(state.messages)
        given: dict[str, Any] = {**how, "materials": before} if before else how
        run = await asolve(goal, model=model, **given)
        _note(run)
        if model.limit is not None:
            raise model.limit
        if run.status not in {*_ANSWERED, "failed"}:
            raise RunError(f"run {run.id} {status_words(run.status)}: {run.error}")
        answer = run.result if run.status in _ANSWERED else f"(no answer: {run.error})"
        message = ChatMessageAssistant(content=answer, model=model.name, source="generate")
        state.messages.append(message)
        state.output = ModelOutput(model=model.name, choices=[ChatCompletionChoice(message=message)])
        return state

    return execute


ramify_agent = agent(name="ramify_agent", description="plans a goal, runs its tasks, and composes the answer")(
    _ramify_agent
)


def _goal_of(messages: Sequence[Any]) -> tuple[str, list[Material]]:
    """Return what the last user message asks for, and what was said before as material."""
    last = max((number for number, each in enumerate(messages) if each.role == "user"), default=None)
    if last is None:
        raise RunError("there is no user message, so there is no goal; give the sample an input")
    said = "\n\n".join(f"{each.role}: {each.text}" for each in messages[:last] if each.text.strip())
    return messages[last].text, [Material(name="what was said before", text=said)] if said else []


def _note(run: Run) -> None:
    """Have the sample's store say which run it was; inspect's viewer shows that."""
    sample_store().set(RUN_KEY, {"id": run.id, "status": run.status, "tasks": run.task.to_string(state=True)})


def _config(request: ModelRequest) -> Any:
    given = request.sampling
    told: dict[str, Any] = {
        "temperature": given.temperature, "top_p": given.top_p, "seed": given.seed,
        "max_tokens": given.max_output_tokens, "reasoning_effort": given.reasoning_effort,
        "stop_seqs": None if given.stop is None else list(given.stop),
    }  # fmt: skip
    return GenerateConfig(**{name: value for name, value in told.items() if value is not None})
