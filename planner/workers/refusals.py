"""Which answers of a conversation checks did not let pass, and why, so that the next attempt goes on from there.

An answer is noted with the attempt that gave it. A later attempt that comes to it again, from the journal, knows by
that that it was refused.
"""

from ramify.planner.store.records import StepKey
from ramify.planner.work.context import WorkContext


async def refusal_of(context: WorkContext, key: StepKey) -> str | None:
    """Return why an attempt before did not pass with the answer that is noted as `key`; None if the answer is new."""
    if not context.task.checks:
        return None
    steps, writer = context.services.steps, context.services.recorder.writer
    refused = key._replace(key=f"{key.key}, refused")
    told = steps.find(refused)
    if told is not None:
        return str(told.output)
    given = steps.find(key)
    if given is None:
        await writer.commit(steps.note(key, context.attempt))
        return None
    if int(given.output) >= context.attempt:
        return None
    why = context.task.error or "it did not pass"
    await writer.commit(steps.note(refused, why))
    return why
