"""The new tasks of one run: which there are, what they were made from, and the file that they are written to.

It is read from the run's tree when a process begins, and kept up from then on, so that checks see what was accepted a
moment ago whichever task is finished first.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ramify.planner.errors import ExportError, UsageError
from ramify.tasks import Task, TaskState

from .acceptance import Checked, check_evolved
from .generations import EVOLVE, Wanted
from .json_lines import add_line, write_whole
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


def records_of(root: Task, run_id: str) -> list[Record]:
    """Return the new tasks that a run has made so far, in the run's order; one that a person has given counts too."""
    return [
        leaf.output if isinstance(leaf.output, dict) and "content" in leaf.output else _given_record(leaf, run_id)
        for leaf in root.subtasks
        if leaf.state is TaskState.DONE
    ]


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

    Attributes:
        run_id: the run.
        file: where its new tasks are written to, if anywhere.

    Raises:
        UsageError: if the tree has no seeds.
    """

    def __init__(self, root: Task, run_id: str) -> None:
        self._root = root
        self.run_id = run_id
        self._known = NearCopies()
        self._problem: str | None = None
        self._is_behind = False
        output = root.inputs.get("output")
        self.file = Path(str(output)) if output else None
        contents = {seed["id"]: seed["content"] for seed in seeds_of(root)}
        for name, content in contents.items():
            self._known.add(name, content)
        for record in records_of(root, run_id):
            self._known.add(record["id"], record["content"], beyond=contents[record["seed_id"]])
        self._begin_file()

    def check(self, task: Task, content: str, *, prompt: str) -> Checked:
        """Return what is wrong with a new task of the leaf `task`; see `check_evolved`."""
        origin = lineage_of(task, self.run_id)
        return check_evolved(
            content,
            parent=origin.parent,
            seed=origin.seed["content"],
            prompt=prompt,
            known=self._known,
            own_id=_id_of(task, self.run_id),
        )

    def accept(self, task: Task, content: str, **about: Any) -> tuple[Record, str | None]:
        """Enter a new task; return its record, and why it is not in the file yet, if it is not."""
        record = _record(task, self.run_id, content, **about)
        self._known.add(record["id"], content, beyond=lineage_of(task, self.run_id).seed["content"])
        return record, self._added(record)

    def finish(self) -> list[Record]:
        """Write the file once more, in the run's order, and return all new tasks.

        Raises:
            ExportError: if it cannot be written.
        """
        records = records_of(self._root, self.run_id)
        if self.file is not None:
            write_whole(self.file, records)
        return records

    def _begin_file(self) -> None:
        """Let the file hold what there is; if it cannot be written, it is left until the end."""
        if self.file is None:
            return
        try:
            write_whole(self.file, records_of(self._root, self.run_id))
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


def lineage_of(leaf: Task, run_id: str) -> Lineage:
    """Return what the new task of `leaf` is to be made from.

    Raises:
        UsageError: if its run makes no new tasks.
    """
    seed = seeds_of(leaf.parent or leaf)[Wanted.of(leaf).seed]
    if not leaf.dependencies:
        return Lineage(seed["id"], seed["content"], seed)
    parent = leaf.find(leaf.dependencies[0])
    return Lineage(_id_of(parent, run_id), parent.result, seed)


def _id_of(leaf: Task, run_id: str) -> str:
    """Return the id of the new task of `leaf`, which no other run has."""
    return f"{run_id}/{leaf.id}"


def _given_record(leaf: Task, run_id: str) -> Record:
    return _record(leaf, run_id, leaf.result, method="given", model=None, checks=None, rejected=[])


def _record(leaf: Task, run_id: str, content: str, **about: Any) -> Record:
    origin = lineage_of(leaf, run_id)
    return {
        "id": _id_of(leaf, run_id),
        "content": content,
        "parent_id": origin.parent_id,
        "parent": origin.parent,
        "generation": Wanted.of(leaf).generation,
        "seed_id": origin.seed["id"],
        "origin": origin.seed["origin"],
        "run_id": run_id,
        **about,
    }
