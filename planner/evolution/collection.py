"""The new tasks of one run: which there are, what they were made from, and the file that they are written to.

It is read from the run's tree when a process begins, and kept up from then on, so that checks see what was accepted a
moment ago whichever task is finished first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ramify.planner.errors import ExportError, UsageError
from ramify.tasks import Task, TaskState

from .checks import Checked, check_evolved
from .json_lines import add_line, write_whole
from .layout import EVOLVE, Wanted
from .near_copies import NearCopies

Record = dict[str, Any]
"""A new task with its lineage, as JSON data: a line of the file."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one new task is to be made from.

    Attributes:
        parent_id: the task that it is made from.
        parent: what that says.
        seed: the seed that its lineage begins with.
    """

    parent_id: str
    parent: str
    seed: dict[str, str]


def is_evolution(root: Task) -> bool:
    """Return whether a tree is that of a run that makes new tasks."""
    return root.type == EVOLVE and isinstance(root.inputs.get("seeds"), list)


def records_of(root: Task) -> list[Record]:
    """Return the new tasks that a run has made so far, in the run's order."""
    return list(_records(root))


def seeds_of(root: Task) -> list[dict[str, str]]:
    """Return the seeds of a run.

    Raises:
        UsageError: if it has none, as it makes no new tasks.
    """
    if not is_evolution(root):
        raise UsageError(
            f"task {root.id} has no seeds to make new tasks from; tasks of type {EVOLVE!r} are made by `ramify evolve`"
        )
    return cast("list[dict[str, str]]", root.inputs["seeds"])


class Collection:
    """The new tasks of one run, with what they are compared to.

    Args:
        root: the run's tree.
        run_id: the run.

    Raises:
        UsageError: if the tree has no seeds.
    """

    def __init__(self, root: Task, run_id: str) -> None:
        self._root = root
        self._run_id = run_id
        self._known = NearCopies()
        self._problem: str | None = None
        self._is_behind = False
        output = root.inputs.get("output")
        self.file = Path(str(output)) if output else None
        self._seeds = seeds_of(root)
        for seed in self._seeds:
            self._known.add(seed["id"], seed["content"])
        contents = {seed["id"]: seed["content"] for seed in self._seeds}
        for record in _records(root):
            self._known.add(record["id"], record["content"], beyond=contents[record["seed_id"]])
        self._begin_file()

    def lineage_of(self, task: Task) -> Lineage:
        """Return what the new task of the leaf `task` is to be made from."""
        seed = self._seeds[Wanted.of(task).seed]
        if not task.dependencies:
            return Lineage(seed["id"], seed["content"], seed)
        parent = cast("Record", task.find(task.dependencies[0]).output)
        return Lineage(parent["id"], parent["content"], seed)

    def id_of(self, task: Task) -> str:
        """Return the id of the new task of the leaf `task`, which no other run has."""
        return f"{self._run_id}/{task.id}"

    def check(self, task: Task, content: str, *, prompt: str) -> Checked:
        """Return what is wrong with a new task of the leaf `task`; see `check_evolved`."""
        origin = self.lineage_of(task)
        return check_evolved(
            content,
            parent=origin.parent,
            seed=origin.seed["content"],
            prompt=prompt,
            known=self._known,
            own_id=self.id_of(task),
        )

    def accept(self, task: Task, content: str, **about: Any) -> tuple[Record, str | None]:
        """Enter a new task; return its record, and why it is not in the file yet, if it is not."""
        origin = self.lineage_of(task)
        record: Record = {
            "id": self.id_of(task),
            "content": content,
            "parent_id": origin.parent_id,
            "parent": origin.parent,
            "generation": Wanted.of(task).generation,
            "seed_id": origin.seed["id"],
            "origin": origin.seed["origin"],
            "run_id": self._run_id,
            **about,
        }
        self._known.add(record["id"], content, beyond=origin.seed["content"])
        return record, self._added(record)

    def finish(self) -> list[Record]:
        """Write the file once more, in the run's order, and return all new tasks.

        Raises:
            ExportError: if it cannot be written.
        """
        records = records_of(self._root)
        if self.file is not None:
            write_whole(self.file, records)
        return records

    def _begin_file(self) -> None:
        """Let the file hold what there is; if it cannot be written, it is left until the end."""
        if self.file is None:
            return
        try:
            write_whole(self.file, _records(self._root))
        except ExportError as error:
            self._is_behind, self._problem = True, str(error)

    def _added(self, record: Record) -> str | None:
        """Add a line to the file unless it is left until the end; return, once, why it is."""
        if self.file is not None and not self._is_behind:
            try:
                add_line(self.file, record)
            except ExportError as error:
                self._is_behind, self._problem = True, str(error)
        problem, self._problem = self._problem, None
        return problem


def _records(root: Task) -> Iterator[Record]:
    for leaf in root.subtasks:
        if leaf.state is TaskState.DONE and isinstance(leaf.output, dict):
            yield leaf.output
