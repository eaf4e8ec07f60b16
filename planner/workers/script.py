"""Scripts: async Python functions whose calls are the tasks of a run; where they are, and what does a root by one.

A script is run from its first line by every process that carries its run on. What it asks for through its context is
then as it was before, so it takes the time, chance and everything from outside from there too.
"""

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ramify.planner.checks.predicates import Predicate
from ramify.planner.errors import LimitError, OutsideError, ScriptError, UsageError, WaitingError, WorkFailedError
from ramify.planner.runtime.border import border, error_text, name_and_words, origin_of
from ramify.planner.work.context import WorkContext
from ramify.planner.work.modules import imported, place_of
from ramify.planner.work.protocol import Outcome, Worker
from ramify.planner.work.script import ScriptContext
from ramify.planner.work.special_types import SCRIPT
from ramify.prompts.tracebacks import raised_at
from ramify.tasks import Task
from ramify.tasks.json_data import NotJsonError, as_json
from ramify.tasks.json_text import json_text

from .functions import NOTHING
from .registry import ONLY_FOR_SOME

MAIN = "main"
"""The function that is run of a file."""

ScriptFunction = Callable[[ScriptContext], Awaitable[Any]]


class Script:
    """A plan as code: an async function whose calls are the tasks of a run, and that returns the answer.

    Args:
        function: the async function.

    Attributes:
        name: the function's name.
        about: what it does, in a line: the first one of its docstring.
        source: the file that it was loaded from; None if somebody has given the function itself.

    Raises:
        UsageError: if it is no async function that can be called with a context alone.
    """

    def __init__(self, function: ScriptFunction) -> None:
        self.name = str(getattr(function, "__name__", type(function).__name__))
        if not inspect.iscoroutinefunction(function):
            where = f" ({place_of(function)})" if inspect.isfunction(function) else ""
            raise UsageError(
                f"the script {self.name}{where} is not an async function; write `async def {self.name}(ctx): ...`"
            )
        try:
            inspect.signature(function).bind(None)
        except TypeError:
            told = f"the script {self.name} takes only its context: `async def {self.name}(ctx): ...`"
            raise UsageError(told) from None
        self.function = function
        self.about = (inspect.getdoc(function) or self.name).strip().splitlines()[0]
        self.source: str | None = None

    @property
    def beside(self) -> tuple[dict[str, Worker], dict[str, Predicate]]:
        """The workers, and the functions for checks, that its module defines."""
        there = getattr(self.function, "__globals__", {}).values()
        workers = {str(each.name): each for each in there if isinstance(each, Worker) and hasattr(each, "name")}
        return workers, {each.name: each for each in there if isinstance(each, Predicate)}

    def root(self, inputs: dict[str, Any] | None = None) -> Task:
        """Return the root of a run that it does; `inputs` that are none are refused with a `UsageError`."""
        if inputs is not None and not isinstance(inputs, dict):
            raise UsageError(f"the inputs of a script are a dict by name, not {type(inputs).__name__}")
        return Task(self.about, id="0", type=SCRIPT, inputs=inputs or {})


def script_in(source: str | Path) -> Script:
    """Return the script of a Python file: its async function `main`.

    Raises:
        UsageError: if there is no such file, it cannot be imported, or has no such function.
    """
    if not Path(source).is_file():
        raise UsageError(f"there is no script {source}; name a Python file with `async def {MAIN}(ctx)`")
    module = imported(str(source), SCRIPT)
    main = vars(module).get(MAIN)
    if main is None:
        own = [
            each for each in vars(module).values() if inspect.isfunction(each) and each.__module__ == module.__name__
        ]
        hint = f"; rename one of its functions, such as {own[0].__name__} ({place_of(own[0])})" if own else ""
        raise UsageError(f"{source} is not a script: it has no `async def {MAIN}(ctx)`{hint}")
    found = script_of(main)
    found.source = str(source)
    return found


def script_of(given: Script | ScriptFunction) -> Script:
    """Return the script that somebody gives as an async function.

    Raises:
        UsageError: if it is none.
    """
    if isinstance(given, Script):
        return given
    if not callable(given):
        raise UsageError(
            f"a script must be an async function, not {type(given).__name__}; run a file with `ramify run FILE`"
        )
    return Script(given)


class ScriptWorker(Worker):
    """Does a root by a script.

    Args:
        given: the script.
    """

    about = "runs a script, whose calls are tasks"
    keeps = frozenset(ONLY_FOR_SOME)  # as its calls do

    def __init__(self, given: Script) -> None:
        self._script = given

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Run the script, and answer with what it returns.

        Raises:
            ScriptError: if it raised an error.
            WorkFailedError: if a call has failed, and it has let that pass; or it returns what cannot be kept.
            LimitError, WaitingError: if the run ends with one of its calls, whatever it has made of that.
        """
        script_context = ScriptContext(context)
        calls = script_context.calls
        try:
            try:
                with border:
                    value = await self._script.function(script_context)
            except (WorkFailedError, LimitError, WaitingError):
                calls.check()
                raise
            except Exception as error:
                calls.check()
                raise _told(error) from error
            await calls.settle()
        finally:
            calls.close()
        return _outcome(value, task, self._script.name)

    async def compose(self, task: Task, context: WorkContext) -> Outcome:
        """Run it as before: what it has called is there."""
        return await self.perform(task, context)


def _told(error: Exception) -> ScriptError:
    where = raised_at(origin_of(error) or error)
    words = error_text(error) if isinstance(error, UsageError | OutsideError) else name_and_words(error)
    return ScriptError(words if where is None else f"{words} ({where})", where=where)


def _outcome(value: Any, task: Task, name: str) -> Outcome:
    if isinstance(value, Outcome):
        return value
    if value is None:
        return Outcome(NOTHING)
    if isinstance(value, str):
        return Outcome(value)
    try:
        kept = as_json(value, "result")
    except NotJsonError as error:
        raise WorkFailedError(
            f"the script {name} returns something that cannot be stored: {error}",
            task_id=task.id,
        ) from None
    return Outcome(kept if isinstance(kept, str) else json_text(kept), kept)
