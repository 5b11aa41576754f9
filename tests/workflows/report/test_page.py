"""The report: one file that holds everything, escaped and well formed, whatever the journal holds."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import xarray as xr
from matplotlib.figure import Figure

from tests.workflows.values import SPACE, campaign, cheap, everything, over, trial
from workflows.campaign.products import PRODUCTS
from workflows.record.journal import CAP
from workflows.record.tally import Tally, hours_text
from workflows.report.findings import Findings
from workflows.report.page import failure_reasons, headline, write_report
from workflows.report.product import Drawn, Exhibit, Product, made, products_of
from workflows.report.products import volumes_to_make, write_products

TRIALS = [
    trial("fused-h5-c3", 0, 0.5, haadf=0.01, tv=20.0),
    trial("fused-h5-c3", 1, None, haadf=0.01, tv=20.0),
    trial("fused-h20-c27", 0, 0.25, haadf=0.5, tv=20.0),
    trial("poisson-tv-c3", 0, 1.0),
]


class Checker(HTMLParser):
    """Fails on tags that do not balance; gathers text, images and everything that points elsewhere."""

    VOID = ("meta", "img", "br", "input")

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links, self.alts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        self.alts += [value for name, value in attrs if name == "alt"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    """A page without what its scripts are given (tests/workflows/report/test_explore.py)."""
    checker = Checker()
    checker.feed(re.sub(r"<script.*?</script>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
    checker.close()
    assert checker.open == []
    return checker, " ".join(checker.text)


PNG = b"\x89PNG, as far as a page knows"


@pytest.mark.parametrize("journal", [TRIALS, [TRIALS[1]], []])
def test_report_is_one_well_formed_self_contained_file(journal, findings_of, tmp_path):
    findings = findings_of(journal)
    exhibits = [
        Exhibit("Sampling map", "caption <i>", 'a "map"', PNG, (tmp_path / "map.png", tmp_path / "a b.csv")),
        Exhibit("Atlas", "weights", "weights", PNG, ()),
    ]
    write_report(
        tmp_path / "report.html", findings, exhibits, {"machine": "<script>", "code": "1 & <2>"}, ["fused-h5-c3"]
    )
    checker, text = read(tmp_path / "report.html")
    assert sum(link.startswith("data:image/png;base64,iVBOR") for link in checker.links) == 2
    others = [link for link in checker.links if not link.startswith(("data:image/png", "#"))]
    assert others == ["map.png", "a b.csv"]  # files beside it, for those who want them
    assert checker.alts == ['a "map"', "weights"]
    assert "1 & <2>" in text
    assert "<script>" in text  # as text, escaped: no such tag was opened
    assert "caption <i>" in text
    assert "the reconstructions of fused-h5-c3 are not in the run folder" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "run"]


def test_report_holds_tables_config_and_the_paper_s_cost(findings_of, tmp_path):
    write_report(tmp_path / "r.html", findings_of(TRIALS), [], {})
    _, text = read(tmp_path / "r.html")
    for piece in ("fused-h20-c27", "MemoryError: <b>", '"name": "tiny"', "1078 GPU hours", "64³", "no benchmark"):
        assert piece in text
    assert "nan" not in text.split()  # what a trial does not have is a dash


def test_headline_numbers(findings_of):
    numbers = headline(findings_of(TRIALS))
    assert numbers["map"] == "2 × 3 cells"
    assert numbers["trials"] == "4 of 33"  # 6 x 4 fused, 3 x 2 Poisson + TV, 3 x 1 Poisson
    assert numbers["failed trials"] == "1"
    assert numbers["conditions with a result"] == "3 of 12"
    assert numbers["lowest NRMSE"] == "0.250 at 20 HAADF tilts, 27 chemical tilts (one seed: its noise is not known)"
    assert numbers["beside it"] == "RMSE unknown, stoichiometry error unknown"
    assert numbers["marked cells"] == "0 of 2 at the cap of iterations, 0 on a bound"
    assert numbers["spent"] == "0.04 CPU worker hours"


def measured(key, nrmse, rmse, stoichiometry):
    """A trial with every measure."""
    return replace(trial(key, 0, nrmse), rmse_by_element={"Co": rmse, "Au": rmse}, stoichiometry_error=stoichiometry)


def test_every_measure_stands_beside_the_nrmse(findings_of, tmp_path):
    findings = findings_of([measured("fused-h5-c3", 0.25, 0.04, 0.0625), measured("poisson-tv-c3", 0.5, 0.05, 0.25)])
    numbers = headline(findings)
    assert numbers["beside it"] == "RMSE 0.040, stoichiometry error 0.062"
    told = "NRMSE 2.00 ×, RMSE 1.25 ×, stoichiometry error 4.00 ×"
    assert numbers["errors of Poisson + TV over fused, medians"] == told
    assert numbers["errors of Poisson over fused, medians"] == re.sub(r"[\d.]+ ×", "unknown", told)
    write_report(tmp_path / "r.html", findings, [], {})
    page = (tmp_path / "r.html").read_text()
    (row,) = re.findall(r"<tr><td>poisson-tv-c3</td>(.*)</tr>", page)
    (header,) = re.findall(r"<tr><th>condition</th>(.*)</tr>", page)
    cells = dict(zip(re.findall("<th>([^<]*)", header), re.findall("<td>([^<]*)", row), strict=True))
    of_the_trial = ("NRMSE", "RMSE", "stoichiometry error", "NRMSE by element", "RMSE by element")
    assert [cells[name] for name in of_the_trial] == ["0.5", "0.05", "0.25", "Co 0.45, Au 0.55", "Co 0.05, Au 0.05"]


def test_what_is_minimised_is_not_told_twice(findings_of):
    config = campaign(search={"space": SPACE, "evaluations": 4, "minimise": "rmse"})
    numbers = headline(findings_of([measured("fused-h5-c3", 0.25, 0.04, 0.0625)], config))
    assert numbers["lowest RMSE"].startswith("0.040 at 5 HAADF tilts")
    assert numbers["beside it"] == "NRMSE 0.250, stoichiometry error 0.062"


@pytest.mark.parametrize("journal", [[], [TRIALS[1]]])
def test_headline_without_a_result(findings_of, journal):
    numbers = headline(findings_of(journal))
    assert numbers["lowest NRMSE"] == "no cell has a successful trial"
    assert numbers["conditions with a result"] == "0 of 12"


def test_marked_cells_are_counted_and_told_in_the_table(findings_of, tmp_path):
    at_cap = replace(trial("fused-h5-c3", 0, 0.5, haadf=10.0, tv=1.0), stopped=CAP)
    findings = findings_of([at_cap, trial("fused-h20-c27", 0, 0.5, haadf=0.1, tv=0.01)])
    assert headline(findings)["marked cells"] == "1 of 2 at the cap of iterations, 2 on a bound"
    write_report(tmp_path / "r.html", findings, [], {})
    rows = re.findall(
        r"<tr><td>(fused[^<]*)</td>.*<td>([^<]*)</td><td>[^<]*</td></tr>", (tmp_path / "r.html").read_text()
    )
    assert dict(rows) | {"fused-h5-c3": "cap, bound", "fused-h20-c27": "bound"} == dict(rows)
    assert [marks for _, marks in rows].count("–") == 4


def repeated(first, second):
    seeds = enumerate(zip(first, second, strict=True), start=1)
    pairs = [(trial(f"fused-h5-c3-s{s}", 0, a), trial(f"fused-h20-c27-s{s}", 0, b)) for s, (a, b) in seeds]
    return [one for pair in pairs for one in pair]


@pytest.mark.parametrize(
    ("second", "name", "text"),
    [
        ([0.40, 0.41, 0.42], "best NRMSE", "0.310 at 5 HAADF tilts, 3 chemical tilts, ahead by more than the noise"),
        (
            [0.31, 0.32, 0.33],
            "lowest NRMSE",
            "0.310 at 5 HAADF tilts, 3 chemical tilts; within the noise of 1 more cells",
        ),
    ],
)
def test_best_is_said_only_of_a_cell_that_wins_by_more_than_the_noise(findings_of, second, name, text):
    config = campaign(repeats={"noise_seed": [1, 2, 3]})
    numbers = headline(findings_of(repeated([0.30, 0.31, 0.32], second), config))
    assert numbers[name] == text
    assert {"best NRMSE", "lowest NRMSE"} & set(numbers) == {name}


def test_hours_count_failed_trials_and_ranks_as_status_does(findings_of, tmp_path):
    on_gpus = replace(trial("fused-h5-c9", 0, 0.5), device="gpu", ranks=4, seconds=3600.0)
    findings = findings_of([*TRIALS, on_gpus])
    assert headline(findings)["spent"] == "4 GPU hours, 0.04 CPU worker hours"
    assert headline(findings)["spent"] == hours_text(Tally(findings.config, findings.trials).hours)
    write_report(tmp_path / "r.html", findings, [], {})
    assert "This campaign spent 4 GPU hours, 0.04 CPU worker hours at 64³ voxels" in read(tmp_path / "r.html")[1]


def test_failures_are_counted_by_reason():
    assert failure_reasons(TRIALS) == [("MemoryError: <b>", 1, "fused-h5-c3")]


def test_a_trial_of_a_part_of_the_problem_stands_nowhere(findings_of, tmp_path):
    findings = findings_of([*TRIALS, cheap("fused-h5-c3", 2, 0.01), cheap("fused-h5-c9", 0, 0.02)])
    numbers = headline(findings)
    assert numbers["lowest NRMSE"].startswith("0.250 at 20 HAADF tilts")
    assert numbers["conditions with a result"] == "3 of 12"
    assert findings.best(findings.config.cell("fused", (5, 9))) is None
    write_report(tmp_path / "r.html", findings, [], {})
    assert not {"0.01", "0.02"} & set(read(tmp_path / "r.html")[1].split())


def test_a_failed_write_keeps_the_older_report(findings_of, tmp_path):
    (tmp_path / "r.html").write_text("old")
    broken = Exhibit("Map", "", "", None, ())
    with pytest.raises(TypeError):
        write_report(tmp_path / "r.html", findings_of([]), [broken], {})
    assert (tmp_path / "r.html").read_text() == "old"


CAMPAIGNS = {
    "one": over({"chemical_dose": [10.0, 40.0]}),
    "two": campaign(),
    "three": over({"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "unmapped": ["none", "O"]}),
    "repeats": campaign((5, 20), (3,), repeats={"noise_seed": [1, 2]}),
}
FIGURES = ("sampling_map", "atlas")


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def varied(config):
    """All trials of a campaign, each with its own weights and result."""
    return [
        replace(one, nrmse=0.3 + 0.01 * number, point={"haadf": 0.1 + 0.01 * number, "tv": 1.0 + number})
        for number, one in enumerate(everything(config))
    ]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.nightly if n == "two" else ()) for n in CAMPAIGNS])
def test_products_of_one_two_and_three_axes(name, folder_of):
    config = CAMPAIGNS[name]
    folder = folder_of(varied(config), config)
    said = []
    report = write_products(folder, {"machine": "laptop"}, said.append)
    for figure in FIGURES:
        assert f"drawing: {figure}" in said
        assert (folder.path / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder.path / f"{figure}.svg").read_text()
        rows = rows_of(folder.path / f"{figure}.csv")
        assert len(rows) == len(config.methods) * len(list(config.cells("fused")))
        assert set(rows[0]) >= {"method", *config.axes}
    with xr.open_dataset(folder.path / "atlas.h5", engine="h5netcdf") as atlas:
        assert atlas.error.dims == ("method_name", *config.axes)
        assert atlas.attrs["machine"] == "laptop"
        table = rows_of(folder.path / "sampling_map.csv")
        assert float(table[0]["error"]) == pytest.approx(float(atlas.error.values.ravel()[0]))
    _, text = read(report)
    assert "Sampling map" in text
    assert ("Means over 2 values of noise seed" in text) is (name == "repeats")
    assert "the reconstructions of" in text  # slices and cost wait for the workers
    (cell,) = Findings(folder).cells(())
    assert (folder.path / f"landscape-{cell.key}.csv").is_file()


def test_an_atlas_that_is_the_same_in_all_cells_is_left_out(folder_of):
    folder = folder_of([trial("fused-h5-c3", 0, 0.5), trial("fused-h20-c3", 0, 0.4)])
    report = write_products(folder, {})
    assert not (folder.path / "atlas.png").exists()
    assert "Atlas" not in [line.strip() for line in read(report)[0].text]


def test_volumes_are_those_of_the_best_trials_and_none_twice(folder_of):
    folder = folder_of([*TRIALS, cheap("fused-h20-c27", 1, 0.01), trial("poisson-c27", 0, 1.5)])
    wanted = volumes_to_make(folder)
    assert {(one.condition.key, one.number) for one in wanted} == {("poisson-c27", 0), ("fused-h20-c27", 0)}
    assert len(wanted) == 2
    assert {one.fidelity for one in wanted} == {1.0}
    assert [one.keep for one in wanted] == [
        str(folder.path.resolve() / "volumes" / f"{one.condition.key}.h5") for one in wanted
    ]


def test_stoichiometry_is_of_the_kept_reconstructions_of_all_methods(folder_of, keep):
    config = campaign(phantom={"name": "cuo_coo_nanocubes", "size": 16, "seed": 0})
    folder = folder_of([trial("fused-h5-c3", 0, 0.5), trial("poisson-c3", 0, 1.0)], config)
    findings, product = Findings(folder), PRODUCTS["stoichiometry"]
    (cell,) = product.subjects(findings)
    assert [one.key for one in product.volumes(findings, cell)] == ["poisson-c3", "fused-h5-c3"]
    assert made(product, findings, cell) is None  # nothing is kept yet
    truth = findings.truth(cell)
    for condition, contrast in zip(product.volumes(findings, cell), (1.5, 0.7), strict=True):
        keep(findings, condition, replace(truth, data=contrast * truth.data))
    exhibit = made(product, findings, cell)
    rows = rows_of(folder.path / "stoichiometry-fused-h5-c3.csv")
    assert [(row["method"], row["element"]) for row in rows] == [
        (method, element) for method in ("Poisson", "fused") for element in ("Co", "Au")
    ]
    for row, contrast in zip(rows, (1.5, 1.5, 0.7, 0.7), strict=True):
        assert float(row["mean"]) == pytest.approx(contrast * float(row["expected"]))
        assert float(row["fraction_mean"]) == pytest.approx(float(row["fraction_expected"]))
    assert "fused: Co 0.35 ± 0.00 where it is 0.50, 0 % of it in the vacuum" in exhibit.caption
    assert {path.suffix for path in exhibit.files} == {".png", ".svg", ".csv"}


def test_every_measure_of_a_trial_stands_in_the_table_of_the_landscape(folder_of):
    folder = folder_of([replace(measured("fused-h5-c3", 0.25, 0.04, 0.0625), point={"haadf": 0.1, "tv": 1.0})])
    findings, product = Findings(folder), PRODUCTS["landscape"]
    (cell,) = product.subjects(findings)
    (row,) = product.draw(findings, cell).table.to_dict("records")
    assert (row["nrmse"], row["rmse"], row["stoichiometry_error"]) == (0.25, 0.04, 0.0625)


def test_a_toy_product_is_one_value(findings_of):
    drawn = Drawn("Toy", "A caption.", Figure(figsize=(1, 1)), "A square.")
    product = Product("toy", lambda _findings, _subject: drawn)
    findings = findings_of(TRIALS)
    exhibit = made(product, findings, None)
    assert [path.name for path in exhibit.files] == ["toy.png", "toy.svg"]
    assert (exhibit.title, exhibit.caption, exhibit.alt_text) == ("Toy", "A caption.", "A square.")
    assert made(Product("none", lambda *_: None), findings, None) is None
    assert "toy" not in PRODUCTS


def test_a_report_has_the_usual_products_and_those_asked_for(folder_of, monkeypatch):
    toy = Product("toy", lambda *_: None, usual=False)
    monkeypatch.setitem(PRODUCTS._values, "toy", toy)
    findings = Findings(folder_of(TRIALS))
    usual = products_of(findings)
    findings.config = campaign(report={"also": ["toy"]})
    assert toy not in usual
    assert products_of(findings) == [*usual, toy]


def test_kept_reconstructions_of_an_older_winner_are_not_shown(findings_of):
    findings = findings_of(TRIALS)
    cell = findings.config.cell("fused", (20, 27))
    assert not findings.is_kept(cell)
    path = findings.reconstruction_of(cell)
    path.parent.mkdir()
    path.write_bytes(b"torn")
    assert not findings.is_kept(cell)
    assert json.dumps(findings.best(cell).point) == '{"haadf": 0.5, "tv": 20.0}'
