"""The legend of a picture: what its glyphs and lines mean, the same in every format."""

from dataclasses import dataclass
from typing import Literal

from ramify.tasks import TaskState

from .look import ADDED_WORDS, CRITICAL_WORDS, DEPENDENCY_WORDS, TREE_WORDS
from .view import GraphView

LegendKind = Literal["state", "tree", "dependency", "critical", "added"]


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of the legend.

    Attributes:
        kind: what it explains.
        words: what it means.
        state: the state that it explains, if it does.
    """

    kind: LegendKind
    words: str
    state: TaskState | None = None


def legend(view: GraphView) -> list[LegendEntry]:
    """Return the legend of `view`: all states and kinds of edges, and what else occurs in it."""
    entries = [LegendEntry("state", state.value, state) for state in TaskState]
    entries += [LegendEntry("tree", TREE_WORDS), LegendEntry("dependency", DEPENDENCY_WORDS)]
    if view.critical_path:
        entries.append(LegendEntry("critical", CRITICAL_WORDS))
    if any(node.is_added for node in view.nodes):
        entries.append(LegendEntry("added", ADDED_WORDS))
    return entries
