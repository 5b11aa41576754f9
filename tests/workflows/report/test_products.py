"""Products that not every report has: what they are made of, and what their captions and tables say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from tests.workflows.values import campaign, trial
from workflows.campaign.products import PRODUCTS
from workflows.figures import rendering
from workflows.report.product import made

TERMS = [(10.0, 4.0, 0.5), (1.0, 40.0, 0.6), (1.5, 5.0, 0.44)]


def with_terms(key):
    """Three trials on a front."""
    return [
        replace(trial(key, n, nrmse, haadf=0.1, tv=1.0), terms={"haadf": haadf, "chemical": chemical})
        for n, (haadf, chemical, nrmse) in enumerate(TERMS)
    ]


def test_a_product_that_not_every_report_has_is_asked_for_by_name():
    asked_for = {name for name, one in PRODUCTS.items() if not one.usual}
    assert {"pareto", "resolution", "concentrations", "bodies"} <= asked_for
    assert not {"sampling_map", "atlas", "landscape", "slices", "stoichiometry", "cost"} & asked_for


def test_the_pareto_front_is_that_of_the_cells_of_the_landscapes(findings_of):
    config = campaign(report={"landscapes": [[20, 9]]})
    findings = findings_of([*with_terms("fused-h20-c9"), trial("fused-h5-c3", 0, 0.1)], config)
    (cell,) = PRODUCTS["pareto"].subjects(findings)
    exhibit = made(PRODUCTS["pareto"], findings, cell)
    assert [path.name.partition(".")[2] for path in exhibit.files] == ["png", "svg", "csv"]
    assert exhibit.title == "Pareto front of fused-h20-c9"
    assert exhibit.caption.endswith(
        "Here the inflection point has an NRMSE of 0.440, the best of all trials has 0.440: choosing without the truth "
        "costs 0 %."
    )


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (1.0, "converged; in the last 10 iterations its terms moved by 0.00 % of it at most."),
        (1.5, "not converged; in the last 10 iterations its terms moved by 20.00 % of it at most."),
    ],
)
def test_the_caption_of_the_cost_says_whether_it_converged(findings_of, keep, last, said):
    config = campaign(phantom={"name": "cuo_coo_nanocubes", "size": 16, "seed": 0})
    findings = findings_of([trial("fused-h5-c3", 0, 0.5)], config)
    (cell,) = PRODUCTS["cost"].subjects(findings)
    terms = {"haadf": [3.0] + 10 * [last] + [1.0], "chemical": 12 * [1.5]}
    keep(
        findings,
        cell,
        findings.truth(cell),
        {**terms, "total": [sum(pair) for pair in zip(*terms.values(), strict=True)]},
    )
    assert made(PRODUCTS["cost"], findings, cell).caption.endswith(f"(Supplement 13b): {said}")


def test_a_journal_without_terms_has_no_pareto_front(findings_of):
    findings = findings_of([trial("fused-h5-c3", 0, 0.1)])
    (cell,) = PRODUCTS["pareto"].subjects(findings)
    assert made(PRODUCTS["pareto"], findings, cell) is None


SMALL = campaign(phantom={"name": "cuo_coo_nanocubes", "size": 32, "seed": 0})


def kept_of_two_methods(findings_of, keep, made_of, config=SMALL):
    """Findings with volumes of Poisson and of fused, each made of the truth."""
    findings = findings_of([trial("fused-h5-c3", 0, 0.5), trial("poisson-c3", 0, 1.0)], config)
    (cell,) = PRODUCTS["slices"].subjects(findings)
    truth = findings.truth(cell)
    for condition in findings.beside(cell).values():
        if findings.best(condition):
            keep(findings, condition, replace(truth, data=made_of(condition.method, truth.data)))
    return findings, cell


def test_the_resolution_is_that_of_every_method_against_the_truth(findings_of, keep):
    def blurred(method, data):
        noise = 0.01 * np.random.default_rng(0).standard_normal(data.shape).astype(np.float32)
        return gaussian_filter(data, (0, 2, 0.5, 0.5)) + abs(noise) if method == "poisson" else data

    findings, cell = kept_of_two_methods(findings_of, keep, blurred)
    product = PRODUCTS["resolution"]
    assert [one.key for one in product.volumes(findings, cell)] == ["poisson-c3", "fused-h5-c3"]
    drawn = product.draw(findings, cell)
    rows = drawn.table.set_index(["method", "element"])
    assert list(rows.index) == [(method, element) for method in ("Poisson", "fused") for element in ("Co", "Au")]
    assert rows.loc[("fused", "Co"), ["half_bit_measured_nm", "half_bit_missing_nm"]].isna().all()
    assert rows.half_bit_missing_nm["Poisson", "Co"] > 0
    assert rows.wedge_loss["Poisson", "Co"] > 1.2
    assert rows.wedge_loss["fused", "Co"] < 1.1
    assert "the chemical tilts (-70 to 70 degrees)" in drawn.caption
    assert "fused: Co half-pitch along x" in drawn.caption


@pytest.mark.parametrize("name", ["resolution", "views"])
def test_products_of_volumes_wait_for_them(findings_of, name):
    findings = findings_of([trial("fused-h5-c3", 0, 0.5)], SMALL)
    (cell,) = PRODUCTS[name].subjects(findings)
    assert [one.key for one in PRODUCTS[name].volumes(findings, cell)] == ["fused-h5-c3"]
    assert made(PRODUCTS[name], findings, cell) is None


def test_views_without_pyvista_say_what_is_missing(findings_of, keep, monkeypatch):
    monkeypatch.setattr(rendering, "find_spec", lambda _name: None)
    findings, cell = kept_of_two_methods(findings_of, keep, lambda method, data: 0.5 * data)
    exhibit = made(PRODUCTS["views"], findings, cell)
    assert exhibit.caption.endswith(" PyVista is not installed: pip install 'fusedtomo[views]'.")
    assert "from 5 HAADF tilts, 3 chemical tilts, each" in exhibit.caption
    assert "Rows: Truth; Poisson (Co 100 %, Au 100 % in place); fused" in exhibit.alt_text
    table = pd.read_csv(findings.path / "views-fused-h5-c3.csv")
    assert list(table.row.unique()) == ["Truth", "Poisson", "fused"]


def test_concentrations_are_those_of_every_cell_whose_volume_is_kept(findings_of, keep):
    config = campaign((5, 20), (3, 9, 27), phantom={"name": "cuo_coo_nanocubes", "size": 16, "seed": 0})
    cells = {f"fused-h{h}-c{c}": 0.5 + 0.01 * h + 0.001 * c for h in (5, 20) for c in (3, 9)} | {"poisson-c3": 1.5}
    findings = findings_of([trial(key, 0, 0.5) for key in [*cells, "fused-h20-c27"]], config)
    product = PRODUCTS["concentrations"]
    wanted = {one.key: one for one in product.volumes(findings, None)}
    assert set(wanted) == {*cells, "fused-h20-c27"}
    assert made(product, findings, None) is None
    for key, contrast in cells.items():  # one was not made
        truth = findings.truth(wanted[key])
        keep(findings, wanted[key], replace(truth, data=contrast * truth.data))
    drawn = product.draw(findings, None)
    rows = drawn.table[drawn.table.element == "Co"]
    found = {(row.method, row.haadf_tilts, row.chemical_tilts): row for row in rows.fillna(0).itertuples()}
    assert set(found) == {("Poisson", 0, 3), *(("fused", h, c) for h in (5, 20) for c in (3, 9))}
    for (method, h, c), row in found.items():
        contrast = cells[f"fused-h{h:.0f}-c{c}" if method == "fused" else "poisson-c3"]
        assert row.mean == pytest.approx(contrast * row.expected, rel=1e-5)
        assert row.fraction_mean == pytest.approx(row.fraction_expected, rel=1e-5)
    for panel in drawn.figure.axes[:2]:  # 5 and 20 HAADF tilts, which Poisson does not see
        np.testing.assert_allclose(panel.lines[1].get_ydata(), [0.75, np.nan, np.nan], rtol=1e-3)
    told = "fused: Co 0.28 to 0.35 where it is 0.50, 0.22 off at most"
    assert told in drawn.caption
    assert "Poisson: Co 0.75 to 0.75 where it is 0.50, 0.25 off at most" in drawn.alt_text
