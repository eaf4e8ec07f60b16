"""What decompose, compose and evolve show to a model, and what becomes of the reply."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ramify.prompts import (
    TASK_COMPOSE_PROMPT,
    TASK_DECOMPOSE_PROMPT,
    TASK_EVOLVE_PROMPT,
    ComposeVariables,
    DecomposeVariables,
    ExecuteVariables,
    Material,
    Prompt,
)
from ramify.prompts.blocks import cut, make_nonce, texts_of
from ramify.prompts.languages import language_of
from ramify.prompts.placeholders import fill
from ramify.prompts.rendered import RenderedPrompt
from ramify.prompts.variables import EvolveVariables, PromptVariables, TaskResult

from .agents import AnyAgent, PromptedAgent, ask, role_of
from .checks import form_of_answer
from .errors import ReplyError
from .gaps import clarifications_of
from .json_text import json_text
from .replies.grammar import Plan, parse_answer, parse_evolved, parse_plan
from .replies.splitting import Around, split_of
from .tree.node import Node, T, index_of, walk, walk_up
from .tree.partial import missing_words
from .tree.states import TaskState

if TYPE_CHECKING:
    from pydantic import JsonValue

_DELETED, _FAILED = TaskState.DELETED, TaskState.FAILED
SIBLINGS_SHOWN = 24
TITLE_LENGTH = 120
GOAL_LENGTH = 4_000
"""Characters of the run's goal that a leaf is shown; of a longer one, head, tail, and how much is left out."""


def decompose_variables(task: Node, *, is_family_known: bool = True, **more: Any) -> DecomposeVariables:
    """Return what the `decompose` template is given for `task`.

    Args:
        task: the task.
        is_family_known: whether all its siblings are there; if not, the prompt shows those before it alone, so that it
            is the same whenever it is made.
        **more: limits, workers and the like.
    """
    return DecomposeVariables(
        task_id=task.id,
        own_language=_language_of(task),
        goal=task.content,
        ancestors=tuple(above.content for above in walk_up(task))[::-1],
        siblings=tuple(title(other.content) for other in _siblings_near(task, only_before=not is_family_known)),
        results=needed_results(task),
        materials=materials_of(task),
        inputs=inputs_of(task),
        **more,
    )


def plan_text(task: Node) -> str:
    """Return the plan that there is for `task`, a task a line, each with its id and what it needs.

    Whatever a task says stands in its line, so that none can pass for another.
    """
    lines = []
    for each in islice(walk(task), 1, None):
        if each.state is not TaskState.DELETED:
            needs = f" (needs {', '.join(each.dependencies)})" if each.dependencies else ""
            handed = f" [type: {each.type}]" if each.type else ""
            lines.append(f"{each.id}: {' '.join(each.content.split())}{handed}{needs}")
    return "\n".join(lines)


def execute_variables(
    task: Node,
    *,
    root: Node,
    inputs: "Mapping[str, JsonValue] | None" = None,
    seen: Sequence[TaskResult] = (),
    **more: Any,
) -> ExecuteVariables:
    """Return what the `execute` template is given for the leaf `task` of the tree of `root`.

    Args:
        task: the leaf.
        root: the root of its tree.
        inputs: its arguments, instead of its own.
        seen: answers to the same task that others have given.
        **more: what else goes into the variables.
    """
    return ExecuteVariables(
        task_id=task.id,
        own_language=_language_of(task),
        task=task.content,
        root_goal="" if task.content.strip() == root.content.strip() else cut(root.content, GOAL_LENGTH),
        needs=(*needed_results(task), *seen),
        materials=materials_of(task),
        inputs=inputs_of(task) if inputs is None else _as_json(inputs),
        format=form_of_answer(task.checks),
        last_error=task.error,
        **more,
    )


def compose_variables(task: Node, **more: Any) -> ComposeVariables:
    """Return what the `compose` template is given for `task`: the goal, and every child with its state and result.

    Children that are DELETED are no part of the answer; of those that are FAILED it is said that they are missing. What
    was asked about the run's goal, and answered or assumed, comes with it.
    """
    shown = (child for child in task.subtasks if child.state is not _DELETED and child.state is not _FAILED)
    return ComposeVariables(
        task_id=task.id,
        own_language=_language_of(task),
        goal=task.content,
        children=tuple(map(result_of, shown)),
        clarified=clarifications_of(_root_of(task).attachments),
        missing=missing_words(task),
        format=form_of_answer(task.checks),
        last_error=task.error,
        **more,
    )


def _language_of(task: Node) -> str | None:
    """Return the language of the run's goal, or else that of `task`."""
    return language_of(_root_of(task).content) or language_of(task.content)


def _root_of(task: Node) -> Node:
    *_, root = [task, *walk_up(task)]
    return root


def result_of(task: Node) -> TaskResult:
    """Return `task` as a prompt shows it; one that reads a part of a document is shown by that part."""
    content = task.description if task.description and is_part(task) else task.content
    return TaskResult(id=task.id, content=content, state=task.state._value_, result=task.result)


def needed_results(task: Node) -> tuple[TaskResult, ...]:
    """Return the results that `task` builds on: those that it and the tasks above it depend on, its own first."""
    by_id = index_of(task).by_id
    ids = [dependency for each in (task, *walk_up(task)) for dependency in each.dependencies]
    return tuple(result_of(by_id[task_id]) for task_id in dict.fromkeys(ids))


def materials_of(task: Node) -> tuple[Material, ...]:
    """Return the documents that `task` may read: those of the tasks above it, the root's first, then its own.

    So the prompts of siblings begin alike, up to the first document that is not for all of them. A task that has parts
    sees these, and no more, of what is above it.
    """
    seen: list[Material] = []
    for each in [task, *walk_up(task)][::-1]:
        if not each.attachments:
            continue
        parts = [material for material in each.attachments if material.part is not None]
        if parts:
            above = {material.name: material.text for material in seen}
            seen = [_part_of(above, material) for material in parts]
        seen += [material for material in each.attachments if material.part is None]
    return tuple(seen)


def _part_of(above: Mapping[str, str], material: Material) -> Material:
    start, end = material.part or (0, 0)
    return Material(name=material.name, text=above.get(material.name, "")[start:end])


def is_part(task: Node) -> bool:
    """Return whether `task` sees a part of the documents above it."""
    return any(material.part is not None for material in task.attachments)


def inputs_of(task: Node) -> dict[str, str]:
    """Return the arguments of `task` as JSON text, as prompts show them."""
    return _as_json(input_data(task))


def _as_json(inputs: "Mapping[str, JsonValue]") -> dict[str, str]:
    return {key: json_text(value) for key, value in inputs.items()}


def input_data(task: Node) -> "dict[str, JsonValue]":
    """Return the arguments of `task` as JSON data: its own, and those that its parent routes to it by name."""
    routed = {}
    if task.name and task.parent is not None:
        prefix = f"{task.name}."
        routed = {key[len(prefix) :]: value for key, value in task.parent.inputs.items() if key.startswith(prefix)}
    return {**routed, **task.inputs}


def around(task: Node, *, is_family_known: bool = True) -> Around:
    """Return what a plan for `task` is made for, and which tasks stand beside it, as far as its planner sees them.

    Args:
        task: the task.
        is_family_known: as in `decompose_variables`.
    """
    above = [task, *walk_up(task)]
    by_id = index_of(task).by_id
    near = list(_siblings_near(task, only_before=not is_family_known))
    waited_for = {need: None for each in above for need in each.dependencies}
    waiting: dict[str, None] = {task.id: None}
    for _ in near:  # mostly they stand in order, and the second round finds nothing
        known = len(waited_for) + len(waiting)
        for each in near[::-1]:
            if each.id in waited_for:
                waited_for.update(dict.fromkeys(each.dependencies))
        for each in near:
            if not waiting.keys().isdisjoint(each.dependencies):
                waiting[each.id] = None
        if len(waited_for) + len(waiting) == known:
            break
    needed = (by_id[need] for need in waited_for if need in by_id)
    before = {each.id: each.content for each in needed if each.state is not _DELETED}
    after = {each.id: each.content for each in near if each.id in waiting}
    return Around(tuple(each.content for each in above), before, after)


def title(content: str) -> str:
    r"""Return the first line of `content`, cut to a length that fits a list.

    >>> title("Describe Oslo\nin ten lines")
    'Describe Oslo'
    """
    line = content.strip().splitlines()[0] if content.strip() else ""
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 3]}..."


def tasks_of_plan(parent: T, plan: Plan, *, first: int = 1) -> list[T]:
    """Make the tasks of a plan for `parent`, with the ids `"<parent>.<i>"` from `first`; they are not attached yet.

    Needs of the plan become dependencies; what the plan says of other tasks of the tree stays as it is.
    """
    ids = {planned.key: f"{parent.id}.{number}" for number, planned in enumerate(plan.tasks, first)}
    return [
        type(parent)(
            content=planned.content,
            id=ids[planned.key],
            type=planned.type,
            dependencies=[ids.get(need, need) for need in planned.needs],
        )
        for planned in plan.tasks
    ]


def next_child_number(task: Node) -> int:
    """Return the first i from 1 for which `"<id>.<i>"` and all after it are free in the tree."""
    prefix = f"{task.id}."
    taken = (child.id.removeprefix(prefix) for child in task.subtasks if child.id.startswith(prefix))
    return 1 + max((int(number) for number in taken if number.isascii() and number.isdigit()), default=0)


def ask_decompose(
    task: T,
    agent: AnyAgent,
    *,
    template: Prompt | str | None = None,
    prompt: str | None = None,
    task_parser: Callable[[str, str], list[T]] | None = None,
) -> list[T]:
    """Have `agent` split `task`, and return the new tasks unattached; see `Task.decompose`."""
    chosen = prompt if prompt is not None else _prompt(task, agent, template or TASK_DECOMPOSE_PROMPT)
    reply = ask(agent, chosen)
    if task_parser is not None:
        return list(task_parser(reply, task.id))
    above = [task, *walk_up(task)]
    known_ids = index_of(task).by_id.keys() - {each.id for each in above}
    plan = parse_plan(reply, known_ids=known_ids, blank="skip")
    if plan.failed is not None:
        raise ReplyError(f"task {task.id} was not split ({plan.failed.reason}: {plan.failed.detail})", reply=reply)
    parts = split_of(plan, around(task), fewest=1)
    return tasks_of_plan(task, parts, first=next_child_number(task))


def ask_compose(
    task: Node,
    agent: AnyAgent,
    *,
    template: Prompt | str | None = None,
    result_parser: Callable[[str], str] | None = None,
) -> str:
    """Have `agent` answer `task` from its subtasks' results; see `Task.compose`."""
    reply = ask(agent, _prompt(task, agent, template or TASK_COMPOSE_PROMPT))
    if result_parser is not None:
        return result_parser(reply)
    answer = parse_answer(reply)
    if answer.failed is not None:
        raise ReplyError(
            f"task {task.id} was not answered ({answer.failed.reason}: {answer.failed.detail})", reply=reply
        )
    return answer.text


def ask_evolve(
    task: T,
    agent: AnyAgent,
    *,
    template: Prompt | str | None = None,
    task_parser: Callable[[str, str], list[T]] | None = None,
) -> T:
    """Have `agent` make a variant of `task`; see `TaskManager.evolve`."""
    reply = ask(agent, _prompt(task, agent, template or TASK_EVOLVE_PROMPT))
    if task_parser is None:
        return type(task)(content=parse_evolved(reply), id=f"{task.id}.0")
    tasks = task_parser(reply, task.id)
    if not tasks:
        raise ReplyError(f"no task was made of {task.id}", reply=reply)
    tasks[0].id = f"{task.id}.0"
    return tasks[0]


def _prompt(task: Node, agent: AnyAgent, template: Prompt | str) -> RenderedPrompt | str:
    if isinstance(template, str):
        other_results = "\n".join(f"Task {child.id}: {child.content}\n{child.result}" for child in task.subtasks)
        values = {"content": task.content, "role_name": role_of(agent), "other_results": other_results}
        return fill(template, values)
    prompt_settings = agent.prompt_settings if isinstance(agent, PromptedAgent) else {}
    variables = _variables(task, template.name, prompt_settings)
    nonce = make_nonce(uuid4().hex, data=texts_of(variables))
    if isinstance(agent, PromptedAgent) and template.is_builtin:
        return agent.render(variables, nonce=nonce)
    return template.render(variables, nonce=nonce)


def _variables(task: Node, name: str, prompt_settings: Mapping[str, Any]) -> PromptVariables:
    if name == "compose":
        return compose_variables(task, **prompt_settings)
    if name == "evolve":
        return EvolveVariables(task_id=task.id, task=task.content, **prompt_settings)
    return decompose_variables(task, **prompt_settings)


def _siblings_near(task: T, *, only_before: bool) -> Iterator[T]:
    if task.parent is None:
        return iter(())
    family: Sequence[T] = task.parent.subtasks
    place = family.index(task)
    first = max(0, place - SIBLINGS_SHOWN // 2)
    near = family[first : place if only_before else first + SIBLINGS_SHOWN + 1]
    return islice(
        (other for other in near if other is not task and other.state is not TaskState.DELETED), SIBLINGS_SHOWN
    )
