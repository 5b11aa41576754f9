"""The figure of bodies shows each profile where it lies, and its words and table have the same numbers."""

import numpy as np
import pytest

from fusedtomo.bodies import Bodies
from fusedtomo.plot.drawing import to_figure
from workflows.figures.bodies import BodiesInfo, draw_bodies


def of(diameters, profile):
    distance = np.array([-1.5, -0.5, 0.5, 1.5])
    return Bodies(np.array(diameters, float), 3, 4.0, distance, np.array(profile, float))


INFO = BodiesInfo(
    "a specimen",
    {"Au": of([4, 3], [1, 1, 0, 0]), "Fe": of([10], [1, 1, 0, 0])},
    {"fused": {"Au": of([5], [1, 0.8, 0.3, 0.05]), "Fe": of([], [np.nan] * 4)}},
)


def test_a_panel_an_element_holds_the_truth_and_every_method():
    figure = to_figure(draw_bodies, INFO)
    gold, iron = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["Au", "Fe"]
    truth, fused = gold.get_lines()[:2]
    np.testing.assert_array_equal(truth.get_ydata(), [1, 1, 0, 0])
    np.testing.assert_array_equal(fused.get_ydata(), [1, 0.8, 0.3, 0.05])
    assert gold.get_ylim() == iron.get_ylim()
    assert gold.get_ylim()[1] > 1
    assert np.isnan(iron.get_lines()[1].get_ydata()).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["truth", "fused"]


def test_words_and_table_have_the_numbers():
    table = INFO.table
    assert table.method.tolist() == ["truth", "truth", "fused", "fused"]
    assert table.mean_diameter_nm.tolist()[:3] == [3.5, 10.0, 5.0]
    assert table.diameter_deviation_nm[0] == pytest.approx(0.5)
    # 90 % half way from -1.5 to -0.5; 10 % four fifths of the way from 0.5 to 1.5
    assert table.edge_nm[2] == pytest.approx(1.3 - -1.0)
    assert INFO.told("fused").startswith("Au 1 bodies of 5.0 nm, 4.0 nm thick, edge 2.3 nm; Fe 0 bodies of nan")
    assert "truth: Au 2 bodies of 3.5 nm" in INFO.alt_text
