"""What a docstring says for a model to read: what a function does, and what each of its parameters means.

The three usual forms are read: `Args:` with indented lines, `:param name:` fields, `Parameters` above a line of dashes.
"""

import re
from collections.abc import Iterator
from inspect import cleandoc

_HEADING = re.compile(
    r"^(?P<name>Args?|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|Attributes|See Also)"
    r"(?::[ \t]*$|[ \t]*\n-{3,}[ \t]*$)",
    re.MULTILINE,
)
_TAKEN = frozenset({"Arg", "Args", "Arguments", "Parameters", "Params"})
_FIELD = re.compile(r"^:(?P<what>\w+)(?:[ \t]+(?P<about>[^:\n]+))?:", re.MULTILINE)
_ITEM = re.compile(r"^\*{0,2}(?P<name>\w+)[ \t]*(?:\([^\n]*?\))?[ \t]*:[ \t]*(?P<rest>.*)$")
_BARE = re.compile(r"^\*{0,2}(?P<name>\w+)(?P<rest>)[ \t]*$")
_EXAMPLE = re.compile(r"^>>> ", re.MULTILINE)


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    r"""Return what a docstring says before its first section, and what it says of each parameter.

    >>> read_docstring("Add.\n\nArgs:\n    a: one\n        number\n    b (int): another")
    ('Add.', {'a': 'one number', 'b': 'another'})
    """
    doc = cleandoc(text or "")
    sections = list(_HEADING.finditer(doc))
    fields = list(_FIELD.finditer(doc))
    begins = [found.start() for found in (*sections, *fields, *_EXAMPLE.finditer(doc))]
    about = {field["about"].split()[-1]: words for field, words in _fields(doc, fields) if field["what"] == "param"}
    for number, heading in enumerate(sections):
        if heading["name"] in _TAKEN:
            end = sections[number + 1].start() if number + 1 < len(sections) else len(doc)
            about |= dict(_items(cleandoc(doc[heading.end() : end]), is_dashed="-" in heading[0]))
    return doc[: min(begins, default=len(doc))].strip(), about


def _fields(doc: str, fields: list[re.Match[str]]) -> Iterator[tuple[re.Match[str], str]]:
    for number, field in enumerate(fields):
        end = fields[number + 1].start() if number + 1 < len(fields) else len(doc)
        if field["about"]:
            yield field, " ".join(doc[field.end() : end].split())


def _items(section: str, *, is_dashed: bool) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a section: each begins a line that is not indented, and goes on in lines that are.

    What stands behind the colon is the first of its words, or, in the dashed form, its type.
    """
    found: list[tuple[str, list[str]]] = []
    for line in section.splitlines():
        item = _ITEM.match(line) or _BARE.match(line)
        if item is not None:
            found.append((item["name"], [] if is_dashed else [item["rest"]]))
        elif found:
            found[-1][1].append(line)
    for name, words in found:
        yield name, " ".join(" ".join(words).split())
