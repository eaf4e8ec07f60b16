"""Which worker does which type of task, and whether all that a tree asks of its workers can be had."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from ramify.planner.checks.commands import PERMISSION
from ramify.planner.checks.predicates import Predicate, predicates_of
from ramify.planner.engines.table import engine_class
from ramify.planner.errors import UsageError
from ramify.planner.runtime.several import several
from ramify.planner.work.grants import Grants
from ramify.planner.work.protocol import Worker
from ramify.planner.work.special_types import CARRY_RUNS, SCRIPT
from ramify.prompts.variables import WorkerCard
from ramify.tasks import Task
from ramify.tasks.tree.config import NO_CONFIG

from .built_in import BUILT_IN, MODEL
from .functions import FunctionWorker
from .model import ModelWorker
from .teams import JOINT, TeamWorker

ONLY_FOR_SOME: Mapping[str, str] = {
    **dict.fromkeys(
        ("max_pages", "allowed_domains", "blocked_domains", "require_https", "user_agent"), "workers that fetch pages"
    ),
    "max_memory_mb": "workers that run programs",
    **dict.fromkeys(("viewport_width", "viewport_height"), "workers with a browser"),
    **dict.fromkeys(("vote_ahead", "max_samples", "max_answer_characters", "tool_choice", "conversation"), "models"),
}
"""Limits that only some workers keep, and who these are; all others hold whoever does a task."""

WorkersGiven = Mapping[str, Worker | Callable[..., Any]] | Iterable[Worker | Callable[..., Any]]
"""What users give as workers: by type, or in a row, where functions go by their names."""

ChecksGiven = Mapping[str, Callable[..., Any]]
"""What users give as functions for checks."""


class Workers(Mapping[str, Worker]):
    """The workers of one run, by type: those that were given, over those that come with Ramify.

    Args:
        given: workers of the user's own.
        checks: functions for checks, by name.
        disabled: types that nobody does, of those that come with Ramify.
        script: what does the root, if a script does.
        engine: where functions are called whose workers do not say.

    Attributes:
        given: the workers, by type.
        predicates: the functions, by name.

    Raises:
        UsageError: if one of them is no worker, two have one name, or one cannot be called on the engine.
    """

    def __init__(
        self,
        given: WorkersGiven | None = None,
        checks: ChecksGiven | None = None,
        *,
        disabled: Iterable[str] = (),
        script: Worker | None = None,
        engine: str | None = None,
    ) -> None:
        self._engine = engine
        if engine is not None:
            engine_class(engine)
        self.given = {name: self._placed(each) for name, each in _named(given or {}).items()}
        self.predicates = predicates_of(checks or {})
        self._disabled = frozenset(disabled)
        self._built_in: dict[str, Worker] = {} if script is None else {SCRIPT: script}
        self._by_type: dict[str, Worker] = {}

    def __getitem__(self, name: str) -> Worker:
        found = self.given.get(name) or self._built_in.get(name)
        if found is None and name in self._disabled:
            raise KeyError(name)
        if found is None:
            module, _, attribute = BUILT_IN[name].partition(":")
            made = getattr(import_module(f"ramify.planner.{module}"), attribute)()
            found = self._built_in[name] = self._placed(made)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([*self.given, *(name for name in BUILT_IN if name not in {*self.given, *self._disabled})])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def of(self, task: Task) -> Worker:
        """Return the worker that does `task`.

        Raises:
            UsageError: if nobody does tasks of its type.
        """
        name = task.type or MODEL
        found = self._by_type.get(name)
        if found is None:
            is_team = JOINT in name and name not in self.given
            parts = {part: self._one(part, task) for part in name.split(JOINT)} if is_team else {}
            found = self._by_type[name] = TeamWorker(parts) if is_team else self._one(name, task)
        return found

    def _placed(self, worker: Worker) -> Worker:
        return worker if self._engine is None else worker.placed(self._engine)

    def _one(self, name: str, task: Task) -> Worker:
        try:
            return self[name]
        except KeyError:
            raise UsageError(f"task {task.id} needs a worker {name!r}, which {self._why_not_there(name)}") from None

    def predicate(self, name: str, task: Task) -> Predicate:
        """Return the function that a check of `task` calls `name`.

        Raises:
            UsageError: if nobody gave it.
        """
        found = self.predicates.get(name)
        if found is None:
            place = self._unmarked(name, self.predicates.values())
            if place is not None:
                raise UsageError(
                    f"a check of task {task.id} uses the function {name!r}, which {place} has without @predicate; put"
                    " @predicate above it"
                )
            known = f"there are: {', '.join(sorted(self.predicates))}" if self.predicates else "there are none"
            raise UsageError(
                f"a check of task {task.id} uses the function {name!r}, but {known}; pass it with"
                f" checks={{{name!r}: ...}}, or under @predicate in a file for --workers"
            )
        return found

    @property
    def cards(self) -> tuple[WorkerCard, ...]:
        """The workers that a planner may give tasks to: those that were given, and how agents work together."""
        cards = [
            WorkerCard(type=name, description=each.about, is_agent=isinstance(each, ModelWorker))
            for name, each in self.given.items()
        ]
        first = [card.type for card in cards if card.is_agent][:2]
        if len(first) > 1:
            together = f"{first[0]} and {first[1]} together, {first[0]} combining their answers; likewise other agents"
            cards.append(WorkerCard(type=JOINT.join(first), description=together))
        return tuple(cards)

    def check(self, task: Task, grants: Grants) -> None:
        """Make sure that `task` can be started.

        Raises:
            UsageError: if nobody does its type, or a limit of it is one that its worker does not keep, or a function
                is missing that a check calls.
            NotAllowedError: if it needs a permission that is not granted.
        """
        for check in task.checks:
            if check.predicate is not None:
                self.predicate(check.predicate, task)
            if check.command is not None:
                grants.check(task, [PERMISSION])
        if task.type is None:
            return
        worker = self.of(task)
        if task.is_leaf:
            grants.check(task, worker.needs(task))

    def check_tree(self, root: Task, grants: Grants) -> None:
        """Make sure that every task of a tree can be started, and that every limit in it is kept by somebody.

        Raises:
            UsageError: as `check`.
            NotAllowedError: as `check`.
        """
        for task in root.walk():
            self.check(task, grants)
            if task.config is not NO_CONFIG:
                self._check_limits(task)

    def may_end_process(self, task: Task) -> bool:
        """Return whether the leaf `task` is done by other people's code in this process."""
        who = self.given.get(task.type or MODEL) if task.is_leaf else None
        if who is None or isinstance(who, ModelWorker):
            return False
        return not (isinstance(who, FunctionWorker) and engine_class(who.engine).is_far)

    @property
    def used(self) -> tuple[Worker, ...]:
        """The workers that may have been used, and have to be closed."""
        return (*self.given.values(), *self._built_in.values())

    def _why_not_there(self, name: str) -> str:
        from .plugins import installed_plugins

        if name in self._disabled:
            return f"is disabled; enable it with `ramify workers enable {name}`"
        if (plugin := installed_plugins().get(name)) is not None:
            return f"{plugin.package} offers but is not enabled; enable it with `ramify workers enable {name}`"
        if (place := self._unmarked(name, self.given.values())) is not None:
            return f"does not exist: {place} has a function of that name without @worker; put @worker above it"
        near = get_close_matches(name, list(self), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"does not exist{hint}; there are: {', '.join(sorted(self))}"

    def _unmarked(self, name: str, first: Iterable[Any]) -> str | None:
        from ramify.planner.work.modules import unmarked

        return unmarked(name, [*first, *self.given.values(), *self.predicates.values()])

    def _check_limits(self, task: Task) -> None:
        """Refuse a limit that no leaf at or below `task` has a worker for; a limit is never silently ignored."""
        if task.config.may_repeat is not None:
            self._check_may_repeat(task)
        named = [name for name in ONLY_FOR_SOME if getattr(task.config, name) is not None]
        if not named:
            return
        kept = {limit for each in task.walk() if each.is_leaf for limit in self.of(each).keeps}
        for name in named:
            if name not in kept:
                who = ONLY_FOR_SOME[name]
                more = "" if who == "models" else " (for models, use max_calls and max_duration_seconds)"
                raise UsageError(
                    f"task {task.id}: {name} is a limit for {who}, and no task here has one; remove it{more}"
                )

    def _check_may_repeat(self, task: Task) -> None:
        """Refuse `may_repeat` of a task for which no worker does anything outside."""
        worker = self.of(task)
        if not task.is_leaf:
            raise UsageError(
                f"task {task.id}: may_repeat applies to workers, and this task is composed from its subtasks; set it"
                " on the subtasks that have side effects"
            )
        if isinstance(worker, ModelWorker | TeamWorker) or task.type in CARRY_RUNS:
            raise UsageError(
                f"task {task.id}: may_repeat applies to workers with side effects, and {task.type or MODEL!r} has none;"
                " for a model's tools, write @tool(may_repeat=...)"
            )


def is_for_model(task: Task) -> bool:
    """Return whether the leaf `task` is the model's, and no other worker's."""
    return is_models(task.type)


def is_models(name: str | None) -> bool:
    """Return whether leaves of the type `name` are the model's."""
    return name in {None, MODEL}


def _named(given: WorkersGiven) -> dict[str, Worker]:
    pairs = given.items() if isinstance(given, Mapping) else [(_name_of(each), each) for each in several(given)]
    named: dict[str, Worker] = {}
    for name, each in pairs:
        if name in named:
            raise UsageError(f"two workers are named {name!r}; rename one")
        if not isinstance(each, Worker) and not callable(each):
            raise UsageError(f"the worker {name!r} is {type(each).__name__}; a worker is a function or a Worker")
        named[name] = each if isinstance(each, Worker) else FunctionWorker(each, name=name)
    return named


def _name_of(each: Any) -> str:
    name = getattr(each, "name", None) or getattr(each, "__name__", None)
    if not isinstance(name, str):
        raise UsageError(f"{type(each).__name__} has no name; pass workers as {{name: worker}}")
    return name
