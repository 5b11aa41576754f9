"""docs/paper.md has every figure, and says what the records of runs say."""

import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from docs import paper
from workflows.paper.claims import COLUMNS
from workflows.paper.figure import PAPER

RECORD = {
    "figure": "fig4",
    "sizes": [24],
    "date": "2026-11-27T10:00:00+00:00",
    "commit": "0123456789abcdef",
    "spent": "0.1 CPU worker hours",
    "comparison": [dict(zip(COLUMNS, ("an error | of 0.3", "0.31", "holds", "why"), strict=True))],
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Records of one figure at two sizes, with a picture."""
    monkeypatch.setattr(paper, "IMAGES", tmp_path / "images")
    (tmp_path / "images").mkdir()
    for size in (64, 24):
        folder = tmp_path / "runs" / f"fig4-{size}"
        folder.mkdir(parents=True)
        (folder / "measured.json").write_text(json.dumps({**RECORD, "sizes": [size]}))
        Image.new("RGB", (3000, 1500), "teal").save(folder / "paper-fig4-sampling_map.png")
    return tmp_path / "runs"


def test_a_figure_has_its_records_the_largest_size_last_and_its_pictures(runs):
    text = paper.page(runs)
    (section,) = re.findall(r"\n## Fig\. 4, .*?(?=\n## )", text, re.S)
    assert section.index("**24³ voxels**, 2026-11-27, commit 0123456789ab") < section.index("**64³ voxels**")
    assert section.count("| an error \\| of 0.3 | 0.31 | holds | why |") == 2
    assert section.count("![") == 1
    with Image.open(runs.parent / "images" / "paper-fig4-sampling_map.png") as shown:
        assert (shown.size, shown.convert("RGB").getpixel((0, 0))) == ((1000, 500), (0, 128, 128))


def test_a_figure_without_a_record_says_so(runs):
    assert paper.page(runs).count("No run has measured it yet.") == len(PAPER) - 1


def test_a_figure_whose_name_begins_with_another_s_has_its_own_records(runs, monkeypatch):
    monkeypatch.setitem(PAPER._values, "fig", replace(PAPER["fig4"], name="fig"))
    assert paper.records(PAPER["fig"], runs) == []
    assert len(paper.records(PAPER["fig4"], runs)) == 2


def test_the_page_has_a_section_for_every_figure():
    sections = re.findall(r"^## (.*)$", paper.PAGE.read_text("utf-8"), re.M)
    assert sorted(sections) == sorted(f"{one.paper}: {one.title}" for one in PAPER.values())
