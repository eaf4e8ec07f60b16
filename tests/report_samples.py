"""Runs to report on, made up of whole cloth: any number of tasks, in all states, with calls, retries and tools."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from ramify.planner.export.formats import format_of
from ramify.planner.export.report import Report
from ramify.planner.export.study.content import ArmSpec, Trial
from ramify.planner.export.study.study import Study
from ramify.planner.store import CallKey, CallRecord, EventRecord, RunRecord, StepKey, StepRecord, StoredRun
from ramify.tasks import Task, TaskState, Usage

START_S = 1_800_000_000.0
SYSTEM = "You do one task and give its result. " * 20

INJECTIONS = (
    "<script>alert('script')</script>",
    "</script><script>alert('closed')</script>",
    "<!--<script>",
    "<img src=x onerror=alert('image')>",
    "<svg onload=alert('svg')><animate onbegin=alert(1) attributeName=x dur=1s>",
    '"><iframe srcdoc="<script>alert(1)</script>">',
    "' onmouseover='alert(1)' x='",
    "[click](javascript:alert(1)) <a href=javascript:alert(1)>x</a>",
    "{{ 7 * 7 }} ${alert(1)} $title $script <%= 7 %> #{7}",
    "\u202eright to left override\u202c and \u2066isolate",
    "NUL \x00 bell \x07 escape \x1b[31mred\x1b[0m \x1b]0;title\x07",
    "lone surrogates \ud800 and \udfff",
    "line\u2028and paragraph\u2029separators",
    '=HYPERLINK("http://example.org","x")',
    "-->]]>&lt;&amp;&#60;script&#62;",
    "<style>*{display:none}</style><base href=//example.org/><meta http-equiv=refresh content=0>",
    "e" + "\u0301" * 300,
    '<math><mtext></mtext><mglyph><svg><mtext><textarea><path id="</textarea><img onerror=alert(1) src=1>">',
)  # fmt: skip


def sample_run(size: int, *, words: str = "Describe part", error: str | None = None) -> StoredRun:
    """Return a stored run of `size` tasks, eight below each; every ninth has failed, every eleventh is open."""
    tasks = [_task(number, f"{words} {number}") for number in range(size)]
    for number, task in enumerate(tasks[1:], 1):
        tasks[(number - 1) // 8].add_subtask(task)
        if number % 8 == 0:
            task.add_dependency(tasks[number - 1].id)
    root = tasks[0]
    calls = tuple(call for task in tasks for call in _calls(task))
    return StoredRun(
        record=RunRecord(
            id="r0123456789",
            goal=root.content,
            created_at=START_S,
            updated_at=START_S + size,
            finished_at=START_S + size,
            model="scripted",
            made_by="scripted (no language model)",
            settings={"jobs": 8, "agent": {"base_url": "http://ann:secret@localhost/v1"}},
            status="done",
            error=error,
        ),
        root=root,
        calls=calls,
        steps=(),
        events=tuple(_events(tasks)),
    )


def hostile_run() -> StoredRun:
    """Return a run in which every word that can be a stranger's is an injection."""
    run = sample_run(len(INJECTIONS) + 1, error=INJECTIONS[0])
    tasks = list(run.root.walk())
    for task, words in zip(tasks, (INJECTIONS[1], *INJECTIONS), strict=True):
        task.content = task.result = words
        task.error = words
        task.type = words
        task.name = task.description = words
        task.metadata = {words: words}
        task.output = [words]
        task.inputs = {words: words}
    calls = tuple(_call(task, "execute", 1, "\n".join(INJECTIONS), text=task.content) for task in tasks)
    events = tuple(
        EventRecord(seq=number, at=START_S, type=words, task_id=task.id, data={words: words})
        for number, (task, words) in enumerate(zip(tasks[1:], INJECTIONS, strict=True), 1)
    )
    whole = EventRecord(
        seq=len(events) + 1, at=START_S, type="plan_atomic", task_id=tasks[0].id, data={"why": INJECTIONS[3]}
    )
    record = RunRecord(
        id="r0123456789",
        goal="\n".join(INJECTIONS),
        created_at=START_S,
        updated_at=START_S,
        model=INJECTIONS[0],
        made_by=INJECTIONS[1],
        settings={words: words for words in INJECTIONS},
        status="failed",
        error=INJECTIONS[0],
    )
    steps = tuple(
        StepRecord(key=StepKey(task.id, 1, words), input={words: words}, output=words, started_at=START_S)
        for task, words in zip(tasks[1:], INJECTIONS, strict=True)
    )
    return StoredRun(record=record, root=run.root, calls=calls, steps=steps, events=(*events, whole))


def _task(number: int, content: str) -> Task:
    state = TaskState.FAILED if number % 9 == 8 else TaskState.OPEN if number % 11 == 10 else TaskState.DONE
    task = Task(content=content, id=f"t{number}", state=state)
    if state is TaskState.OPEN:
        return task
    task.started_at = datetime.fromtimestamp(START_S + number, UTC)
    task.completed_at = task.started_at + timedelta(seconds=0.5 + number % 7)
    task.attempts = 1 + number % 2
    task.usage = Usage(calls=task.attempts, input_tokens=120, output_tokens=30, cost_usd=0.0125)
    if state is TaskState.DONE:
        task.result = f"Result {number}. " + "It is what was asked for. " * (number % 5)
    else:
        task.error = f"the model gave no reason (task {number})"
    return task


def _calls(task: Task) -> Iterator[CallRecord]:
    for attempt in range(1, task.attempts + 1):
        yield _call(task, "execute", attempt, f"<data>{task.content}</data>", text=f"<result>{task.result}</result>")


def _call(task: Task, purpose: str, attempt: int, asked: str, *, text: str) -> CallRecord:
    sha = sha256(f"{task.id} {attempt}".encode()).hexdigest()
    return CallRecord(
        key=CallKey(task.id, purpose, attempt, 0, 0, sha),
        model="scripted",
        prompt_version="1",
        prompt_sha256="ab" * 32,
        request={
            "model": "scripted",
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}],
        },
        reply={
            "text": text, "model": "scripted-2", "finish_reason": "stop", "input_tokens": 60, "output_tokens": 15,
            "cost_usd": 0.00625, "latency_s": 0.25,
            "tool_calls": [{"id": "c1", "name": "look_up", "arguments": f'{{"word": "{task.id}"}}'}],
        },
        started_at=START_S + attempt,
        latency_s=0.25,
    )  # fmt: skip


def _events(tasks: list[Task]) -> Iterator[EventRecord]:
    seqs = count(1)

    def event(at: float, kind: str, task: Task | None = None, **data: Any) -> EventRecord:
        task_id = None if task is None else task.id
        return EventRecord(seq=next(seqs), at=START_S + at, type=kind, task_id=task_id, data=data)

    yield event(0, "run_started", resumed=False)
    for number, task in enumerate(tasks):
        if task.attempts:
            yield event(number, "task_started", task, attempt=1, doing="execute")
        if task.attempts > 1:
            yield event(number + 0.2, "task_retrying", task, attempt=1, error="the model was busy", delay_s=0.1)
        if task.state is TaskState.DONE:
            yield event(number + 0.9, "task_done", task)
        elif task.state is TaskState.FAILED:
            yield event(number + 0.9, "task_failed", task, error=task.error)
    yield event(len(tasks), "run_finished", status="done")


def render_report(report: Report, form: str) -> bytes:
    return format_of("report", form=form).write(report).data


def hostile_study() -> Study:
    """Return a study whose data, arms and answers are full of hostile words."""
    arms = (
        ArmSpec(INJECTIONS[0], "direct"),
        ArmSpec(f"{INJECTIONS[0]}2", "upfront", parameters={"system": INJECTIONS[1]}),
    )
    trials = tuple(
        Trial(item=words, arm=arm.name, question=words, expected=words, answer=words, run=words, right=bool(number % 2))
        for number, words in enumerate(INJECTIONS)
        for arm in arms[:: 1 if number % 3 else -1]
    )
    return Study(INJECTIONS[0], "r1", "done", INJECTIONS[0], INJECTIONS[0], 1, arms, trials)
