"""What the tests of the store put into it: runs, trees, calls and events."""

import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path

from ramify.planner.store import CallKey, CallRecord, EventRecord, NewRun, Store
from ramify.prompts import Material
from ramify.tasks import Check, Task, TaskConfig, TaskState, Usage

_clock = count(1_800_000_000)

HOSTILE_TEXTS = (
    "'; DROP TABLE ramify_tasks; --",
    "quotes \" ' ` and \\ and %s :name ?",
    "NUL \x00 inside, bell \x07, escape \x1b",
    '\x1b"looks escaped"',
    "a lone surrogate \ud800",
    "\ufeff\u202e\U0001f9ed \u4f60\u597d",
    "  spaces, tabs\tand\r\nline ends  \n",
)


def new_run(run_id: str = "run-1", **fields: object) -> NewRun:
    """Return a run; each one is a second younger than the one before."""
    return NewRun(**{"id": run_id, "goal": "find out", "created_at": float(next(_clock)), **fields})  # type: ignore[arg-type]


def small_tree() -> Task:
    """Return a root with three leaves."""
    root = Task(content="find out", id="0")
    root.add_subtasks([Task(content=f"part {i}", id=f"0.{i}") for i in range(1, 4)])
    return root


def full_tree() -> Task:
    """Return a tree in which every field of a task has a value, and texts are hostile."""
    root = Task(content=HOSTILE_TEXTS[2], id="0", name="whole", description="", metadata={"note": HOSTILE_TEXTS[4]})
    first = Task(content="first", id="a", result=HOSTILE_TEXTS[0], error=HOSTILE_TEXTS[3], output={"x": [1, None, 2.5]})
    second = Task(
        content="second",
        id="b",
        type="python",
        dependencies=["a"],
        inputs={"first.path": "x", "deep": {"list": [1, {"a": True}]}},
        priority=7,
        expected_seconds=2.5,
        attachments=[Material(name="notes.txt", text=HOSTILE_TEXTS[4])],
        config=TaskConfig(max_retries=0, allowed_domains=("example.org",), max_cost_usd=0.25),
        checks=(Check(command=["a", "b c"], timeout_s=2), Check(predicate="is_even")),
        memory_scope="permanent",
        origin="added",
        attempts=3,
        usage=Usage(calls=2, input_tokens=11, output_tokens=5, cost_usd=0.125, calls_without_cost=1),
        output=False,
    )
    root.add_subtasks([first, second])
    first.add_subtasks([Task(content=text, id=f"a.{i}") for i, text in enumerate(HOSTILE_TEXTS, 1)])
    first.subtasks[1].move(TaskState.DELETED)
    second.move(TaskState.RUNNING)
    second.move(TaskState.FAILED)
    second.updated_at = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    return root


def call(
    task_id: str = "0.1", attempt: int = 1, *, system: str = "be brief", user: str = "go", text: str = "ok"
) -> CallRecord:
    """Return a call of a task."""
    return CallRecord(
        key=CallKey(task_id, "execute", attempt, 0, 0, sha256(system.encode()).hexdigest()),
        model="scripted",
        prompt_version="1",
        prompt_sha256="0" * 64,
        request={
            "model": "scripted",
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0.5,
        },
        reply={"text": text, "model": "scripted", "cost_usd": None},
        started_at=1_800_000_000.0 + attempt,
        latency_s=0.25,
    )


def event(seq: int, kind: str = "task_done", task_id: str | None = "0.1") -> EventRecord:
    """Return an event."""
    return EventRecord(seq=seq, at=1_800_000_000.5, type=kind, task_id=task_id, data={"n": seq})


def stored_tree(store: Store, run_id: str) -> list[tuple[object, ...]]:
    """Return a run's tree as the store has it, as comparable values."""
    return values_of(store.load_tree(run_id))


def values_of(root: Task) -> list[tuple[object, ...]]:
    """Return all that two equal trees have in common: every field of every task, and its parent's id."""
    return [
        (task.parent and task.parent.id, *((name, getattr(task, name)) for name in sorted(Task.model_fields)))
        for task in root.walk()
    ]


HOLD = """
import sys, time
from ramify.planner.store import Store
with Store.open(sys.argv[1]) as store:
    store.write(sys.argv[2])
    print("holding", flush=True)
    time.sleep(3600)
"""


def start_holder(place: str | Path, run_id: str) -> subprocess.Popen[str]:
    """Start a process that holds a run, and return it once it does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(place), run_id], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    process.stdout.close()
    return process
