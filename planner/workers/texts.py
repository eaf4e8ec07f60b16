"""The workers of texts: `prompt` fills in a template, `generate` has a model answer a text, `rewrite` does both.

Unlike a task for the `model`, these say nothing of their own: what the model reads is what the task says, word by word.
"""

import asyncio
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from ramify.planner.asking.caps import answer_cap
from ramify.planner.errors import UsageError, WorkFailedError
from ramify.planner.models.protocol import ModelRequest, Sampling
from ramify.planner.work.context import WorkContext
from ramify.planner.work.inputs import read_inputs
from ramify.planner.work.protocol import Outcome
from ramify.prompts import PromptError
from ramify.prompts.rendered import Message
from ramify.tasks import Task

from .lists import ListWorker
from .services import services_of

PARAMS = ("temperature", "top_p", "max_output_tokens", "seed", "stop", "reasoning_effort")


class PromptInputs(BaseModel):
    """What a `prompt` task takes.

    Attributes:
        prompt: the template, in Jinja. It may use every input by its name, `content`, which is the task's content
            unless it is an input, and `results`, what the tasks that this one needs have given, by id.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    prompt: str


class GenerateInputs(BaseModel):
    """What a `generate` task takes.

    Attributes:
        content: what the model is asked; the task's content unless given.
        system: a system prompt; none unless given.
        model: the model's name; that of the run unless given.
        params: sampling settings: temperature, top_p, max_output_tokens, seed, stop, reasoning_effort.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    content: str | None = None
    system: str | None = None
    model: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class RewriteInputs(GenerateInputs):
    """What a `rewrite` task takes: a template for the model, and what `prompt` and `generate` take.

    Attributes:
        prompt: the template, as for `prompt`; `content` in it is the text that is rewritten: the input of that name,
            else what the one task that this one needs has given, else the task's content.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    prompt: str


class PromptWorker(ListWorker):
    """Fills in templates; see `PromptInputs`."""

    about = "fills in a template, without a model"
    inputs = PromptInputs

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Fill in the template."""
        inputs = read_inputs(PromptInputs, context.inputs, task, worker="prompt")
        return Outcome(await fill_in(inputs.prompt, task, context, content=task.content))


class GenerateWorker(ListWorker):
    """Has a model answer a text; see `GenerateInputs`."""

    about = "sends a text to a model"
    inputs = GenerateInputs

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Ask the model."""
        inputs = read_inputs(GenerateInputs, context.inputs, task, worker="generate")
        return Outcome(await generate(inputs.content or task.content, inputs, task, context, purpose="generate"))


class RewriteWorker(ListWorker):
    """Fills in a template and has a model answer it; see `RewriteInputs`."""

    about = "fills in a template with a text and sends it to a model"
    inputs = RewriteInputs

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Fill in the template, and ask the model."""
        inputs = read_inputs(RewriteInputs, context.inputs, task, worker="rewrite")
        words = await fill_in(inputs.prompt, task, context, content=text_given(task, context))
        return Outcome(await generate(words, inputs, task, context, purpose="rewrite"))


def text_given(task: Task, context: WorkContext) -> str:
    """Return the text that a task is about: what the one task that it needs has given, else its content."""
    return context.needs[0].result if len(context.needs) == 1 else task.content


async def fill_in(template: str, task: Task, context: WorkContext, *, content: str) -> str:
    """Return the template of a task, filled in; the run goes on meanwhile.

    Raises:
        WorkFailedError: if it is no template, uses a name that is not there, makes too much, or nothing came of it.
    """
    from ramify.prompts.jinja import render_text

    variables: dict[str, JsonValue] = {"content": content, "results": context.results, **context.inputs}
    try:
        words = await asyncio.to_thread(render_text, template, variables)
    except PromptError as error:
        raise WorkFailedError(f"the prompt of task {task.id} cannot be filled in: {error}", task_id=task.id) from None
    if not words.strip():
        raise WorkFailedError(f"the prompt of task {task.id} is empty once filled in", task_id=task.id)
    return words


async def generate(
    words: str, inputs: GenerateInputs, task: Task, context: WorkContext, *, purpose: str, sample: int = 0
) -> str:
    """Return what the model answers to `words`; `sample` is which of several answers to them, from 0.

    Raises:
        ModelError: if the call failed, or its reply was cut by a limit of length, twice.
        WorkFailedError: if nothing came, or a sampling setting is none.
    """
    asker = services_of(context).asker_named(inputs.model)
    system = [Message(role="system", content=inputs.system)] if inputs.system else []
    request = ModelRequest(
        purpose=purpose,
        task_id=task.id,
        messages=(*system, Message(role="user", content=words)),
        sampling=_sampling(inputs.params, task) if inputs.params else asker.agent.settings.sampling,
        timeout_s=asker.agent.settings.timeout_s,
        stop_runaway=asker.agent.settings.stop_runaway,
        cap=answer_cap(asker.agent.settings),
    )
    reply = await asker.whole_reply(task, request, attempt=context.attempt, sample=sample)
    if reply.finish_reason == "content_filter" or not reply.text.strip():
        raise WorkFailedError(f"the model gave no answer for task {task.id} ({reply.finish_reason})", task_id=task.id)
    return reply.text


def _sampling(params: dict[str, Any], task: Task) -> Sampling:
    unknown = sorted(set(params).difference(PARAMS))
    if unknown:
        raise UsageError(f"task {task.id}: {unknown[0]!r} is not a sampling setting; use {', '.join(PARAMS)}")
    stop = params.get("stop")
    return Sampling(**{**params, "stop": (stop,) if isinstance(stop, str) else None if stop is None else tuple(stop)})
