"""HTML out of words and elements: a word is escaped where it goes in, and nothing else becomes markup."""

import zlib
from base64 import b64encode
from html import escape
from typing import Any

from ramify.tasks.json_text import json_text

from .words import is_visible, visible

_ESCAPES = ("\\u00", "\\r", "\\b", "\\f")
"""What JSON writes for characters that act without being seen, and now and then for others."""

_WINDOW = 32_768
"""How far deflated data may look back. Source: RFC 1951."""

_ESCAPED_IN_DATA = "<>&\u2028\u2029"


class Markup(str):
    """A piece of HTML; any other text is words."""

    __slots__ = ()


def element(tag: str, *inside: str, **attributes: str) -> Markup:
    """Return an element; `inside` it are words and further elements.

    An attribute's name may end in `_`, and has `-` for `_`; an empty one is left out.

    >>> element("p", "1 < 2 ", element("b", "yes"), class_="x")
    '<p class="x">1 &lt; 2 <b>yes</b></p>'
    """
    given = "".join(_attribute(name, value) for name, value in attributes.items() if value)
    return Markup(f"<{tag}{given}>{together(*inside)}</{tag}>")


def together(*inside: str) -> Markup:
    """Return words and elements one after the other, as a piece of HTML."""
    return Markup("".join(part if isinstance(part, Markup) else escape(visible(part)) for part in inside))


def as_json(data: Any) -> str:
    r"""Return data as compact JSON, for a block; what is not seen, but acts, is replaced by a sign in its words.

    >>> as_json(["a\x00b", 1])
    '["a[NUL]b",1]'
    """
    words = json_text(data, separators=(",", ":"))
    if is_visible(words) and not any(escape in words for escape in _ESCAPES):
        return words
    return json_text(visible_in(data), separators=(",", ":"))


def visible_in(data: Any) -> Any:
    """Return data with its words visible; the keys are ours."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {key: visible_in(value) for key, value in data.items()}
    return [visible_in(each) for each in data] if isinstance(data, list | tuple) else data


def json_block(block_id: str, words: str) -> Markup:
    """Return JSON as a block, `data-<id>`, that a browser keeps as text, and that no text in it can end."""
    for letter in _ESCAPED_IN_DATA:
        words = words.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(f'<script type="application/json" id="data-{escape(block_id)}">{words}</script>\n')


def packed_block(block_id: str, words: str, *, like: tuple[str, str] | None = None) -> Markup:
    """Return JSON as a block, `data-<id>`, that takes a tenth of the room: deflated, in base64.

    Args:
        block_id: its id.
        words: what is packed.
        like: the id and the words of another packed block, of which it repeats much.
    """
    data = words.encode("utf-8", "replace")
    known = b"" if like is None else like[1].encode("utf-8", "replace")[-_WINDOW:]
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=known)
    packed = b64encode(packer.compress(data) + packer.flush()).decode()
    about = f'type="application/octet-stream" id="data-{escape(block_id)}" data-size="{len(data)}"'
    about += "" if like is None else f' data-like="{escape(like[0])}"'
    return Markup(f"<script {about}>{packed}</script>\n")


def _attribute(name: str, value: str) -> str:
    return f' {name.rstrip("_").replace("_", "-")}="{escape(visible(value))}"'
