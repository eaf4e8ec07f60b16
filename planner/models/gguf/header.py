"""The header of a GGUF file: what it says of the model, read within bounds, whatever stands in the file.

Only metadata are read, no tensor. Long lists (the words of a tokenizer) are gone over, and only their length is kept.
Source: github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_NUMBERS = {
    number: struct.Struct(f"<{code}")
    for number, code in ((0, "B"), (1, "b"), (2, "H"), (3, "h"), (4, "I"), (5, "i"), (6, "f"), (7, "?"), (10, "Q"),
                         (11, "q"), (12, "d"))
}  # fmt: skip
_TYPE, _LENGTH, _BEGIN, _ITEMS = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<IQQ"), struct.Struct("<IQ")

_PIECE = 1 << 20
_MOST_BYTES = 256 << 20
_MOST_ENTRIES = 100_000
_MOST_ITEMS = 8_000_000
"""The most items of all lists together; the largest tokenizers have 600,000."""

_LONGEST_KEY, _LONGEST_TEXT, _LONGEST_LIST = 1 << 16, 1 << 20, 4_096

_QUANTISATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
"""What `general.file_type` means: `llama_ftype` in llama.h."""


class GgufError(Exception):
    """Raised when a file is no GGUF file, or one that cannot be read; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of its model.

    Attributes:
        values: numbers, texts and short lists, by their key; of a long list, nothing.
        lengths: how long the lists are, by their key.
    """

    values: Mapping[str, Any] = field(repr=False)
    lengths: Mapping[str, int] = field(repr=False)

    @property
    def architecture(self) -> str:
        """What kind of network it is, such as `llama` or `qwen2`; empty if the file does not say so."""
        return self._text("general.architecture")

    @property
    def title(self) -> str:
        """What its makers call it; empty if they do not."""
        return self._text("general.name")

    @property
    def kind(self) -> str:
        """What the file holds: `model`, `adapter`, `mmproj`, ...; `model` if it does not say so."""
        return self._text("general.type") or "model"

    @property
    def quantisation(self) -> str:
        """How its weights are written, such as `Q4_K_M`; empty if that is not known."""
        return _QUANTISATIONS.get(self.values.get("general.file_type", -1), "")

    @property
    def trained_window(self) -> int | None:
        """How many tokens it was trained to read at once."""
        return self.number("context_length")

    @property
    def chat_template(self) -> str:
        """How a conversation is written for it; empty if there is no such template, as base models have none."""
        return self._text("tokenizer.chat_template")

    @property
    def gives_vectors(self) -> bool:
        """Whether it turns texts into vectors, and writes none."""
        return "bert" in self.architecture or bool(self.number("pooling_type")) or self.of("attention.causal") is False

    @property
    def parts(self) -> int:
        """Over how many files the model is spread."""
        count = self.values.get("split.count", 1)
        return count if isinstance(count, int) and count > 0 else 1

    def of(self, name: str) -> Any:
        """Return a value that is kept under the name of the architecture; None if there is none."""
        return self.values.get(f"{self.architecture}.{name}")

    def number(self, name: str) -> int | None:
        """Return such a value if it is a whole number above 0."""
        value = self.of(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

    def _text(self, key: str) -> str:
        value = self.values.get(key)
        return value if isinstance(value, str) else ""


def read_header(path: Path) -> GgufHeader:
    """Read the header of a GGUF file.

    Raises:
        GgufError: if it is none, or goes beyond any bounds.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return _read(_Pieces(file))


class _Pieces:
    """A file from its start on, a piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        file.seek(0)
        self._data, self._at, self._passed = b"", 0, 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            GgufError: if there are not so many.
        """
        self._hold(size)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        self._at += size

    def skip_texts(self, count: int) -> None:
        """Pass over so many texts, each after its length."""
        unpack = _LENGTH.unpack_from
        while count:
            self._hold(_LENGTH.size)
            data, at, last = self._data, self._at, len(self._data) - _LENGTH.size
            while count and at <= last:
                at += _LENGTH.size + unpack(data, at)[0]
                count -= 1
            self._at = at

    def _hold(self, size: int) -> None:
        """Have the next `size` bytes in hand."""
        if self._at + size <= len(self._data):
            return
        begin = self._passed + self._at
        if begin + size > self.size:
            raise GgufError("its header is truncated")
        if begin + size > _MOST_BYTES:
            raise GgufError(f"its header is longer than {_MOST_BYTES >> 20} MiB")
        self._file.seek(begin)
        self._data, self._at, self._passed = self._file.read(max(size, _PIECE)), 0, begin
        if len(self._data) < size:
            raise GgufError("it was truncated while being read")


def _read(pieces: _Pieces) -> GgufHeader:
    count = _entries(pieces)
    values: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    left = _MOST_ITEMS
    for _ in range(count):
        key = _text(pieces, _LONGEST_KEY)
        (kind,) = _TYPE.unpack(pieces.take(_TYPE.size))
        if key is None:
            raise GgufError("a key of its header is too long")
        if kind != _ARRAY:
            values[key] = _value(pieces, kind)
            continue
        inner, length = _ITEMS.unpack(pieces.take(_ITEMS.size))
        left -= length
        if left < 0:
            raise GgufError(f"the lists of its header have more than {_MOST_ITEMS:,} items")
        lengths[key] = length
        if (items := _items(pieces, inner, length)) is not None:
            values[key] = items
    pieces.take(0)  # what was passed over last may go beyond the end
    return GgufHeader(values=values, lengths=lengths)


def _entries(pieces: _Pieces) -> int:
    """Return how many entries the header has."""
    if pieces.size < len(_MAGIC) or pieces.take(len(_MAGIC)) != _MAGIC:
        raise GgufError("it is not a GGUF file")
    version, _, count = _BEGIN.unpack(pieces.take(_BEGIN.size))
    if version not in _VERSIONS:
        turned = int.from_bytes(version.to_bytes(4, "little"), "big")
        why = "it was written for big-endian machines" if turned in _VERSIONS else f"its GGUF version is {version}"
        raise GgufError(f"{why}, and versions {_VERSIONS[0]} and {_VERSIONS[1]} in little-endian order are read")
    if count > _MOST_ENTRIES:
        raise GgufError(f"its header says that it has {count:,} entries")
    return int(count)


def _text(pieces: _Pieces, longest: int) -> str | None:
    """Return the next text; None if it is longer."""
    (size,) = _LENGTH.unpack(pieces.take(_LENGTH.size))
    if size > longest:
        pieces.skip(size)
        return None
    return pieces.take(size).decode("utf-8", "replace")


def _value(pieces: _Pieces, kind: int) -> Any:
    if kind == _STRING:
        return _text(pieces, _LONGEST_TEXT)
    form = _form(kind)
    return form.unpack(pieces.take(form.size))[0]


def _items(pieces: _Pieces, kind: int, length: int) -> list[Any] | None:
    """Return the numbers of a list, or pass over it if it is long, or one of texts."""
    if kind == _STRING:
        pieces.skip_texts(length)
        return None
    form = _form(kind)
    if length > _LONGEST_LIST:
        pieces.skip(form.size * length)
        return None
    return [item for (item,) in form.iter_unpack(pieces.take(form.size * length))]


def _form(kind: int) -> struct.Struct:
    form = _NUMBERS.get(kind)
    if form is None:
        raise GgufError(f"a value of its header is of type {kind}, which does not exist")
    return form
