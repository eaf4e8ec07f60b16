"""Documents that are too long for one prompt, cut into parts: each for a task of its own, with the same question.

A part ends where a paragraph ends, or else a line, a sentence or a word, as long as that leaves it at least half full.
Nothing is left out: the parts of a document make the document. Short documents go with every part of a long one. The
same documents and the same room make the same parts. Knows no model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ramify.prompts import Material

from .prompt_variables import input_data, next_child_number
from .tree.node import Node, T

_ENDS = ("\n\n", "\n", ". ", "\u3002", " ")
_COMMON_SHARE = 4
_HEAD = 80
"""Bytes that the delimiters of a document take, besides its name."""

_NOTE = " (answer from it alone; if it says nothing of this, say so): "


class Room(NamedTuple):
    """How much of documents fits into one prompt.

    Attributes:
        characters: so many characters.
        size: so many bytes, with what delimits the documents.
    """

    characters: int
    size: int

    def fits(self, materials: Iterable[Material]) -> bool:
        """Return whether documents fit."""
        return min(self.without(materials)) >= 0

    def without(self, materials: Iterable[Material]) -> "Room":
        """Return what documents leave of it."""
        characters, size = self
        for each in materials:
            characters -= len(each.text)
            size -= _HEAD + _size_of(each.name) + _size_of(each.text)
        return Room(characters, size)


class Part(NamedTuple):
    """What one task reads.

    Attributes:
        label: which part of what it is, for people and models.
        materials: the parts of the documents.
    """

    label: str
    materials: tuple[Material, ...]


def parts_of(materials: Sequence[Material], room: Room) -> list[Part]:
    r"""Return the parts of documents that are too long together; each part fits into `room`.

    >>> text = "".join(f"Line {n}.\n" for n in range(1, 7))
    >>> [(label, part[0].part) for label, part in parts_of([Material(name="a.txt", text=text)], Room(30, 200))]
    [('part 1 of 2 of a.txt', (0, 24)), ('part 2 of 2 of a.txt', (24, 48))]
    """
    common = _common(materials, room)
    everywhere = tuple(map(_whole, common))
    left = room.without(common)
    parts: list[Part] = []
    together: list[Material] = []
    for each in (*(each for each in materials if not any(each is other for other in common)), None):
        if each is not None and left.fits([*together, each]):
            together.append(each)
            continue
        if together:
            parts.append(Part(", ".join(other.name for other in together), (*everywhere, *map(_whole, together))))
        together = [] if each is None or not left.fits([each]) else [each]
        if each is not None and not together:
            pieces = list(_pieces(each, left))
            parts += [
                Part(f"part {number} of {len(pieces)} of {each.name}", (*everywhere, piece))
                for number, piece in enumerate(pieces, 1)
            ]
    return parts


def tasks_of_parts(task: T, parts: Sequence[Part]) -> list[T]:
    """Make the subtasks of `task` that read one part each, all with its question; they are not attached yet."""
    return [
        type(task)(
            content=asked_of_part(task.content, part.label),
            id=f"{task.id}.{number}",
            type=task.type,
            description=part.label,
            inputs=input_data(task),
            attachments=part.materials,
        )
        for number, part in enumerate(parts, next_child_number(task))
    ]


def asked_of_part(question: str, label: str) -> str:
    """Return what is asked of a part.

    >>> asked_of_part("Who came?", "part 1 of 2 of a.txt")
    'Part 1 of 2 of a.txt (answer from it alone; if it says nothing of this, say so): Who came?'
    """
    return f"{label[:1].upper()}{label[1:]}{_NOTE}{question.rpartition(_NOTE)[2]}"


def part_data(task: Node) -> dict[str, Any]:
    """Return which part `task` reads, of which task's documents, as JSON data."""
    materials = [material.to_data() for material in task.attachments if material.part is not None]
    of = None if task.parent is None else task.parent.id
    return {"of": of, "label": task.description or "", "materials": materials}


def part_of_data(data: Mapping[str, Any]) -> tuple[str, Part]:
    """Return the id of the task whose documents are read, and the part, as `part_data` wrote them."""
    return data["of"], Part(data["label"], tuple(Material.model_validate(each) for each in data["materials"]))


def _common(materials: Sequence[Material], room: Room) -> list[Material]:
    """Return the short documents that go with every part, as another one has to be cut."""
    if all(room.fits([each]) for each in materials):
        return []
    share = Room(room.characters // _COMMON_SHARE, room.size // _COMMON_SHARE)
    found: list[Material] = []
    for each in sorted(materials, key=lambda material: len(material.text)):
        if not share.fits([*found, each]):
            break
        found.append(each)
    return [each for each in materials if any(each is other for other in found)]


def _pieces(material: Material, room: Room) -> Iterator[Material]:
    text, start = material.text, 0
    size = room.size - _HEAD - _size_of(material.name)
    while start < len(text):
        longest = text[start : start + min(room.characters, size)]
        fitting = longest.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore")
        end = _end(text, start, start + max(1, len(fitting)))
        yield Material(name=material.name, text="", part=(start, end))
        start = end


def _end(text: str, start: int, end: int) -> int:
    """Return where a part ends that may go on until `end`."""
    if end >= len(text):
        return len(text)
    half = (start + end + 1) // 2
    found = ((text.rfind(sign, half, end), len(sign)) for sign in _ENDS)
    return next((at + length for at, length in found if at >= 0), end)


def _whole(material: Material) -> Material:
    return Material(name=material.name, text="", part=(0, len(material.text)))


def _size_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
