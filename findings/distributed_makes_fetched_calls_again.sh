#!/usr/bin/env bash
# distributed 2026.8.0 (PyPI): a call whose result was fetched is made again when its worker dies, while its Future is held.
#
# `retries=0` and `allowed-failures: 0` are about calls that fail or are under way, and `result()` has returned. Yet the
# scheduler keeps the value on the worker for as long as somebody has the Future, and computes it anew if that worker
# goes: a body that sends a mail sends it twice, unseen. Dropping the Future once its value is stored is the way out.
#
# Seen:
#   Future held: the body ran 2 times
#   Future released: the body ran 1 time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check distributed==2026.8.0
cat >"$folder/seen.py" <<'PY'
import os
import signal
import sys
import time
from pathlib import Path

from distributed import Client, LocalCluster


def body(log: str) -> int:
    with open(log, "a") as lines:
        lines.write("called\n")
    return os.getpid()


def calls(log: Path, *, is_held: bool) -> int:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50,
        scheduler_kwargs={"allowed_failures": 0},
    ) as cluster, Client(cluster) as client:
        future = client.submit(body, str(log), pure=False, retries=0)
        worker = future.result()
        if not is_held:
            future.release()
            time.sleep(1)
        os.kill(worker, signal.SIGKILL)
        for _ in range(100):
            time.sleep(0.1)
            if len(log.read_text().splitlines()) > 1:
                break
        return len(log.read_text().splitlines())


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    held, released = calls(folder / "held", is_held=True), calls(folder / "released", is_held=False)
    print(f"Future held: the body ran {held} times")
    print(f"Future released: the body ran {released} time")
    raise SystemExit((held, released) != (2, 1))
PY
"$folder/env/bin/python" "$folder/seen.py" "$folder"
