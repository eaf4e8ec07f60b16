r"""A view as a Mermaid flowchart.

In a label everything but letters, digits, spaces and commas is written as a numeric entity, so that no word can end the
label, start markup or be read as a keyword; nodes are named by their place, never by their id. A label holds no tag
either, and its lines are separated by line breaks: where Mermaid (10.9 to 11.17) finds a tag it decodes the entities
before it looks for formulas (`$$`), icons (`fa:fa-car`), `\\n` and Markdown. There are no links and no click handlers.
Renderers refuse more than 500 edges or 50,000 characters: a view that would have more is folded further, and says so.
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
_MARKUP = "<"  # in a title no spelling of it is shown as it is: such a title stands in the legend
_PLAIN = frozenset(" ,")
_CONFIG = "config: {htmlLabels: true, flowchart: {htmlLabels: true, wrappingWidth: 320}}"
"""Labels as HTML whatever the page says, as Mermaid shows entities undecoded in SVG text; as wide as our lines."""


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
    title = [] if _MARKUP in view.title else [f'title: "{_yaml(view.title)}"']
    yield from ("---", *title, _CONFIG, "---")
    yield f"flowchart {view.options.direction}"
    for place, (node, text) in enumerate(zip(view.nodes, node_texts(view), strict=True)):
        yield f"  {_box(f'n{place}', _label(node, text))}"
    yield from _edges(view, theme)
    yield from _legend(view)
    yield from _classes(view, theme)


def _box(name: str, lines: Iterable[str]) -> str:
    words = "\n".join(lines)
    return f'{name}["{words}"]'


def _label(node: ViewNode, text: NodeText) -> Iterator[str]:
    yield f"{GLYPHS[node.state]} {_text(text.id)} {node.state.value}"
    yield from map(_text, (*text.content, *text.facts, *text.hidden))


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
    title = view.title if _MARKUP in view.title else ""
    summary = (title, view.summary, view.note, view.footer)
    entries = legend(view)
    signs = [f"{GLYPHS[entry.state]} {entry.state.value}" for entry in entries if entry.state is not None]
    words = [_text(entry.words) for entry in entries if entry.kind in {"critical", "added"}]
    yield '  subgraph legend[" "]'
    yield f"    {_box('about', (_text(line) for line in summary if line))}"
    yield f"    {_box('states', (*signs, *words))}"
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
