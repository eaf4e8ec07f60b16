"""From variables to a reply that was read: render, call, read, and once, if it was malformed, repair."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from ramify.planner.errors import ModelError
from ramify.planner.models.listening import Listener
from ramify.planner.models.protocol import ModelReply, ModelRequest
from ramify.planner.store.records import CallRecord
from ramify.prompts.blocks import DEFAULT_BUDGET, make_nonce, texts_of
from ramify.prompts.rendered import Message
from ramify.prompts.variables import PromptVariables, RepairVariables
from ramify.tasks import ReplyError, Task
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.parts import Room
from ramify.tasks.replies.answers import without_thoughts

from .agent import Agent
from .caller import Caller
from .clean_words import CleanListener
from .fitter import Fitter, Question
from .schemas import Place
from .windows import Make

T = TypeVar("T")


class Asker:
    """Asks one agent's model the questions of one run.

    Args:
        agent: whose prompts and settings are used.
        caller: makes the calls.
        nonce_seed: what the delimiters of data blocks are made from; the same on resume, so that requests are too.

    Attributes:
        fitter: puts its questions.
        refuses_tool_choice: whether the model's server takes requests only without a `tool_choice`.
    """

    def __init__(self, agent: Agent, caller: Caller, *, nonce_seed: str) -> None:
        self.agent = agent
        self.fitter = Fitter(agent.model, caller)
        self._caller = caller
        self._nonce_seed = nonce_seed
        self.refuses_tool_choice = False

    async def ask(
        self,
        task: Task,
        variables: PromptVariables,
        read: Callable[[ModelReply], T],
        *,
        attempt: int = 0,
        sample: int = 0,
        schema: Mapping[str, Any] | None = None,
        repairs: bool = True,
        whole: bool = False,
        listener: Listener | None = None,
        earlier: tuple[Message, ...] | None = None,
    ) -> T:
        """Return what `read` makes of the reply; a malformed one is put to the model once more, with the complaint.

        Args:
            task: the task that it is asked for.
            variables: what the prompt is rendered from.
            read: returns what a reply says, or raises `ReplyError`.
            attempt: the attempt at the task.
            sample: which of several answers to the same question, from 0.
            schema: what the reply has to fit where the model can be held to that; `read` has to read tags as well.
            repairs: whether a malformed reply is put to the model once more; it is not, when answers are voted on.
            whole: whether the prompt shows all of its data or is not asked.
            listener: hears the reply, and that to a repair, while it comes.
            earlier: what was said before in a conversation that may go on after it too, the system message first; it
                is none for a repair. None if it is not to go on.

        Raises:
            HeardError: if the reply broke off, and the listener keeps some of what it has heard.
            TooLongError: if the model cannot read the `whole`.
            ModelError: if the call failed, or a limit of length has cut its reply and that to a shorter question.
            TruncatedReplyError: if the reply was cut otherwise; it is not repaired but has to be asked again.
            ReplyError: if the reply is malformed, and after the repair again; it is quoted. A model that gives up on a
                repair has said nothing about the task.
        """
        inquiry = _Inquiry(task, variables, read, attempt, sample, repairs, whole, listener, earlier)
        if schema is None:
            return await self._asked(inquiry, None)
        schemas, wish = self._caller.schemas, self.agent.settings.constrain
        async with schemas.turn(schema, wish, inquiry.place(variables)) as is_sent:
            if not is_sent:
                return await self._asked(inquiry, None)
            try:
                return await self._asked(inquiry, schema)
            except ModelError as error:
                if not schemas.may_refuse(error, wish):
                    raise
                refusal = error
            found = await self._asked(inquiry, None)
            schemas.refused(refusal, schema, task)
            return found

    async def _asked(self, inquiry: "_Inquiry[T]", schema: Mapping[str, Any] | None) -> T:
        """Return what the reply to an inquiry says, which is asked for by a schema or in tags, and repaired once."""
        variables = inquiry.variables if schema is None else inquiry.variables.model_copy(update={"as_json": True})
        nonces = [self.nonce(texts_of(variables))]
        try:
            return await self._reply_to(inquiry, variables, schema, nonces)
        except TruncatedReplyError:
            raise
        except ReplyError as error:
            if not inquiry.repairs:
                raise
            complaint = error
        repair = await self._repair_of(inquiry, schema, complaint)
        nonces.append(self.nonce(texts_of(repair)))
        found = await self._reply_to(inquiry, repair, schema if repair.as_json else None, nonces)
        failed = getattr(found, "failed", None)
        if failed is None:
            return found
        words = f"{complaint.complaint}; asked to repair it, the model gave up ({failed.reason}: {failed.detail})"
        raise ReplyError(words, reply=complaint.reply)

    async def _reply_to(
        self,
        inquiry: "_Inquiry[T]",
        variables: PromptVariables,
        schema: Mapping[str, Any] | None,
        nonces: Sequence[str],
    ) -> T:
        is_first = variables.template == inquiry.variables.template
        earlier = inquiry.earlier if is_first else None
        make = self._maker(variables, schema, nonce=nonces[-1], asked=inquiry.variables, earlier=earlier)

        def read(reply: ModelReply) -> T:
            if schema is not None:
                self._caller.schemas.answered(reply, self.agent.settings.constrain, inquiry.task)
            return _read_clean(inquiry.read, reply, nonces)

        whole = inquiry.whole and is_first
        listener = inquiry.listener
        if listener is not None:
            place = inquiry.place(inquiry.variables)
            listener = CleanListener(listener, nonces, partial(self._caller.schemas.begins, place=place))
        question = Question(inquiry.task, make, inquiry.attempt, inquiry.sample, whole, listener)
        return await self.fitter.found(question, read, tries_less=inquiry.repairs)

    async def _repair_of(
        self, inquiry: "_Inquiry[T]", schema: Mapping[str, Any] | None, error: ReplyError
    ) -> RepairVariables:
        """Return what a malformed reply is put to the model with: by the schema too, as long as one is kept to."""
        variables = inquiry.variables
        repair = RepairVariables(
            task_id=variables.task_id,
            contract="",
            complaint=error.complaint,
            reply=error.reply,
            **self.agent.prompt_settings,
        )
        wish, place = self.agent.settings.constrain, inquiry.place(repair)
        as_json = schema is not None and await self._caller.schemas.is_sent(schema, wish, place)
        contract = self._contract(variables, as_json=as_json)
        return repair.model_copy(update={"contract": contract, "as_json": as_json})

    async def whole_reply(self, task: Task, request: ModelRequest, *, attempt: int, sample: int = 0) -> ModelReply:
        """Return the reply to a request of the caller's own; one that is cut by a limit of length is asked for shorter.

        Args:
            task: the task that it is asked for.
            request: the question.
            attempt: the attempt at the task.
            sample: which of several answers to the same question, from 0.

        Raises:
            LimitError: if a limit forbids the call.
            ModelError: if it failed, or was cut again.
        """

        def read(reply: ModelReply) -> ModelReply:
            if reply.finish_reason == "length":
                raise TruncatedReplyError("the reply was cut by the length limit", reply=reply.text)
            return reply

        return await self.fitter.found(Question(task, lambda _: request, attempt, sample), read, tries_less=True)

    async def calls_tools(self) -> bool:
        """Return whether the model is to call tools by itself: it can, or is said to, and its server lets tools pass.

        Raises:
            ModelError: if the server cannot be asked.
            LimitError: if it has been out of reach for too long.
        """
        is_native = await asyncio.to_thread(lambda: self.agent.calls_tools)  # it may have to load litellm
        return is_native and await self._caller.takes_tools()

    async def call(self, task: Task, request: ModelRequest, *, attempt: int) -> ModelReply:
        """Return the reply to a request of the caller's own, from the journal if it had arrived before.

        Raises:
            LimitError: if a limit forbids the call.
            ModelError: if it failed.
        """
        return await self._caller.call(task, request, attempt=attempt)

    def _contract(self, variables: PromptVariables, *, as_json: bool) -> str:
        contract = self.agent.prompts.contract_of(variables.template, as_json=as_json)
        form = getattr(variables, "format", None)
        return f"{contract}\n\nWhat the result itself has to be:\n{form}" if form else contract

    def begun_before(self, task: Task, *, attempt: int) -> Collection[int]:
        """Return how many tasks of the plan of `task` were there in the questions for it that are answered already."""
        return self._caller.begun.get((task.id, "decompose", attempt), set())

    def steps_of(self, task_id: str) -> int | None:
        """Return how much each prompt showed when the answer of a task was composed in steps before."""
        steps: int | None = self._caller.notes.get(task_id, {}).get("steps")
        return steps

    def note_steps(self, task_id: str, budget: int) -> None:
        """Have the records of the calls of a task say how much each prompt shows, for who resumes or replays it."""
        self._caller.notes[task_id] = {"steps": budget}

    def room(self, bare: PromptVariables) -> Room:
        """Return how much of documents the prompt of `bare` variables, which have none, has room for."""
        return self._caller.window.room(self._maker(bare, None, nonce=self.nonce(()))(DEFAULT_BUDGET))

    def nonce(self, data: Iterable[str]) -> str:
        """Return what delimits `data` in a prompt: the same for all prompts of the run, unless `data` hold it."""
        return make_nonce(self._nonce_seed, data=data)

    def was_cut(self, task: Task, purpose: str, *, attempt: int) -> bool:
        """Return whether a prompt for a task was answered that showed less than all of its data."""
        return any(slot[:3] == (task.id, purpose, attempt) for slot in self._caller.budgets)

    def recall(self, calls: Iterable[CallRecord]) -> None:
        """Take the replies of `calls` instead of asking the same once more."""
        self._caller.recall(calls)

    def _maker(
        self,
        variables: PromptVariables,
        schema: Mapping[str, Any] | None,
        *,
        nonce: str,
        asked: PromptVariables | None = None,
        earlier: tuple[Message, ...] | None = None,
    ) -> Make:
        def make(budget: int) -> ModelRequest:
            prompt = self.agent.prompts.render(variables, nonce=nonce, budget=budget)
            request = self.agent.request(prompt, asked=asked)
            if earlier is not None:
                new = (each for each in prompt.messages if each["role"] != "system" or not earlier)
                request = replace(request, messages=(*earlier, *new), goes_on=True)
            return request if schema is None else replace(request, schema=schema)

        return make


@dataclass(frozen=True, slots=True)
class _Inquiry(Generic[T]):
    """What is to be found out about a task, in whatever words; see `Asker.ask`."""

    task: Task
    variables: PromptVariables
    read: Callable[[ModelReply], T]
    attempt: int
    sample: int
    repairs: bool
    whole: bool
    listener: Listener | None
    earlier: tuple[Message, ...] | None

    def place(self, asked: PromptVariables) -> Place:
        """Return the place of one of its questions."""
        return self.task.id, asked.template, self.attempt, self.sample


def refuse_delimiters(text: str, nonces: Iterable[str]) -> None:
    """Raise `ReplyError` if a reply holds what delimits data in its request, which no data holds; thoughts may.

    Args:
        text: the reply.
        nonces: those of the request, and of the one before it.
    """
    marks = [f"data-{nonce}" for nonce in nonces]
    if any(mark in text for mark in marks) and any(mark in without_thoughts(text) for mark in marks):
        words = "the reply holds `<data-...>` tags, which delimit material in the request; give it without them"
        raise ReplyError(words, reply=text)


def _read_clean(read: Callable[[ModelReply], T], reply: ModelReply, nonces: Iterable[str]) -> T:
    found = read(reply)
    refuse_delimiters(reply.text, nonces)
    return found
