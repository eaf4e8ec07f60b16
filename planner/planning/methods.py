"""The folder of methods: each is a file that people read, edit, compare and share; this is where they are kept.

`.ramify/methods` is used if it is there, unless another folder is named.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramify.planner.errors import UsageError
from ramify.planner.runtime.output_files import write_text
from ramify.planner.settings.place import DEFAULT_STORE
from ramify.tasks import Task, TaskState
from ramify.tasks.errors import DocumentError
from ramify.tasks.methods.method import Method
from ramify.tasks.methods.patterns import is_name
from ramify.tasks.methods.reading import ENDINGS, MAX_BYTES, load_method, method_files, read_method
from ramify.tasks.methods.saving import guessed_parameters, method_text, outside_needs, subtasks_to_save
from ramify.tasks.plans.patch import Patch
from ramify.tasks.plans.plans import plan_text
from ramify.tasks.plans.rows import near_miss
from ramify.tasks.plans.yaml_plans import read_yaml

if TYPE_CHECKING:
    from ramify.planner.store.records import StoredRun

DEFAULT_FOLDER = DEFAULT_STORE.parent / "methods"
_WORDS_OF_NAME, _LONGEST_NAME = 5, 60
NONE = "none"
"""What is named instead of a folder where no methods are to be used."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A method that was saved.

    Attributes:
        method: the method.
        path: its file.
        parameters: what each parameter stood for in the run.
        left_out: ids that its tasks needed and that are no part of it.
    """

    method: Method
    path: Path
    parameters: Mapping[str, str]
    left_out: tuple[str, ...] = ()


class Methods:
    """The methods of a folder.

    Args:
        folder: the folder; `.ramify/methods` unless given. It need not be there until something is saved.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = DEFAULT_FOLDER if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"Methods({str(self.folder)!r})"

    def names(self) -> list[str]:
        """Return the names of the methods that are there, broken ones too, in order."""
        return [path.stem for path in method_files(self.folder)] if self.folder.is_dir() else []

    def get(self, name: str) -> Method:
        """Return a method.

        Raises:
            UsageError: if there is none of that name.
            DocumentError: if its file is broken; the message says where.
        """
        return load_method(self.path_of(name))

    def all(self) -> list[Method]:
        """Return all methods, in the order of their names.

        Raises:
            DocumentError: if a file is broken; the message says where.
        """
        return [self.get(name) for name in self.names()]

    def path_of(self, name: str) -> Path:
        """Return the file of a method, which may be broken.

        Raises:
            UsageError: if there is none of that name.
        """
        for ending in ENDINGS:
            path = self.folder / f"{name}{ending}"
            if Path(name).name == name and path.is_file():
                return path
        names = self.names()
        hint = near_miss(name, names) if names else "; there are none"
        raise UsageError(f"there is no method {name!r} in {self.folder}{hint}")

    def save(
        self,
        stored: "StoredRun",
        task_id: str | None = None,
        *,
        name: str | None = None,
        parameters: Mapping[str, str] | None = None,
        keywords: Iterable[str] = (),
        overwrite: bool = False,
    ) -> Saved:
        """Save how a task of a run was split, and return it; a plan that has not worked is refused.

        Args:
            stored: the run, as `store.read_run` gives it.
            task_id: the task; the root unless given.
            name: what the method is called; made of its goal unless given.
            parameters: what of the goal's words is a parameter, by name; guessed unless given.
            keywords: the words by which it is found; taken from the goal unless given.
            overwrite: whether a method of that name is written over.

        Raises:
            UsageError: if the task has no plan, has not worked, or the method cannot be written so.
        """
        task = stored.root if task_id is None else stored.root.find(task_id)
        _check_worked(task)
        chosen = _check_parameters(task, parameters) if parameters is not None else guessed_parameters(task)
        provenance = _provenance(stored, task)
        try:
            text = method_text(task, parameters=chosen, keywords=keywords, provenance=provenance)
            name = _check_name(name or _name_for(text, task))
            read_method(text, source=f"{name}.yaml", name=name)
        except (ValueError, DocumentError) as error:
            raise UsageError(f"task {task.id} cannot be saved as a method: {error}") from None
        path = self._new_path(name, overwrite=overwrite)
        write_text(path, text)
        return Saved(load_method(path), path, chosen, tuple(dict.fromkeys(outside_needs(task))))

    def enable(self, name: str, *, is_enabled: bool = True) -> Path:
        """Have a method be used, or not; all else in its file stays as it is. Returns the file.

        Raises:
            UsageError: if there is none of that name.
            DocumentError: if its file is broken so far that it cannot be said there.
        """
        path = self.path_of(name)
        text = plan_text(path, most=MAX_BYTES)
        root, _ = read_yaml(text, source=str(path))
        if root.entries is None:
            raise DocumentError(f"a method must start with `goal: ...`; this is {root.kind}", source=str(path))
        patch = Patch(text, is_json=False)
        patch.set_key(root, "enabled", is_enabled)
        write_text(path, patch.result())
        return path

    def delete(self, name: str) -> Path:
        """Delete the file of a method, and return where it was.

        Raises:
            UsageError: if there is none of that name, or it cannot be deleted.
        """
        path = self.path_of(name)
        try:
            path.unlink()
        except OSError as error:
            raise UsageError(f"{path} cannot be deleted: {error.strerror or error}") from None
        return path

    def _new_path(self, name: str, *, overwrite: bool) -> Path:
        taken = [path for ending in ENDINGS if (path := self.folder / f"{name}{ending}").exists()]
        if taken and not overwrite:
            raise UsageError(f"{taken[0]} already exists; choose another name, or overwrite it with --force")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the folder {self.folder} cannot be created: {error.strerror or error}") from None
        return taken[0] if taken else self.folder / f"{name}.yaml"


def is_gone(given: Path | None) -> bool:
    """Return whether a folder of methods is named, and is not there."""
    return given is not None and str(given) != NONE and not given.is_dir()


def methods_in_use(given: Path | None) -> list[Method]:
    """Return the methods that are tried in a run, of the folder that is `given`, or else of the usual one.

    Raises:
        UsageError: if the folder is not there.
        DocumentError: if a file in it is broken; the message says where.
    """
    if given is None:
        return [each for each in Methods().all() if each.is_enabled] if DEFAULT_FOLDER.is_dir() else []
    if str(given) == NONE:
        return []
    if is_gone(given):
        raise UsageError(
            f"the methods folder {given} does not exist; name one with --methods DIR, or use --methods {NONE}"
        )
    return [each for each in Methods(given).all() if each.is_enabled]


def _check_worked(task: Task) -> None:
    if not subtasks_to_save(task):
        raise UsageError(f"task {task.id} has no planned subtasks, so there is nothing to save as a method")
    if task.state is not TaskState.DONE:
        raise UsageError(
            f"task {task.id} is {task.state.value}; only a plan that worked (DONE) can be saved as a method"
        )
    for each in task.walk():
        if each.state is TaskState.FAILED:
            raise UsageError(f"task {each.id} has FAILED; only a plan whose tasks all worked can be saved as a method")


def _check_parameters(task: Task, parameters: Mapping[str, str]) -> dict[str, str]:
    for name, words in parameters.items():
        if not is_name(name):
            raise UsageError(f"{name!r} is not a valid parameter name; use letters, digits and _")
        if not words.strip() or words.casefold() not in task.content.casefold():
            raise UsageError(f"the goal of task {task.id} does not contain {words!r}, which {name} is to stand for")
    return dict(parameters)


def _check_name(name: str) -> str:
    if not name.strip("-_") or not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"{name!r} is not a valid method name; use letters, digits, - and _")
    return name


def _name_for(text: str, task: Task) -> str:
    goal = _goal_of(text) or task.content
    words = "".join(each if each.isalnum() else " " for each in goal).split()
    return "-".join(words[:_WORDS_OF_NAME]).lower()[:_LONGEST_NAME].strip("-") or "method"


def _goal_of(text: str) -> str:
    root, _ = read_yaml(text, source="method")
    return str((root.value or {}).get("goal", ""))


def _provenance(stored: "StoredRun", task: Task) -> dict[str, Any]:
    """Return where a method comes from: the run, and who has planned there, with which template."""
    record = stored.record
    planned = next(
        (call for call in stored.calls if call.key.purpose == "decompose" and call.key.task_id == task.id), None
    )
    told: dict[str, Any] = {
        "run": record.id,
        "task": task.id,
        "goal": task.content,
        "model": planned.model if planned is not None else record.model,
        "template": None if planned is None else f"decompose, version {planned.prompt_version}",
        "date": time.strftime("%Y-%m-%d", time.gmtime(record.created_at)),
    }
    return {name: value for name, value in told.items() if value is not None}
