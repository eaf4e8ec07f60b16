"""A plan as code: a loop that depends on a result, a map, and a caught failure.

The program starts itself a second time, with the word `first`. That process is killed in the middle of the plan, as by
a power cut; the second one goes on with it, and does nothing again that was finished.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ramify.planner import Executor, worker
from ramify.planner.errors import WorkFailedError

STORE = Path("plan_as_code.db")
LOG = Path("plan_as_code.log")
DEADLY = 20
HEAVY = 100


@worker
def weigh(item: int) -> int:
    """Log the weighing, and weigh."""
    with LOG.open("a") as log:
        log.write(f"{item} ")
    if item == DEADLY and "first" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    if item < 0:
        raise WorkFailedError("nothing weighs less than nothing", task_id="scales")
    return 2 * item


async def pack(ctx: Any) -> dict[str, Any]:
    """Pack a suitcase that must not be too heavy."""
    total = sum(await ctx.map("weigh", [1, 2, 3], type=weigh))
    item = 5
    while total < HEAVY:
        total += await ctx.task(f"weigh {item}", type=weigh, inputs={"item": item})
        item *= 2
    try:
        await ctx.task("weigh a balloon", type=weigh, inputs={"item": -1})
    except WorkFailedError as error:
        return {"total": total, "left out": error.task_id}
    return {"total": total}


if "first" in sys.argv:
    Executor("rules", store=STORE, workers=[weigh], jobs=1).run_script(pack)
else:
    ended = subprocess.run([sys.executable, __file__, "first"], check=False).returncode  # noqa: S603 - our own program
    left = Executor.status(STORE)
    print(f"the first process was killed by signal {-ended}, with {left.done} tasks done")
    run = Executor.resume(STORE, script=pack, workers=[weigh])
    print("weighed:", LOG.read_text().strip())
    print("result:", run.result)
