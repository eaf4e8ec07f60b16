"""A model as a check: it is asked, with the template `verify`, for a demand that the answer does not meet.

It sees what was asked for, what counts and what came of it, and neither who answered nor how often.
"""

import asyncio
from collections.abc import Sequence

from ramify.planner.asking.asker import Asker
from ramify.planner.errors import ModelError
from ramify.planner.models.protocol import ModelReply
from ramify.planner.models.retry import FailureKind, delay_s, may_retry
from ramify.prompts.variables import VerifyVariables
from ramify.tasks import ReplyError, Task, TaskConfig
from ramify.tasks.checks import Check
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.prompt_variables import materials_of, needed_results, result_of
from ramify.tasks.replies.by_schema import verdict_schema
from ramify.tasks.replies.verdicts import VALUES, Verdict, parse_verdict

from .findings import Finding

_SCHEMA = verdict_schema(VALUES)


async def judge_by_model(
    check: Check, text: str, task: Task, *, asker: Asker, config: TaskConfig, checked: Sequence[str] = ()
) -> Finding:
    """Return the verdict of a model; one that cannot be read, even after it was repaired, is unsure.

    Args:
        check: its `verify` says what counts.
        text: the answer.
        task: what was asked for.
        asker: asks the model that judges.
        config: how often a call that failed is made again.
        checked: what other checks have found, a line each.

    Raises:
        ModelError: if the model cannot be asked.
        LimitError: if a limit was reached.
    """
    variables = VerifyVariables(
        task_id=task.id,
        goal=task.content,
        result=text,
        criteria=check.verify or "",
        checks=tuple(checked),
        needs=(*needed_results(task), *(result_of(child) for child in task.subtasks)),
        materials=materials_of(task),
        **asker.agent.prompt_settings,
    )
    failures = 0
    while True:
        try:
            verdict = await asker.ask(task, variables, _read, attempt=task.attempts + 1, schema=_SCHEMA)
        except (ReplyError, TruncatedReplyError) as error:
            return Finding("unsure", f"the verdict could not be read: {error.complaint}")
        except ModelError as error:
            if error.kind == FailureKind.CUT_OFF:
                return Finding("unsure", f"the verdict could not be read: {error}")
            if not may_retry(error.kind) or failures >= (config.max_retries or 0):
                raise
            base_s = config.retry_delay_seconds or 0.0
            await asyncio.sleep(delay_s(failures, base_s=base_s, retry_after_s=error.retry_after_s, random=0.5))
            failures += 1
        else:
            return Finding(verdict.value, "; ".join(verdict.issues))


def _read(reply: ModelReply) -> Verdict:
    return parse_verdict(reply.text, finish_reason=reply.finish_reason)
