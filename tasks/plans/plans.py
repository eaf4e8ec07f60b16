"""A plan is a file that a person can read, edit, check and run: its text to a tree of tasks, and back.

The keys of a plan stand in `plan_rows`, what an outline looks like in `outline_reader`. A JSON document of
`Task.to_json` is read as well. This file owns what makes a plan a whole tree, and how files become text.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError
from ramify.prompts import Material
from ramify.tasks.checks import CHECK_KEYS
from ramify.tasks.errors import CycleError, DocumentError, TaskError
from ramify.tasks.misfits import misfit
from ramify.tasks.text_files import NotTextError, read_materials
from ramify.tasks.tree.collecting import collector_at_rest
from ramify.tasks.tree.config import TaskConfig
from ramify.tasks.tree.documents import assemble, tree_from_data
from ramify.tasks.tree.graph import check_can_end, check_tree, never_met, root_is_deleted, unmet_for_ever
from ramify.tasks.tree.node import index_of, is_below, walk
from ramify.tasks.tree.states import TaskState
from ramify.tasks.tree.task import Task

from .attached import read_attached
from .data import data_of
from .json_plans import read_json, write_json
from .nodes import PlanFinding, error_of, shown
from .outline_reader import read_markdown
from .outline_writer import write_markdown
from .rewrite import rewrite
from .rows import PlanRow, near_miss, rows_of
from .yaml_plans import read_yaml, write_yaml

Form = Literal["yaml", "json", "markdown"]
Judge = Callable[[Task], str | None]
"""Says why nobody can do a task; None if somebody can."""

MAX_BYTES = 50_000_000
"""The largest plan file that is read, in bytes."""

ENDINGS: Mapping[str, Form] = MappingProxyType(
    {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".md": "markdown", ".markdown": "markdown"}
)
"""The endings of plan files; a file with another one is read as YAML."""

_READERS = {"yaml": read_yaml, "json": read_json, "markdown": read_markdown}
_KINDS = {
    "dict_type": "a mapping", "model_type": "a mapping", "list_type": "a list", "tuple_type": "a list",
    "string_type": "text", "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float":
    "a whole number", "float_type": "a number", "float_parsing": "a number", "bool_type": "true or false",
    "bool_parsing": "true or false",
}  # fmt: skip
"""What a value has to be, by the name of what pydantic found wrong."""
_KNOWN_KEYS = {"config": tuple(TaskConfig.model_fields), "checks": CHECK_KEYS}
_MOST_CYCLES = 10
_MOST_HINTS = 20
_LONGEST_PATH = 20


def load_plan(path: Path | str, *, files: Iterable[str | Path] = ()) -> Task:
    """Load a plan file; its ending sets the format (.json, .md, .markdown; anything else is YAML).

    Args:
        path: the plan file.
        files: text files to attach to the goal, in addition to those in the plan.

    Raises:
        DocumentError: if there is no such file, it cannot be read, is empty, larger than `MAX_BYTES`, not UTF-8, if
            `read_plan` finds something wrong, or if one of the files cannot be attached.
    """
    root = read_plan(plan_text(path), source=str(path), folder=Path(path).parent)
    try:
        more = read_materials([files] if isinstance(files, str | Path) else files, attached=root.attachments)
    except NotTextError as error:
        raise DocumentError(str(error), source=str(path)) from None
    root.attachments = tuple(more)
    return root


def plan_text(path: Path | str, *, most: int = MAX_BYTES) -> str:
    """Return the text of a plan file, without a byte order mark; it may have `most` bytes.

    Raises:
        DocumentError: if there is no such file, or it cannot be read, is empty, too large, or not UTF-8.
    """
    source = str(path)
    if Path(path).suffix == ".py":
        raise DocumentError("this is a script, not a plan; run it with `ramify run`", source=source)
    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise DocumentError("there is no such file", source=source) from None
    except IsADirectoryError:
        raise DocumentError("this is a folder; name a plan file in it", source=source) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DocumentError(f"it cannot be read: {reason}", source=source) from None
    if len(data) > most:
        raise DocumentError(f"it is larger than {most // 1_000_000} MB, the limit for plans", source=source)
    if not data.strip():
        raise DocumentError("the file is empty; a plan needs a `goal`", source=source)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        line_start = data.rfind(b"\n", 0, where) + 1
        raise DocumentError(
            f"not UTF-8: the byte 0x{data[where]:02x} at position {where}; save the file as UTF-8",
            source=source,
            line=data.count(b"\n", 0, where) + 1,
            column=len(data[line_start:where].decode("utf-8", "replace")) + 1,
        ) from None


def read_plan(text: str, *, source: str, form: Form | None = None, folder: Path | None = None) -> Task:
    """Return the task tree that a plan text describes.

    Args:
        text: the plan.
        source: its name in messages; without `form`, its ending sets the format.
        form: how it is written.
        folder: where relative paths of attachments start; without it, a plan cannot attach files.

    Raises:
        DocumentError: if something is wrong; the message has a line for every finding, `source:line:column: what`.
    """
    task, findings = _examine(text, source, form, folder=folder)
    if task is None:
        raise error_of(findings, source=source)
    return task


def lint_plan(path: Path | str, *, judge: Judge | None = None) -> list[PlanFinding]:
    """Return all errors in a plan file, in order of place; empty if it can run.

    A missing, unreadable or malformed file gives a single error. If there are no others, `judge` returns for each task
    why no worker can do it, or None.
    """
    try:
        text = plan_text(path)
    except DocumentError as error:
        return [_finding_of(error, str(path))]
    return lint_plan_text(text, source=str(path), judge=judge, folder=Path(path).parent)


def lint_plan_text(
    text: str, *, source: str = "plan", form: Form | None = None, judge: Judge | None = None, folder: Path | None = None
) -> list[PlanFinding]:
    """Return everything that is wrong with a plan, in the order of its places; nothing if it can be run.

    Text that is not in its form at all makes a single finding, as nothing behind it can be understood. What `judge`
    does is said at `lint_plan`, what `folder` is at `read_plan`.
    """
    task, findings = _examine(text, source, form, judge=judge, folder=folder)
    try:
        if task is not None:  # a document of a tree is one that was run, and is read whatever became of it
            check_can_end(task)
    except TaskError as error:
        return [PlanFinding(1, 1, str(error))]
    return findings


def write_plan(task: Task, form: Form = "yaml") -> str:
    """Return the plan of `task` as text that `read_plan` can read.

    RUNNING becomes OPEN. Times, attempts, usage and origin are left out; `Task.to_json` keeps them. A Markdown outline
    refuses what it cannot hold.

    Raises:
        DocumentError: if a task needs one that is not written, or holds what the form cannot.
    """
    source = f"plan of task {task.id}"
    _check_needs_inside(task, source)
    try:
        if form == "markdown":
            text = write_markdown(task, source=source)
        else:
            text = write_yaml(data_of(task)) if form == "yaml" else write_json(data_of(task))
        text.encode()
    except UnicodeEncodeError as error:
        near = shown(error.object[max(0, error.start - 20) : error.start])
        raise DocumentError(f"there is an unpaired surrogate after {near}", source=source) from None
    except ValueError as error:  # from numbers that are not finite, or have more digits than Python writes
        raise DocumentError(f"a number cannot be written: {error}", source=source) from None
    return text


def save_plan(task: Task, path: Path | str) -> None:
    """Save the plan of `task`; an existing file changes only where it differs.

    See `revise_plan` for what stays. The file is replaced atomically.

    Raises:
        DocumentError: if the plan cannot be written in the form of the file, the file is there and is no plan, or it
            cannot be written.
    """
    path = Path(path)
    form = form_of(str(path))
    is_there = path.exists()
    text = (
        revise_plan(plan_text(path), task, source=str(path), folder=path.parent) if is_there else write_plan(task, form)
    )
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8", newline="")
        fresh.replace(path)
    except OSError as error:
        raise DocumentError(f"it cannot be written: {error.strerror or error}", source=str(path)) from None


def revise_plan(
    text: str, task: Task, *, source: str = "plan", form: Form | None = None, folder: Path | None = None
) -> str:
    """Return the plan `text` so changed that it says the plan of `task`, and says everything else as it did.

    In YAML comments, blank lines, quotes and the order of keys stay as they are, in JSON the order of keys and the
    layout. What stands in a task that is taken out goes with it; a task that is put elsewhere is written anew. A text
    that cannot be changed so is written anew as a whole: a Markdown outline, and YAML whose aliases would say something
    else.

    Raises:
        DocumentError: if `text` is no plan, or the plan cannot be written in its form.
    """
    form = form or form_of(source)
    whole = write_plan(task, form)
    old = read_plan(text, source=source, form=form, folder=folder)
    if write_plan(old, form) == whole:
        return text
    root, _ = _READERS[form](text.removeprefix("\ufeff"), source=source)
    if form == "markdown" or "format" in (root.entries or {}):
        return whole
    try:
        changed = rewrite(text.removeprefix("\ufeff"), rows_of(root)[0], old, task, is_json=form == "json")
        is_right = write_plan(read_plan(changed, source=source, form=form, folder=folder), form) == whole
    except (ValueError, LookupError, DocumentError):
        is_right = False
    return changed if is_right else whole


def form_of(source: str) -> Form:
    """Return how a file is written, by its ending.

    >>> form_of("plan.md"), form_of("plan.yml"), form_of("-")
    ('markdown', 'yaml', 'yaml')
    """
    return next((form for ending, form in ENDINGS.items() if source.lower().endswith(ending)), "yaml")


@collector_at_rest()
def _examine(
    text: str, source: str, form: Form | None, *, judge: Judge | None = None, folder: Path | None = None
) -> tuple[Task | None, list[PlanFinding]]:
    """Return the tree of a plan, or else what is wrong with it."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        return None, [PlanFinding(1, 1, "it is empty; a plan needs a `goal`")]
    try:
        text.encode()
        root, findings = _READERS[form or form_of(source)](text, source=source)
        if root.entries is not None and "format" in root.entries:
            return (None, findings) if findings else (tree_from_data(root.value, Task, source=source), [])
    except DocumentError as error:
        return None, [_finding_of(error, source)]
    except UnicodeEncodeError as error:
        line_start = text.rfind("\n", 0, error.start) + 1
        line, column = text.count("\n", 0, error.start) + 1, error.start - line_start + 1
        return None, [PlanFinding(line, column, "there is an unpaired surrogate here")]
    rows, wrong = rows_of(root)
    unread = list(read_attached(rows, folder))
    task, invalid = tree_of(rows)
    findings = sorted([*findings, *wrong, *unread, *invalid], key=lambda finding: finding[:2])
    if task is not None and judge is not None and not findings:
        findings = [
            row.node.at(("type",)).finding(why) for row in rows if (why := judge(task.find(row.id))) is not None
        ]
    return (None, findings) if findings else (task, [])


def _finding_of(error: DocumentError, source: str) -> PlanFinding:
    place = ":".join(str(part) for part in (source, error.line, error.column) if part is not None)
    return PlanFinding(error.line or 1, error.column or 1, str(error).removeprefix(f"{place}: "))


def tree_of(rows: list[PlanRow]) -> tuple[Task | None, list[PlanFinding]]:
    """Return the tree of the rows and what is wrong with their values and needs; no tree if ids stand twice in them."""
    by_id = {row.id: row for row in rows}
    findings: list[PlanFinding] = []
    tasks = []
    for row in rows:
        tasks.append(_task_of(row, findings))
        for needed, node in row.needs:
            if needed not in by_id:
                others = [other for other in by_id if other != row.id] if len(findings) < _MOST_HINTS else []
                message = f"task {shown(row.id)} needs unknown task {shown(needed)}{near_miss(needed, others)}"
                findings.append(node.finding(message))
    if not rows or len(by_id) < len(rows):
        return None, findings
    whole = [(task, None if row.parent is None else row.parent.id) for task, row in zip(tasks, rows, strict=True)]
    root = assemble(whole, lambda message: DocumentError(message, source="plan"))
    for task, row in zip(tasks, rows, strict=True):
        if row.needs:
            task.dependencies.extend(needed for needed, _ in row.needs if needed in by_id)
            index_of(root).note_dependencies(task)
    findings += _cycles(root, by_id)
    return root, findings or _dead_ends(root, by_id)


def _task_of(row: PlanRow, findings: list[PlanFinding]) -> Task:
    """Return the task of a row; one that stands in for it if the row's values do not make one."""
    try:
        return Task(**{"content": row.content_key, **row.fields}, id=row.id)
    except ValidationError as error:
        findings += [_invalid(row, dict(problem)) for problem in error.errors(include_url=False)]
        return Task(content=row.content_key, id=row.id)


def _invalid(row: PlanRow, problem: dict[str, Any]) -> PlanFinding:
    path: tuple[int | str, ...] = problem["loc"]
    words = ".".join(shown(str(step)) for step in path)
    if problem["type"] != "extra_forbidden":
        place = row.node.at(path)
        kind = _KINDS.get(problem["type"])
        message = f"must be {kind}, not {place.kind}" if kind else misfit(problem)
        return place.finding(f"task {shown(row.id)}: {words}: {message}")
    holder, key = row.node.at(path[:-1]), str(path[-1])
    known = _KNOWN_KEYS.get(str(path[0]), tuple(Material.model_fields))
    place = (holder.entries or {}).get(key, (holder, holder))[0]
    return place.finding(f"task {shown(row.id)}: {words}: unknown key{near_miss(key, known)}")


def _dead_ends(root: Task, by_id: dict[str, PlanRow]) -> list[PlanFinding]:
    """Return a finding for a goal that is DELETED, and for every need that nothing will ever meet."""
    if root.state is TaskState.DELETED:
        return [by_id[root.id].node.at(("state",)).finding(root_is_deleted(root))]
    return [
        dict(by_id[task.id].needs)[needed.id].finding(never_met(task, needed)) for task, needed in unmet_for_ever(root)
    ]


def _cycles(root: Task, by_id: dict[str, PlanRow]) -> list[PlanFinding]:
    """Return a finding for every cycle, up to `_MOST_CYCLES`; from each, a dependency is taken out of the tree.

    If there are more, the last finding says so, at the place of the next one.
    """
    findings: list[PlanFinding] = []
    while True:
        try:
            check_tree(root)
        except CycleError as error:
            edges = zip(error.path, error.path[1:], strict=False)
            waiting, needed = next((a, b) for a, b in edges if b in root.find(a).dependencies)
            place = dict(by_id[waiting].needs)[needed]
            if len(findings) == _MOST_CYCLES:
                words = f"there are more than these {_MOST_CYCLES} cycles; break them, then check the plan again"
                findings.append(place.finding(words))
                return findings
            findings.append(place.finding(_cycle_words(root.find(waiting), root.find(needed), error)))
            root.find(waiting).dependencies.remove(needed)
        else:
            return findings


def _cycle_words(task: Task, needed: Task, error: CycleError) -> str:
    if task is needed:
        return f"task {task.id} needs itself"
    if is_below(task, needed):
        return f"task {task.id} needs task {needed.id}, its own ancestor"
    if is_below(needed, task):
        return f"task {task.id} needs task {needed.id}, its own descendant"
    if len(error.path) <= _LONGEST_PATH:
        return str(error)
    shortened = " -> ".join([*error.path[:_LONGEST_PATH], "...", error.path[-1]])
    return f"{len(error.path) - 1} tasks wait for each other: {shortened}; remove one of the dependencies"


def _check_needs_inside(task: Task, source: str) -> None:
    written = {each.id for each in walk(task)}
    for each in walk(task):
        for needed in each.dependencies:
            if needed not in written:
                raise DocumentError(
                    f"task {each.id} needs task {needed}, which is not part of this plan", source=source
                )
