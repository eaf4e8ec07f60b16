r"""A view as DOT, written by the `graphviz` package; the only file that knows it.

Labels are HTML-like, so that the id can be bold: text is escaped as XML, and backslashes are doubled, because `dot`
reads `\N` and the like even there. Nodes are named by their task ids where those are plain, else by their place.
"""

import re
from collections.abc import Iterable
from html import escape

from .columns import columns_of, usual_breaking
from .labels import NodeText, full_text, node_texts, wrap
from .legend import LegendEntry, legend
from .look import GLYPHS, THEMES, Theme
from .view import GraphView, ViewNode

_FONT = "Helvetica,Arial,sans-serif"
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_HEADER_EM = 48
_TABLE_WIDTH = 200


def to_dot(view: GraphView) -> str:
    """Write `view` as a DOT document."""
    import graphviz  # type: ignore[import-untyped]

    theme = THEMES[view.options.theme]
    names = [node.id if _PLAIN_ID.fullmatch(node.id) else f"task {place}" for place, node in enumerate(view.nodes)]
    critical = view.critical_steps()
    graph = graphviz.Digraph("tasks", graph_attr=_graph_attributes(view, theme))
    graph.attr("node", shape="box", fontname=_FONT, fontsize="12", fontcolor=theme.text, margin="0.1,0.06")
    marked = frozenset(view.critical_path)
    for place, (node, text) in enumerate(zip(view.nodes, node_texts(view), strict=True)):
        attributes = _node_attributes(node, theme, is_critical=place in marked)
        graph.node(names[place], label=_node_label(node, text, theme), **attributes)
    columns = columns_of(view.nodes, usual_breaking(view))
    for parent, child in view.tree_edges():
        attributes = _tree_attributes(theme, is_critical=(parent, child) in critical)
        if columns[child]:
            attributes["minlen"] = str(columns[child] + 1)
        graph.edge(names[parent], names[child], **attributes)
    for one, other in view.dependencies:
        graph.edge(names[one], names[other], **_dependency_attributes(theme, is_critical=(one, other) in critical))
    return str(graph.source)


def _graph_attributes(view: GraphView, theme: Theme) -> dict[str, str]:
    return {
        "rankdir": view.options.direction,
        "bgcolor": theme.background,
        "fontname": _FONT,
        "fontsize": "11",
        "fontcolor": theme.muted,
        "label": _header(view, theme),
        "labelloc": "t",
        "labeljust": "l",
        "pad": "0.25",
        "nodesep": "0.22",
        "ranksep": "0.7",
        "charset": "UTF-8",
    }


def _header(view: GraphView, theme: Theme) -> str:
    title = [
        f'<FONT POINT-SIZE="17" COLOR="{theme.text}"><B>{_text(line)}</B></FONT>'
        for line in wrap(view.title, width_em=_HEADER_EM, lines=2)
    ]
    lines = [view.summary, view.note]
    lines = [_text(line) for line in lines if line]
    entries = " &nbsp; ".join(_legend_entry(entry, theme) for entry in legend(view))
    rows = [*title, *lines, entries, _text(view.footer)]
    cells = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
    return _html(f"{_table()}{cells}</TABLE>")


def _legend_entry(entry: LegendEntry, theme: Theme) -> str:
    if entry.state is not None:
        sign, colour = GLYPHS[entry.state], theme.states[entry.state].border
    else:
        sign, colour = {
            "tree": ("──", theme.edge),
            "dependency": ("- - ▶", theme.dependency),
            "critical": ("━━", theme.critical),
            "added": ("⬚", theme.text),
        }[entry.kind]
    return f'<FONT COLOR="{colour}">{_text(sign)}</FONT> <FONT COLOR="{theme.text}">{_text(entry.words)}</FONT>'


def _node_attributes(node: ViewNode, theme: Theme, *, is_critical: bool) -> dict[str, str]:
    look = theme.states[node.state]
    style = ["rounded", "filled"] + (["dotted"] if node.is_added else [])
    return {
        "tooltip": _tooltip(full_text(node)),
        "style": ",".join(style),
        "fillcolor": look.fill,
        "color": theme.critical if is_critical else look.border,
        "penwidth": "3" if is_critical else "1.4",
    }


def _node_label(node: ViewNode, text: NodeText, theme: Theme) -> str:
    glyph = f'<FONT POINT-SIZE="14" COLOR="{theme.states[node.state].border}">{GLYPHS[node.state]}</FONT>'
    state = f'<FONT POINT-SIZE="10" COLOR="{theme.muted}">{node.state.value}</FONT>'
    rows = [f"{glyph} <B>{_text(text.id)}</B> &nbsp;{state}", _lines(text.content)]
    small = _lines((*text.facts, *text.hidden))
    rows.append(f'<FONT POINT-SIZE="11" COLOR="{theme.muted}">{small}</FONT>')
    cells = "".join(f'<TR><TD ALIGN="LEFT" BALIGN="LEFT">{row}</TD></TR>' for row in rows)
    return _html(f"{_table(_TABLE_WIDTH)}{cells}</TABLE>")


def _tree_attributes(theme: Theme, *, is_critical: bool) -> dict[str, str]:
    colour, width = (theme.critical, "3") if is_critical else (theme.edge, "1.3")
    return {"arrowhead": "none", "color": colour, "penwidth": width, "style": "solid"}


def _dependency_attributes(theme: Theme, *, is_critical: bool) -> dict[str, str]:
    colour, width = (theme.critical, "3") if is_critical else (theme.dependency, "1.4")
    # without a say in the ranks: the tree keeps its levels
    return {"arrowsize": "0.8", "color": colour, "penwidth": width, "style": "dashed", "constraint": "false"}


def _lines(lines: Iterable[str]) -> str:
    return '<BR ALIGN="LEFT"/>'.join(_text(line) for line in lines)


def _text(words: str) -> str:
    return escape(words).replace("\\", "\\\\") or "&nbsp;"


def _tooltip(words: str) -> str:
    # some versions of dot read escapes in tooltips twice, so that no number of backslashes is right for all
    return escape(words, quote=False).replace("\\", "\N{SET MINUS}").replace("\n", "&#10;")


def _table(width: int = 0) -> str:
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" WIDTH="{width}">'


def _html(markup: str) -> str:
    return f"<{markup}>"
