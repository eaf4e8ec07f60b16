"""Doing a task with tools: each content makes the next one, as the table of transitions allows, up to an answer.

All is in the journal: a reply before it is read, an outcome before the model is told. So a run that is killed goes on
in the middle of the conversation: it asks for no reply that had arrived, and makes no call that was made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ramify.planner.asking.asker import refuse_delimiters
from ramify.planner.asking.reading import reads_whole
from ramify.planner.errors import ModelError, WorkFailedError
from ramify.planner.events.events import EventType
from ramify.planner.models.protocol import REQUIRED, ModelReply, ModelRequest
from ramify.planner.models.retry import FailureKind
from ramify.planner.store.records import StepKey
from ramify.planner.tools.contents import Call, Content, Conversation, Script
from ramify.planner.tools.protocol import Tool
from ramify.planner.tools.transitions import End, Kind, When
from ramify.planner.work.context import WorkContext
from ramify.planner.workers.lengths import not_too_long
from ramify.prompts import ComposeVariables, ExecuteVariables, Material
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.prompts.variables import PromptVariables, ToolOutcome
from ramify.tasks import ReplyError
from ramify.tasks.checks import schema_of
from ramify.tasks.replies.answers import Answer, parse_answer, without_thoughts
from ramify.tasks.replies.json_answers import read_json_answer
from ramify.tasks.replies.json_calls import calls_written_as_json
from ramify.tasks.replies.tool_calls import MOST_CALLS, WrittenCall, parse_tool_reply

from .refusals import refusal_of
from .services import services_of
from .tool_calls import ReadyCall, make_call, read_call
from .tool_choice import refuse_without_call
from .tool_places import GIVEN_UP, member_of, place_in

if TYPE_CHECKING:
    from ramify.planner.asking.asker import Asker

MOST_TURNS = 20
"""How many replies a conversation may take, unless the task says otherwise with `max_turns`."""

MOST_REPAIRS = 3
"""How often in a row a model may be told that its reply cannot be used."""

_MAY_BE_OF_THE_CHOICE = frozenset({FailureKind.BAD_REQUEST, FailureKind.UNSUPPORTED})
"""How servers refuse a request because of its `tool_choice`, or of something else in it: a try without it tells."""


class ToolLoop:
    """The conversation about one task, in one attempt at it.

    Args:
        context: the task's.
        asker: asks the agent.
        tools: its tools, by name.
        opening: what the first prompt is made from.
        is_native: whether its model calls tools by itself.
        required: `REQUIRED`, or the tool that has to be called before the answer; None if none has to be.
    """

    def __init__(
        self,
        context: WorkContext,
        asker: "Asker",
        tools: Mapping[str, Tool],
        opening: ExecuteVariables | ComposeVariables,
        *,
        is_native: bool,
        required: str | None = None,
    ) -> None:
        self._context = context
        self._task = context.task
        self._asker = asker
        self._tools = tools
        self._variables = opening
        self._is_native = is_native
        self._required = self._due = required
        self._max_turns = context.config.max_turns or MOST_TURNS
        self._turns = 0
        self._misses = 0
        self._nonce = ""
        self._budget = DEFAULT_BUDGET
        self._conversation = Conversation(When.TOOLS, *[When.NATIVE] * is_native)
        self._answer: Answer | None = None
        self._makes_next: Mapping[Kind, Callable[[Content], Awaitable[None]]] = {
            Kind.USER_MESSAGE: self._ask,
            Kind.STRUCTURED_MESSAGE: self._read,
            Kind.ASSISTANT_MESSAGE: self._take_answer,
            Kind.TOOL_CALL: self._make_calls,
            Kind.TOOL_RESULT: self._ask,
            Kind.ERROR_REPORT: self._mend,
            Kind.SYSTEM_MESSAGE: self._ask,
        }

    async def run(self) -> Answer:
        """Return the model's answer.

        Raises:
            ReplyError: if its replies could not be used, time and again.
            WorkFailedError: if it came to no answer in the turns that it has.
            WaitingError: if a person has to say how it goes on.
        """
        services = services_of(self._context)
        steps = services.steps.of(self._task.id)
        self._place = place_in(steps, self._context, lambda error: self._sha256_of(self._first(error)))
        if self._context.attempt > 1 or steps:  # what was asked before, in this attempt or another, is in the journal
            self._asker.recall(await asyncio.to_thread(services.store.calls, services.run_id, self._task.id))
        self._script, contents = self._first(self._place.error)
        self._opening = self._sha256_of((self._script, contents))
        for content in contents:
            self._conversation.add(content)
        while self._answer is None:
            last = self._conversation.last
            await self._makes_next[last.kind](last)
        self._conversation.end(End.TERMINATION)
        return self._answer

    def _first(self, last_error: str | None) -> tuple[Script, list[Content]]:
        """Return the conversation as it begins."""
        agent = self._asker.agent
        opening = self._variables.model_copy(update={"last_error": last_error})
        script = Script(
            prompts=agent.prompts,
            opening=opening,
            tools=tuple(self._tools.values()),
            is_native=self._is_native,
            required=self._required,
        )
        contents = [Content(kind=Kind.USER_MESSAGE, text=self._task.content)]
        if materials := materials_in(opening):
            names = ", ".join(material.name for material in materials)
            contents.insert(0, Content(kind=Kind.UPLOADED_FILES, text=names))
        return script, contents

    def _sha256_of(self, first: tuple[Script, list[Content]]) -> str:
        return self._request(*first, DEFAULT_BUDGET).sha256(self._asker.agent.model.name)

    def _request(self, script: Script, contents: Sequence[Content], budget: int) -> ModelRequest:
        agent = self._asker.agent
        nonce = self._asker.nonce(script.texts(contents))
        self._nonce = nonce
        prompt = agent.prompts.render(script.opening, nonce=nonce, budget=budget)
        return script.fill(agent.request(prompt), contents, nonce=nonce, budget=budget)

    async def _ask(self, _: Content) -> None:
        due = self._due if self._is_native and not self._is_last() and not self._asker.refuses_tool_choice else None
        try:
            reply = await self._reply(due)
        except ModelError as error:
            if due is None or error.kind not in _MAY_BE_OF_THE_CHOICE:
                raise
            reply = await self._reply(None)
            self._asker.refuses_tool_choice = True
            words = f"{error}; only the prompt says which tool to call"
            told = f"task {self._task.id} sends no tool_choice: {words}"
            self._context.services.recorder.put(EventType.WARNING, self._task, message=told)
        self._turns += 1
        self._conversation.add(self._content_of(reply))

    async def _reply(self, choice: str | None) -> ModelReply:
        contents = self._conversation.contents
        reply, self._budget = await self._asker.fitter.fitting(
            self._task,
            lambda budget: replace(self._request(self._script, contents, budget), tool_choice=choice),
            attempt=self._place.label,
            sample=self._context.first_sample,
            step=self._turns,
            budget=self._budget,
            whole=self._turns == 0 and reads_whole(materials_in(self._script.opening), self._asker.agent),
        )
        return reply

    def _content_of(self, reply: ModelReply) -> Content:
        text = without_thoughts(reply.text)
        if not self._is_native:
            return Content(kind=Kind.STRUCTURED_MESSAGE, text=text, finish_reason=reply.finish_reason)
        if reply.finish_reason in {"length", "content_filter"}:
            return Content(kind=Kind.ASSISTANT_MESSAGE, text=text, finish_reason=reply.finish_reason)
        if not reply.tool_calls:
            calls = self._numbered(calls_written_as_json(text, self._tools))
            return Content(
                kind=Kind.TOOL_CALL if calls else Kind.ASSISTANT_MESSAGE, text="" if calls else text, calls=calls
            )
        taken = {call.id for each in self._conversation.contents for call in each.calls}
        wished = []
        for number, wish in enumerate(reply.tool_calls, 1):
            call_id = wish.id if wish.id and wish.id not in taken else f"call_{self._turns}_{number}"
            taken.add(call_id)
            wished.append(Call(id=call_id, tool=wish.name, arguments=wish.arguments))
        return Content(kind=Kind.TOOL_CALL, text=text, calls=tuple(wished))

    def _numbered(self, written: Sequence[WrittenCall]) -> tuple[Call, ...]:
        return tuple(
            Call(id=f"call_{self._turns}_{number}", tool=wish.tool, arguments=wish.arguments)
            for number, wish in enumerate(written, 1)
        )

    async def _read(self, content: Content) -> None:
        if content.finish_reason not in {"length", "content_filter"}:
            calls = self._numbered(calls_written_as_json(content.text, self._tools))
            if calls:
                self._conversation.add(Content(kind=Kind.TOOL_CALL, calls=calls), When.COMMAND)
                return
        try:
            found = parse_tool_reply(content.text, finish_reason=content.finish_reason)
        except ReplyError as error:
            self._report(error)
            return
        if found.answer is not None:
            answered = Content(kind=Kind.ASSISTANT_MESSAGE, text=found.answer.text, answer=found.answer)
            self._conversation.add(answered, When.ANSWER)
            return
        calls = self._numbered(found.calls)
        self._conversation.add(Content(kind=Kind.TOOL_CALL, calls=calls), When.COMMAND)

    async def _take_answer(self, content: Content) -> None:
        try:
            answer = content.answer or parse_answer(content.text, finish_reason=content.finish_reason)
            if answer.failed is None and schema_of(self._task.checks) is not None:
                answer = replace(answer, text=read_json_answer(answer.text)[1])
            if answer.failed is None and self._due is not None:
                refuse_without_call(self._due, content.text)
            if self._task.is_leaf:
                answer = not_too_long(answer, self._context)
            refuse_delimiters(answer.text, [self._nonce])
        except ReplyError as error:
            self._report(error)
            return
        refusal = await refusal_of(self._context, self._key(f"answer {self._turns}"))
        if refusal is None:
            self._answer = answer
        else:  # how often answers are put back is for the checks to say
            self._report(ReplyError(refusal, reply=answer.text))
            self._misses = 0

    async def _make_calls(self, content: Content) -> None:
        if self._turns >= self._max_turns:
            self._report(WorkFailedError(self._out_of_turns(), task_id=self._task.id))
            return
        if len(content.calls) > MOST_CALLS:
            many = f"there are {len(content.calls)} calls; one reply may hold {MOST_CALLS}"
            self._report(ReplyError(many, reply=content.text))
            return
        read = [
            read_call(call, self._tools, self._key(f"turn {self._turns}, call {number}: {call.tool}"), number)
            for number, call in enumerate(content.calls, 1)
        ]
        faults = [each.text for each in read if isinstance(each, ToolOutcome)]
        self._misses = self._misses + 1 if len(faults) == len(read) else 0
        if self._misses > MOST_REPAIRS:
            self._report(ReplyError("; ".join(faults), reply=str([call.arguments for call in content.calls])))
            return
        outcomes = await self._outcomes(read)
        called = {each.tool.name for each in read if isinstance(each, ReadyCall)}
        if called and self._due in {REQUIRED, *called}:
            self._due = None
        self._conversation.add(Content(kind=Kind.TOOL_RESULT, outcomes=outcomes, is_last=self._is_last()))

    def _out_of_turns(self) -> str:
        more = f"ramify resume {self._context.services.run_id} --retry-failed --max-turns {2 * self._turns}"
        used = f"it used its {self._turns} turns (max_turns) without an answer"
        return f"task {self._task.id}: {used}; allow more with `{more}`, or split the task"

    async def _outcomes(self, read: Sequence[ReadyCall | ToolOutcome]) -> tuple[ToolOutcome, ...]:
        """Make the calls that can be made, all at the same time, each to its end, whatever becomes of the others."""
        calls = [make_call(each, self._context, opening=self._opening) for each in read if isinstance(each, ReadyCall)]
        made: dict[int, ToolOutcome] = {}
        for each in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(each, BaseException):
                raise each
            made[each.number] = each
        return tuple(each if isinstance(each, ToolOutcome) else made[each.number] for each in read)

    def _report(self, error: ReplyError | WorkFailedError) -> None:
        self._misses += 1
        text = error.complaint if isinstance(error, ReplyError) else str(error)
        self._conversation.add(Content(kind=Kind.ERROR_REPORT, text=text, error=error), When.UNUSABLE)

    async def _mend(self, content: Content) -> None:
        error = content.error
        if isinstance(error, ReplyError) and self._misses <= MOST_REPAIRS and self._turns < self._max_turns:
            told = Content(kind=Kind.SYSTEM_MESSAGE, text=content.text, is_last=self._is_last())
            self._conversation.add(told, When.REPAIR)
            return
        self._conversation.end(End.ERROR, When.NO_REPAIR)
        if isinstance(error, ReplyError):  # the next attempt begins anew
            services = services_of(self._context)
            await services.recorder.writer.commit(services.steps.note(self._key(GIVEN_UP), content.text))
        if error is not None:
            raise error

    def _is_last(self) -> bool:
        return self._turns + 1 >= self._max_turns

    def _key(self, name: str) -> StepKey:
        return StepKey(self._task.id, self._place.label, f"{member_of(self._context)}{name}")


def materials_in(opening: PromptVariables) -> Sequence[Material]:
    """Return the documents that a first prompt shows."""
    return opening.materials if isinstance(opening, ExecuteVariables) else ()
