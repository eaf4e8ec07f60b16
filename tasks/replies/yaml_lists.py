"""Plans as YAML: a list of mappings in a reply, which without this would be a list of words, its needs among them.

What is meant as YAML is told by its first entry, which begins with the name of a field. Where it is no YAML after all,
it is a bulleted list; but never one with needs in it, which would be lost.
"""

import re
from collections.abc import Iterator
from typing import Any

from ramify.tasks.errors import DocumentError, ReplyError
from ramify.tasks.plans.yaml_plans import read_yaml

from .json_lists import ALL_FIELDS, as_field
from .planned import NEED_FIELDS

_LONGEST = 200_000
_BEGIN = re.compile(r"-[ \t]+[\"']?([A-Za-z][\w -]{0,30}?)[\"']?[ \t]*:(?=\s|$)")
_FIELD = re.compile(r"(?:-[ \t]+)?[\"']?([A-Za-z][\w -]{0,30}?)[\"']?[ \t]*:(?=\s|$)")


def begins_yaml(line: str) -> bool:
    """Return whether a line begins a list of tasks in YAML.

    >>> begins_yaml("- id: a"), begins_yaml("- Look: a bird")
    (True, False)
    """
    found = _BEGIN.match(line)
    return found is not None and as_field(found[1]) in ALL_FIELDS


def read_yaml_list(text: str, *, reply: str) -> list[Any] | None:
    """Return the list of mappings with which `text` begins; None if it is none.

    Raises:
        ReplyError: if it has needs, and is no YAML.
    """
    block = "\n".join(_block(text))
    fault = f"it is longer than {_LONGEST:,} characters"
    if len(block) <= _LONGEST:
        try:
            node, findings = read_yaml(block, source="reply")
        except (DocumentError, UnicodeError) as error:
            fault = str(error)
        else:
            value = node.value
            if isinstance(value, list) and not findings and all(isinstance(entry, dict) for entry in value):
                return value
            fault = findings[0].message if findings else "an entry is no mapping"
    if any(_is_need(line) for line in block.split("\n")):
        raise ReplyError(
            f"the YAML cannot be read ({fault}); write it anew, texts in quotes, or write `<task>` elements",
            reply=reply,
        )
    return None


def _block(text: str) -> Iterator[str]:
    """Give the lines of the list, up to a fence, or a line that stands no deeper and is no entry."""
    margin = None
    for line in text.split("\n"):
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        margin = indent if margin is None else margin
        if bare.startswith("```") or (bare and indent <= margin and not bare.startswith("-")):
            return
        yield line


def _is_need(line: str) -> bool:
    found = _FIELD.match(line.strip())
    return found is not None and as_field(found[1]) in NEED_FIELDS
