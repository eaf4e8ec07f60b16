"""The worker that makes new tasks: it asks for one, checks what comes, and tries another method if that is rejected.

What was rejected, by which method and why, is on disk before the next try. So tries are never repeated: a resumed run
goes on with the next one, and a task that was given up and is done again gets as many tries more. The numbers of its
calls go on from those that the task had when it was first worked on, whatever attempts fail in between.
"""

from typing import TYPE_CHECKING, Any

from ramify.planner.errors import WorkFailedError
from ramify.planner.events.events import EventType
from ramify.planner.models.protocol import ModelReply
from ramify.planner.store.records import StepKey
from ramify.planner.workers import Outcome, WorkContext, Worker
from ramify.planner.workers.services import services_of
from ramify.prompts.blocks import make_nonce, texts_of
from ramify.prompts.variables import EvolveMethod, EvolveVariables
from ramify.tasks import ReplyError, Task
from ramify.tasks.counting import counted
from ramify.tasks.replies.grammar import parse_evolved

from .collection import Collection, lineage_of
from .generations import Wanted
from .json_lines import line_of

if TYPE_CHECKING:
    from pydantic import JsonValue

_LONGEST_QUOTE = 500


class EvolveWorker(Worker):
    """Makes one new task for each leaf, and collects them at the root."""

    about = "makes new tasks from seeds (`ramify evolve`)"

    def __init__(self) -> None:
        self._collection: Collection | None = None

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Make a new task by one method after the other, until one passes the checks.

        Raises:
            WorkFailedError: if none did.
        """
        collection = self._collection_of(context)
        wanted = Wanted.of(task)
        rejected = _rejected_before(task, context)
        attempts_before = _attempts_before(task, context)
        most = (len(rejected) // wanted.tries + 1) * wanted.tries
        while len(rejected) < most:
            number = len(rejected)
            method = wanted.methods[number % len(wanted.methods)]
            made = await self._try(context, collection, method, attempt=attempts_before + number + 1)
            if "fault" not in made:
                record, problem = collection.accept(task, rejected=rejected, **made)
                if problem is not None:
                    context.services.recorder.put(EventType.WARNING, task, message=f"{problem}; the store has it all")
                return Outcome(record["content"], record)
            rejected.append(made)
            note = context.services.steps.note(_key(task, len(rejected)), made)
            context.services.recorder.put(EventType.EMITTED, task, note, name="rejected", data=made)
        reasons = "; ".join(f"{each['method']}: {each['fault']}" for each in rejected[-wanted.tries :])
        raise WorkFailedError(
            f"no new task passed the checks in {counted(wanted.tries, 'try')} ({reasons})", task_id=task.id
        )

    async def compose(self, task: Task, context: WorkContext) -> Outcome:  # noqa: ARG002 - the tree says it all
        """Collect the new tasks; without a file, they are the answer, as JSON lines."""
        collection = self._collection_of(context)
        records = collection.finish()
        output: JsonValue = {"tasks": len(records), "rejected": sum(len(record["rejected"]) for record in records)}
        if collection.file is None:
            return Outcome("\n".join(map(line_of, records)), output)
        return Outcome(f"{counted(len(records), 'new task')} in {collection.file}", output)

    async def _try(
        self, context: WorkContext, collection: Collection, method: EvolveMethod, *, attempt: int
    ) -> dict[str, Any]:
        """Return a new task with what was measured, or what came instead with its fault."""
        task, agent = context.task, services_of(context).asker.agent
        parent = lineage_of(task, context.run_id).parent
        variables = EvolveVariables(task_id=task.id, task=parent, method=method, **agent.prompt_settings)
        try:
            content, model = await services_of(context).asker.ask(
                task, variables, _read, attempt=attempt, sample=Wanted.of(task).sample
            )
        except ReplyError as error:
            return {"method": method, "content": error.reply[:_LONGEST_QUOTE], "fault": error.complaint}
        nonce = make_nonce(context.run_id, data=texts_of(variables))
        prompt = "\n".join(message["content"] for message in agent.render(variables, nonce=nonce).messages)
        checked = collection.check(task, content, prompt=prompt)
        if checked.fault is not None:
            return {"method": method, "content": content, "fault": checked.fault}
        return {"content": content, "method": method, "model": model, "checks": checked.to_data()}

    def _collection_of(self, context: WorkContext) -> Collection:
        if self._collection is None or self._collection.run_id != context.run_id:
            self._collection = Collection(services_of(context).root, context.run_id)
        return self._collection


def _read(reply: ModelReply) -> tuple[str, str]:
    if reply.finish_reason == "content_filter":
        raise ReplyError("the provider's content filter stopped the reply", reply=reply.text)
    return parse_evolved(reply.text, finish_reason=reply.finish_reason), reply.model


def _rejected_before(task: Task, context: WorkContext) -> list[dict[str, Any]]:
    """Return what was rejected before, in this process or in one that has ended."""
    rejected: list[dict[str, Any]] = []
    while (step := context.services.steps.find(_key(task, len(rejected) + 1))) is not None:
        rejected.append(step.output)
    return rejected


def _attempts_before(task: Task, context: WorkContext) -> int:
    """Return how many attempts the task had when it was first worked on, since it was last done anew."""
    key = StepKey(task.id, 0, "first attempt")
    known = context.services.steps.find(key)
    if known is None:
        context.services.recorder.writer.put(context.services.steps.note(key, task.attempts))
        return task.attempts
    return int(known.output)


def _key(task: Task, number: int) -> StepKey:
    return StepKey(task.id, 0, f"rejected#{number}")
