"""How every picture looks: one table of colours a theme, one glyph a state, one legend for all formats.

Nothing is told by colour alone: a state is also a glyph and a word, a kind of edge is also a kind of line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ramify.tasks import TaskState

ThemeName = Literal["light", "dark", "print"]


@dataclass(frozen=True, slots=True)
class StateLook:
    """The colours of a box whose task is in one state.

    Attributes:
        fill: its inside; text of the theme's `text` and `muted` colours is readable on it.
        border: its outline and its glyph.
    """

    fill: str
    border: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a picture, each as `#rrggbb`.

    Attributes:
        background: behind everything.
        text: titles, ids and contents.
        muted: what is less important to read.
        edge: lines from a task to its subtasks.
        dependency: arrows from a task to those that need its result.
        critical: lines and outlines of the critical path.
        grid: lines of a scale, behind everything else.
        states: the look of the boxes.
    """

    background: str
    text: str
    muted: str
    edge: str
    dependency: str
    critical: str
    grid: str
    states: Mapping[TaskState, StateLook]


FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
"""The fonts of SVG, without quotes: @resvg/resvg-js 2.6.2 loses a quoted name behind a comma and a space."""

GLYPHS: Mapping[TaskState, str] = MappingProxyType(
    {
        TaskState.OPEN: "○",
        TaskState.RUNNING: "◐",
        TaskState.DONE: "●",
        TaskState.FAILED: "✕",
        TaskState.DELETED: "⊘",
    }
)

TREE_WORDS = "line: subtask"
DEPENDENCY_WORDS = "dashed arrow: dependency"
CRITICAL_WORDS = "thick: critical path"
ADDED_WORDS = "dotted box: added while running"


def _states(**looks: tuple[str, str]) -> Mapping[TaskState, StateLook]:
    return MappingProxyType({TaskState[name]: StateLook(*look) for name, look in looks.items()})


THEMES: Mapping[ThemeName, Theme] = MappingProxyType(
    {
        "light": Theme(
            background="#ffffff",
            text="#1f2328",
            muted="#4d5560",
            edge="#6e7781",
            dependency="#0b57d0",
            critical="#8a2be2",
            grid="#dce1e7",
            states=_states(
                OPEN=("#f6f8fa", "#6e7781"),
                RUNNING=("#fff4d9", "#9a6700"),
                DONE=("#e6f6ea", "#1a7f37"),
                FAILED=("#ffebe9", "#c21c2a"),
                DELETED=("#ececf0", "#767d86"),
            ),
        ),
        "dark": Theme(
            background="#0d1117",
            text="#e6edf3",
            muted="#b3bcc6",
            edge="#8b949e",
            dependency="#79b8ff",
            critical="#d2a8ff",
            grid="#2d333b",
            states=_states(
                OPEN=("#1c2128", "#8b949e"),
                RUNNING=("#3a2d0b", "#d29922"),
                DONE=("#12311d", "#3fb950"),
                FAILED=("#43161a", "#ff6a61"),
                DELETED=("#22262c", "#7d8590"),
            ),
        ),
        "print": Theme(
            background="#ffffff",
            text="#000000",
            muted="#333333",
            edge="#555555",
            dependency="#000000",
            critical="#000000",
            grid="#c8c8c8",
            states=_states(
                OPEN=("#ffffff", "#000000"),
                RUNNING=("#ffffff", "#000000"),
                DONE=("#ffffff", "#000000"),
                FAILED=("#ffffff", "#000000"),
                DELETED=("#e8e8e8", "#555555"),
            ),
        ),
    }
)
