"""Figures become files that are whole, the same for the same content, and fit a journal."""

import io
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fusedtomo.plot.drawing import (
    DOUBLE_COLUMN_IN,
    LINE_COLORS,
    SINGLE_COLUMN_IN,
    axes_of,
    for_a_page,
    ink,
    save_figure,
    to_figure,
)


class Info:
    size_in = (SINGLE_COLUMN_IN, 2.0)


def draw(_info, figure):
    ax = axes_of(figure)
    ax.plot([0, 1], [1, 3])
    ax.plot([0, 1], [2, 1])
    ax.fill_between([0, 1], [0, 1])  # clipped: its path has an identifier in the SVG
    ax.imshow(np.eye(4), extent=(0.2, 0.4, 1, 2), aspect="auto")
    ax.set(title="Title & more", xlabel="dose (e/nm²)")


def test_a_figure_becomes_a_png_of_300_dpi_and_an_svg(tmp_path):
    paths = save_figure(to_figure(draw, Info()), tmp_path / "map")
    assert paths == (tmp_path / "map.png", tmp_path / "map.svg")
    assert sorted(tmp_path.iterdir()) == list(paths)
    with Image.open(paths[0]) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert 0.9 * SINGLE_COLUMN_IN * 300 < image.width <= SINGLE_COLUMN_IN * 300 + 1
    root = ElementTree.parse(paths[1]).getroot()
    assert root.tag.endswith("svg")
    width_pt = float(root.get("width").removesuffix("pt"))
    assert 0.9 * SINGLE_COLUMN_IN * 72 < width_pt <= SINGLE_COLUMN_IN * 72 + 1


def test_a_suffix_is_left_out_and_dots_of_the_name_are_kept(tmp_path):
    figure = to_figure(draw, Info())
    assert save_figure(figure, tmp_path / "fused.slices.png")[1] == tmp_path / "fused.slices.svg"
    assert save_figure(figure, str(tmp_path / "fused.cost"))[0] == tmp_path / "fused.cost.png"


def test_text_of_an_svg_is_text(tmp_path):
    root = ElementTree.parse(save_figure(to_figure(draw, Info()), tmp_path / "map")[1])
    texts = {"".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("}text")}
    assert {"Title & more", "dose (e/nm²)"} <= texts


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_figure(to_figure(draw, Info()), tmp_path / name)
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    svg = (tmp_path / "one.svg").read_text()
    assert "<dc:date>" not in svg
    assert matplotlib.__version__ not in svg
    assert re.search(r'id="p[0-9a-f]{10}"', svg)  # such identifiers are random without a salt


def test_what_a_user_has_set_does_not_change_a_figure(tmp_path):
    expected = save_figure(to_figure(draw, Info()), tmp_path / "expected")[0].read_bytes()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.facecolor": "blue"}):
        assert save_figure(to_figure(draw, Info()), tmp_path / "map")[0].read_bytes() == expected
        assert matplotlib.rcParams["font.size"] == 20  # and is left as it was


def test_older_files_stay_whole_until_both_new_ones_are(tmp_path, monkeypatch):
    for suffix in (".png", ".svg"):
        (tmp_path / f"map{suffix}").write_text("old")
    figure = to_figure(draw, Info())
    whole = Figure.savefig

    def savefig(self, target, *, format, **more):
        if format == "svg":
            raise OSError("disk full")
        whole(self, target, format=format, **more)

    monkeypatch.setattr(Figure, "savefig", savefig)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, tmp_path / "map")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"map.png": "old", "map.svg": "old"}
    monkeypatch.undo()
    save_figure(figure, tmp_path / "map")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.png", "map.svg"]
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_of_a_page_has_fewer_pixels(tmp_path):
    png, _ = save_figure(to_figure(draw, Info()), tmp_path / "map")
    with Image.open(io.BytesIO(for_a_page(png))) as page, Image.open(png) as full:
        assert page.size == (round(full.width * 2 / 3), round(full.height * 2 / 3))
        difference = np.subtract(page, full.convert("RGB").resize(page.size), dtype=float)
        assert np.abs(difference).mean() < 5  # of 255: the same picture


def test_letters_are_those_of_a_journal():
    figure = to_figure(draw, Info())
    sizes = {text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()}
    assert all(7 <= size <= 9 for size in sizes), sizes
    assert [line.get_color() for line in figure.axes[0].lines] == list(LINE_COLORS[:2])


def test_columns_are_88_and_180_mm():
    assert pytest.approx((88, 180)) == (SINGLE_COLUMN_IN * 25.4, DOUBLE_COLUMN_IN * 25.4)


def test_ink_contrasts():
    assert ink((0.27, 0.0, 0.33, 1)) == "white"
    assert ink((0.99, 0.91, 0.14, 1)) == "black"
