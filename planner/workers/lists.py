"""A task with subtasks, for workers without words of their own: what came of the subtasks, as a list in their order.

So the same type does one thing or a list of things: `type: rewrite` with a text, or with subtasks that have one each.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ramify.planner.work.context import WorkContext
from ramify.planner.work.protocol import Outcome, Worker
from ramify.tasks import Task, TaskState
from ramify.tasks.json_text import json_text

if TYPE_CHECKING:
    from pydantic import JsonValue


class ListWorker(Worker):
    """Answers a task with subtasks by the list of what came of them; no model is asked."""

    about = "lists its subtasks' results"

    async def perform(self, task: Task, context: WorkContext) -> Outcome:
        """Return the list of a task without subtasks, which is empty."""
        return Outcome("[]", [])

    async def compose(self, task: Task, context: WorkContext) -> Outcome:
        """Return the outputs of the subtasks, in order."""
        done = [each for each in task.subtasks if each.state is TaskState.DONE]
        outputs: list[JsonValue] = [each.result if each.output is None else each.output for each in done]
        return Outcome(json_text(outputs), outputs)


def task_for_each(items: Iterable[Mapping[str, Any] | str], task: Task) -> Task:
    """Return a copy of `task` with one subtask for each of `items`.

    The subtasks run in parallel; the result is the list of their results.

    Args:
        items: the inputs of each subtask, or its content as text.
        task: the leaf to run for each item.

    >>> rewrite = Task(content="Rewrite", id="0", type="rewrite", inputs={"prompt": "Shorter: {{ content }}"})
    >>> print(task_for_each(["a long text", "another"], rewrite).to_string())
    Task 0: Rewrite
      Task 0.1: a long text
      Task 0.2: another
    <BLANKLINE>
    """
    subtasks = [
        Task(
            content=item if isinstance(item, str) else task.content,
            type=task.type,
            inputs={**task.inputs, **({} if isinstance(item, str) else item)},
        )
        for item in items
    ]
    task.add_subtasks(subtasks)
    for number, each in enumerate(subtasks, 1):
        each.set_id(f"{task.id}.{number}")
    return task
