"""The calls of a script: each is a task below the root, written down by its place together with what was asked.

In a new process the script is run again from its first line. A call at a place where there was the same one before is
that one: what was finished gives what it gave, one after the other in the order in which they were finished, so that a
script which looks at who comes first goes the same way again; what was not is gone on with. Another call at that place
is a change of the script: it is refused, with what differs, or done anew where changes are accepted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from heapq import heappop, heappush
from typing import Any

from ramify.planner.errors import PlannerError, RunError, UsageError, WaitingError, WorkFailedError
from ramify.planner.events.events import Event, EventType
from ramify.planner.events.recorder import Recorder
from ramify.planner.store.records import StepKey
from ramify.planner.work.script import Call, Place
from ramify.planner.work.steps import StepLog
from ramify.tasks import Task, TaskConfig, TaskState
from ramify.tasks.json_data import copy_json
from ramify.tasks.prompt_variables import title
from ramify.tasks.tree.edits import Difference
from ramify.tasks.tree.node import index_of

from .attaching import Attaching
from .requests import changed_words, request_of
from .spawning import Spawning

TURNS = 10
"""How often the loop goes round until the next answer is handed to the script: by then it has made its next calls."""

_CALL = "call "
_Order = tuple[int, float]


class ScriptCalls:
    """The calls of the script of one run; nothing in the tree of another run is called.

    Args:
        root: the tree.
        attaching: puts tasks into it.
        spawning: knows what can be added.
        recorder: writes what is called.
        steps: the steps of the script; each call is one.
        policy: the name of the policy by which calls are split that may be.
        accepts_changes: whether a call that differs from the one before is done anew.
    """

    def __init__(
        self,
        root: Task,
        attaching: Attaching,
        spawning: Spawning,
        *,
        recorder: Recorder,
        steps: StepLog,
        policy: str | None,
        accepts_changes: bool,
    ) -> None:
        self._root = root
        self._attaching = attaching
        self._spawning = spawning
        self._recorder = recorder
        self._steps = steps
        self._policy = policy
        self._accepts_changes = accepts_changes
        self._before = {
            key.removeprefix(_CALL): step
            for step in steps.of(root.id)
            if (key := step.key.key).startswith(_CALL) and step.ended_at is not None
        }
        self._uncalled = {child.id: child for child in root.subtasks if child.state is not TaskState.DELETED}
        self._waiting: dict[str, list[Call]] = {}
        self._arrived: list[tuple[_Order, int, Call | asyncio.Future[None]]] = []
        self._numbers = 0
        self._is_handing_out = False
        self._over: asyncio.Future[None] | None = None
        self._fatal: PlannerError | None = None
        self.on_called: Callable[[Task], object] = lambda _: None
        recorder.bus.subscribe(self._heard, EventType.TASK_DONE, EventType.TASK_FAILED)

    def make(self, place: Place, task: Task, *, is_split: bool = False) -> Call:
        """Return the call at `place`, which is `task`; see `ScriptContext.task`."""
        self.check()
        try:
            return self._made(".".join(map(str, place)), task, is_split=is_split)
        except PlannerError as error:
            if not isinstance(error, UsageError):
                self._fatal = error
            raise

    async def step(self, key: StepKey, given: Any, take: Callable[[StepKey], Awaitable[Any]]) -> Any:
        """Return what comes of a step of the script, now or from before; see `WorkContext.step`."""
        key = self._version(key, given)
        known = self._steps.find(key, given)
        try:
            output = await take(key)
        except WaitingError as error:
            self._fatal = error
            raise
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrives(arrived, None if known is None else known.ended_at)
        await arrived
        return output

    def noted(self, key: StepKey, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, or what it gave before; whatever is called afterwards is written after it."""
        known = self._steps.find(key)
        if known is None:
            value = make()
            self._recorder.writer.put(self._steps.note(key, value))
            return value
        return copy_json(known.output)

    async def settle(self) -> None:
        """Return when all that the script has called is over, and see to what it calls no more.

        Raises:
            PlannerError: what an earlier call has raised to end the run, whatever the script has made of it.
            WaitingError: if there is a call from before that the script has not made now.
        """
        while self._waiting and self._fatal is None:
            self._over = asyncio.get_running_loop().create_future()
            await self._over
        if self._fatal is None and self._uncalled:
            self._drop_uncalled()
        self.check()

    def check(self) -> None:
        """Raise what a call has raised to end the run, if one has."""
        if self._fatal is not None:
            raise self._fatal

    def close(self) -> None:
        """Let nobody wait any more, as the script is over."""
        self._fatal = self._fatal or RunError(f"the script of run {self._recorder.writer.run_id} is over")
        for calls in self._waiting.values():
            for call in calls:
                call.cancel()

    def _heard(self, event: Event) -> None:
        """Hand out what has come of a task that is called."""
        if (calls := self._waiting.pop(str(event.task_id), None)) is None:
            return
        for call in calls:
            self._arrives(call)
        if not self._waiting and self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _made(self, place: str, task: Task, *, is_split: bool) -> Call:
        before = self._before.get(place)
        request = self._recorder.redactor.data(request_of(task, is_split=is_split))
        if is_split and task.config.policy is None:
            task.config = task.config.over(TaskConfig(policy=self._policy))
        if before is None:
            left = index_of(self._root).by_id.get(f"{self._root.id}.{place}")  # of a script that is done anew
            if left is None:
                return self._begin(place, place, task, request)
            return self._instead(place, left, task, request)
        known = index_of(self._root).by_id[str(before.output)]
        self._uncalled.pop(known.id, None)
        if before.input == request:
            return self._again(known)
        if not self._accepts_changes:
            raise self._refusal(f"{changed_words(known, before.input, task, request)}", known)
        return self._instead(place, known, task, request)

    def _begin(self, place: str, name: str, task: Task, request: Mapping[str, Any]) -> Call:
        """Put a new call into the tree; both are written in one transaction."""
        _rename(task, f"{self._root.id}.{name}")
        new = list(task.walk())
        self._spawning.check_new(self._root, task, new)
        added = self._attaching.attach(self._root, [task], origin="added")
        note = self._steps.note(StepKey(self._root.id, 0, f"{_CALL}{place}"), task.id, given=request)
        self._recorder.put(EventType.TASK_ADDED, task, *added, note, by=self._root.id, tasks=len(new))
        return self._waits(task)

    def _again(self, known: Task) -> Call:
        """Return a call that was made before."""
        if known.state is TaskState.OPEN:
            call = self._waits(known)
            self.on_called(known)
            return call
        call = Call(known)
        self._arrives(call, (known.completed_at or known.created_at).timestamp())
        return call

    def _instead(self, place: str, known: Task, task: Task, request: Mapping[str, Any]) -> Call:
        """Begin a call that stands where there was another one, which is DELETED with what it has cost."""
        number = 2
        while f"{self._root.id}.{place}-{number}" in index_of(self._root).by_id:
            number += 1
        self._uncalled.pop(known.id, None)
        self._drop(known)
        return self._begin(place, f"{place}-{number}", task, request)

    def _drop_uncalled(self) -> None:
        gone = list(self._uncalled.values())
        if not self._accepts_changes:
            self._fatal = self._refusal(f"it no longer calls {_named(gone[0])}", gone[0])
            return
        for task in gone:
            self._drop(task)

    def _drop(self, task: Task) -> None:
        self._recorder.drop(task, Difference(task.id, "removed", {"content": (task.content, None)}).to_data())

    def _waits(self, task: Task) -> Call:
        call = Call(task)
        self._waiting.setdefault(task.id, []).append(call)
        return call

    def _arrives(self, call: "Call | asyncio.Future[None]", ended_at: float | None = None) -> None:
        """Have `call` handed to the script in its turn: what had ended before, by its time, and then what ends now."""
        self._numbers += 1
        order = (1, 0.0) if ended_at is None else (0, ended_at)
        heappush(self._arrived, (order, self._numbers, call))
        if not self._is_handing_out:
            self._is_handing_out = True
            self._in_turns(TURNS)

    def _in_turns(self, left: int) -> None:
        if left:
            asyncio.get_running_loop().call_soon(self._in_turns, left - 1)
        elif self._arrived:
            _answer(heappop(self._arrived)[2])
            self._in_turns(TURNS)
        else:
            self._is_handing_out = False

    def _version(self, key: StepKey, given: Any) -> StepKey:
        """Return `key` as the step is known that was given this: where changes are accepted, there may be several."""
        own, number = key, 1
        while True:
            try:
                self._steps.find(own, given)
            except RunError:
                number += 1
                own = key._replace(key=f"{key.key}-{number}")
                if not self._accepts_changes and own not in {step.key for step in self._steps.of(self._root.id)}:
                    self._fatal = self._refusal(f"its step {key.key} gets other input than before", self._root)
                    raise self._fatal from None
            else:
                return own

    def _refusal(self, what: str, task: Task) -> WaitingError:
        run_id = self._recorder.writer.run_id
        return WaitingError(
            f"the script of run {run_id} has changed: {what}. Nothing was run for that. Restore the script,"
            f" or run what differs again: `ramify resume {run_id} --accept-changes` (in Python:"
            " accept_changes=True)",
            task_id=task.id,
            options=("--accept-changes",),
        )


def _answer(call: "Call | asyncio.Future[None]") -> None:
    """Hand out what has come of a call, unless nobody waits for it any more."""
    if call.done():
        return
    if not isinstance(call, Call):
        call.set_result(None)
    elif call.task.state is TaskState.DONE:
        call.set_result(call.task.result if call.task.output is None else copy_json(call.task.output))
    else:
        why = call.task.error or f"it is {call.task.state.value}"
        call.set_exception(WorkFailedError(f"task {call.task.id} failed: {why}", task_id=call.task.id))
        call.exception()  # who does not look at a call is not told at its end


def _named(task: Task) -> str:
    return f"task {task.id} ({title(task.content)})"


def _rename(task: Task, new_id: str) -> None:
    """Let a task have another id, and all below it ids that go on from there."""
    for number, each in enumerate(list(task.walk()) if task.subtasks else ()):
        each.set_id(f"{new_id} {number}")  # none of its old ids is in the way of a new one then
    task.set_id(new_id)
    for each in task.walk():
        for number, child in enumerate(each.subtasks, 1):
            child.set_id(f"{each.id}.{number}")
