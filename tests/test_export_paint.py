"""PNG and PDF, painted from our own SVG without `dot`: sizes that can be read, words that are there, fonts."""

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import resvg_py
from ramify.planner.errors import ExportError
from ramify.planner.export.formats import save_as
from ramify.planner.export.paint import paint
from ramify.planner.export.render import render
from ramify.planner.export.snapshot import graph_view
from ramify.planner.export.svg import to_svg
from ramify.planner.export.view import ViewOptions
from ramify.tasks import Task

from .test_export_svg import chain, family, flat, random_tree

needs_librsvg = pytest.mark.skipif(
    shutil.which("rsvg-convert") is None, reason="rsvg-convert (librsvg2-bin) is not installed"
)
WHOLE = ViewOptions(max_nodes=None)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def page(pdf: bytes) -> tuple[float, float]:
    found = re.search(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
    assert found is not None
    return float(found[1]), float(found[2])


def svg_size(svg: str) -> tuple[int, int]:
    found = re.search(r'width="(\d+)" height="(\d+)"', svg)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.mark.fault("5.7")
@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<svg"), ("a.png", b"\x89PNG"), ("a.PDF", b"%PDF")])
def test_pictures_need_no_program(tmp_path: Path, name: str, start: bytes) -> None:
    save_as("graph", graph_view(family()), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.fault("5.7")
def test_a_png_is_twice_as_large_as_the_picture() -> None:
    width, height = svg_size(to_svg(graph_view(family())))
    assert size(render(graph_view(family()), "png").data) == (2 * width, 2 * height)


@pytest.mark.fault("5.7")
@pytest.mark.parametrize("make", [lambda: random_tree(1, 3_000), lambda: chain(400), lambda: flat(3_000)])
def test_a_png_of_many_tasks_is_folded_until_its_letters_can_be_read(make: Callable[[], Task]) -> None:
    view = graph_view(make(), options=WHOLE)
    picture = render(view, "png")
    assert max(size(picture.data)) <= 32_000
    assert size(picture.data)[0] * size(picture.data)[1] <= 40_100_000
    assert f"a png of {len(view.nodes):,} boxes is too small to read; this one shows" in picture.note


@pytest.mark.fault("5.7")
def test_a_png_that_cannot_be_folded_is_refused_with_what_to_do() -> None:
    with pytest.raises(ExportError, match=r"it would have 99,999 by 10 pixels.*; show less .* or export to pdf or svg"):
        paint('<svg width="99999" height="10"></svg>', "png")


@pytest.mark.fault("5.7")
def test_a_pdf_has_no_larger_page_than_readers_open() -> None:
    assert max(page(render(graph_view(chain(400), options=WHOLE), "pdf").data)) == 14_400
    width, height = svg_size(to_svg(graph_view(family())))
    assert page(render(graph_view(family()), "pdf").data) == pytest.approx((width * 0.75, height * 0.75), abs=0.01)


def test_hostile_words_are_painted() -> None:
    for words in ('#image("x") $a$ \\ ] } */ //', "<&>\"'", "\x00\x1b\u202e", "漢字 ✓"):
        root = Task(content=f"x{words}", id="0", type=words or None)
        assert render(graph_view(root, title=f"x{words}", made_by=words), "png").data
        assert render(graph_view(root, title=f"x{words}", made_by=words), "pdf").data


def test_what_is_no_picture_of_ours_is_an_error() -> None:
    with pytest.raises(ExportError, match="does not say its size"):
        paint("<svg/>", "png")
    with pytest.raises(ExportError, match="Typst failed"):
        paint('<svg width="10" height="10"><', "png")


@pytest.mark.fault("5.6")
def test_no_font_has_quotes_around_its_name() -> None:
    svg = to_svg(graph_view(flat(3)))
    assert re.findall(r'font-family="([^"]*)"', svg) == ["Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"]


@pytest.mark.fault("5.6")
def test_resvg_draws_words_and_boxes() -> None:
    svg = to_svg(graph_view(family()))
    drawn = bytes(resvg_py.svg_to_bytes(svg_string=svg))
    without = bytes(resvg_py.svg_to_bytes(svg_string=re.sub("<text.*?</text>", "", svg)))
    assert size(drawn) == size(without) == svg_size(svg)
    assert len(drawn) > 2 * len(without)


@needs_librsvg
def test_librsvg_draws_words_and_boxes() -> None:
    svg = to_svg(graph_view(family()))
    drawn = subprocess.run(["rsvg-convert"], input=svg.encode(), capture_output=True, check=True)
    assert not drawn.stderr
    assert size(drawn.stdout) == svg_size(svg)
