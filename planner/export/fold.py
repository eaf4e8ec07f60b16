"""Which tasks a picture shows: by depth, around a focus, and within a number of boxes.

A task that is not shown is counted in the box of its nearest ancestor that is; dependencies of it go to and from
that box. Each step takes a view and returns one, in time linear in its nodes and edges.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ramify.planner.errors import UsageError

from .view import GraphView, ViewNode, children_of

if TYPE_CHECKING:
    from ramify.tasks import TaskState


def within_depth(view: GraphView, max_depth: int) -> GraphView:
    """Fold what is deeper than level `max_depth`.

    Raises:
        UsageError: if `max_depth` is below 1.
    """
    _check_at_least_one("max_depth", max_depth)
    return fold(view, [node.depth <= max_depth for node in view.nodes])


def around_focus(view: GraphView) -> GraphView:
    """Keep the node in focus, what is above and below it, and what any of these needs; a view without one as it is."""
    focus = next((place for place, node in enumerate(view.nodes) if node.is_focus), None)
    if focus is None:
        return view
    keep = [False] * len(view.nodes)
    for place in range(focus, subtree_ends(view.nodes)[focus]):
        keep[place] = True
    for place in _path_up(view.nodes, focus):
        keep[place] = True
    needed = [prerequisite for prerequisite, dependent in view.dependencies if keep[dependent]]
    for prerequisite in needed:
        for place in _path_up(view.nodes, prerequisite):
            if keep[place]:
                break
            keep[place] = True
    return fold(view, keep)


def within_limit(view: GraphView, max_nodes: int) -> GraphView:
    """Fold until at most `max_nodes` boxes are left; only a focus with more ancestors than that needs more.

    Levels are shown whole from the root down; where one does not fit, each family shows its first tasks, as many in
    each as fit.

    Raises:
        UsageError: if `max_nodes` is below 1.
    """
    _check_at_least_one("max_nodes", max_nodes)
    if len(view.nodes) <= max_nodes:
        return view
    children = children_of(view.nodes)
    keep = [False] * len(view.nodes)
    for place in _path_up(view.nodes, next((i for i, node in enumerate(view.nodes) if node.is_focus), 0)):
        keep[place] = True
    left = max_nodes - sum(keep)
    level = [0]
    while level and left > 0:
        families = [[child for child in children[parent] if not keep[child]] for parent in level]
        share = _fair_share([len(family) for family in families], left)
        for family in families:
            for child in family[:share]:
                keep[child] = True
            left -= min(share, len(family))
        if any(len(family) > share for family in families):
            break
        level = [child for parent in level for child in children[parent] if keep[child]]
    return fold(view, keep)


def fold(view: GraphView, keep: Sequence[bool]) -> GraphView:
    """Return `view` with only the nodes that `keep` says; with a node, its ancestors have to be kept."""
    if all(keep):
        return view
    boxes: list[int] = []  # where each node of `view` ends up in the new one
    kept: list[ViewNode] = []
    hidden: list[Counter[TaskState]] = []
    for node, is_kept in zip(view.nodes, keep, strict=True):
        if is_kept:
            boxes.append(len(kept))
            kept.append(node._replace(parent=boxes[node.parent] if kept else -1, has_shown_subtasks=False))
            hidden.append(Counter(dict(node.hidden)))
            continue
        box = boxes[node.parent]
        boxes.append(box)
        hidden[box][node.state] += 1
        if node.hidden:
            hidden[box].update(dict(node.hidden))
    parents = {node.parent for node in kept}
    nodes = tuple(
        node._replace(hidden=tuple(counts.items()), has_shown_subtasks=place in parents)
        for place, (node, counts) in enumerate(zip(kept, hidden, strict=True))
    )
    return replace(
        view,
        nodes=nodes,
        dependencies=tuple(_lifted(view, boxes, subtree_ends(nodes))),
        critical_path=tuple(dict.fromkeys(boxes[place] for place in view.critical_path)),
    )


def subtree_ends(nodes: Sequence[ViewNode]) -> list[int]:
    """Return, for each node, the position after the last one at or below it."""
    ends = list(range(1, len(nodes) + 1))
    for place in range(len(nodes) - 1, 0, -1):
        parent = nodes[place].parent
        ends[parent] = max(ends[parent], ends[place])
    return ends


def _lifted(view: GraphView, boxes: Sequence[int], ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the dependencies between boxes, once each; those between a box and one above or below it say nothing."""
    for prerequisite, dependent in dict.fromkeys((boxes[one], boxes[other]) for one, other in view.dependencies):
        first, second = min(prerequisite, dependent), max(prerequisite, dependent)
        if second >= ends[first]:
            yield prerequisite, dependent


def _path_up(nodes: Sequence[ViewNode], place: int) -> Iterator[int]:
    while place >= 0:
        yield place
        place = nodes[place].parent


def _fair_share(sizes: Sequence[int], room: int) -> int:
    """Return the largest share such that families of these sizes, each cut to it, fit into `room`.

    >>> _fair_share([1, 10, 10], 9)
    4
    """
    for rank, size in enumerate(sorted(sizes)):
        families = len(sizes) - rank
        if size * families > room:
            return room // families
        room -= size
    return max(sizes, default=0)


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise UsageError(f"{name} is {value}; a picture shows at least the root, so give 1 or more")
