"""The `embed` worker: the vectors of texts, by an embedding model; each batch is a call in the journal like others.

A batch whose vectors have arrived is a step that is taken: later attempts find them in the journal, under the attempt
that the step names.
"""

import asyncio
from functools import partial
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from ramify.planner.asking.agent import Agent
from ramify.planner.asking.asker import Asker
from ramify.planner.errors import NoModelError, WorkFailedError
from ramify.planner.models.direct_embeddings import needs_litellm, open_embeddings
from ramify.planner.models.embeddings import EmbeddingModel, Vector, embedding_request, read_vectors
from ramify.planner.models.hashing import NAME as HASHING
from ramify.planner.models.hashing import HashingEmbeddings
from ramify.planner.settings.settings import load_settings
from ramify.planner.work.context import WorkContext
from ramify.planner.work.inputs import read_inputs
from ramify.planner.work.protocol import Outcome
from ramify.tasks import Task
from ramify.tasks.json_text import json_text

from .lists import ListWorker
from .services import services_of
from .texts import text_given

BATCH = 64
"""Texts in one call."""

_STEP = "embed"


class EmbedInputs(BaseModel):
    """What an `embed` task takes.

    Attributes:
        content: the text; the output is its vector. Unless it is given, it is what the one task that this one needs
            has given, or the task's content.
        texts: several texts; the output is a list of vectors.
        model: the embedding model's name; that of the settings (`embedding_model`) unless given. `hashing` is no
            language model, and needs neither key nor network.
        dimensions: how long the vectors are to be; the model decides unless given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    content: str | None = None
    texts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    model: str | None = None
    dimensions: Annotated[int, Field(ge=1, le=100_000)] | None = None


class EmbedWorker(ListWorker):
    """Gives the vectors of texts; see `EmbedInputs`."""

    about = "returns the embedding vector of a text"
    inputs = EmbedInputs

    async def prepare(self, task: Task) -> None:
        """Load litellm, if it is to be asked for vectors wherever their server is."""
        name = task.inputs.get("model") or load_settings().embedding_model
        if name is not None and needs_litellm(str(name)):
            await open_embeddings(str(name)).prepare()

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Ask the embedding model.

        Raises:
            NoModelError: if no embedding model is named.
            ModelError: if a call failed, or what came are no vectors.
        """
        inputs = read_inputs(EmbedInputs, context.inputs, task, worker="embed")
        if inputs.content is not None and inputs.texts is not None:
            raise WorkFailedError(f"task {task.id} has both content and texts; leave one out", task_id=task.id)
        texts = inputs.texts or (inputs.content or text_given(task, context),)
        asker = _asker(inputs, context)
        if context.attempt > 1:  # what an attempt before has asked is in the journal
            services = services_of(context)
            asker.recall(await asyncio.to_thread(services.store.calls, services.run_id, task.id))
        vectors: list[Vector] = []
        for begin in range(0, len(texts), BATCH):
            vectors += await _vectors(texts[begin : begin + BATCH], asker, context)
            context.progress(len(vectors) / len(texts), "embedding")
        output: JsonValue = list(vectors[0]) if inputs.texts is None else [list(vector) for vector in vectors]
        return Outcome(json_text(output), output)


async def _vectors(batch: tuple[str, ...], asker: Asker, context: WorkContext) -> list[Vector]:
    """Return the vectors of a batch, which are asked for once, whatever becomes of the attempt."""
    request = embedding_request(context.task.id, batch, timeout_s=asker.agent.settings.timeout_s)
    arrived: list[Vector] = []

    async def ask(attempt: int) -> dict[str, int]:
        arrived[:] = read_vectors(await asker.call(context.task, request, attempt=attempt), len(batch))
        return {"attempt": attempt}

    sha256 = request.sha256(asker.agent.model.name)
    step = await context.step(_STEP, partial(ask, context.attempt), given=sha256)
    if not arrived:
        await ask(step["attempt"])
    return arrived


def _asker(inputs: EmbedInputs, context: WorkContext) -> Asker:
    """Return what asks the embedding model; a run that is replayed answers from what was recorded."""
    run_agent = services_of(context).asker.agent
    if run_agent.is_replay:
        return services_of(context).asker
    name = inputs.model or load_settings().embedding_model
    if name is None:
        raise NoModelError(
            "no embedding model is set: name one in the inputs (model: NAME) or with RAMIFY_EMBEDDING_MODEL=NAME;"
            f" {HASHING} is built in, not a language model"
        )

    def make() -> Agent:
        base_url, api_key = run_agent.server
        model: EmbeddingModel = HashingEmbeddings(dimensions=inputs.dimensions)
        if name != HASHING:
            model = open_embeddings(name, base_url=base_url, api_key=api_key, dimensions=inputs.dimensions)
        return Agent(model, settings=run_agent.settings)

    return services_of(context).asker_like((name, inputs.dimensions), make)
