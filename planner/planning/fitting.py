"""Whether a method fits a task that is to be split: by its wording, or by its keywords and one question to the model.

Methods in the very words of the goal come first, the wordiest of them before others; then the one that shares the most
keywords, whose parameters the model fills in, from words of the goal alone. Preconditions have the last word. Each
method that was found and is not used is told of, with why. It asks nothing twice, and attaches nothing.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from ramify.planner.asking.asker import Asker
from ramify.planner.errors import ModelError, PlannerError
from ramify.planner.models.protocol import ModelReply
from ramify.planner.models.retry import FailureKind
from ramify.planner.runtime.border import error_text
from ramify.prompts.variables import FitVariables
from ramify.tasks import ReplyError, Task, TaskError
from ramify.tasks.methods.method import Method
from ramify.tasks.patterns import is_found
from ramify.tasks.replies.fits import Fit, fit_schema, parse_fit

from .method_functions import MethodFunctions

Tell = Callable[[Task, str, str], None]
"""Told of which task which method was found and passed over, and why."""

Check = Callable[[Task], None]
"""Raises a `PlannerError` if a tree of tasks cannot be run here."""

Used = tuple[str, Mapping[str, str]]
"""The name of a method and what its parameters stood for."""

_log = logging.getLogger("ramify.methods")


@dataclass(frozen=True, slots=True)
class Known:
    """A task that is split by a method.

    Attributes:
        tasks: its subtasks, with all that is below them.
        method: the method's name.
        parameters: what its parameters stand for.
    """

    tasks: tuple[Task, ...]
    method: str
    parameters: Mapping[str, str]


class _PassedOverError(Exception):
    """A method does not fit; the words say why."""


class Fitting:
    """Finds the methods that fit the tasks of one run.

    Args:
        methods: the methods that are there, but for those that are not enabled.
        tell: told of those that are passed over.
        check: says whether tasks can be run here.
        max_depth: the deepest level that a task may stand on.
        used: by task id, the methods that have split tasks of the run before.
    """

    def __init__(
        self,
        methods: Collection[Method] = (),
        *,
        tell: Tell = lambda *_: None,
        check: Check = lambda _: None,
        max_depth: int = 1,
        used: Mapping[str, Used] | None = None,
    ) -> None:
        self._methods = sorted(methods, key=lambda method: (-method.goal.weight, method.name))
        self._tell = tell
        self._check = check
        self._max_depth = max_depth
        self._used = dict(used or ())
        self._functions = MethodFunctions()
        self._fitless: set[str] = set()

    def why_whole(self, task: Task) -> str | None:
        """Return why the model is not asked to split `task`, if it is part of a method's plan, which is whole."""
        above = next((each.id for each in task.ancestors() if each.id in self._used), None)
        return None if above is None else f"it is part of the method {self._used[above][0]}, which split task {above}"

    async def split(self, task: Task, asker: Asker) -> Known | None:
        """Return how a method splits `task`; None if none fits.

        Raises:
            ModelError: if a call failed that was to fill in parameters, and another one may end better.
            LimitError: if a limit was reached.
        """
        if not self._methods or task.id in self._fitless:
            return None
        known = await self._first(task, asker)
        if known is None:
            self._fitless.add(task.id)
        else:
            self._used[task.id] = known.method, known.parameters
        return known

    async def _first(self, task: Task, asker: Asker) -> Known | None:
        others = []
        for method in self._methods:
            values = method.goal.match(task.content)
            if values is None:
                others.append(method)
            elif (known := await self._fitted(method, task, values)) is not None:
                return known
        return await self._by_keywords(others, task, asker)

    async def _by_keywords(self, methods: Collection[Method], task: Task, asker: Asker) -> Known | None:
        """Have the model fill in the parameters of the method that shares the most keywords with the goal."""
        found = [each for each in methods if each.goal.names and each.has_keywords(task.content)]
        for method in sorted(found, key=lambda each: -len(each.keywords)):
            try:
                self._check_words(method, task)
            except _PassedOverError as why:
                self._pass_over(method, task, str(why))
                continue
            values = await self._asked(method, task, asker)
            return None if values is None else await self._fitted(method, task, values)
        return None

    async def _asked(self, method: Method, task: Task, asker: Asker) -> Mapping[str, str] | None:
        names = method.goal.names
        variables = FitVariables(
            task_id=task.id,
            goal=task.content,
            pattern=method.goal.text,
            parameters={name: method.parameters.get(name, name) for name in names},
            tasks=tuple(method.outline()),
            **asker.agent.prompt_settings,
        )
        try:
            fit = await asker.ask(
                task,
                variables,
                partial(_read, names=names, goal=task.content),
                attempt=task.attempts + 1,
                schema=fit_schema(names),
                repairs=False,
            )
        except ReplyError as error:
            self._pass_over(method, task, f"its parameters could not be filled in: {error.complaint}")
            return None
        except ModelError as error:
            if error.kind != FailureKind.CUT_OFF:
                raise
            self._pass_over(method, task, f"its parameters could not be filled in: {error}")
            return None
        if fit.values is None:
            self._pass_over(method, task, f"{asker.agent.named or 'the model'} says that it does not fit: {fit.why}")
        return fit.values

    async def _fitted(self, method: Method, task: Task, values: Mapping[str, str]) -> Known | None:
        """Return how `method` splits `task`; None, and told why, if its preconditions do not hold."""
        try:
            self._check_words(method, task)
            self._check_circle(method, task, values)
            await self._check_functions(method, task, values)
            tasks = await self._tasks_of(method, task, values)
        except _PassedOverError as why:
            self._pass_over(method, task, str(why))
            return None
        except Exception as error:  # noqa: BLE001 - a method's functions are other people's code
            self._pass_over(method, task, error_text(error))
            return None
        _log.info("task %s is split by the method %s", task.id, method.name)
        return Known(tuple(tasks), method.name, dict(values))

    async def _tasks_of(self, method: Method, task: Task, values: Mapping[str, str]) -> list[Task]:
        said = None
        if method.function is not None:
            said = await self._functions.call(method, method.function, task, values)
        tasks = method.subtasks_of(task, values, said)
        deepest = max(each.get_depth() for top in tasks for each in top.walk()) + task.get_depth()
        if deepest > self._max_depth:
            raise _PassedOverError(f"its plan reaches level {deepest}, but max_depth is {self._max_depth}")
        try:
            for each in tasks:
                self._check(each)
        except (PlannerError, TaskError) as error:
            raise _PassedOverError(f"its plan cannot be run here: {error}") from error
        return tasks

    def _check_words(self, method: Method, task: Task) -> None:
        """Check what can be checked of the goal alone."""
        if missing := method.missing_words(task.content):
            raise _PassedOverError(f"the goal has no {', '.join(map(repr, missing))}")
        pattern = method.preconditions.matches
        try:
            if pattern is not None and not is_found(pattern, task.content):
                raise _PassedOverError(f"{pattern!r} does not occur in the goal")
        except ValueError as error:
            raise _PassedOverError(f"preconditions: matches: {error}") from None

    async def _check_functions(self, method: Method, task: Task, values: Mapping[str, str]) -> None:
        for named in method.preconditions.checks:
            if (why := await self._functions.refusal(method, named, task, values)) is not None:
                raise _PassedOverError(why)

    def _check_circle(self, method: Method, task: Task, values: Mapping[str, str]) -> None:
        for above in task.ancestors():
            if self._used.get(above.id) == (method.name, values):
                raise _PassedOverError(
                    f"it has split task {above.id} above with the same parameters, and would do so forever"
                )

    def _pass_over(self, method: Method, task: Task, why: str) -> None:
        _log.info("task %s: the method %s is passed over: %s", task.id, method.name, why)
        self._tell(task, method.name, why)


def _read(reply: ModelReply, *, names: Collection[str], goal: str) -> Fit:
    return parse_fit(reply.text, names=names, goal=goal, finish_reason=reply.finish_reason)
