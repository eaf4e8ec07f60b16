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
    """Return the legend of `view`: the states, kinds of lines and marks that occur in it, and no others."""
    shown = {node.state for node in view.nodes}
    entries = [LegendEntry("state", state.value, state) for state in TaskState if state in shown]
    lines: list[tuple[LegendKind, str, bool]] = [
        ("tree", TREE_WORDS, len(view.nodes) > 1),
        ("dependency", DEPENDENCY_WORDS, bool(view.dependencies)),
        ("critical", CRITICAL_WORDS, bool(view.critical_path)),
        ("added", ADDED_WORDS, any(node.is_added for node in view.nodes)),
    ]
    return entries + [LegendEntry(kind, words) for kind, words, occurs in lines if occurs]
