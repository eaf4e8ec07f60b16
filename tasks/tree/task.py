"""A task: what is to be done, its place in a tree, its state and its result.

Names and meanings follow CAMEL's `camel.tasks`, so that code written for it runs with the import changed. Every
operation is iterative: a chain of 100,000 tasks works like any other tree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, JsonValue, model_serializer, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import CoreConfig, SchemaValidator
from ramify.prompts import Prompt
from ramify.tasks.agents import AnyAgent
from ramify.tasks.errors import TaskError, TreeError
from ramify.tasks.prompt_variables import ask_compose, ask_decompose

from . import running
from .config import Usage
from .fields import TaskFields, check_id
from .node import Node, Way, index_of, refuse_if_held, stand_alone, walk, walk_up
from .notebook import ShownAsTree
from .rules import add_dependency, rename
from .states import TaskState, check_move, read_state
from .subtasks import Subtasks
from .text import results_text, tree_text

_TOLD_BY_RUNS = frozenset(
    {"result", "output", "gaps", "error", "attempts", "usage", "started_at", "completed_at", "updated_at"}
)
"""Fields that tell how far a task has come."""

_NAMES_GIVEN: dict[frozenset[str], set[str]] = {}
"""Which fields somebody has set, as pydantic keeps it for each task: most tasks share one set with many others."""

_set = object.__setattr__
_read_fields = SchemaValidator(TaskFields.__pydantic_core_schema__, CoreConfig(title="Task")).validate_python
"""Fills a `Task` without asking whether its fields are a document, which its own validator has to do for each one."""


class Task(ShownAsTree, Node):
    """A task and the tree below it; equal and hashable by identity.

    A task without subtasks is a leaf and is executed; one with subtasks is answered from their results. Change it
    through its methods: assigning `state` or `id` does the same as `set_state` and `set_id`. The fields are those of
    `TaskFields`. Without `content`, `description` or else `name` says what is to be done.

    Raises:
        ValidationError: from pydantic, if an argument is of the wrong kind.

    >>> root = Task(content="Compare two cities", id="0")
    >>> root.add_subtask(Task(content="Describe Oslo", id="0.1"))
    >>> print(root.to_string(state=True), end="")
    [OPEN] Task 0: Compare two cities
      [OPEN] Task 0.1: Describe Oslo
    """

    __slots__ = ()

    model_config = ConfigDict(defer_build=False)

    if TYPE_CHECKING:
        _subtasks: "Subtasks[Task] | None"

    def __init__(self, content: str | None = None, *, subtasks: "Iterable[Task]" = (), **fields: Any) -> None:
        if content is None:
            content = fields.get("description") or fields.get("name")
        if content is not None:
            fields["content"] = content
        if type(self) is Task:
            own = self.__dict__
            _read_fields(fields, self_instance=self)
            _keep_small(self, own)
            stand_alone(self)
        else:
            super().__init__(**fields)
        if subtasks:
            self.subtasks.extend(subtasks)

    @model_validator(mode="wrap")
    @classmethod
    def _read_document(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if type(data) is dict and "tasks" in data:
            from .documents import tree_from_data

            return tree_from_data(data, Task)  # type: ignore[return-value]
        return handler(data)

    @model_serializer(mode="plain")
    def _write_document(self) -> dict[str, Any]:
        from .documents import tree_to_data

        return tree_to_data(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] == "_":
            _set(self, name, value)
        elif name == "state":
            self.set_state(value)
        elif name == "id":
            self.set_id(value)
        else:
            self._refuse(f"changing its {name}", "state" if name in _TOLD_BY_RUNS else "words")
            _set(self, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
            if name == "dependencies" and self._tree is not None:
                self._tree.order = None
            super().__setattr__(name, value)

    def _refuse(self, what: str, way: Way = "state") -> None:
        if self._tree is not None and self._tree.hold is not None:
            refuse_if_held(self, what, way)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        content = _shortened(self.content)
        return f"Task(id={self.id!r}, state={self.state.value}, content={content!r}, subtasks={self._subtask_count})"

    __str__ = __repr__

    def _shown_top(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        from .documents import tree_from_data, tree_to_data

        copied = tree_from_data(tree_to_data(self), Task)
        _set(copied, "__pydantic_fields_set__", copied.__pydantic_fields_set__.copy())  # pydantic adds to it
        return copied  # type: ignore[return-value]

    def __copy__(self) -> Self:
        return self.__deepcopy__()

    def __reduce__(self) -> tuple[Callable[[str], "Task"], tuple[str]]:
        return Task.from_json, (self.to_json(),)

    @property
    def subtasks(self) -> "Subtasks[Task]":
        """The subtasks, in order: a list that keeps the rules of the tree."""
        if self._subtasks is None:
            self._subtasks = Subtasks(self)
        return self._subtasks

    @subtasks.setter
    def subtasks(self, tasks: "Iterable[Task]") -> None:
        self.subtasks.replace(list(tasks))

    @classmethod
    def from_message(cls, message: Any) -> Self:
        """Create a task from a chat message: anything with a `content`, or a dict that has one.

        Raises:
            TaskError: if there are no words in it.
        """
        content = message.get("content") if isinstance(message, Mapping) else getattr(message, "content", None)
        if not isinstance(content, str) or not content.strip():
            raise TaskError(f"a task needs a message with text in `content`, not {_shortened(repr(message))}")
        return cls(content=content)

    def to_message(self) -> dict[str, str]:
        """Return the task as a chat message of the user."""
        return {"role": "user", "content": self.content}

    def reset(self) -> None:
        """Reset it to OPEN, without result, output, gaps or error; its usage stays."""
        self.set_state(TaskState.OPEN)
        self.__dict__.update(result="", output=None, gaps=(), error=None, started_at=None, completed_at=None)

    def update_result(self, result: str) -> None:
        """Set the result, and mark the task and everything below it DONE.

        Raises:
            TransitionError: if the task is DELETED; nothing was changed.
        """
        self._refuse("setting its result")
        before = self.result
        self.result = result
        try:
            self.set_state(TaskState.DONE)
        except TaskError:
            self.result = before
            raise

    def set_id(self, id: str) -> None:  # noqa: A002 - CAMEL's name
        """Give it another id; dependencies on the old one follow.

        Raises:
            TreeError: if another task of the tree has that id.
        """
        try:
            new_id = check_id(id)
        except (ValueError, TypeError) as error:
            raise TreeError(str(error), task_id=str(id)) from None
        self._refuse("giving it another id", "words")
        rename(self, new_id)
        self.__dict__["id"] = new_id

    def set_state(self, state: TaskState | str) -> None:
        """Move to another state: DONE goes down to every subtask that is not DELETED, RUNNING up to the ancestors.

        Raises:
            TransitionError: if a move is not in the table; nothing was changed.
        """
        state = read_state(state)
        self._refuse(f"setting its state to {state.value}")
        moving = [self]
        if state is TaskState.DONE:
            moving = _not_deleted(self)
        elif state is TaskState.RUNNING:
            moving += walk_up(self)
        for task in moving:
            check_move(task.id, task.state, state)
        for task in moving:
            running.move(task, state)

    def move(self, state: TaskState) -> None:
        """Move only this task to another state.

        Raises:
            TransitionError: if the table does not allow it; nothing was changed.
        """
        self._refuse("moving it")
        running.move(self, state)

    def spend(self, usage: Usage) -> None:
        """Add the usage of a model call."""
        self._refuse("counting costs")
        running.spend(self, usage)

    def finish(self, result: str, output: JsonValue = None, gaps: tuple[str, ...] = ()) -> None:
        """Set only this task to DONE with its result, and count the attempt.

        Raises:
            TransitionError: if the table does not allow it; nothing was changed.
        """
        self._refuse("finishing it")
        running.finish(self, result, output, gaps)

    def add_subtask(self, task: "Task") -> None:
        """Add a child at the end.

        Raises:
            TreeError: if it has a parent already, is above this task, or its id is taken in this tree.
            DependencyError: if it needs a task that is not in the tree, or one above or below itself.
            CycleError: if tasks would wait for each other. Whatever is raised, nothing was changed.
        """
        self.subtasks.append(task)

    def add_subtasks(self, tasks: "Iterable[Task]") -> None:
        """Add several children, which may depend on each other in any order. Raises as `add_subtask`."""
        self.subtasks.extend(tasks)

    def remove_subtask(self, id: str) -> None:  # noqa: A002 - CAMEL's name
        """Remove the child with that id; it becomes the root of its own tree.

        Raises:
            TreeError: if no child has that id, or another task needs its result.
        """
        task = index_of(self).by_id.get(id)
        if task is None or task._parent is not self:
            known = ", ".join(child.id for child in self.subtasks[:10]) or "none"
            raise TreeError(f"task {self.id} has no subtask {id}; its subtasks: {known}", task_id=id)
        self.subtasks.remove(task)

    def add_dependency(self, id: str) -> None:  # noqa: A002 - as in remove_subtask
        """Make this task depend on the task with that id.

        Raises:
            DependencyError: if it is unknown, or stands above or below this task.
            CycleError: if the two would wait for each other.
        """
        self._refuse(f"making it wait for task {id}", "words")
        add_dependency(self, id)

    def find(self, id: str) -> "Task":  # noqa: A002 - as in remove_subtask
        """Return the task with that id from anywhere in the tree.

        Raises:
            TreeError: if there is none.
        """
        task = index_of(self).by_id.get(id)
        if task is None:
            from ramify.tasks.plans.rows import near_miss

            tree = index_of(self)
            hint = near_miss(id, tree.by_id)
            named = id if id.strip() else repr(id)
            raise TreeError(f"there is no task {named} in the tree of task {tree.root.id}{hint}", task_id=id)
        return task

    def walk(self) -> "Iterator[Task]":
        """Yield this task and everything below it, parents first."""
        return walk(self)

    def ancestors(self) -> "Iterator[Task]":
        """Yield the tasks above this one, the parent first."""
        return walk_up(self)

    def get_running_task(self) -> "Task | None":
        """Return the first RUNNING task here with nothing RUNNING below it, or None."""
        running = [task for task in walk(self) if task.state is TaskState.RUNNING]
        above = {parent for task in running for parent in (task._parent,)}
        return next((task for task in running if task not in above), None)

    def to_string(self, indent: str = "", state: bool = False) -> str:  # noqa: FBT001, FBT002 - CAMEL's signature
        """Return the tree as text, one line per task, two spaces per level.

        Below 100 levels the indent no longer grows and the level is written out.
        """
        return tree_text(self, indent, state=state)

    def get_result(self, indent: str = "") -> str:
        """Return the results of the tree as text, laid out as `to_string` does."""
        return results_text(self, indent)

    def get_depth(self) -> int:
        """Return the level in the tree; the root's is 1."""
        return 1 + sum(1 for _ in walk_up(self))

    def decompose(
        self,
        agent: AnyAgent,
        template: Prompt | str | None = None,
        *,
        prompt: str | None = None,
        task_parser: "Callable[[str, str], list[Task]] | None" = None,
    ) -> "list[Task]":
        """Let `agent` split the task; the new tasks become its subtasks and are returned.

        Args:
            agent: ours, any object with CAMEL's `step(message)`, or a function from prompt to reply.
            template: a prompt template, or text with `{content}` and `{role_name}` to fill in.
            prompt: the whole prompt, sent as it is; instead of `template`.
            task_parser: makes tasks of (reply, id of this task); the reply grammar unless given.

        Returns:
            The subtasks, in order; none if the model says that splitting does not help.

        Raises:
            ReplyError: if the reply holds no plan; it is quoted.
            DependencyError: if the parser's tasks cannot be attached.
        """
        self._refuse("splitting it", "tasks")
        tasks = ask_decompose(self, agent, template=template, prompt=prompt, task_parser=task_parser)
        self.subtasks.extend(tasks)
        return tasks

    def compose(
        self,
        agent: AnyAgent,
        template: Prompt | str | None = None,
        result_parser: Callable[[str], str] | None = None,
    ) -> None:
        """Let `agent` answer the task from its subtasks' results, and mark it DONE; leaves are left alone.

        Args:
            agent: as for `decompose`.
            template: a prompt template, or text with `{content}`, `{role_name}` and `{other_results}`.
            result_parser: makes the result of the reply; the reply grammar unless given.

        Raises:
            ReplyError: if the reply is blank, cut, or says that the task cannot be answered.
        """
        self._refuse("composing it")
        if self._subtask_count:
            self.update_result(ask_compose(self, agent, template=template, result_parser=result_parser))

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the whole tree as one flat JSON document, whatever its depth."""
        from .documents import tree_to_json

        return tree_to_json(self, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Return the tree that `to_json` wrote.

        Raises:
            DocumentError: if the text is not such a document.
        """
        from .documents import tree_from_json

        return tree_from_json(text, Task)


def _keep_small(task: Task, own: dict[str, Any]) -> None:
    """Have a new task take half the memory: its values move from the dict that pydantic made to the task's `own`.

    All dicts that Python makes for the tasks themselves have their keys in common, as PEP 412 says.
    """
    names = frozenset(task.__pydantic_fields_set__)
    given = _NAMES_GIVEN.get(names)
    if given is None:
        given = _NAMES_GIVEN[names] = set(names)
    own["content"] = None  # an empty dict would take over the table of the other one, keys and all
    own.update(task.__dict__)
    _set(task, "__dict__", own)
    _set(task, "__pydantic_fields_set__", given)


def _not_deleted(top: Task) -> list[Task]:
    found = []
    stack = [top]
    while stack:
        task = stack.pop()
        found.append(task)
        stack.extend(child for child in task._subtasks or () if child.state is not TaskState.DELETED)
    return found


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
