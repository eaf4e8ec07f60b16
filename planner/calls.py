"""One model call of a run: answered from the journal if its reply had arrived before, else made and written down.

A reply is on disk before anyone reads it. The key of a recorded call is its task, purpose, attempt, sample and the
hash of its request; resuming asks the same questions and finds the same answers.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack

from ramify.tasks import Task

from .budget import Budget
from .events import EventType
from .failpoints import failpoint
from .limits import RateLimiter
from .models.protocol import Model, ModelReply, ModelRequest
from .outage import OutageGate
from .recorder import Recorder
from .store.changes import CallMade
from .store.records import CallKey, CallRecord


class Caller:
    """Makes the calls of one run to one model.

    Args:
        model: who answers.
        recorder: where replies are written.
        budget: what calls may cost.
        gate: holds calls back while the model is out of reach.
        limiter: how often calls may start; it slows down when the model wants fewer.
        recorded: the replies that had arrived before the run was resumed.
    """

    def __init__(
        self,
        model: Model,
        recorder: Recorder,
        budget: Budget,
        gate: OutageGate,
        limiter: RateLimiter,
        *,
        recorded: Iterable[CallRecord] = (),
    ) -> None:
        self._model = model
        self._recorder = recorder
        self._budget = budget
        self._gate = gate
        self._limiter = limiter
        self._recorded = {call.key: call.reply for call in recorded}

    async def call(self, task: Task, request: ModelRequest, *, attempt: int, sample: int = 0) -> ModelReply:
        """Return the reply to `request`, asked for `task` in its attempt number `attempt`, from 1.

        Raises:
            LimitError: if a limit forbids the call.
            ModelError: if it failed, and waiting would not help.
            NoModelError: if the model cannot do such work.
        """
        name = self._model.name
        key = CallKey(task.id, request.purpose, attempt, sample, 0, request.sha256(name))
        if key in self._recorded:
            reply = ModelReply.from_data(self._recorded[key])
            self._tell(task, request, reply, recorded=True)
            return reply
        started_at = time.time()
        reply = await self._gate.pass_through(lambda: self._attempt(task, request))
        failpoint("before-reply-commit")
        task.usage += reply.usage()
        call = CallRecord(
            key=key,
            model=name,
            request=request.to_wire(name),
            reply=reply.to_data(),
            started_at=started_at,
            latency_s=reply.latency_s,
            prompt_version=request.prompt_version,
            prompt_sha256=request.prompt_sha256,
        )
        await self._recorder.writer.commit(CallMade.of(call))
        self._tell(task, request, reply, recorded=False)
        return reply

    async def _attempt(self, task: Task, request: ModelRequest) -> ModelReply:
        async with AsyncExitStack() as stack:
            for rate in self._budget.rates(task):
                await stack.enter_async_context(rate)
            await stack.enter_async_context(self._limiter)
            self._budget.reserve(task)
            reply = None
            try:
                async with asyncio.timeout(request.timeout_s):
                    reply = await self._model.complete(request)
            finally:
                self._budget.settle(task, None if reply is None else reply.usage())
            return reply

    def _tell(self, task: Task, request: ModelRequest, reply: ModelReply, *, recorded: bool) -> None:
        self._recorder.put(
            EventType.CALL_DONE,
            task,
            purpose=request.purpose,
            recorded=recorded,
            latency_s=round(reply.latency_s, 6),
            tokens=reply.input_tokens + reply.output_tokens,
            cost_usd=reply.cost_usd,
        )
