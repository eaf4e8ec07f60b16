import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator

import pytest
from ramify.planner.errors import UsageError
from ramify.planner.loop import (
    background_loop,
    before_close,
    close_background_loop,
    on_background_loop,
    run_sync,
    stream_on_background_loop,
)


async def running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_sync_callers_share_one_loop() -> None:
    assert run_sync(running_loop()) is run_sync(running_loop()) is background_loop()


def test_a_sync_call_works_where_another_loop_is_running() -> None:
    async def notebook_cell() -> bool:
        return run_sync(running_loop()) is background_loop()

    assert asyncio.run(notebook_cell())


def test_a_sync_call_on_the_loop_itself_is_refused_instead_of_hanging() -> None:
    async def inside() -> object:
        return run_sync(running_loop())

    with pytest.raises(UsageError, match="await the async form"):
        run_sync(inside())


def test_errors_and_cancellations_reach_the_caller() -> None:
    async def fails() -> None:
        raise KeyError("mine")

    async def is_cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(KeyError, match="mine"):
        run_sync(fails())
    with pytest.raises(asyncio.CancelledError):
        run_sync(is_cancelled())


def test_work_of_other_loops_runs_on_the_background_loop() -> None:
    assert asyncio.run(on_background_loop(running_loop())) is background_loop()
    assert run_sync(on_background_loop(running_loop())) is background_loop()


def test_a_stream_of_another_loop_keeps_order_and_ends_with_its_error() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        assert asyncio.get_running_loop() is background_loop()
        for number in range(3):
            yield number
        raise KeyError("broke")

    async def collect() -> list[int | str]:
        got: list[int | str] = []
        try:
            async for number in stream_on_background_loop(numbers):
                got += [number]
        except KeyError as error:
            got += [str(error)]
        return got

    assert asyncio.run(collect()) == [0, 1, 2, "'broke'"]
    assert run_sync(collect()) == [0, 1, 2, "'broke'"]


def test_closing_cancels_what_runs_awaits_the_closers_and_the_next_use_starts_anew() -> None:
    happened: list[str] = []

    async def sleeps() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            happened.append("cancelled")

    async def closer() -> None:
        happened.append("closed")

    before_close(closer)
    before_close(closer)
    first = background_loop()
    asyncio.run_coroutine_threadsafe(sleeps(), first)
    run_sync(asyncio.sleep(0))
    close_background_loop()
    assert (happened, first.is_closed()) == (["cancelled", "closed"], True)
    assert run_sync(running_loop()) is not first


INTERRUPTED = """
import asyncio
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
from ramify.planner.loop import run_sync
async def work():
    print("started", flush=True)
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.1)
        print("saved", flush=True)
try:
    run_sync(work())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interruption_lets_the_work_end_first() -> None:
    command = [sys.executable, "-X", "dev", "-c", INTERRUPTED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (out.splitlines(), err) == (["saved", "interrupted"], "")
