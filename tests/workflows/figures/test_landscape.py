"""The landscape of one condition: its points, its parameters, and a surface with the right minimum."""

import numpy as np
import pytest
from matplotlib.text import Text

from fusedtomo.errors import InputError
from fusedtomo.plot.drawing import to_figure
from tests.workflows.values import SPACE, campaign, cheap, trial
from workflows.figures.landscape import draw_landscape, landscape_info

CELL = campaign().cell("fused", (5, 3))
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
    """The axes of the landscape, and whether all letters are those of print."""
    figure = to_figure(draw_landscape, info)
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert all(7 <= size <= 9 for size in sizes), sizes
    return figure.axes[0]


def lines(axes):
    """(points) of what is drawn, by its name in the legend."""
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_surface_finds_the_minimum_of_a_bowl():
    info = landscape_info(campaign(), list(bowl(CELL.key, 25)), CELL)
    assert [axis.name for axis in info.axes] == ["haadf", "tv"]
    assert info.axes[0].limits == (1e-3, 10.0)
    assert info.surface.shape == (len(info.grid[1]), len(info.grid[0]))
    row, column = np.unravel_index(info.surface.argmin(), info.surface.shape)
    assert info.grid[0][column] == pytest.approx(0.1, rel=0.5)
    assert info.grid[1][row] == pytest.approx(1.0, rel=0.5)
    axes = drawn(info)
    np.testing.assert_allclose(lines(axes)["tried"], info.points)
    np.testing.assert_allclose(lines(axes)["lowest"], [info.best])
    assert (axes.get_xlim(), axes.get_ylim()) == ((1e-3, 10.0), (1e-2, 100.0))
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    bar = axes.figure.axes[1]
    assert bar.get_ylim() == pytest.approx((info.errors.min(), info.errors.max()))
    assert bar.get_ylabel() == info.label == r"$\langle$NRMSE$\rangle$"
    contours = axes.collections[0]
    assert contours.get_array().size >= 20


def test_points_are_those_of_the_condition_and_the_best_is_marked():
    trials = [*bowl(CELL.key, 6), *bowl("fused-h20-c3", 3), trial(CELL.key, 6, None, haadf=2.0, tv=3.0)]
    info = landscape_info(campaign(), trials, CELL)
    assert info.points.shape == (6, 2)
    winner = min(trials[:6], key=lambda one: one.nrmse)
    np.testing.assert_allclose(info.best, [winner.point["haadf"], winner.point["tv"]])
    np.testing.assert_allclose(info.failed, [[2.0, 3.0]])
    axes = drawn(info)
    np.testing.assert_allclose(lines(axes)["failed"], [[2.0, 3.0]])
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["tried", "failed", "lowest"]


def test_of_three_parameters_the_two_that_matter_are_drawn():
    trials = list(bowl(CELL.key, 25, ("haadf", "tv", "gamma")))
    # gamma stands first, so that it is left out for its length scale and not for its place
    info = landscape_info(campaign(space={**GAMMA, **SPACE}), trials, CELL)
    assert [axis.name for axis in info.axes] == ["haadf", "tv"]
    assert list(info.others) == ["gamma"]
    title = drawn(info).get_title("left")
    assert title.startswith("fused, 5 HAADF tilts, 3 chemical tilts\nnanocubes, 64³")
    assert title.endswith(rf"at $\gamma$ = {info.others['gamma']:.2g}")


def test_one_searched_parameter_is_a_curve():
    condition = campaign().cell("poisson-tv", (5, 3))
    info = landscape_info(campaign(), list(bowl(condition.key, 8, ("tv",))), condition)
    assert [axis.name for axis in info.axes] == ["tv"]
    assert info.surface.shape == info.deviation.shape == info.grid[0].shape
    assert info.title == "Poisson + TV, 3 chemical tilts"
    axes = drawn(info)
    np.testing.assert_allclose(lines(axes)["tried"], np.column_stack([info.points[:, 0], info.errors]))
    assert any(np.array_equal(line, np.column_stack([info.grid[0], info.surface])) for line in lines(axes).values())
    assert len(axes.collections) == 1  # the deviation
    assert axes.get_ylabel() == info.label


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_points_have_no_surface(count):
    info = landscape_info(campaign(), list(bowl(CELL.key, count)), CELL)
    assert info.surface is None
    assert len(info.points) == count
    assert (info.best is None) is (count == 0)
    axes = drawn(info)
    dots = [collection.get_offsets() for collection in axes.collections]
    assert [len(one) for one in dots] == ([count] if count else [])
    assert [text.get_text() for text in axes.texts] == ([] if count else ["no successful trial"])


def test_equal_scores_and_only_failures_are_drawn():
    equal = [trial(CELL.key, i, 0.5, haadf=0.1 * (i + 1), tv=1.0 + i) for i in range(6)]
    assert len(lines(drawn(landscape_info(campaign(), equal, CELL)))["tried"]) == 6
    axes = drawn(landscape_info(campaign(), [trial(CELL.key, 0, None, haadf=0.1, tv=1.0)], CELL))
    np.testing.assert_allclose(lines(axes)["failed"], [[0.1, 1.0]])


def test_trials_of_a_part_of_the_problem_are_left_out():
    trials = [*bowl(CELL.key, 5), *(cheap(CELL.key, 5 + i, 0.01, haadf=0.1 + i, tv=1.0) for i in range(3))]
    info = landscape_info(campaign(), trials, CELL)
    assert len(info.points) == len(info.errors) == 5
    assert info.errors.min() > 0.01


def test_a_trial_without_what_is_minimised_is_left_out():
    config = campaign(search={"space": SPACE, "minimise": "rmse"})
    info = landscape_info(config, list(bowl(CELL.key, 5)), CELL)
    assert (len(info.points), info.best, info.surface) == (0, None, None)


def test_a_method_without_search_is_refused():
    with pytest.raises(InputError, match="'poisson-c3' has no searched parameter"):
        landscape_info(campaign(), [], campaign().cell("poisson", (5, 3)))
