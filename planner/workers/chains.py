"""A leaf that goes on with the conversation of a leaf that it needs: `conversation: chain`.

What was said stands in the journal, so the same is said again after a kill. A server's cache has read all of it but the
new question. Whatever of the task's material stands in the conversation is not shown once more.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ramify.planner.asking.budget import Configs
from ramify.planner.asking.reading import reads_words
from ramify.planner.models.protocol import ModelReply
from ramify.planner.store.records import CallRecord
from ramify.planner.work.context import WorkContext
from ramify.prompts import ExecuteVariables
from ramify.prompts.blocks import Group, blocks_of, texts_of
from ramify.prompts.rendered import Message
from ramify.prompts.variables import TaskResult
from ramify.tasks import ReplyError, Task
from ramify.tasks.replies.answers import without_thoughts
from ramify.tasks.tree.node import index_of, walk_up
from ramify.tasks.tree.states import TaskState

from .answers import read_answer, read_json
from .services import services_of

if TYPE_CHECKING:
    from ramify.planner.asking.asker import Asker

CHAIN = "chain"
"""The `conversation` of a task that goes on with that of a task it needs."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The conversation that a task goes on with.

    Attributes:
        task_id: whose it was.
        messages: what was said, the system message first and the answer last.
        variables: what the task's own prompt is rendered from, without what was said.
    """

    task_id: str
    messages: tuple[Message, ...]
    variables: ExecuteVariables


async def chain_before(context: WorkContext, asker: "Asker", variables: ExecuteVariables) -> Chain | None:
    """Return the conversation that the context's task goes on with; None if there is none that its agent has held.

    Args:
        context: the task's.
        asker: asks its agent.
        variables: what its prompt is rendered from where it goes on with none.
    """
    services, agent, task = services_of(context), asker.agent, context.task
    if not reads_words(agent) or asker.was_cut(task, variables.template, attempt=context.attempt):
        return None
    nonce = asker.nonce(texts_of(variables))
    begun = [agent.render(variables.model_copy(update={"as_json": each}), nonce=nonce) for each in (False, True)]
    opening = [_system(prompt.messages) for prompt in begun]
    for before in leaves_before(task, services.configs):
        if before.state is not TaskState.DONE:
            continue
        calls = await asyncio.to_thread(services.store.calls, services.run_id, before.id)
        own = [each for each in calls if each.model == agent.model.name and each.key.purpose == variables.template]
        if messages := conversation_of(before, own, opening):
            return Chain(before.id, messages, without_said(variables, before, messages, nonce))
    return None


def conversation_of(task: Task, calls: Sequence[CallRecord], opening: Collection[str]) -> tuple[Message, ...]:
    """Return what was said about `task`, with its result at the end; nothing if it was done otherwise.

    Args:
        task: a leaf that is DONE.
        calls: what its agent was asked for it, in order.
        opening: the system messages that its agent may have had without tools.
    """
    plain = [each for each in calls if not each.request.get("tools") and _system(_messages(each)) in opening]
    if not plain:
        return ()
    for call in reversed(plain):
        reply = ModelReply.from_data(call.reply)
        if _says(reply, task.result):
            return (*_messages(call), Message(role="assistant", content=without_thoughts(reply.text)))
    return (*_messages(plain[-1]), Message(role="assistant", content=f"<result>{task.result}</result>"))


def leaves_before(task: Task, configs: Configs) -> Iterator[Task]:
    """Yield the leaves that `task` builds on and may go on with once they are DONE, the last that it needs first."""
    by_id = index_of(task).by_id
    for each in (task, *walk_up(task)):
        for need in reversed(each.dependencies):
            before = by_id[need]
            if before.is_leaf and configs.of(before).conversation == CHAIN:
                yield before


def without_said(
    variables: ExecuteVariables, before: Task, messages: Sequence[Message], nonce: str
) -> ExecuteVariables:
    """Return `variables` without what stands in the conversation: as data, or as the answer to a task."""
    asked = "\n".join(each["content"] for each in messages if each["role"] == "user")

    def is_new(kind: str, piece: Group) -> bool:
        return not all(block.render(nonce) in asked for block in blocks_of(kind, piece))

    def is_needed(need: TaskResult) -> bool:
        return need.id != before.id and is_new("result", need) and not _is_answered(need, messages)

    return variables.model_copy(
        update={
            "continues": True,
            "root_goal": variables.root_goal if is_new("goal", variables.root_goal) else "",
            "materials": tuple(each for each in variables.materials if is_new("material", each)),
            "needs": tuple(filter(is_needed, variables.needs)),
        }
    )


def _is_answered(need: TaskResult, messages: Sequence[Message]) -> bool:
    """Return whether a task was asked for in the conversation, and answered by what is its result now."""
    return any(
        need.content in question["content"] and _says(ModelReply(text=answer["content"], model=""), need.result)
        for question, answer in pairwise(messages)
        if answer["role"] == "assistant"
    )


def _says(reply: ModelReply, result: str) -> bool:
    for read in (read_answer, read_json):
        with suppress(ReplyError):
            if read(reply).text == result:
                return True
    return False


def _messages(call: CallRecord) -> Sequence[Message]:
    messages: Sequence[Message] = call.request["messages"]
    return messages


def _system(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(each["content"] for each in messages if each["role"] == "system")
