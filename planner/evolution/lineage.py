"""Who came from whom: the new tasks of a run as a tree, seeds on top, for every picture that trees can have."""

from ramify.tasks import Task, TaskState

from .collection import seeds_of
from .generations import Wanted


def lineage_tree(root: Task) -> Task:
    """Return the lineage of a run's new tasks as a tree: the seeds, and below each task those that were made from it.

    A box says what the new task says, by which method it was made, and how its making stands.

    Raises:
        UsageError: if the run makes no new tasks.
    """
    top = Task(content=root.content, id="lineage", type=root.type, state=root.state)
    places: dict[str, Task] = {}
    for number, seed in enumerate(seeds_of(root)):
        places[f"seed {number}"] = Task(content=seed["content"], id=f"seed {number + 1}", type="seed", state="DONE")
    top.add_subtasks(list(places.values()))
    for leaf in root.subtasks:
        above = places[leaf.dependencies[0] if leaf.dependencies else f"seed {Wanted.of(leaf).seed}"]
        places[leaf.id] = _node(leaf)
        above.add_subtask(places[leaf.id])
    return top


def _node(leaf: Task) -> Task:
    made = leaf.output if isinstance(leaf.output, dict) else {}
    is_done = leaf.state is TaskState.DONE
    return Task(
        content=leaf.result if is_done else f"({leaf.error or 'not made yet'})",
        id=leaf.id,
        type=str(made.get("method") or Wanted.of(leaf).methods[0]),
        state=leaf.state,
        usage=leaf.usage,
        started_at=leaf.started_at,
        completed_at=leaf.completed_at,
    )
