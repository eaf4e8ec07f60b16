"""Planning without a model: tasks are split by methods in order, until only operators are left, which change a state.

A method gives the tasks that a task is done by, in the order in which they are done; an operator gives the state after
it. Both are Python functions. Where one does not apply, the next one is tried, back to the last choice. What is next is
always planned in the state that holds then, so the functions can compute whatever they like.

Source: SHOP, Nau, Cao, Lotem and Munoz-Avila, IJCAI 1999: ordered task decomposition.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from ramify.planner.errors import NoPlanError, UsageError
from ramify.planner.runtime.border import border
from ramify.tasks.plans.rows import near_miss

Step = tuple[Any, ...]
"""A task: its name, and what it is given."""

F = TypeVar("F", bound=Callable[..., Any])

MAX_STEPS = 200_000
MAX_DEPTH = 5_000
_LONGEST = 120


class _Todo(NamedTuple):
    """What is still to be done, the first first."""

    task: Step
    above: "_Above | None"
    rest: "_Todo | None"


class _Above(NamedTuple):
    """The compound tasks that a task is part of, the nearest first, each with the state in which it was split."""

    task: Step
    state: Any
    depth: int
    above: "_Above | None"


class _Plan(NamedTuple):
    """The steps so far, the last first."""

    step: Step
    before: "_Plan | None"
    length: int


@dataclass(slots=True)
class _Choice:
    """A place to which a search can go back: what can be tried there still, and where it stood."""

    ways: Iterator[Iterable[Step]]
    todo: _Todo
    state: Any
    plan: _Plan | None


class Domain:
    """Operators and methods, by name.

    Args:
        name: what it is called.

    >>> trips = Domain("trips")
    >>> @trips.operator
    ... def go(state, way, town):
    ...     return {**state, "at": town} if (state["at"], town) in state[way] else None
    >>> @trips.method("travel")
    ... def directly(state, town):
    ...     return [("go", "tram", town)]
    >>> @trips.method("travel")
    ... def by_station(state, town):
    ...     return [("go", "tram", "station"), ("go", "train", town)] if state["at"] != "station" else None
    >>> world = {"at": "home", "tram": {("home", "station")}, "train": {("station", "Oslo")}}
    >>> trips.plan(world, [("travel", "Oslo")])
    [('go', 'tram', 'station'), ('go', 'train', 'Oslo')]
    """

    def __init__(self, name: str = "domain") -> None:
        self.name = name
        self.operators: dict[str, Callable[..., Any]] = {}
        self.methods: dict[str, list[Callable[..., Any]]] = {}

    def operator(self, function: F) -> F:
        """Let `function(state, ...)` be an operator, by its own name.

        It returns the state after it, and leaves the one that it is given as it is; None if it cannot be done there.
        """
        self._check_new(function.__name__, self.methods, "methods")
        self.operators[function.__name__] = function
        return function

    def method(self, task: str) -> Callable[[F], F]:
        """Let a function `(state, ...)` say how the task of that name is done; of several, the first is tried first.

        It returns the tasks, each as `(name, ...)`, in the order in which they are done, [] if nothing is to be done,
        or None if it does not apply. One that yields gives several ways, which are tried in turn.
        """
        self._check_new(task, self.operators, "an operator")

        def known(function: F) -> F:
            self.methods.setdefault(task, []).append(function)
            return function

        return known

    def plan(
        self, state: Any, tasks: Iterable[Step], *, max_steps: int = MAX_STEPS, max_depth: int = MAX_DEPTH
    ) -> list[Step]:
        """Return the steps, operators all, that do `tasks` in order from `state` on.

        Args:
            state: where it begins; it is not changed.
            tasks: what is to be done, each as `(name, ...)`.
            max_steps: how many tasks are looked at, those of ways that lead nowhere included.
            max_depth: how deep methods may stand inside of each other.

        Raises:
            NoPlanError: if there is no plan, or none was found within the limits; it says where the best try has ended.
            UsageError: if a task has neither operator nor method, or one of them gives back what is no task.
        """
        return _Search(self, max_steps, max_depth).found(state, [_step(each, "tasks") for each in tasks])

    def run(self, state: Any, steps: Iterable[Step]) -> Any:
        """Return the state after `steps`, done by the operators one by one.

        Raises:
            NoPlanError: if one of them cannot be done.
        """
        for number, step in enumerate(steps, 1):
            if step[0] not in self.operators:
                raise UsageError(f"step {number}, {words_of_step(step)}, is not an operator of {self.name}")
            with border:
                following = self.operators[step[0]](state, *step[1:])
            if following is None:
                raise NoPlanError(f"step {number}, {words_of_step(step)}, cannot be done", task=step, steps=number)
            state = following
        return state

    def tasks(self, steps: Sequence[Step], *, one_by_one: bool = True) -> list[dict[str, Any]]:
        """Return steps as the tasks of a plan: each is for the worker with the operator's name, which is given inputs.

        Args:
            steps: as `plan` gives them.
            one_by_one: whether each needs the one before it.
        """
        found: list[dict[str, Any]] = []
        for number, (name, *given) in enumerate(steps, 1):
            entry: dict[str, Any] = {"id": f"s{number}", "task": words_of_step((name, *given)), "type": name}
            parameters = list(inspect.signature(self.operators[name]).parameters)[1:]
            entry["inputs"] = dict(zip(parameters, given, strict=True))
            if one_by_one and number > 1:
                entry["needs"] = [f"s{number - 1}"]
            found.append(entry)
        return found

    def _check_new(self, name: str, others: Iterable[str], what: str) -> None:
        if name in others:
            raise UsageError(f"{self.name}: {name!r} already has {what}; a task has an operator or methods, not both")


class _Search:
    """One search, without recursion, so that plans may be as long as they have to."""

    def __init__(self, domain: Domain, max_steps: int, max_depth: int) -> None:
        self._domain = domain
        self._max_steps = max_steps
        self._max_depth = max_depth
        self._tried = 0
        self._choices: list[_Choice] = []
        self._furthest = -1
        self._why = "nothing is left to try"
        self._where: Step | None = None
        self._callable: set[tuple[Callable[..., Any], int]] = set()

    def found(self, state: Any, tasks: Sequence[Step]) -> list[Step]:
        """Return the plan for `tasks`."""
        todo, plan = _before(tasks, None, None), None
        while todo is not None:
            self._tried += 1
            if self._tried > self._max_steps:
                raise self._nothing(f"no plan found in max_steps = {self._max_steps:,}")
            here = _Place(todo, state, plan)
            following = self._operated(here) if todo.task[0] in self._domain.operators else self._split(here)
            todo, state, plan = following or self._back()
        return _steps(plan)

    def _operated(self, here: "_Place") -> "_Place | None":
        step = here.todo.task
        with border:
            state = self._called(self._domain.operators[step[0]], here.state, step)
        if state is None:
            self._failed(here, "it cannot be done in this state")
            return None
        length = 1 if here.plan is None else here.plan.length + 1
        return _Place(here.todo.rest, state, _Plan(step, here.plan, length))

    def _split(self, here: "_Place") -> "_Place | None":
        todo = here.todo
        if todo.task[0] not in self._domain.methods:
            known = sorted({*self._domain.methods, *self._domain.operators})
            name = str(todo.task[0])
            raise UsageError(
                f"{self._domain.name} has neither an operator nor a method {name!r}{near_miss(name, known)}"
            )
        depth = 1 if todo.above is None else todo.above.depth + 1
        if depth > self._max_depth or _goes_round(todo, here.state):
            is_deep = depth > self._max_depth
            why = "it splits into itself without progress"
            self._failed(here, f"it is deeper than max_depth = {self._max_depth:,}" if is_deep else why)
            return None
        self._choices.append(_Choice(self._ways(here), todo, here.state, here.plan))
        return self._next_way(here)

    def _next_way(self, here: "_Place") -> "_Place | None":
        """Return what follows by the next way of the last choice; None if it has none left."""
        choice = self._choices[-1]
        with border:
            tasks = next(choice.ways, None)
        if tasks is None:
            self._choices.pop()
            self._failed(here, "none of its methods applies")
            return None
        todo = choice.todo
        depth = 1 if todo.above is None else todo.above.depth + 1
        above = _Above(todo.task, choice.state, depth, todo.above)
        steps = [_step(each, f"a method of {todo.task[0]}") for each in tasks]
        return _Place(_before(steps, above, todo.rest), choice.state, choice.plan)

    def _back(self) -> "_Place":
        """Return what follows from the last choice that has a way left.

        Raises:
            NoPlanError: if there is none.
        """
        while self._choices:
            choice = self._choices[-1]
            if (following := self._next_way(_Place(choice.todo, choice.state, choice.plan))) is not None:
                return following
        raise self._nothing("there is no plan")

    def _ways(self, here: "_Place") -> Iterator[Iterable[Step]]:
        for method in self._domain.methods[here.todo.task[0]]:
            found = self._called(method, here.state, here.todo.task)
            ways: Iterable[Any] = found if inspect.isgenerator(found) else (found,)
            yield from (each for each in ways if each is not None)

    def _called(self, function: Callable[..., Any], state: Any, task: Step) -> Any:
        """Return what a function of the domain says of a task."""
        shape = function, len(task)
        if shape not in self._callable:
            try:
                inspect.signature(function).bind(state, *task[1:])
            except TypeError as error:
                name = getattr(function, "__name__", "a function")
                raise UsageError(f"{name} cannot be called for {words_of_step(task)}: {error}") from None
            self._callable.add(shape)
        return function(state, *task[1:])

    def _failed(self, here: "_Place", why: str) -> None:
        """Note where a way has ended, if it is the furthest so far."""
        length = 0 if here.plan is None else here.plan.length
        if length > self._furthest:
            self._furthest, self._why, self._where = length, why, here.todo.task

    def _nothing(self, what: str) -> NoPlanError:
        if self._where is None:
            return NoPlanError(f"{self._domain.name}: {what}", steps=self._tried)
        after = f"after {self._furthest:,} step{'s' * (self._furthest != 1)}"
        words = f"the best try ended {after} at {words_of_step(self._where)}: {self._why}"
        return NoPlanError(f"{self._domain.name}: {what}; {words}", task=self._where, steps=self._tried)


class _Place(NamedTuple):
    """Where a search stands."""

    todo: Any
    state: Any
    plan: _Plan | None


def words_of_step(step: Step) -> str:
    """Return a step in words, cut where it is long.

    >>> words_of_step(("move", "a", "b"))
    'move a b'
    """
    words = " ".join(map(str, step))
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def _step(given: Any, where: str) -> Step:
    if isinstance(given, list | tuple) and given and isinstance(given[0], str):
        return tuple(given)
    raise UsageError(f"{where}: a task is (name, ...), not {given!r}"[:300])


def _before(tasks: Sequence[Step], above: _Above | None, rest: _Todo | None) -> _Todo | None:
    for task in reversed(tasks):
        rest = _Todo(task, above, rest)
    return rest


def _goes_round(todo: _Todo, state: Any) -> bool:
    """Return whether a task stands inside of itself, and no operator was done since."""
    above = todo.above
    while above is not None and above.state is state:
        if above.task == todo.task:
            return True
        above = above.above
    return False


def _steps(plan: _Plan | None) -> list[Step]:
    steps = []
    while plan is not None:
        steps.append(plan.step)
        plan = plan.before
    return steps[::-1]
