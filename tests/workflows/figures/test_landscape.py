"""The landscape of one condition: its points, its parameters, and a surface with the right minimum."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from tests.workflows.values import SPACE, campaign, trial
from workflows.figures.drawing import png_bytes, to_figure
from workflows.figures.landscape import draw_landscape, landscape_info

CELL = fused(5, 3)
GAMMA = {"gamma": {"low": 1.0, "high": 2.0, "scale": "linear"}}


def bowl(key, count, dims=("haadf", "tv")):
    """Trials of a bowl with its minimum at haadf = 0.1, tv = 1; gamma does not matter."""
    rng = np.random.default_rng(0)
    for number in range(count):
        point = {n: 10 ** rng.uniform(np.log10(SPACE[n]["low"]), np.log10(SPACE[n]["high"])) for n in SPACE}
        nrmse = 0.3 + 0.1 * (np.log10(point["haadf"] / 0.1) ** 2 + np.log10(point["tv"]) ** 2)
        gamma = {"gamma": rng.uniform(1, 2)} if "gamma" in dims else {}
        yield trial(key, number, nrmse, **{n: point[n] for n in dims if n in point}, **gamma)


def drawn(info):
    content = png_bytes(to_figure(draw_landscape, info))
    return content.startswith(b"\x89PNG") and len(content) > 2000


def test_surface_finds_the_minimum_of_a_bowl():
    info = landscape_info(campaign(), list(bowl(CELL.key, 25)), CELL)
    assert [axis.name for axis in info.axes] == ["haadf", "tv"]
    assert info.axes[0].limits == (1e-3, 10.0)
    assert info.surface.shape == (len(info.grid[1]), len(info.grid[0]))
    row, column = np.unravel_index(info.surface.argmin(), info.surface.shape)
    assert info.grid[0][column] == pytest.approx(0.1, rel=0.5)
    assert info.grid[1][row] == pytest.approx(1.0, rel=0.5)
    assert drawn(info)


def test_points_are_those_of_the_condition_and_the_best_is_marked():
    trials = [*bowl(CELL.key, 6), *bowl("fused-h20-c3", 3), trial(CELL.key, 6, None, haadf=2.0, tv=3.0)]
    info = landscape_info(campaign(), trials, CELL)
    assert info.points.shape == (6, 2)
    winner = min(trials[:6], key=lambda one: one.nrmse)
    np.testing.assert_allclose(info.best, [winner.point["haadf"], winner.point["tv"]])
    np.testing.assert_allclose(info.failed, [[2.0, 3.0]])
    assert drawn(info)


def test_of_three_parameters_the_two_that_matter_are_drawn():
    trials = list(bowl(CELL.key, 25, ("haadf", "tv", "gamma")))
    # gamma stands first, so that it is left out for its length scale and not for its place
    info = landscape_info(campaign(space={**GAMMA, **SPACE}), trials, CELL)
    assert [axis.name for axis in info.axes] == ["haadf", "tv"]
    assert list(info.others) == ["gamma"]
    assert drawn(info)


def test_one_searched_parameter_is_a_curve():
    condition = baseline("poisson-tv", 3)
    info = landscape_info(campaign(), list(bowl(condition.key, 8, ("tv",))), condition)
    assert [axis.name for axis in info.axes] == ["tv"]
    assert info.surface.shape == info.deviation.shape == info.grid[0].shape
    assert info.title == "Poisson + TV, 3 chemical tilts"
    assert drawn(info)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_points_have_no_surface(count):
    info = landscape_info(campaign(), list(bowl(CELL.key, count)), CELL)
    assert info.surface is None
    assert len(info.points) == count
    assert (info.best is None) is (count == 0)
    assert drawn(info)


def test_equal_scores_and_only_failures_are_drawn():
    equal = [trial(CELL.key, i, 0.5, haadf=0.1 * (i + 1), tv=1.0 + i) for i in range(6)]
    assert drawn(landscape_info(campaign(), equal, CELL))
    assert drawn(landscape_info(campaign(), [trial(CELL.key, 0, None, haadf=0.1, tv=1.0)], CELL))


def test_a_method_without_search_is_refused():
    with pytest.raises(InputError, match="'poisson-c3' has no searched parameter"):
        landscape_info(campaign(), [], baseline("poisson", 3))
