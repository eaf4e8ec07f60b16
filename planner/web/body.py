"""From the bytes of a response to text: unpacked no further than allowed, and read in the encoding that holds for it.

Source of the order (byte order mark, header, `meta`, UTF-8) and of the encodings: the WHATWG standards.
"""

import codecs
import re
import zlib
from typing import Any

from ramify.planner.errors import FetchError

_TEXT = re.compile(
    r"text/[\w.+-]+|application/(?:[\w.-]+\+)?(?:json|xml)|application/(?:x-)?(?:javascript|ndjson|yaml)"
)
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_META_WITHIN = 1024
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (
        "utf-8", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5",
        "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15",
        "iso8859-16", "cp866", "cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
        "cp1258", "koi8-r", "koi8-u", "mac-roman", "gbk", "gb2312", "gb18030", "big5", "euc-jp", "iso2022-jp",
        "shift-jis", "euc-kr",
    )
)  # fmt: skip
"""Encodings that pages are written in; others that Python has are no encodings of text, or slow on purpose."""
_GZIP_OR_ZLIB = 47
_BARE_DEFLATE = -15
_PIECE = 65_536
_GZIP_MAGIC = b"\x1f\x8b"


class Unpacker:
    """Takes the packing of a response off, piece by piece, up to a number of bytes.

    Args:
        packing: the value of the header `Content-Encoding`.
        most_bytes: how many bytes may come out.
        url: where it comes from, for messages.

    Raises:
        FetchError: if it is packed in a way that was not asked for.
    """

    def __init__(self, packing: str, *, most_bytes: int, url: str) -> None:
        self._packing = packing.strip().lower()
        if self._packing not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise FetchError(f"{url} is encoded as {packing[:40]!r}, which was not requested", url=url)
        self._most = most_bytes
        self._url = url
        self._parts: list[bytes] = []
        self._size = 0
        self._inflater: Any = None if self._packing in {"", "identity"} else zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_over = True
        self._head = b""

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            FetchError: if it is too much, or broken.
        """
        if self._inflater is None:
            self._keep(piece)
            return
        is_full = False
        while piece or is_full:
            part = self._inflate(piece)
            self._head += b"" if self._size else piece
            self._keep(part)
            is_full = len(part) == _PIECE
            piece = self._inflater.unconsumed_tail
            self._is_over = self._inflater.eof
            if self._is_over:
                piece, is_full = self._next_member(self._inflater.unused_data), False

    def whole(self) -> bytes:
        """Return all that came.

        Raises:
            FetchError: if it breaks off in the middle.
        """
        if not self._is_over:
            raise FetchError(
                f"{self._url} broke off in the middle of its compressed data", url=self._url, may_pass=True
            )
        return b"".join(self._parts)

    def _next_member(self, rest: bytes) -> bytes:
        """Return what of `rest` is to be unpacked too: another member of a gzip file, but no padding behind it."""
        if not rest.startswith(_GZIP_MAGIC):
            return b""
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        return rest

    def _inflate(self, piece: bytes) -> bytes:
        try:
            return bytes(self._inflater.decompress(piece, _PIECE))
        except zlib.error as error:
            if self._packing == "deflate" and not self._size:  # some servers leave zlib's head out
                self._packing = "bare deflate"
                self._inflater = zlib.decompressobj(_BARE_DEFLATE)
                return self._inflate(self._head + piece)
            raise FetchError(f"{self._url} has damaged {self._packing} data: {error}", url=self._url) from None

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            raise FetchError(f"{self._url} is larger than max_bytes = {self._most:,}", url=self._url)
        self._parts.append(part)


def kind_of(content_type: str) -> str:
    """Return the media type of a `Content-Type` header, in lower case; `text/plain` if there is none.

    >>> kind_of("Text/HTML; charset=utf-8")
    'text/html'
    """
    return content_type.partition(";")[0].strip().lower() or "text/plain"


def is_text(kind: str) -> bool:
    """Return whether a media type is text that people read."""
    return _TEXT.fullmatch(kind) is not None


def is_html(kind: str) -> bool:
    """Return whether a media type is HTML."""
    return kind in _HTML


def decode(body: bytes, content_type: str) -> str:
    r"""Return the text of `body`; what cannot be read in its encoding becomes U+FFFD.

    >>> decode(b"caf\xe9", "text/plain; charset=latin-1"), decode(b"caf\xc3\xa9", "text/plain; charset=nonsense")
    ('caf\xe9', 'caf\xe9')
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    labels = [said[1]] if (said := _CHARSET.search(content_type)) else []
    if is_html(kind_of(content_type)) and (meta := _META.search(body[:_META_WITHIN])):
        labels.append(meta[1].decode("ascii", "replace"))
    known = (name for label in labels if (name := _known(label)) is not None)
    return body.decode(next(known, "utf-8"), "replace")


def _known(label: str) -> str | None:
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    if name not in _ENCODINGS:
        return None
    return "cp1252" if name in {"ascii", "iso8859-1"} else name
