import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator

import pytest
from ramify.planner.errors import OutsideError, UsageError
from ramify.planner.runtime.background import (
    background_loop,
    before_close,
    close_background_loop,
    on_background_loop,
    run_sync,
    start_on_background_loop,
    stream_on_background_loop,
)

from .patience import HANG_S


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


@pytest.mark.fault("1.1")
@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_what_would_end_the_process_ends_no_loop_and_reaches_the_caller(error: BaseException) -> None:
    async def leaves() -> None:
        raise error

    def call() -> None:
        raise error

    async def others() -> None:
        asyncio.get_running_loop().call_soon(call)
        await asyncio.gather(asyncio.create_task(leaves()), return_exceptions=True)

    loop = background_loop()
    with pytest.raises(OutsideError, match=type(error).__name__):
        run_sync(leaves())
    with pytest.raises(OutsideError, match=type(error).__name__):
        start_on_background_loop(leaves()).result(timeout=HANG_S)
    run_sync(others())
    assert background_loop() is loop
    assert run_sync(running_loop()) is loop


@pytest.mark.fault("1.1")
def test_a_loop_that_is_stopped_by_what_runs_on_it_goes_on() -> None:
    async def stops() -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "went on"

    assert run_sync(stops()) == "went on"


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
from ramify.planner.runtime.background import run_sync
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
        out, err = process.communicate(timeout=HANG_S)
    assert (out.splitlines(), err) == (["saved", "interrupted"], "")
