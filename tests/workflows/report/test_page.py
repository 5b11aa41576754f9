"""The report: one file that holds everything, escaped and well formed, whatever the journal holds."""

from html.parser import HTMLParser

import pytest

from tests.workflows.values import campaign, trial
from workflows.figures.cells import draw_sampling_map, sampling_map_info
from workflows.figures.drawing import png_bytes, to_figure
from workflows.maps.atlas import build_atlas
from workflows.report.page import failure_reasons, headline, worker_hours, write_report

TRIALS = [
    trial("fused-h5-c3", 0, 0.5, haadf=0.01, tv=20.0),
    trial("fused-h5-c3", 1, None, haadf=0.01, tv=20.0),
    trial("fused-h20-c27", 0, 0.25, haadf=0.5, tv=20.0),
    trial("poisson-tv-c3", 0, 1.0),
]


class Checker(HTMLParser):
    """Fails on tags that do not balance; gathers text, images and everything that points elsewhere."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    checker = Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    checker.close()
    assert checker.open == []
    return checker, " ".join(checker.text)


@pytest.mark.parametrize("journal", [TRIALS, [TRIALS[1]], []])
def test_report_is_one_well_formed_self_contained_file(journal, tmp_path):
    config = campaign()
    atlas = build_atlas(config, journal, {"code_version": "1 & <2>"})
    png = png_bytes(to_figure(draw_sampling_map, sampling_map_info(atlas.map)))
    (tmp_path / "a.png").write_bytes(png)
    figures = {"Sampling map": (png, "caption <i>"), "Atlas": (tmp_path / "a.png", "weights")}
    write_report(tmp_path / "report.html", config, atlas, journal, figures, {"machine": "<script>"})
    checker, text = read(tmp_path / "report.html")
    assert sum(link.startswith("data:image/png;base64,iVBOR") for link in checker.links) == 2
    assert all(link.startswith(("data:image/png", "#")) for link in checker.links)
    assert "1 & <2>" in text
    assert "<script>" in text  # as text, escaped: no such tag was opened
    assert "caption <i>" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "report.html"]


def test_report_holds_tables_config_and_the_paper_s_cost(tmp_path):
    config = campaign()
    write_report(tmp_path / "r.html", config, build_atlas(config, TRIALS, {}), TRIALS, {}, {})
    _, text = read(tmp_path / "r.html")
    for piece in (
        "fused-h20-c27",
        "MemoryError: <b>",
        '"name": "tiny"',
        "1078 GPU hours",
        "64³",
        "no benchmark",
    ):
        assert piece in text


def test_headline_numbers():
    config = campaign()
    numbers = headline(config, build_atlas(config, TRIALS, {}), TRIALS)
    assert numbers["trials"] == "4 of 33"  # 6 x 4 fused, 3 x 2 Poisson + TV, 3 x 1 Poisson
    assert numbers["failed trials"] == "1"
    assert numbers["conditions with a result"] == "3 of 12"
    assert numbers["best NRMSE"] == "0.250 at 20 HAADF, 27 chemical tilts"
    assert numbers["NRMSE of Poisson + TV over fused, median"] == "2.00 ×"
    assert numbers["NRMSE of Poisson over fused, median"] == "unknown"
    assert numbers["worker hours"] == "0.04"


def test_worker_hours_count_failed_trials_too():
    assert worker_hours(TRIALS) == pytest.approx(4 * 36 / 3600)


def test_failures_are_counted_by_reason():
    assert failure_reasons(TRIALS) == [("MemoryError: <b>", 1, "fused-h5-c3")]


def test_a_failed_write_keeps_the_older_report(tmp_path):
    (tmp_path / "r.html").write_text("old")
    config = campaign()
    figures = {"Map": (tmp_path / "nowhere.png", "")}
    with pytest.raises(OSError, match=r"nowhere\.png"):
        write_report(tmp_path / "r.html", config, build_atlas(config, [], {}), [], figures, {})
    assert (tmp_path / "r.html").read_text() == "old"
