"""Kill a run in the middle and continue it in another process: finished tasks do not run again.

The program starts itself a second time, with the word `first`. That process runs five tasks in series, and kills itself
while it does the third, as a power cut would.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ramify.planner import Executor, worker
from ramify.tasks import Task, TaskManager

STORE = Path("killed.db")
LOG = Path("killed.log")
DEADLY = 3


@worker
def measure(number: int) -> int:
    """Log the measurement, and take it."""
    with LOG.open("a") as log:
        log.write(f"{number} ")
    if number == DEADLY and "first" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


if "first" in sys.argv:
    root = Task(content="Five measurements", id="0", type="prompt")  # without a model: its result is a list of theirs
    steps = [Task(content=f"Measurement {n}", id=f"m{n}", type="measure", inputs={"number": n}) for n in range(1, 6)]
    TaskManager.set_tasks_dependence(root, steps, "serial")
    Executor("rules", store=STORE, workers=[measure]).run(root)
else:
    ended = subprocess.run([sys.executable, __file__, "first"], check=False).returncode  # noqa: S603 - our own program
    left = Executor.status(STORE)
    print(f"the first process was killed by signal {-ended}, with {left.done} of {left.total} tasks done")
    run = Executor.resume(STORE, workers=[measure])
    print("begun:", LOG.read_text().strip())
    print("result:", run.result)
