"""The `replay` model: answers come from recorded calls, by the exact hash of the request, and from nowhere else.

The hash is the journal's own (`ModelRequest.sha256`): it is taken with the name of the model that was recorded, and
without the nonce, so that a new run asks what the recorded one asked. Of several calls with one hash, the one of the
same task, attempt and sample answers; where there is none, they answer in the order in which they were recorded, those
of the same task first, each once.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ramify.planner.errors import NoModelError, RunError, StoreError, UsageError
from ramify.planner.settings.settings import store_place
from ramify.planner.store import CallKey, CallRecord, Store
from ramify.planner.store.run_file import damaged, read_head, read_lines
from ramify.planner.store.run_parts import call_of
from ramify.planner.store.texts import join_texts
from ramify.prompts.blocks import DEFAULT_BUDGET
from ramify.tasks.counting import counted
from ramify.tasks.parts import Part, part_of_data

from .nearest import difference, nearest
from .protocol import ModelReply, ModelRequest

PREFIX = "replay:"
_READ_VARIABLES = frozenset({"rules"})
"""Models that have no `prompt_budget`, so that a replay of them must have none either to ask the same."""

Calls = Callable[[], Iterable[CallRecord]]


@dataclass(slots=True)
class _Take:
    key: CallKey
    reply: ModelReply
    is_given: bool = False


@dataclass(slots=True)
class _Takes:
    """The recorded calls of one request."""

    by_key: dict[tuple[str, int, int], _Take] = field(default_factory=dict)
    by_task: dict[str, deque[_Take]] = field(default_factory=dict)
    in_order: deque[_Take] = field(default_factory=deque)
    count: int = 0

    def add(self, take: _Take) -> None:
        key = take.key
        self.count += 1
        self.by_key.setdefault((key.task_id, key.attempt, key.sample), take)
        self.by_task.setdefault(key.task_id, deque()).append(take)
        self.in_order.append(take)

    def give(self, request: ModelRequest) -> _Take | None:
        take = self.by_key.get((request.task_id, request.attempt, request.sample))
        if take is None:
            take = _first(self.by_task.get(request.task_id)) or _first(self.in_order)
        if take is not None:
            take.is_given = True
        return take


class ReplayModel:
    """Answers from recorded calls.

    Args:
        calls: gives the recorded calls, in order; asked again when a request is not among them, to show the nearest.
        name: how users name it.
        source: the run, or the file, for people to read.

    Raises:
        NoModelError: if there are no calls.

    Attributes:
        prompt_budget: that of the model that was recorded.
        calls_tools: whether the model that was recorded has called tools by itself.
        recorded_splits: the ids of the tasks for which a plan was asked.
        schemas_sent: whether a schema was sent, by task, purpose, attempt and sample.
        recorded_parts: the parts in which documents were read, by the task that they belong to.
        recorded_heads: the tasks that a plan had begun with, by the task that it is for, where the reply that gave them
            broke off and is not recorded.
        recorded_steps: how much the prompts of compositions showed that had to be made in steps, by task.
        budgets: those of the recorded prompts that left something out, by task, purpose, attempt, sample and step.
    """

    is_language_model = False

    def __init__(self, calls: Calls, *, name: str, source: str) -> None:
        self.name = name
        self._source = source
        self._calls = calls
        self._takes: dict[str, _Takes] = {}
        makers: dict[str, None] = {}
        self.calls_tools = False
        splits = set()
        self.budgets: dict[tuple[str, str, int, int, int], int] = {}
        self.schemas_sent: dict[tuple[str, str, int, int], bool] = {}
        self.recorded_steps: dict[str, int] = {}
        parts: dict[str, tuple[str, Part]] = {}
        heads: dict[str, list[dict[str, Any]]] = {}
        for call in calls():
            if (cut := call.request.get("cut")) is not None:
                self.budgets[call.key[:-1]] = cut["budget"]
            if (steps := call.request.get("steps")) is not None:
                self.recorded_steps[call.key.task_id] = steps
            if (data := call.request.get("part")) is not None:
                parts[call.key.task_id] = part_of_data(data)
            self.calls_tools |= "tools" in call.request
            place = call.key[:4]
            self.schemas_sent[place] = "schema" in call.request or self.schemas_sent.get(place, False)
            if call.key.purpose == "decompose":
                splits.add(call.key.task_id)
                heads.setdefault(call.key.task_id, call.request.get("there", []))
            makers[call.model] = None
            reply = replace(ModelReply.from_data(call.reply), taken_from=source, latency_s=0.0)
            self._takes.setdefault(call.key.request_sha256, _Takes()).add(_Take(call.key, reply))
        if not makers:
            raise NoModelError(f"{source} has no recorded calls; record a run that makes calls")
        self.recorded_splits = frozenset(splits)
        self.recorded_heads = {task_id: head for task_id, head in heads.items() if head}
        self.recorded_parts: dict[str, list[Part]] = {}
        for _, (of, part) in sorted(parts.items(), key=lambda each: (len(each[0]), each[0])):
            self.recorded_parts.setdefault(of, []).append(part)
        self._models = tuple(makers)
        self.maker = f"replay of {source} ({', '.join(self._models)})"
        self.prompt_budget = None if _READ_VARIABLES.issuperset(self._models) else DEFAULT_BUDGET

    @classmethod
    def of_run(cls, run_id: str, store: str | Path | None = None) -> Self:
        """Return a model that answers from the journal of a stored run.

        Args:
            run_id: its id, or the unique beginning of one.
            store: where it is stored; where the settings say unless given.

        Raises:
            NoModelError: if there is no such run, or no call in it, or the store cannot be opened.
        """
        place = store_place(store)
        try:
            with Store.open(place, create=False) as opened:
                run = opened.find_run(run_id)
        except (RunError, StoreError) as error:
            hint = f"; to replay the file, write {PREFIX}./{run_id}" if Path(run_id).is_file() else ""
            raise NoModelError(f"{PREFIX}{run_id} cannot be used: {error}{hint}") from error
        return cls(lambda: _calls_of_run(place, run.id), name=f"{PREFIX}{run.id}", source=run.id)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return a model that answers from a recording, or from an exported run.

        Raises:
            NoModelError: if the file is not there, is no recording, or is damaged; a damaged line is named.
        """
        try:
            return cls(lambda: read_calls(path), name=f"{PREFIX}{path}", source=path.name)
        except UsageError as error:
            raise NoModelError(f"{PREFIX}{path} cannot be used: {error}") from error

    async def keeps_schemas(self) -> bool:
        """Return whether any recorded call had a schema."""
        return any(self.schemas_sent.values())

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the recorded answer to `request`.

        Raises:
            NoModelError: if there is none, or each has been given already; the nearest recorded request is shown.
        """
        for model in self._models:
            takes = self._takes.get(request.sha256(model))
            take = None if takes is None else takes.give(request)
            if take is not None:
                return take.reply
            if takes is not None:
                raise NoModelError(
                    f"task {request.task_id}: its {request.purpose!r} request was recorded"
                    f" {counted(takes.count, 'time')} in {self._source}, and all its replies are used up;"
                    " replay the whole run, or use a model"
                )
        raise NoModelError(await asyncio.to_thread(self._miss, request))

    async def stream(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        """Yield the recorded answer to `request`, whole. Raises as `complete`."""
        reply = await self.complete(request)
        yield reply.text
        yield reply

    async def aclose(self) -> None:
        """Do nothing: nothing is held open."""

    def _miss(self, request: ModelRequest) -> str:
        near = nearest(request, self._calls())
        about = f"task {request.task_id}: its {request.purpose!r} request is not recorded in {self._source}"
        if near is None:
            return about
        return (
            f"{about}. The nearest recorded one, {near.key.purpose!r} of task {near.key.task_id}, differs:\n"
            f"{difference(request, near)}\n"
            "A replay needs the goal, files, prompts and settings of the recording; or resume with another model"
        )


def open_replay(wanted: str, *, store: str | Path | None) -> ReplayModel:
    """Return the model that `replay:WANTED` means: a file if `wanted` holds a slash or a dot, else a run of the store.

    Raises:
        NoModelError: if there is no such recording, or it cannot be used.
        UsageError: if nothing is wanted.
    """
    if not wanted:
        raise UsageError("name what to replay: replay:RUN, or replay:FILE with a file from --record")
    if any(sign in wanted for sign in "./\\"):
        return ReplayModel.of_file(Path(wanted))
    return ReplayModel.of_run(wanted, store)


def read_calls(path: Path) -> Iterator[CallRecord]:
    """Yield the calls of a recording, or of an exported run.

    Raises:
        UsageError: if the file is not there or is no such file, or if a line is damaged, which is named by its number.
    """
    read_head(path)
    texts: dict[str, str] = {}
    for line in read_lines(path):
        try:
            if line.kind == "text":
                texts[line.fields["sha256"]] = line.fields["content"]
            elif line.kind == "call":
                call = call_of(line.fields)
                yield replace(call, request=join_texts(call.request, texts))
        except (ValueError, TypeError, KeyError) as fault:
            raise damaged(path, line.number, str(fault)) from None


def _calls_of_run(place: str | Path, run_id: str) -> Iterator[CallRecord]:
    with Store.open(place, create=False) as store, closing(store.stream_calls(run_id)) as calls:
        yield from calls


def _first(takes: deque[_Take] | None) -> _Take | None:
    while takes:
        take = takes.popleft()
        if not take.is_given:
            return take
    return None
