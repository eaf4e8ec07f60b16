"""What a picture of a task tree shows: a snapshot of the tree, from which every format is drawn.

    Task --snapshot--> GraphView --fold--> GraphView --> to_dot, to_mermaid, to_svg --render--> bytes

A view holds no task: it stays as it is while the tree goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from ramify.tasks import TaskState, Usage
from ramify.tasks.counting import counted
from ramify.tasks.tree.config import NO_USAGE

from .look import ThemeName

Direction = Literal["LR", "TB"]

MOST_NODES = 300
"""The boxes that a picture has unless more are asked for; above that, people read nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """What to show of a tree, and how.

    Attributes:
        direction: "LR" puts subtasks to the right of their parent, "TB" below it.
        theme: "light", "dark", or "print" for black and white.
        max_depth: levels to show, the root's being 1; None shows all.
        focus: the id of one task: only it, what is above and below it, and what those need are shown.
        max_nodes: boxes to show; what does not fit is folded. None shows all.
        critical_path: ids along the critical path, in order; it is marked.
    """

    direction: Direction = "LR"
    theme: ThemeName = "light"
    max_depth: int | None = None
    focus: str | None = None
    max_nodes: int | None = MOST_NODES
    critical_path: Sequence[str] = ()


class ViewNode(NamedTuple):
    """One task in a picture.

    Attributes:
        id: the task's id.
        content: what is to be done, whole.
        state: where it stands.
        worker: the kind of worker that it is for.
        parent: the position of its parent among the view's nodes; -1 for the root.
        depth: its level; the root's is 1.
        duration_s: from its start to its end, in seconds; None if it has not ended.
        usage: what its own model calls used.
        is_added: whether it was added while the run was going on.
        note: what became of it when the plan was changed.
        is_focus: whether the picture is about it.
        has_shown_subtasks: whether boxes of subtasks hang on it.
        hidden: the tasks folded into its box: how many are in which state.
    """

    id: str
    content: str
    state: TaskState
    worker: str
    parent: int
    depth: int
    duration_s: float | None = None
    usage: Usage = NO_USAGE
    is_added: bool = False
    note: str = ""
    is_focus: bool = False
    has_shown_subtasks: bool = False
    hidden: tuple[tuple[TaskState, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView:
    """A snapshot of a task tree, folded to what is to be shown.

    Attributes:
        title: what the picture is of.
        made_by: what the answers come from, such as "rules (no language model)"; None if that is not known.
        nodes: the boxes, parents before their subtasks, in the tree's order.
        dependencies: `(prerequisite, dependent)` as positions in `nodes`; of a folded task, its box stands for it.
        critical_path: positions in `nodes` along the critical path, in order.
        options: what was asked for.
    """

    title: str
    made_by: str | None
    nodes: tuple[ViewNode, ...]
    dependencies: tuple[tuple[int, int], ...]
    critical_path: tuple[int, ...]
    options: ViewOptions

    def tree_edges(self) -> list[tuple[int, int]]:
        """Return `(parent, subtask)` as positions in `nodes`, in order."""
        return [(node.parent, place) for place, node in enumerate(self.nodes) if node.parent >= 0]

    def critical_steps(self) -> frozenset[tuple[int, int]]:
        """Return the pairs of neighbours on the critical path, in both orders, to look edges up in."""
        pairs = list(pairwise(self.critical_path))
        return frozenset(pairs + [(later, earlier) for earlier, later in pairs])

    def counts(self) -> dict[TaskState, int]:
        """Return how many tasks are in which state, folded ones included."""
        counts = dict.fromkeys(TaskState, 0)
        for node in self.nodes:
            counts[node.state] += 1
            for state, number in node.hidden:
                counts[state] += number
        return counts

    @property
    def total_tasks(self) -> int:
        """How many tasks the tree has, folded ones included."""
        return sum(self.counts().values())

    @property
    def summary(self) -> str:
        """How many tasks there are, and in which states."""
        total = self.total_tasks
        return f"{counted(total, 'task')}: {state_counts(self.counts())}"

    @property
    def note(self) -> str:
        """What a reader has to know about what is not shown; empty if all is."""
        total = self.total_tasks
        if total == len(self.nodes):
            return ""
        return f"{len(self.nodes):,} of {counted(total, 'task')} shown; boxes with a + hold the others"

    @property
    def footer(self) -> str:
        """What the answers come from."""
        return f"answers by {self.made_by}" if self.made_by else "the model is not recorded"


def state_counts(counts: Mapping[TaskState, int]) -> str:
    """Return how many tasks are in which state, in the state table's order.

    >>> state_counts({TaskState.FAILED: 1, TaskState.DONE: 1200})
    '1,200 done, 1 failed'
    """
    return ", ".join(f"{counts[state]:,} {state.value.lower()}" for state in TaskState if counts.get(state))


def children_of(nodes: Sequence[ViewNode]) -> list[list[int]]:
    """Return the positions of the subtasks of each node, in order."""
    children: list[list[int]] = [[] for _ in nodes]
    for place, node in enumerate(nodes):
        if node.parent >= 0:
            children[node.parent].append(place)
    return children
