"""A view as GraphML, for programs that work on graphs: networkx, Gephi, yEd and others.

Nodes are named by their task ids; an edge's `kind` says whether it is part of the tree or a dependency, whose source
is needed first. Characters that XML cannot carry are written as U+FFFD, so that nothing goes unseen.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from .view import GraphView, ViewNode

_Kind = Literal["string", "int", "double", "boolean"]
_NODE_KEYS: Mapping[str, _Kind] = {
    "label": "string",
    "content": "string",
    "state": "string",
    "worker": "string",
    "depth": "int",
    "duration_s": "double",
    "calls": "int",
    "tokens": "int",
    "cached_tokens": "int",
    "cost_usd": "double",
    "added": "boolean",
    "critical": "boolean",
    "hidden_tasks": "int",
}
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_LABEL_CHARACTERS = 60
_XML = 'xmlns="http://graphml.graphdrawing.org/xmlns"'


def to_graphml(view: GraphView) -> str:
    """Write `view` as a GraphML document.

    What is not known of a task, such as the duration of one that has not run, has no entry.
    """
    return "\n".join(_lines(view)) + "\n"


def _lines(view: GraphView) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f"<graphml {_XML}>"
    for name, kind in _NODE_KEYS.items():
        yield f'  <key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>'
    yield '  <key id="kind" for="edge" attr.name="kind" attr.type="string"/>'
    for name in ("title", "made_by"):
        yield f'  <key id="{name}" for="graph" attr.name="{name}" attr.type="string"/>'
    yield '  <graph id="tasks" edgedefault="directed">'
    yield f'    <data key="title">{_text(view.title)}</data>'
    if view.made_by is not None:
        yield f'    <data key="made_by">{_text(view.made_by)}</data>'
    marked = frozenset(view.critical_path)
    for place, node in enumerate(view.nodes):
        yield f"    <node id={_attribute(node.id)}>"
        for name, value in _values(node, is_critical=place in marked):
            yield f'      <data key="{name}">{value}</data>'
        yield "    </node>"
    yield from _edges(view)
    yield "  </graph>"
    yield "</graphml>"


def _values(node: ViewNode, *, is_critical: bool) -> Iterator[tuple[str, str]]:
    label = " ".join(node.content[: _MOST_LABEL_CHARACTERS + 1].split())
    yield "label", _text(label if len(node.content) <= _MOST_LABEL_CHARACTERS else f"{label[:-1]}…")
    yield "content", _text(node.content)
    yield "state", node.state.value
    yield "worker", _text(node.worker)
    yield "depth", str(node.depth)
    if node.duration_s is not None:
        yield "duration_s", f"{node.duration_s:.6f}"
    yield "calls", str(node.usage.calls)
    yield "tokens", str(node.usage.tokens)
    yield "cached_tokens", str(node.usage.cached_tokens)
    if not node.usage.calls_without_cost:
        yield "cost_usd", repr(float(node.usage.cost_usd))
    yield "added", str(node.is_added).lower()
    yield "critical", str(is_critical).lower()
    yield "hidden_tasks", str(sum(count for _, count in node.hidden))


def _edges(view: GraphView) -> Iterator[str]:
    for kind, pairs in (("tree", view.tree_edges()), ("dependency", view.dependencies)):
        for one, other in pairs:
            ends = f"source={_attribute(view.nodes[one].id)} target={_attribute(view.nodes[other].id)}"
            yield f'    <edge {ends}><data key="kind">{kind}</data></edge>'


def _text(words: str) -> str:
    return escape(_UNFIT.sub("\ufffd", words), {"\r": "&#13;"})


def _attribute(words: str) -> str:
    return quoteattr(_UNFIT.sub("\ufffd", words))
