#!/usr/bin/env bash
# langgraph 1.2.24 with langgraph-checkpoint-sqlite 3.1.2 (PyPI): `durability="sync"` stores what each node of a fan-out
# returns when it ends. With `max_concurrency` in the config, asynchronous runs store nothing of it until the last node
# of the step has started: the writes queue behind the nodes that wait for their turn. A process that is killed in
# between has stored nothing, and a resume runs all finished nodes again, which is what the checkpoints are for. With a
# semaphore in the node, and no `max_concurrency`, what has finished is on disk.
#
# Here 40 nodes of 50 ms run 4 at a time, and the process kills itself when 20 have finished; the second process resumes.
#
# Seen:
#   max_concurrency: 20 finished before the kill, 0 of them stored, 20 ran again
#   semaphore: 20 finished before the kill, 16 or more of them stored, 4 or fewer ran again
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "langgraph==1.2.24" "langgraph-checkpoint-sqlite==3.1.2"
cat > "$folder/run.py" <<'PY'
import asyncio
import operator
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

NODES, AT_ONCE, KILLED_AFTER = 40, 4, 20
kind, folder = sys.argv[1], Path(sys.argv[2])
log = folder / f"{kind}.log"
is_first = not log.exists()


class State(TypedDict):
    done: Annotated[list[int], operator.add]


async def main() -> None:
    gate = asyncio.Semaphore(AT_ONCE) if kind == "semaphore" else nullcontext()

    async def node(given: dict) -> dict:
        async with gate:
            await asyncio.sleep(0.05)
            with log.open("a") as lines:
                lines.write(f"{given['number']}\n")
        if is_first and len(log.read_text().split()) >= KILLED_AFTER:
            await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGKILL)
        return {"done": [given["number"]]}

    graph = StateGraph(State)
    graph.add_node("node", node)
    graph.add_conditional_edges(START, lambda _: [Send("node", {"number": n}) for n in range(NODES)], ["node"])
    graph.add_edge("node", END)
    config = {"configurable": {"thread_id": "one"}}
    if kind == "max_concurrency":
        config["max_concurrency"] = AT_ONCE
    async with AsyncSqliteSaver.from_conn_string(str(folder / f"{kind}.db")) as saver:
        app = graph.compile(checkpointer=saver)
        if not is_first:
            stored = await saver.aget_tuple(config)
            print(sum(write[1] == "done" for write in stored.pending_writes or ()), end=" ")
        result = await app.ainvoke({"done": []} if is_first else None, config, durability="sync")
        assert sorted(result["done"]) == list(range(NODES)), result


asyncio.run(main())
PY
seen=""
for kind in max_concurrency semaphore; do
  "$folder/venv/bin/python" "$folder/run.py" "$kind" "$folder" 2> /dev/null && exit 1 # it kills itself
  before=$(wc -l < "$folder/$kind.log")
  sort "$folder/$kind.log" > "$folder/before"
  stored=$("$folder/venv/bin/python" "$folder/run.py" "$kind" "$folder")
  again=$(tail -n +$((before + 1)) "$folder/$kind.log" | sort | comm -12 - "$folder/before" | wc -l)
  echo "$kind: $before finished before the kill, $((stored)) of them stored, $again ran again"
  seen="$seen $before $((stored)) $again"
done
read -r -a n <<< "$seen"
[ "${n[0]} ${n[1]} ${n[2]}" = "20 0 20" ] && [ "${n[3]}" = 20 ] && [ "${n[4]}" -ge 16 ] && [ "${n[5]}" -le 4 ]
