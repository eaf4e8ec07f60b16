import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from ramify.planner.errors import ModelError, NoModelError
from ramify.planner.models.protocol import Model, ModelReply, ModelRequest
from ramify.planner.models.retry import FailureKind
from ramify.planner.runtime.clock import sleep
from ramify.planner.testing import FakeClock, FaultyModel, ScriptedModel

T = TypeVar("T")


def request(purpose: str = "execute", task_id: str = "0") -> ModelRequest:
    return ModelRequest(purpose=purpose, task_id=task_id, messages=({"role": "user", "content": "two words"},))


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def pieces_of(model: Model) -> list[str | ModelReply]:
    return [piece async for piece in model.stream(request())]


def test_the_doubles_keep_the_protocol_and_say_what_they_are() -> None:
    scripted = ScriptedModel(["x"])
    assert isinstance(scripted, Model)
    assert isinstance(FaultyModel(scripted, []), Model)
    assert (scripted.maker, scripted.is_language_model) == ("scripted (no language model)", False)
    assert FaultyModel(scripted, []).maker == scripted.maker


@pytest.mark.parametrize(
    ("purpose", "task_id", "text"),
    [("execute", "0.1", "both"), ("compose", "0.1", "task"), ("execute", "0.2", "purpose"), ("compose", "0", "any")],
)
def test_a_mapping_answers_by_purpose_and_task_the_closest_key_first(purpose: str, task_id: str, text: str) -> None:
    model = ScriptedModel({"*": "any", "execute": "purpose", "0.1": "task", "execute 0.1": "both"})
    assert run(model.complete(request(purpose, task_id))).text == text


def test_a_sequence_answers_in_order_and_then_says_that_it_is_over() -> None:
    model = ScriptedModel(["one", ModelReply(text="two", model="other")])
    assert [run(model.complete(request())).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(NoModelError, match=r"no reply for execute of task 0, its request number 3"):
        run(model.complete(request()))


def test_a_function_answers_for_each_request_and_may_be_awaited() -> None:
    async def later(asked: ModelRequest) -> str:
        await asyncio.sleep(0)
        return asked.task_id

    assert run(ScriptedModel(lambda asked: asked.purpose).complete(request())).text == "execute"
    assert run(ScriptedModel(later).complete(request())).text == "0"


def test_an_exception_in_the_script_is_raised() -> None:
    with pytest.raises(ModelError, match="late"):
        run(ScriptedModel([ModelError("late", kind="timeout", model="m")]).complete(request()))


def test_requests_are_recorded_and_words_are_counted_as_tokens() -> None:
    model = ScriptedModel(["a b c"], cost_usd=0.5)
    reply = run(model.complete(request()))
    assert model.requests == [request()]
    assert (reply.input_tokens, reply.output_tokens, reply.cost_usd) == (2, 3, 0.5)


def test_latency_passes_by_the_clock_and_calls_at_once_are_counted() -> None:
    async def scene() -> None:
        clock = FakeClock()
        model = ScriptedModel({"*": "x"}, latency_s=5, clock=clock)
        calls = [asyncio.create_task(model.complete(request())) for _ in range(3)]
        await clock.advance(4.9)
        assert not any(call.done() for call in calls)
        await clock.advance(0.1)
        assert all(call.done() for call in calls)
        assert model.most_in_flight == 3

    run(scene())


def test_a_scripted_stream_is_the_reply_in_pieces() -> None:
    *pieces, reply = run(pieces_of(ScriptedModel(["a reply of some length"])))
    assert (len(pieces), "".join(map(str, pieces))) == (3, "a reply of some length")
    assert isinstance(reply, ModelReply)
    assert reply.text == "a reply of some length"


def test_faults_come_by_schedule_and_then_calls_go_through() -> None:
    own = ValueError("mine")
    model = FaultyModel(ScriptedModel({"*": "x"}), ["rate_limited", None, own, FailureKind.TIMEOUT], retry_after_s=3)

    def outcome() -> str:
        try:
            return run(model.complete(request())).text
        except (ModelError, ValueError) as error:
            return f"{getattr(error, 'kind', error)} {getattr(error, 'retry_after_s', None)}"

    assert [outcome() for _ in range(5)] == ["rate_limited 3", "x", "mine None", "timeout 3", "x"]
    assert model.faults_made == ["rate_limited", "ValueError", "timeout"]


def test_faults_can_be_chosen_for_each_request() -> None:
    model = FaultyModel(
        ScriptedModel({"*": "x"}), lambda asked, number: "overloaded" if asked.task_id == "0" and number == 1 else None
    )
    with pytest.raises(ModelError):
        run(model.complete(request()))
    assert run(model.complete(request())).text == "x"


def test_a_streamed_fault_comes_after_half_of_the_words() -> None:
    async def scene() -> list[str | ModelReply]:
        got: list[str | ModelReply] = []
        try:
            async for piece in FaultyModel(ScriptedModel(["0123456789"]), ["truncated"]).stream(request()):
                got += [piece]
        except ModelError as error:
            got += [error.kind]
        return got

    assert run(scene()) == ["01234", "truncated"]
    assert run(pieces_of(FaultyModel(ScriptedModel(["whole"]), [])))[0] == "whole"


def test_the_clock_calls_back_in_order_of_time_and_never_what_was_cancelled() -> None:
    async def scene() -> None:
        clock, calls = FakeClock(start_s=10), list[tuple[str, float]]()
        clock.call_at(13, lambda: calls.append(("later", clock.now())))
        clock.call_at(11, lambda: calls.append(("sooner", clock.now())))
        clock.call_at(12, lambda: calls.append(("never", clock.now()))).cancel()
        await clock.advance(2.5)
        assert (calls, clock.now()) == ([("sooner", 11)], 12.5)
        await clock.advance(2)
        assert calls == [("sooner", 11), ("later", 13)]

    run(scene())


def test_sleepers_wake_in_turn_and_can_be_cancelled() -> None:
    async def scene() -> None:
        clock = FakeClock()
        short, long = (asyncio.create_task(sleep(clock, seconds)) for seconds in (1, 3))
        await clock.advance(1)
        assert (short.done(), long.done()) == (True, False)
        long.cancel()
        await clock.advance(5)
        assert long.cancelled()

    run(scene())
