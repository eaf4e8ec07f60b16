"""A run of `recoveries.py` that is made to be killed: it logs every call whose reply is handed over.

    python -m tests.crash_recovery_program start|resume STORE LOG CASE     (the case as JSON)

It prints how the run ended. A line of LOG is written by one system call, so a kill leaves whole lines.
"""

import json
import os
import sys

from ramify.planner import Executor
from ramify.planner.models.protocol import ModelRequest
from ramify.planner.testing import ScriptedModel

from .recoveries import Case, check_ended


def main(command: str, store: str, log_path: str, case_data: str) -> None:
    """Start or resume the run, and check what is left of it."""
    case = Case(**json.loads(case_data))
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def reply(request: ModelRequest) -> str:
        words = json.dumps([request.purpose, request.task_id, request.attempt, request.sha256("scripted")])
        os.write(log, f"{words}\n".encode())
        return case.answer(request)

    model = ScriptedModel(reply)
    if command == "start":
        run = Executor(model, store=store, **case.options).run(case.root)
    else:
        run = Executor.resume(store, agent=model)
    check_ended(run)
    print(run.status)


if __name__ == "__main__":
    main(*sys.argv[1:])
