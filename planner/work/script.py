"""What a script is given: the context of its run's root, whose calls are tasks, each known again by its place.

The place of a call is its number among the calls of its scope, in the order in which they are made. A scope is the
script itself, an item of `map` with a function, or an asyncio task that the script has begun (by `gather` with
coroutines, or `create_task`); so places do not depend on which task ends first.
"""

import asyncio
import inspect
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from pydantic import ValidationError
from ramify.planner.errors import UsageError
from ramify.planner.events.events import EventType
from ramify.planner.runtime.gather import together
from ramify.planner.runtime.several import several
from ramify.planner.store.records import MayRepeat, StepKey
from ramify.prompts import Material
from ramify.tasks import Check, Task, TaskConfig
from ramify.tasks.prompt_variables import title
from ramify.tasks.tree.documents import validation_text
from ramify.tasks.tree.node import index_of

from .context import WorkContext
from .memory import TaskMemory
from .protocol import Worker
from .special_types import LIST
from .telling import Telling

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .share import Calls

Place = tuple[int, ...]


class Call(asyncio.Future[Any]):
    """A call of a script: a task, which is under way from when the call is made.

    Await it for the answer: the structured one where there is one, otherwise the text. That raises `WorkFailedError`,
    with the task's id, if the task has failed. Who cancels it waits no longer; the task goes on.

    Attributes:
        id: the task's id.
        task: the task.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.id = task.id
        self.task = task


class CallFields(TypedDict, total=False):
    """What can be said of a call besides its content; the names and meanings are those of `Task`.

    Attributes:
        type: who does it: the name of a worker or agent, or a worker itself.
        needs: the calls, or the ids of tasks, whose results it is given.
        check: what its answer has to pass.
    """

    type: Any
    needs: "Call | str | Iterable[Call | str]"
    inputs: "Mapping[str, JsonValue]"
    check: Check | Iterable[Check]
    attachments: Material | Iterable[Material]
    config: TaskConfig
    name: str
    priority: int
    expected_seconds: float


class _Scope:
    """Where calls are numbered."""

    def __init__(self, owner: "ScriptContext", place: Place = ()) -> None:
        self.owner = owner
        self.place = place
        self.random: random.Random | None = None
        self.steps: Counter[str] = Counter()
        self._made = 0

    def next(self) -> Place:
        """Return the place of the next call, or of a scope below this one."""
        self._made += 1
        return (*self.place, self._made)


_above: ContextVar[_Scope | None] = ContextVar("ramify_script_scope", default=None)


class ScriptContext(Telling):
    """The context of a script: what every worker has, such as `inputs`, `step`, `memory` and `secret`, and calls.

    A call is a task below the root of the run, and begins when it is made. In a new process, those that were finished
    give what they gave, in the order in which they were finished.

    Attributes:
        root: the root of the run, which the script does.
    """

    __slots__ = ("_context", "_scopes", "_top", "root")

    def __init__(self, context: WorkContext) -> None:
        self.root = context.task
        self._context = context
        self._told_at = 0.0
        self._top = _Scope(self)
        self._scopes: WeakKeyDictionary[asyncio.Task[Any], _Scope] = WeakKeyDictionary()
        self._scope()  # so that what the script begins finds it

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._context.run_id

    @property
    def inputs(self) -> dict[str, Any]:
        """What the script was started with, as JSON data."""
        return self._context.inputs

    @property
    def memory(self) -> TaskMemory:
        """What is remembered between tasks; what is read here may be another thing in a new process."""
        return self._context.memory

    @property
    def storage(self) -> Path:
        """A folder of the run's own, made when it is first asked for; it goes when the run is deleted."""
        return self._context.storage

    def secret(self, name: str) -> str:
        """Return the value of a secret that the run grants; see `WorkContext.secret`."""
        return self._context.secret(name)

    def task(self, content: str | Task, *, split: bool = False, **fields: Unpack[CallFields]) -> Call:
        """Have a task done; `await` gives its answer.

        Args:
            content: what is to be done; or a whole task, or a plan, which gets ids of its own.
            split: whether it may be split, as the run's policy says, in place of being done in one piece.
            **fields: who does it, with which inputs, after which calls, within which limits; see `CallFields`.

        Raises:
            UsageError: if nobody does tasks of that type, or it is called from another thread.
            NotAllowedError: if it needs a permission that is not granted.
            LimitError: if the run would have more tasks than `max_tasks` allows.
            WaitingError: if the script was changed, so that it makes another call here than before.
        """
        scope = self._scope()
        made = self._task_of(content, fields)
        return cast("Call", self.calls.make(scope.next(), made, is_split=split))

    def solve(self, goal: str, **fields: Unpack[CallFields]) -> Call:
        """Have a goal planned, its plan run, and the answer composed, as the run's policy says; otherwise as `task`."""
        return self.task(goal, split=True, **fields)

    def compose(self, content: str, of: Call | str | Iterable[Call | str], **fields: Unpack[CallFields]) -> Call:
        """Have one answer made from those of other calls; otherwise as `task`.

        Args:
            content: what is to be made of them.
            of: the calls; they may be under way.
            **fields: as for `task`.
        """
        fields["needs"] = [*self._needs(of), *self._needs(fields.get("needs", ()))]
        return self.task(content, **fields)

    def map(
        self, make: str | Callable[[Any], Any], items: Iterable[Any], **fields: Unpack[CallFields]
    ) -> Awaitable[list[Any]]:
        """Have the like done for each of `items`, side by side; `await` gives the answers in their order.

        Args:
            make: what is done with an item: a text, whose tasks are given the item as inputs (an item that is no
                mapping as the input `item`); a function that returns the text, or the `Task`, for an item; or an async
                function that makes calls of its own for an item, and returns what came of them.
            items: the items.
            **fields: as for `task`, for each; with an async function, none.

        Raises:
            UsageError: as `task`.
        """
        _check_mapped(make, items)
        place = self._scope().next()
        if inspect.iscoroutinefunction(make):
            if fields:
                name = next(iter(fields))
                raise UsageError(f"map with an async function takes no {name}; pass it to the calls inside")
            return self._branches(make, list(items), place)
        name = "" if isinstance(make, str) else str(getattr(make, "__name__", "")).replace("<lambda>", "")
        group = Task(make if isinstance(make, str) else f"map {name}".strip(), type=LIST)
        group.dependencies = self._needs(fields.get("needs", ()))
        each: Any = {field: value for field, value in fields.items() if field != "needs"}
        group.add_subtasks([self._item_of(make, item, each) for item in items])
        return cast("Call", self.calls.make(place, group))

    async def step(
        self,
        name: str,
        function: Callable[[], Any] | Callable[[], Awaitable[Any]],
        *,
        given: "JsonValue" = None,
        may_repeat: MayRepeat = True,
    ) -> Any:
        """Take a step that is taken once; see `WorkContext.step`. Each scope has its own steps of a name."""

        async def take(key: StepKey) -> Any:
            return await self._context.step_at(key, function, given=given, may_repeat=may_repeat)

        return await self.calls.step(self._key(name), given, take)

    def now(self) -> datetime:
        """Return the time, UTC: in a new process, what it was when the script first asked here."""
        return datetime.fromtimestamp(self._noted("now", time.time), UTC)

    @property
    def random(self) -> random.Random:
        """Random numbers, which are the same ones again in a new process; each scope has its own."""
        scope = self._scope()
        if scope.random is None:
            scope.random = random.Random(self._noted("random", lambda: uuid4().int))  # noqa: S311 - for scripts
        return scope.random

    def uuid(self) -> UUID:
        """Return a random UUID, which is the same one again in a new process."""
        return UUID(int=self.random.getrandbits(128), version=4)

    @property
    def calls(self) -> "Calls":
        """The calls of the run; of the kind that its loop makes."""
        found = self._context.services.calls
        if found is None:
            raise UsageError(f"run {self.run_id} is not a script, so there are no calls")
        return found

    def _scope(self) -> _Scope:
        """Return where the next call is numbered; an asyncio task that the script has begun has a scope of its own."""
        try:
            job = asyncio.current_task()
        except RuntimeError:
            job = None
        if job is None:
            raise UsageError("a script makes calls only on its own loop, not from threads")
        above = _above.get()
        if above is None or above.owner is not self:
            above = self._scopes[job] = self._top
            _above.set(above)
        if job not in self._scopes:
            self._scopes[job] = _Scope(self, above.next())
            _above.set(self._scopes[job])
        return self._scopes[job]

    async def _branches(self, make: Callable[[Any], Awaitable[Any]], items: list[Any], place: Place) -> list[Any]:
        return await together(self._branch(make, item, (*place, number)) for number, item in enumerate(items, 1))

    async def _branch(self, make: Callable[[Any], Awaitable[Any]], item: Any, place: Place) -> Any:
        job = asyncio.current_task()
        if job is not None:
            self._scopes[job] = _Scope(self, place)
            _above.set(self._scopes[job])
        return await make(item)

    def _task_of(self, content: str | Task, fields: CallFields) -> Task:
        """Return the task of a call; of a task that is given, what else is said."""
        if not isinstance(content, str | Task):
            raise UsageError(f"a call takes text or a Task, not {type(content).__name__}")
        said: dict[str, Any] = {name: value for name, value in fields.items() if name not in {"type", "needs", "check"}}
        unknown = [name for name in said if name not in CallFields.__annotations__]
        if unknown:
            raise UsageError(f"a call has no keyword {unknown[0]}; it takes {', '.join(CallFields.__annotations__)}")
        if "type" in fields:
            said["type"] = getattr(fields["type"], "name", fields["type"])
        if "needs" in fields:
            said["dependencies"] = self._needs(fields["needs"])
        if "check" in fields:
            said["checks"] = tuple(several(fields["check"], Check))
        if "attachments" in said:
            said["attachments"] = tuple(several(said["attachments"], Material))
        try:
            return Task(content, **said) if isinstance(content, str) else _told_more(content, said)
        except ValidationError as error:
            raise UsageError(f"a call cannot be made: {validation_text(error)}") from None

    def _item_of(self, make: str | Callable[[Any], Any], item: Any, fields: CallFields) -> Task:
        """Return the task of one item of `map`."""
        if isinstance(make, str):
            own = item if isinstance(item, Mapping) else {"item": item}
            return self._task_of(make, {**fields, "inputs": {**fields.get("inputs", {}), **own}})
        made = make(item)
        if isinstance(made, Awaitable):
            raise UsageError("map takes a function that returns text or a Task, or an `async def` that makes calls")
        return self._task_of(made, fields)

    def _needs(self, given: Call | str | Iterable[Call | str]) -> list[str]:
        """Return the ids of the tasks that a call needs.

        Raises:
            UsageError: if something else is given, such as what a call gave when it was awaited.
        """
        calls = [given] if isinstance(given, Call | str) or not isinstance(given, Iterable) else list(given)
        known = index_of(self.root).by_id
        for each in calls:
            if not isinstance(each, Call) and not (isinstance(each, str) and each in known):
                raise UsageError(
                    f"needs takes calls, or ids of tasks, and {title(repr(each))} is neither; give the call itself"
                    " (call = ctx.task(...)), not its awaited result"
                )
        return [each.id if isinstance(each, Call) else each for each in calls]

    def _noted(self, name: str, make: Callable[[], Any]) -> Any:
        return self.calls.noted(self._key(name), make)

    def _key(self, name: str) -> StepKey:
        if not name.strip() or not name.isprintable():
            raise UsageError(f"the name of a step must be printable text, not {name!r}")
        scope = self._scope()
        scope.steps[name] += 1
        where = f" in {'.'.join(map(str, scope.place))}" if scope.place else ""
        return StepKey(self.root.id, 0, f"{name}{where}#{scope.steps[name]}")

    def _tell(self, kind: EventType, **data: Any) -> None:
        self._context._tell(kind, **data)  # noqa: SLF001 - it tells of the same task


def _told_more(content: Task, said: Mapping[str, Any]) -> Task:
    """Return a copy of a task, or of a plan, with what else is said of it."""
    if content.parent is not None:
        raise UsageError(f"task {content.id} is part of a tree; pass a new task, or the root of a plan")
    task = deepcopy(content)
    for name, value in said.items():
        setattr(task, name, value)
    return task


def _check_mapped(make: object, items: object) -> None:
    """Raise unless `map` can go over `items` with `make`."""
    if isinstance(make, Worker):
        name = getattr(make, "name", "NAME")
        raise UsageError(f"map takes a text or a function; for a worker: map({name!r}, items, type={name!r})")
    if not isinstance(make, str) and not callable(make):
        raise UsageError(f"map needs a text or a function, not {type(make).__name__}")
    if isinstance(items, Awaitable):
        raise UsageError("map needs the result of a call; `await` the call first")
    if not isinstance(items, Iterable):
        raise UsageError(f"map needs items, such as a list, not {type(items).__name__}")
