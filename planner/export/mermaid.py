"""A view as a Mermaid flowchart.

In a label everything but letters, digits, spaces and a few marks is written as a numeric entity, so that no word can
end the label, start markup or be read as a keyword; nodes are named by their place, never by their id. There are no
links and no click handlers. Renderers refuse more than 500 edges or 50,000 characters: a view that would have more
is folded further, and says so.
"""

from collections.abc import Iterable, Iterator

from .fold import within_limit
from .labels import NodeText, node_texts, one_line
from .legend import legend
from .look import GLYPHS, THEMES, Theme
from .view import GraphView, ViewNode

MOST_EDGES = 500
MOST_CHARACTERS = 50_000
_LEGEND_EDGES = 2
_PLAIN = frozenset(" ,.")


def to_mermaid(view: GraphView) -> str:
    """Write `view` as a Mermaid flowchart."""
    view = within_limit(view, MOST_EDGES)
    while True:
        text = "\n".join(_lines(view)) + "\n"
        edges = len(view.nodes) - 1 + len(view.dependencies) + _LEGEND_EDGES
        if len(view.nodes) == 1 or (edges <= MOST_EDGES and len(text) <= MOST_CHARACTERS):
            return text
        view = within_limit(view, max(1, len(view.nodes) * 3 // 4))


def _lines(view: GraphView) -> Iterator[str]:
    theme = THEMES[view.options.theme]
    yield from ("---", f'title: "{_yaml(view.title)}"', "---")
    yield f"flowchart {view.options.direction}"
    for place, (node, text) in enumerate(zip(view.nodes, node_texts(view), strict=True)):
        yield f'  n{place}["{_label(node, text)}"]'
    yield from _edges(view, theme)
    yield from _legend(view)
    yield from _classes(view, theme)


def _label(node: ViewNode, text: NodeText) -> str:
    head = f"{GLYPHS[node.state]} <b>{_text(text.id)}</b> {node.state.value}"
    return "<br/>".join((head, *map(_text, (*text.content, *text.facts, *text.hidden))))


def _edges(view: GraphView, theme: Theme) -> Iterator[str]:
    critical = view.critical_steps()
    thick: list[int] = []
    pairs = [(pair, "---") for pair in view.tree_edges()] + [(pair, "-.->") for pair in view.dependencies]
    for number, (pair, line) in enumerate(pairs):
        yield f"  n{pair[0]} {line} n{pair[1]}"
        if pair in critical:
            thick.append(number)
    if thick:
        yield f"  linkStyle {','.join(map(str, thick))} stroke:{theme.critical},stroke-width:4px"


def _legend(view: GraphView) -> Iterator[str]:
    summary = (view.summary, view.note, view.footer)
    entries = legend(view)
    signs = [f"{GLYPHS[entry.state]} {entry.state.value}" for entry in entries if entry.state is not None]
    words = [_text(entry.words) for entry in entries if entry.kind in {"critical", "added"}]
    yield '  subgraph legend[" "]'
    yield f'    about["{"<br/>".join(_text(line) for line in summary if line)}"]'
    yield f'    states["{"<br/>".join((*signs, *words))}"]'
    for entry in entries:
        if entry.kind in {"tree", "dependency"}:
            left, right = f"{entry.kind}_1", f"{entry.kind}_2"
            yield f'    {left}["a"] {"---" if entry.kind == "tree" else "-.->"}|"{_text(entry.words)}"| {right}["b"]'
    yield "  end"


def _classes(view: GraphView, theme: Theme) -> Iterator[str]:
    for state, look in theme.states.items():
        yield f"  classDef {state.value} fill:{look.fill},stroke:{look.border},color:{theme.text},text-align:left"
        yield from _members(state.value, (place for place, node in enumerate(view.nodes) if node.state is state))
    yield "  classDef added stroke-dasharray:2 3"
    yield from _members("added", (place for place, node in enumerate(view.nodes) if node.is_added))
    yield f"  classDef critical stroke:{theme.critical},stroke-width:4px"
    yield from _members("critical", view.critical_path)


def _members(name: str, places: Iterable[int]) -> Iterator[str]:
    nodes = ",".join(f"n{place}" for place in places)
    if nodes:
        yield f"  class {nodes} {name}"


def _text(words: str) -> str:
    """Return `words` for a label, every character that could mean something as an entity."""
    return "".join(
        character if character.isalnum() or character in _PLAIN else f"#{ord(character)};"
        for character in one_line(words)
    )


def _yaml(words: str) -> str:
    """Return `words` for a double-quoted YAML text, in plain letters and escapes only."""
    return "".join(
        character
        if character.isascii() and (character.isalnum() or character in _PLAIN)
        else f"\\U{ord(character):08x}"
        for character in one_line(words)
    )
