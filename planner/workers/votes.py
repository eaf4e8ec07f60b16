"""How a model's answer to a task is voted on: what is asked, what does not count, and what is recorded."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ramify.planner.asking.voting import SAMPLES_A_LEAD, Ballot, Tally, key_of_answer, poll
from ramify.planner.errors import ModelError, UsageError
from ramify.planner.events.events import EventType
from ramify.planner.models.retry import FailureKind, may_retry
from ramify.planner.work.context import WorkContext
from ramify.tasks import ReplyError, Task, TaskConfig
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.replies.grammar import Answer

if TYPE_CHECKING:
    from ramify.planner.asking.agent import Agent


def is_voted_on(task: Task, config: TaskConfig, agent: "Agent") -> bool:
    """Return whether the answer of `agent` to `task` is voted on; one answer at temperature 0 is a vote that is over.

    Raises:
        UsageError: if several answers are wanted that are alike, as nothing is left to chance.
    """
    ahead = config.vote_ahead
    if ahead is None or agent.settings.sampling.temperature != 0:
        return ahead is not None
    if ahead > 1:
        raise UsageError(
            f"task {task.id}: vote_ahead is {ahead}, but at temperature 0 all answers are equal; set a temperature"
            " above 0, or turn voting off (--vote-ahead 1, also with `ramify resume`)"
        )
    return False


async def voted_answer(context: WorkContext, ask: Callable[[int], Awaitable[Answer]]) -> Answer:
    """Return the answer that leads by the task's `vote_ahead`.

    A model's word that it cannot do the task is an answer, by its reason. What is malformed, cut, too long, or did not
    arrive does not count, and is not repaired.

    Args:
        context: the task's.
        ask: asks for the answer of a number, once, and raises what is wrong with the reply.

    Raises:
        WorkFailedError: if no answer leads after `max_samples`.
    """
    config = context.config
    ahead = config.vote_ahead or 1
    longest = config.max_answer_characters

    async def sample(number: int) -> Ballot[Answer]:
        try:
            answer = await ask(number)
        except TruncatedReplyError:
            return Ballot(None, flag="cut")
        except ReplyError:
            return Ballot(None, flag="malformed")
        except ModelError as error:
            if error.kind == FailureKind.CUT_OFF:
                return Ballot(None, flag="cut")
            if not may_retry(error.kind):
                raise
            return Ballot(None, flag="not arrived")
        if longest is not None and len(answer.text) > longest:
            return Ballot(None, flag="too long")
        return Ballot(f"failed: {answer.failed.reason}" if answer.failed else key_of_answer(answer.text), answer)

    most = config.max_samples or SAMPLES_A_LEAD * ahead

    def tell(vote: Tally) -> None:
        context.services.recorder.put(EventType.VOTED, context.task, ahead=ahead, **vote.to_data())

    found = await poll(sample, ahead=ahead, most=most, task_id=context.task.id, on_end=tell)
    return found.winner
