"""What a reply of a model says as the answer to a task, in tags or as JSON."""

from dataclasses import replace

from ramify.planner.models.protocol import ModelReply
from ramify.tasks import ReplyError
from ramify.tasks.replies.by_schema import answer_in
from ramify.tasks.replies.grammar import Answer, parse_answer
from ramify.tasks.replies.json_answers import read_json_answer


def read_answer(reply: ModelReply) -> Answer:
    """Return the answer that a reply holds.

    Raises:
        ReplyError: if it holds none, or was cut.
    """
    if reply.finish_reason == "content_filter":
        raise ReplyError("the provider's content filter stopped the reply", reply=reply.text)
    return parse_answer(reply.text, finish_reason=reply.finish_reason)


def read_json(reply: ModelReply) -> Answer:
    """Return the answer that a reply holds, whose text is one JSON value.

    Raises:
        ReplyError: if it holds none, was cut, or the answer is no JSON.
    """
    answer = answer_in(reply.text, finish_reason=reply.finish_reason) or read_answer(reply)
    if answer.failed is None:
        try:
            answer = replace(answer, text=read_json_answer(answer.text)[1])
        except ReplyError as error:
            raise ReplyError(error.complaint, reply=reply.text) from None
    return answer
