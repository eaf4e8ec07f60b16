"""What a method is: the pattern of a goal, when it fits, and the tasks that reach it.

    goal: Compare {first} with {second}     # words with holes: the parameters
    keywords: [compare]                     # where the wording is another one, it is found by these words
    parameters: {first: what is compared}   # words about a parameter, for whoever fills it
    preconditions:
      keywords: [price]                     # words that have to be in the goal besides
      matches: "[0-9]"                      # a regular expression that has to be found in it
      check: fits.py:are_towns              # Python functions, FILE.py:NAME or module:NAME, that say whether it fits
    tasks:                                  # as in a plan, with parameters in what they say
      - Describe {first}
    enabled: true
    provenance: {run: r12, goal: ...}       # where it comes from, for people

`tasks: blocks.py:plan` has a Python function say the tasks. Functions are called elsewhere; here they are names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from ramify.tasks.errors import DocumentError
from ramify.tasks.json_text import json_text
from ramify.tasks.plans.json_plans import read_json
from ramify.tasks.plans.nodes import shown
from ramify.tasks.plans.rows import PlanRow, made_id, rows_of
from ramify.tasks.prompt_variables import next_child_number
from ramify.tasks.replies.grammar import plain_words
from ramify.tasks.tree.documents import assemble, validation_text
from ramify.tasks.tree.task import Task

from .patterns import Pattern, filled, in_texts

FILLED_KEYS = ("content", "name", "description", "inputs", "metadata")
"""What of a task has holes; of its checks, what a model looks for has them too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What has to hold of a goal besides its wording.

    Attributes:
        keywords: words that have to be in it.
        matches: a regular expression that has to be found in it; None if none.
        checks: Python functions, `FILE.py:NAME` or `module:NAME`.
    """

    keywords: tuple[str, ...] = ()
    matches: str | None = None
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A decomposition that worked.

    Attributes:
        name: its name: that of its file.
        source: its file.
        goal: the pattern of the goals that it is for.
        keywords: the words by which it is found where a goal is worded otherwise.
        parameters: words about parameters, by name, for whoever fills them.
        preconditions: what has to hold besides.
        rows: its tasks, the goal first; None if a function says them.
        function: the Python function that says its tasks, as preconditions name theirs; None if they are written.
        is_enabled: whether it is used.
        provenance: where it comes from, as texts by name.
    """

    name: str
    source: str
    goal: Pattern
    keywords: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    preconditions: Preconditions = Preconditions()
    rows: tuple[PlanRow, ...] | None = None
    function: str | None = None
    is_enabled: bool = True
    provenance: Mapping[str, str] = field(default_factory=dict)

    def missing_words(self, goal: str) -> list[str]:
        """Return the words of its preconditions that are not in a goal."""
        return _missing(self.preconditions.keywords, goal)

    def has_keywords(self, goal: str) -> bool:
        """Return whether it has keywords, and all of them are in a goal."""
        return bool(self.keywords) and not _missing(self.keywords, goal)

    def outline(self) -> list[str]:
        """Return its tasks as they are written, in order; none if a function says them."""
        return [str(row.fields["content"]) for row in (self.rows or ())[1:]]

    def subtasks_of(self, parent: Task, values: Mapping[str, str], said: Iterable[Any] | None = None) -> list[Task]:
        """Return new subtasks for `parent`, with all that is below them; they are not attached yet.

        Args:
            parent: the task that is split.
            values: what its parameters stand for.
            said: the tasks that its function has said, as texts and mappings of a plan; parameters are not filled in.

        Raises:
            DocumentError: if they are no plan.
        """
        if said is None:
            rows = [_filled_row(row, values) for row in self.rows or ()]
        else:
            rows = rows_said(said, source=self.source)
        return _grown(rows, parent, self.source)


def rows_said(said: Iterable[Any], *, source: str) -> list[PlanRow]:
    """Return the rows of tasks that a function has said, a goal first.

    Raises:
        DocumentError: if they are no tasks of a plan.
    """
    try:
        text = json_text({"goal": "it", "tasks": list(said)})
        node, findings = read_json(text, source=source)
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError(f"the tasks from its function are not JSON: {error}", source=source) from None
    rows, wrong = rows_of(node)
    if found := [*findings, *wrong]:
        raise DocumentError(f"the tasks from its function are not a plan: {found[0].message}", source=source)
    return rows


def _grown(rows: list[PlanRow], parent: Task, source: str) -> list[Task]:
    """Return the tasks of rows, with ids below that of `parent`, as trees of their own."""
    if len(rows) < 2:  # noqa: PLR2004 - the goal, and nothing below it
        raise DocumentError("it has no tasks", source=source)
    ids, first = {rows[0].id: parent.id}, next_child_number(parent)
    counts = {rows[0].id: first - 1}
    for row in rows[1:]:
        above = row.parent.id if row.parent is not None else rows[0].id
        counts[above] = counts.get(above, 0) + 1
        ids[row.id] = made_id(ids[above], counts[above])
    stand_in = Task(content=parent.content, id=parent.id)
    whole: list[tuple[Task, str | None]] = [(stand_in, None)]
    whole += [(_task_of(row, ids, source), ids[(row.parent or rows[0]).id]) for row in rows[1:]]
    assemble(whole, lambda message: DocumentError(message, source=source))
    return stand_in.subtasks.release()


def _task_of(row: PlanRow, ids: Mapping[str, str], source: str) -> Task:
    for needed, _ in row.needs:
        if needed not in ids:
            raise DocumentError(f"task {shown(row.id)} needs unknown task {shown(needed)}", source=source)
    try:
        return Task(**row.fields, id=ids[row.id], dependencies=[ids[needed] for needed, _ in row.needs])
    except (ValidationError, TypeError) as error:
        raise DocumentError(f"task {shown(row.id)}: {validation_text(error)}", source=source) from None


def _filled_row(row: PlanRow, values: Mapping[str, str]) -> PlanRow:
    fields = dict(row.fields)
    for key in FILLED_KEYS:
        if key in fields:
            fields[key] = in_texts(fields[key], lambda text: filled(text, values))
    if "checks" in fields:
        fields["checks"] = [_filled_check(check, values) for check in fields["checks"]]
    return PlanRow(row.id, row.node, row.parent, fields, row.needs, row.count)


def _filled_check(check: Any, values: Mapping[str, str]) -> Any:
    """Return a check with parameters in what a model looks for; patterns and commands hold no others' words."""
    if isinstance(check, dict) and isinstance(check.get("verify"), str):
        return {**check, "verify": filled(check["verify"], values)}
    return check


def _missing(words: Iterable[str], goal: str) -> list[str]:
    said = f" {plain_words(goal)} "
    return [each for each in words if f" {plain_words(each)} " not in said]
