"""How long an answer may be: one that is too long is refused, and not mended."""

from ramify.planner.work.context import WorkContext
from ramify.tasks.errors import TruncatedReplyError
from ramify.tasks.replies.grammar import Answer


def not_too_long(answer: Answer, context: WorkContext) -> Answer:
    """Return `answer`; raise if it is longer than its task allows, as what is too long is no answer to be mended."""
    longest = context.config.max_answer_characters
    if longest is not None and len(answer.text) > longest:
        raise TruncatedReplyError(
            f"the answer has {len(answer.text):,} characters, and max_answer_characters = {longest}", reply=answer.text
        )
    return answer
