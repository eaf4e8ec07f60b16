"""Which of its algorithms the `rules` model answers with: arithmetic, then summaries, then steps, then outlines.

What is none of these is not answered: `NoModelError` says what could do it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ramify.planner.errors import NoModelError
from ramify.prompts import ComposeVariables, DecomposeVariables, ExecuteVariables, Material
from ramify.prompts.variables import TaskResult

from .arithmetic import recompose, subexpressions, value_of
from .errors import ExpressionError, MaterialError, OutlineError
from .expressions import cut, is_arithmetic
from .numbers import value_text
from .outlines import Part, grouped, has_items, outline_parts, readings, starts_with_item, without_mark
from .phrases import step_expression, unwrap
from .reply_text import ATOMIC, plan_text, result_text
from .summarizing import do_job, join_summaries, split_job
from .summary_jobs import SummaryJob, read_job

MAX_NESTING = 100
"""The most levels of an outline that are done within one task."""

_FILE_NAME = re.compile(r"\S{1,255}\.\w{1,8}")


def plan(variables: DecomposeVariables) -> str:
    """Return the reply that splits a goal, or leaves it whole.

    More steps than there may be subtasks stay whole, if each works on the result before it: put together in groups
    they would lose sight of it.

    Raises:
        NoModelError: if nothing here can do the goal.
        RulesError: if it is of a kind that is known here, but cannot be done.
    """
    most = variables.max_tasks
    expression = expression_in(variables.goal)
    if expression is not None:
        return plan_text([Part(content) for content in subexpressions(expression, most=most)])
    job = _job(variables.goal, variables.materials)
    if job is not None:
        return plan_text([Part(content) for content in split_job(job, variables.materials, most=most)])
    parts = outline_parts(variables.goal)
    if not parts and not variables.ancestors:
        raise no_model(variables.task_id, variables.goal)
    if len(parts) > most and any(part.is_after_previous and _is_step(part.content) for part in parts):
        return ATOMIC
    return plan_text(grouped(parts, most))


def execute(variables: ExecuteVariables) -> str:
    """Return the reply that finishes a task.

    Raises:
        NoModelError: if nothing here can do the task.
        RulesError: if it is of a kind that is known here, but cannot be done.
    """
    result = _simple(variables.task, _own_needs(variables), variables.materials)
    return result_text(result if result is not None else _whole_outline(variables))


def compose(variables: ComposeVariables) -> str:
    """Return the reply that answers a parent from its children.

    Raises:
        RulesError: if the children do not make up the answer.
    """
    children = [child for child in variables.children if child.state != "DELETED"]
    done = [child for child in children if child.state == "DONE"]
    open_ones = [child for child in children if child.state != "DONE"]
    expression = expression_in(variables.goal)
    if not done or (expression is not None and open_ones):
        names = ", ".join(f"{child.id} ({child.state})" for child in open_ones) or "all were deleted"
        raise OutlineError(f"subtasks without a result: {names}", reason="missing_input")
    if expression is not None:
        parts = [(unwrap(child.content), _value(child)) for child in done]
        return result_text(value_text(recompose(expression, parts)))
    gaps = [f"{child.id} is {child.state}: {cut(child.content)}" for child in open_ones]
    if read_job(variables.goal) is not None and all(read_job(child.content) for child in done):
        return result_text(join_summaries(done), gaps)
    return result_text(_listed(done), gaps)


def expression_in(text: str) -> str | None:
    """Return the expression that `text` is, without the words around it; None if it is no arithmetic.

    >>> expression_in("What is (1 + 2) * 3?"), expression_in("two apples and 3 pears")
    ('(1 + 2) * 3', None)

    Raises:
        ExpressionError: if it could be a list as well.
    """
    for words in readings(text):
        bare = unwrap(words)
        if not is_arithmetic(bare):
            continue
        is_item = starts_with_item(bare)
        if (is_item and bare[0] == "-" and "\n" not in words) or (not is_item and has_items(bare)):
            message = f"{cut(bare)!r} could be an expression or a list; write an expression on one line, without '- '"
            raise ExpressionError(message, reason="ambiguous")
        if is_item:
            continue
        return bare
    return None


def no_model(task_id: str, content: str) -> NoModelError:
    """Return the error for a task that nothing here can do."""
    return NoModelError(
        f"the model rules is not a language model and cannot do task {task_id}: {cut(content, 100)!r}\n"
        "It does arithmetic, splits outlines (headings, lists, 'first ..., then ...'), and\n"
        "summarises attached documents ('summarize by section', with -f FILE). For anything else, name a model:\n"
        "  - a model behind an API: --model NAME or RAMIFY_MODEL=NAME, with its key set\n"
        "  - a local server: --base-url URL --model NAME\n"
        "  - a person: --model human"
    )


def _simple(text: str, needs: Sequence[TaskResult], materials: Sequence[Material]) -> str | None:
    """Return the result of a task that is an expression, a summary, or a step after one result; None if it is none."""
    expression = expression_in(text)
    if expression is not None:
        return value_text(value_of(expression))
    job = _job(text, materials)
    if job is not None:
        return do_job(job, materials)
    form = next((words for words in readings(text) if _is_step(words)), None)
    if form is None or not needs:
        return None
    if len(needs) > 1:
        ids = ", ".join(need.id for need in needs)
        raise ExpressionError(f"{cut(text)!r} could mean the result of any of {ids}", reason="ambiguous")
    return value_text(value_of(step_expression(form, value_text(_value(needs[0]))) or form))


def _is_step(words: str) -> bool:
    return is_arithmetic(step_expression(words, "0") or "")


def _own_needs(variables: ExecuteVariables) -> list[TaskResult]:
    """Return the needed results that the task is next to in the tree, or all if there are none of these."""
    family = variables.task_id.rpartition(".")[0]
    near = [need for need in variables.needs if need.id.rpartition(".")[0] == family]
    return near or list(variables.needs)


def _job(goal: str, materials: Sequence[Material]) -> SummaryJob | None:
    names = [material.name for material in materials]
    jobs = [job for words in readings(goal) if (job := read_job(words, names)) is not None]
    known = next((job for job in jobs if job.names or job.is_open), None)
    if known is None and jobs and _FILE_NAME.fullmatch(jobs[0].target):
        attached = ", ".join(names) or "nothing"
        message = f"{jobs[0].target} is not attached; attach it with -f {jobs[0].target} (attached: {attached})"
        raise MaterialError(message, reason="missing_input")
    return known


def _value(task: TaskResult) -> Fraction:
    expression = expression_in(task.result)
    if expression is None:
        raise ExpressionError(f"the result of {task.id} is not a number: {cut(task.result)!r}", reason="missing_input")
    return value_of(expression)


@dataclass(slots=True)
class _Level:
    """One level of an outline that is being done: what it is of, its parts, and the results so far."""

    content: str
    parts: Sequence[Part]
    done: list[TaskResult] = field(default_factory=list)


def _whole_outline(variables: ExecuteVariables) -> str:
    levels = [_Level(variables.task, _parts(variables.task, variables))]
    while True:
        level = levels[-1]
        if len(level.done) == len(level.parts):
            text = _listed(level.done)
            levels.pop()
            if not levels:
                return text
            _finish(levels[-1], level.content, text)
            continue
        part = level.parts[len(level.done)]
        result = _simple(part.content, level.done[-1:] if part.is_after_previous else (), variables.materials)
        if result is not None:
            _finish(level, part.content, result)
        elif len(levels) < MAX_NESTING:
            levels.append(_Level(part.content, _parts(part.content, variables)))
        else:
            raise OutlineError(f"the outline is nested more than {MAX_NESTING} levels deep")


def _finish(level: _Level, content: str, result: str) -> None:
    level.done.append(TaskResult(id=str(len(level.done) + 1), content=content, result=result))


def _parts(content: str, variables: ExecuteVariables) -> Sequence[Part]:
    parts = outline_parts(content)
    if not parts:
        raise no_model(variables.task_id, content)
    return parts


def _listed(children: Sequence[TaskResult]) -> str:
    return "\n".join(_entry(_title(child.content), child.result) for child in children)


def _title(content: str) -> str:
    return cut(without_mark(content).partition("\n")[0], 200).rstrip(" :")


def _entry(title: str, result: str) -> str:
    if "\n" not in result:
        return f"- {title}: {result}"
    indented = result.replace("\n", "\n  ")
    return f"- {title}:\n  {indented}"
