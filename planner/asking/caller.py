"""One model call of a run: answered from the journal if its reply had arrived before, else made and written down.

A reply is on disk before anyone reads it. The key of a recorded call is its task, purpose, attempt, sample and the
hash of its request; resuming asks the same questions and finds the same answers. With a cache, an answer to the same
request in any run of the store is taken instead of a new call: it is written down as taken, and costs nothing.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from ramify.planner.errors import HeardError, ModelError, PlannerError
from ramify.planner.events.events import EventType
from ramify.planner.events.failed_calls import Begun, failed_call
from ramify.planner.events.losses import Loss
from ramify.planner.events.recorder import Recorder
from ramify.planner.models.listening import Listener
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest, facts_of
from ramify.planner.models.unanswered import used_without_reply
from ramify.planner.models.watching import Heard, complete_watched
from ramify.planner.runtime.failpoints import failpoint
from ramify.planner.runtime.redaction import Redactor
from ramify.planner.settings.options import MOST_SEED
from ramify.planner.store.changes import CallMade, TaskChanged
from ramify.planner.store.records import CallKey, CallRecord
from ramify.planner.work.context import SAMPLES_A_MEMBER
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.tasks import Task, Usage
from ramify.tasks.parts import part_data
from ramify.tasks.prompt_variables import is_part
from ramify.tasks.tree.config import NO_USAGE
from ramify.tasks.tree.running import spend

from .budget import Budget
from .caps import Caps
from .outage import OutageGate
from .prefixes import Prefixes
from .rates import RateLimiter
from .schemas import Schemas
from .windows import Window

_LOOK_S = 1.0
"""How long a call that looks whether a server is back may take before it is told as a call, in seconds."""

Slot = tuple[str, str, int, int, int]
"""What tells a question from the others of a run: task, purpose, attempt, sample, step."""

Cache = Callable[[CallKey], tuple[str, Mapping[str, Any]] | None]
"""Finds the answer that another call has got to the same request, after the run that it was made in."""


class Caller:
    """Makes the calls of one run to one model.

    Args:
        model: who answers.
        recorder: where replies are written.
        budget: what calls may cost.
        gate: holds calls back while the model is out of reach.
        limiter: how often calls may start; it slows down when the model wants fewer.
        seed: what the run's key for caches of providers is made from.
        window: how many tokens the model reads, if the user has said so; else its server is asked.
        recorded: the replies that had arrived before the run was resumed.
        cache: where answers to the same request are looked up; None asks the model every time.
        redactor: blots secrets out of what is written and of what comes back.
    """

    def __init__(
        self,
        model: Model,
        recorder: Recorder,
        budget: Budget,
        gate: OutageGate,
        limiter: RateLimiter,
        *,
        seed: str,
        window: int | None = None,
        recorded: Iterable[CallRecord] = (),
        cache: Cache | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._redactor = redactor or Redactor()
        self._model = model
        self._cache = cache
        self._recorder = recorder
        self._budget = budget
        self._gate = gate
        self._limiter = limiter
        self.window = Window(window, is_said=window is not None)
        self.schemas = Schemas(model, recorder.warn)
        self._prefixes = Prefixes(model, recorder.warn, seed=seed)
        self.budgets: dict[Slot, int] = dict(getattr(model, "budgets", ()))
        recorded_steps: Mapping[str, int] = getattr(model, "recorded_steps", {})
        self.notes: dict[str, dict[str, Any]] = {task_id: {"steps": steps} for task_id, steps in recorded_steps.items()}
        self.begun: dict[tuple[str, str, int], set[int]] = {}
        self._caps = Caps(model)
        self._cuts: set[tuple[str, str]] = set()
        self._recorded: dict[CallKey, Mapping[str, Any]] = {}
        self.recall(recorded)

    async def window_tokens(self) -> int | None:
        """Return how many tokens the model can read, asking its server if need be; None if nobody says."""
        if self.window.tokens is None:
            with suppress(ModelError):  # that nobody says it now is no failure of what it is asked for
                self.window.tokens = (await facts_of(self._model)).window
        return self.window.tokens

    async def takes_tools(self) -> bool:
        """Return whether tools that are sent along reach the model, as far as its server says.

        Raises:
            ModelError: if the server cannot be asked.
            LimitError: if it has been out of reach for too long.
        """
        facts = await self._gate.pass_through(lambda: facts_of(self._model))
        return facts.takes_tools is not False

    def recall(self, calls: Iterable[CallRecord]) -> None:
        """Take the replies of `calls` instead of asking the same once more."""
        for call in calls:
            self._recorded[call.key] = call.reply
            self.schemas.recall(call)
            if call.reply.get("has_thought"):
                self._caps.lift()
            if (cut := call.request.get("cut")) is not None:
                self.budgets[call.key[:-1]] = cut["budget"]
            if call.key.purpose == "decompose":
                self.begun.setdefault(call.key[:3], set()).add(call.request.get("begun", 0))
            if (steps := call.request.get("steps")) is not None:
                self.notes[call.key.task_id] = {"steps": steps}

    async def call(
        self,
        task: Task,
        request: ModelRequest,
        *,
        attempt: int,
        sample: int = 0,
        step: int = 0,
        budget: int | None = None,
        listener: Listener | None = None,
    ) -> ModelReply:
        """Return the reply to `request`, asked for `task` in its attempt number `attempt`, from 1.

        Args:
            task: the task that it is asked for.
            request: the question.
            attempt: the attempt at the task.
            sample: which of several answers to the same question, from 0.
            step: which turn of a conversation, from 0.
            budget: the budget of its data, with which the same request can be made again.
            listener: hears its words while they come, unless they had arrived before.

        Raises:
            HeardError: if it failed in a way that waiting may mend, and the listener keeps some of what it has heard.
            LimitError: if a limit forbids the call.
            ModelError: if it failed, and waiting would not help.
            NoModelError: if the model cannot do such work.
        """
        name = self._model.name
        request = _drawn_otherwise(replace(request, attempt=attempt, sample=sample))
        key = CallKey(task.id, request.purpose, attempt, sample, step, request.sha256(name))
        noted: dict[str, Any] = dict(self.notes.get(task.id, ()))
        if is_part(task):
            noted["part"] = part_data(task)
        if begun := getattr(request.variables, "begun", None):
            noted |= {"begun": len(begun), "there": [_fields_of(each) for each in task.subtasks if each.id in begun]}
        if request.data_shown < request.data_given:
            noted["cut"] = {"budget": budget, "shown": request.data_shown, "given": request.data_given}
        if key in self._recorded:
            reply = ModelReply.from_data(self._recorded[key])
            self._recorder.put(EventType.CALL_DONE, task, **self._told(request, reply, recorded=True))
            self._tell_cut(task, request)
            return reply
        started_at = time.time()
        cached = await self._cached(key)
        if cached is not None:
            reply = self._without_secrets(cached)
        else:
            reply = await self._prefixes.ask(task, request, partial(self._asked, listener=listener))
        failpoint("before-reply-commit")
        spend(task, reply.usage())
        call = CallRecord(
            key=key,
            model=name,
            request=self._redactor.data(request.to_wire(name)) | noted,
            reply=reply.to_data(),
            started_at=started_at,
            latency_s=reply.latency_s,
            prompt_version=request.prompt_version,
            prompt_sha256=request.prompt_sha256,
        )
        told = self._told(request, reply, recorded=reply.taken_from is not None)
        await self._recorder.commit(EventType.CALL_DONE, task, CallMade.of(call), TaskChanged.of(task), **told)
        self._tell_cut(task, request)
        if reply.stopped and reply.taken_from is None:
            ended = "its text up to then is used" if reply.finish_reason == "stop" else "its reply was stopped"
            self._recorder.warn(f"task {task.id} ({request.purpose}): {reply.stopped}; {ended}", task)
        return reply

    async def _cached(self, key: CallKey) -> ModelReply | None:
        """Return what another call has answered to the same request; None if there is no such answer.

        Models without a `prompt_budget` read more than the words of a request, so its words do not make it the same.
        """
        if self._cache is None or getattr(self._model, "prompt_budget", DEFAULT_BUDGET) is None:
            return None
        found = await asyncio.to_thread(self._cache, key)
        if found is None:
            return None
        run_id, data = found
        reply = ModelReply.from_data(data)
        return replace(reply, taken_from=reply.taken_from or run_id, latency_s=0.0)

    async def _asked(self, task: Task, request: ModelRequest, listener: Listener | None) -> ModelReply:
        """Return the reply to `request`, which is asked without its default cap if that may be why there is none."""
        capped = self._caps.put_on(request)
        try:
            reply = await self._gate.pass_through(lambda: self._attempt(task, capped, listener))
        except ModelError as error:
            if not (why := self._caps.lifted_by(capped, error)):
                raise
            self._recorder.warn(why, task)
            reply = await self._gate.pass_through(lambda: self._attempt(task, replace(capped, cap=None), listener))
        if reply.has_thought:
            self._caps.lift()
        return reply

    async def _attempt(self, task: Task, request: ModelRequest, listener: Listener | None) -> ModelReply:
        async with AsyncExitStack() as stack:
            for rate in self._budget.rates(task):
                await stack.enter_async_context(rate)
            await stack.enter_async_context(self._limiter)
            await self._budget.passed()
            self._budget.reserve(task)
            begun = partial(
                self._recorder.put,
                EventType.CALL_STARTED,
                task,
                purpose=request.purpose,
                model=self._model.name,
            )
            heard, started = Heard(), time.perf_counter()
            look = _Look(begun, is_look=self._gate.is_closed)
            try:
                with self._recorder.bus.calling(self._model, self._shown(request)) as tell:
                    reply = await complete_watched(self._model, request, listener, heard=heard)
                    reply = self._without_secrets(reply)
                    if reply.stopped and not reply.input_tokens:  # its server was left before it counted them
                        reply = replace(reply, input_tokens=self.window.tokens_of(request))
                    tell(reply)
                    look.tell()
            except BaseException as error:
                self._count_failed(task, request, error, look, heard, seconds=time.perf_counter() - started)
                if listener is not None and listener.keeps and isinstance(error, ModelError):
                    raise HeardError(error) from error
                raise
            finally:
                look.end()
            self._settle(task, reply.usage())
            return reply

    def _settle(self, task: Task, used: Usage) -> None:
        self._budget.settle(task, used)
        if used.calls_without_cost and (told := self._budget.told_unpriced(self._model.name, task)):
            self._recorder.warn(told, task, limit="max_cost_usd")

    def _count_failed(
        self, task: Task, request: ModelRequest, error: BaseException, look: "_Look", heard: Heard, *, seconds: float
    ) -> None:
        """Count a call that has ended without a reply; of one that broke off before its usage was told, what came."""
        used = NO_USAGE if getattr(self._model, "is_person", False) else used_without_reply(error)
        told = {}
        if used.calls and not used.tokens and heard.tokens:
            used = replace(used, input_tokens=self.window.tokens_of(request), output_tokens=heard.tokens)
            told = {"estimated": True}
        if used is not NO_USAGE:
            spend(task, used)
        with suppress(PlannerError):  # where nothing can be written any more, that is told by whoever must write
            self._settle(task, used)
            if used is NO_USAGE and not look.is_told:
                return
            look.tell()
            self._recorder.put(
                EventType.CALL_FAILED,
                task,
                TaskChanged.of(task),
                **failed_call(Begun(task.id, request.purpose, self._model.name), error, used, latency_s=seconds),
                **told,
            )

    def _shown(self, request: ModelRequest) -> ModelRequest:
        """Return the request as those who watch calls may see it."""
        messages = self._redactor.data(request.messages)
        return request if messages is request.messages else replace(request, messages=tuple(messages))

    def _without_secrets(self, reply: ModelReply) -> ModelReply:
        return ModelReply.from_data(self._redactor.data(reply.to_data())) if self._redactor else reply

    def _told(self, request: ModelRequest, reply: ModelReply, *, recorded: bool) -> dict[str, Any]:
        """Return what the event of a reply holds."""
        taken_from = {} if reply.taken_from is None else {"taken_from": reply.taken_from}
        return {
            "purpose": request.purpose,
            "recorded": recorded,
            "latency_s": round(reply.latency_s, 6),
            "tokens": 0 if taken_from else reply.input_tokens + reply.output_tokens,
            "cost_usd": 0.0 if taken_from else reply.cost_usd,
            **taken_from,
            **({"cached_tokens": reply.cached_tokens} if reply.cached_tokens and not taken_from else {}),
        }

    def _tell_cut(self, task: Task, request: ModelRequest) -> None:
        """Say, once for a task and purpose, if the prompt shows less than all of its data."""
        reads_words = getattr(self._model, "prompt_budget", DEFAULT_BUDGET) is not None
        key = task.id, request.purpose
        if request.data_shown >= request.data_given or not reads_words or key in self._cuts:
            return
        self._cuts.add(key)
        loss = Loss(*key, request.data_shown, request.data_given, self.window.tokens)
        self._recorder.put(EventType.PROMPT_CUT, task, **loss.to_data())


def _drawn_otherwise(request: ModelRequest) -> ModelRequest:
    """Return `request`, with another seed if it is a later sample of a vote: equal seeds would make equal votes."""
    seed, number = request.sampling.seed, request.sample % SAMPLES_A_MEMBER
    if seed is None or number == 0:
        return request
    seed += number if seed <= MOST_SEED - number else -number
    return replace(request, sampling=replace(request.sampling, seed=seed))


class _Look:
    """When it is told that a call has begun: at once, or for one that looks whether a server is back, if it is there.

    A server that is away answers a look at once or not at all, so that one which is still under way after a moment is a
    call as every other; the many before it are no events.
    """

    def __init__(self, tell: Callable[[], None], *, is_look: bool) -> None:
        self._tell = tell
        self._later: asyncio.TimerHandle | None = None
        self.is_told = False
        if is_look:
            self._later = asyncio.get_running_loop().call_later(_LOOK_S, self._tell_late)
        else:
            self.tell()

    def end(self) -> None:
        """Tell nothing more."""
        if self._later is not None:
            self._later.cancel()

    def _tell_late(self) -> None:
        with suppress(PlannerError):  # that nothing can be written any more is told by whoever must write
            self.tell()

    def tell(self) -> None:
        """Tell it, if it has not been told."""
        if not self.is_told:
            self.is_told = True
            self._tell()


def _fields_of(task: Task) -> dict[str, Any]:
    """Return a subtask that a plan begins with as what it can be made from again."""
    fields = {"id": task.id, "content": task.content, "type": task.type, "dependencies": [*task.dependencies]}
    return {name: value for name, value in fields.items() if value}
