"""From bytes to what a person reads: packing, encodings, HTML; hostile pages cost no more than their length."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ramify.planner.errors import FetchError
from ramify.planner.web.body import Unpacker, decode
from ramify.planner.web.readable import read_html

PAGE = """<!DOCTYPE html>
<html><head><title> Trams &amp; fjords </title><style>p { color: red }</style>
<script>document.write("<p>never</p>")</script></head>
<body><!-- a comment with <p>tags</p> -->
<nav><a href="/">Home</a> <a href="about.html#top">About</a></nav>
<h1>Oslo</h1><p>A city by a <b>fjord</b>,
with   trams.<p>It has &lt;many&gt; <a href='https://other.example/x?a=1&amp;b=2'>museums</a>.
<ul><li>Munch<li>Kon-Tiki</ul>
<table><tr><td>bus</td><td>30</td></tr><tr><td>tram</td><td>20</td></tr></table>
<noscript>turn it on</noscript><svg><text>drawn</text></svg>
<a href="javascript:alert(1)">bad</a> <a href="mailto:a@b.example">mail</a> <a href="/">again</a>
<p data-x="a > b">after <br/> that</body></html>"""


def unpack(packing: str, *pieces: bytes, most_bytes: int = 1000) -> bytes:
    unpacker = Unpacker(packing, most_bytes=most_bytes, url="http://a.example/")
    for piece in pieces:
        unpacker.add(piece)
    return unpacker.whole()


def test_a_page_is_read_as_a_person_would() -> None:
    page = read_html(PAGE, "http://a.example/dir/page")
    assert page.title == "Trams & fjords"
    assert page.text == (
        "Home About\n\n# Oslo\n\nA city by a fjord, with trams.\n\nIt has <many> museums.\n\n- Munch\n- Kon-Tiki\n\n"
        "bus 30\ntram 20\n\nbad mail again\n\nafter\nthat"
    )
    assert page.links == (
        "http://a.example/",
        "http://a.example/dir/about.html",
        "https://other.example/x?a=1&b=2",
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a < b and b > c", "a < b and b > c"),
        ("<p title='unclosed>x</p>", "x"),
        ("<p don't>x</p> <p can't>y</p>", "x\n\ny"),
        ("<script>if (a < b) '</p>' </SCRIPT >x", "x"),
        ("<script>never closed <p>x", ""),
        ("x<!-- never closed <p>y", "x"),
        ("x<!-->y-->z", "xy-->z"),
        ("<?php echo 1 ?>x", "x"),
        ("<![CDATA[x]]>y", "y"),
        ("<svg><svg>a</svg>b</svg>c", "c"),
        ("<object/>x", "x"),
        ("a&nbsp;b&#x41;&bogus;&#0;", "a bA&bogus;\ufffd"),
        ("<P>UP<P>PER", "UP\n\nPER"),
        ("</p></p>x</div>", "x"),
        ("<textarea><p>kept</textarea>", "<p>kept"),
        ("", ""),
        ("<", "<"),
        ("<p", ""),
    ],
)
def test_a_sloppy_page_is_read_all_the_same(source: str, text: str) -> None:
    assert read_html(source, "http://a.example/").text == text


def test_links_start_from_the_base_that_a_page_names() -> None:
    page = read_html(
        '<base href="/new/"><a href=x>x</a><a href="">here</a><a>none</a><a href="http://[">bad</a>',
        "http://a.example/",
    )
    assert page.links == ("http://a.example/new/x", "http://a.example/new/")


def test_links_are_bounded() -> None:
    assert len(read_html("".join(f"<a href=/{n}>x</a>" for n in range(2000)), "http://a.example/").links) == 500


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "</", "<!--", "<![CDATA[", "<?", "&", "&#", "<a x='", '<a x="', "<script>", "</a ", '<a x="<',
     "<svg>", "<a href=", "<p>", "\n ", "<title>", "<!-->", "= '"],
)  # fmt: skip
def test_a_page_that_was_made_to_be_slow_is_not(piece: str) -> None:
    # The law is linear time: a quadratic reader would not end within pytest's time limit.
    read_html(piece * (600_000 // len(piece)), "http://a.example/")


@given(st.lists(st.sampled_from(["<", ">", "a", "/", '"', "'", "=", "!", "-", " ", "script", "href", "&", "p", "\n"])))
def test_no_page_breaks_the_reader(parts: list[str]) -> None:
    page = read_html("".join(parts), "http://a.example/")
    assert page.text == page.text.strip()


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("é".encode(), "text/html; charset=utf-8", "é"),
        ("é".encode("latin-1"), "text/html; charset=ISO-8859-1", "é"),
        ("\u20ac".encode("cp1252"), "text/html; charset=latin1", "\u20ac"),
        ("é".encode("latin-1"), "text/html", "\ufffd"),
        (b'<meta charset="windows-1251">' + "Ж".encode("cp1251"), "text/html", '<meta charset="windows-1251">Ж'),
        ("Ж".encode("utf-16-le"), "text/plain; charset=utf-16le", "Ж"),
        (b"\xff\xfe" + "Ж".encode("utf-16-le"), "text/plain; charset=utf-8", "Ж"),
        (b"\xef\xbb\xbfx", "text/plain", "x"),
        ("漢".encode("shift-jis"), "text/html; charset=Shift_JIS", "漢"),
        (b"x", "text/plain; charset=rot13", "x"),
        (b"x", "text/plain; charset=zip", "x"),
        (b"\\u0041", "text/plain; charset=unicode_escape", "\\u0041"),
        (b"x", 'text/plain; charset="', "x"),
        (b"x", "text/plain; charset=../../etc", "x"),
    ],
)
def test_text_is_read_in_the_encoding_that_holds(body: bytes, content_type: str, text: str) -> None:
    assert decode(body, content_type) == text


@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        ("", b"words"),
        ("identity", b"words"),
        ("gzip", gzip.compress(b"words", mtime=0)),
        ("GZIP ", gzip.compress(b"wor", mtime=0) + gzip.compress(b"ds", mtime=0)),
        ("gzip", gzip.compress(b"words", mtime=0) + b"\0\0\0"),
        ("deflate", zlib.compress(b"words")),
        ("deflate", zlib.compress(b"words")[2:-4]),
    ],
)
def test_a_body_is_unpacked_whole_and_byte_by_byte(packing: str, packed: bytes) -> None:
    assert unpack(packing, packed) == b"words"
    assert unpack(packing, *(packed[i : i + 1] for i in range(len(packed)))) == b"words"


@given(st.binary(max_size=300_000), st.integers(1, 70_000))
def test_unpacking_gives_back_what_was_packed(body: bytes, size: int) -> None:
    packed = gzip.compress(body, mtime=0)
    assert unpack("gzip", *(packed[i : i + size] for i in range(0, len(packed), size)), most_bytes=300_000) == body


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_bomb_is_let_out_no_further_than_allowed(packing: str) -> None:
    zeros = bytes(200_000_000)
    bomb = gzip.compress(zeros, 1, mtime=0) if packing == "gzip" else zlib.compress(zeros, 1)
    with pytest.raises(FetchError, match="larger than max_bytes = 1,000"):
        unpack(packing, bomb)


@pytest.mark.parametrize(
    ("packing", "body", "words"),
    [
        ("br", b"x", "which was not requested"),
        ("gzip", b"this is no gzip", "damaged"),
        ("gzip", gzip.compress(b"words" * 100, mtime=0)[:-12], "broke off"),
        ("", b"x" * 1001, "larger than"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(packing: str, body: bytes, words: str) -> None:
    with pytest.raises(FetchError, match=words):
        unpack(packing, body)
