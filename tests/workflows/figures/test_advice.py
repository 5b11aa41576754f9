"""The figure of dose and error shows the cells, fronts and budget that the advice holds."""

import numpy as np
import pytest

from fusedtomo.plot.drawing import to_figure
from tests.workflows.values import over, trial
from workflows.figures.advice import advice_info, draw_advice
from workflows.maps.advice import advise, cells_of
from workflows.maps.sampling_map import sampling_map


@pytest.fixture
def advice():
    config = over({"chemical_tilts": [3, 9, 27]}, methods=["fused", "poisson"], repeats={"noise_seed": [1, 2]})
    errors = {3: 0.5, 9: 0.4, 27: 0.45}
    trials = [
        trial(f"{method}-c{c}-s{seed}", 0, scale * error + 0.01 * seed)
        for method, scale in (("fused", 1), ("poisson", 3))
        for c, error in errors.items()
        for seed in (1, 2)
    ]
    return advise(cells_of(config, sampling_map(config, trials)), 1e5, "fused", "NRMSE")


def test_the_numbers_are_those_of_the_cells(advice):
    info = advice_info(advice, "counts/pixel")
    fused, poisson = info.fronts
    # SNR 2000 over 20 tilts, and 2.5 over each number of chemical tilts
    np.testing.assert_allclose(fused.dose, 20 * 1999 + 1.5 * np.array([3, 9, 27]))
    np.testing.assert_allclose(poisson.dose, 1.5 * np.array([3, 9, 27]))
    np.testing.assert_allclose(fused.error, [0.515, 0.415, 0.465])
    np.testing.assert_allclose(fused.deviation, np.sqrt(0.5) * 0.01)
    np.testing.assert_allclose(fused.front_error, [0.515, 0.415])
    assert info.best == pytest.approx((20 * 1999 + 13.5, 0.415))


def test_everything_is_drawn(advice):
    info = advice_info(advice, "counts/pixel")
    (axes,) = to_figure(draw_advice, info).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["fused", "Poisson", "budget", "recommended"]
    drawn = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(
        drawn["fused"].get_xydata(), np.column_stack([info.fronts[0].front_dose, [0.515, 0.415]])
    )
    assert drawn["recommended"].get_xydata().tolist() == [list(info.best)]
    assert set(drawn["budget"].get_xdata()) == {1e5}
    assert len(axes.collections) == 2  # error bars of both methods
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("total dose (counts/pixel)", "NRMSE")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")  # 1.5 is three times 0.4 and more
