"""The Pareto front and its knee are those that can be seen by hand."""

import numpy as np
import pytest

from workflows.maps.pareto import front, knee


def decades(*points):
    """x and y of points given by their logarithms."""
    return tuple(10.0 ** np.array(points, float).T)


def test_the_front_holds_what_no_point_beats_by_rising_x():
    x, y = np.array([3.0, 1.0, 2.0, 2.5, 4.0]), np.array([1.0, 5.0, 3.0, 3.5, 1.0])
    assert front(x, y).tolist() == [1, 2, 0]  # the fourth is beaten by the third; the last is as low and further right


def test_of_points_in_one_place_the_front_has_one():
    assert front(np.array([1.0, 1.0]), np.array([2.0, 2.0])).tolist() == [0]
    assert front(np.array([1.0, 1.0]), np.array([2.0, 1.0])).tolist() == [1]


def test_the_knee_is_the_corner_of_an_l_whatever_the_order_and_what_is_beaten():
    points = [(3.0, 0.0), (0.2, 0.3), (0.0, 2.0), (0.1, 1.0), (1.5, 0.1), (2.0, 2.0)]
    assert knee(*decades(*points)) == 1


def test_the_knee_is_that_of_logarithms_not_of_values():
    x, y = decades((0, 4), (0.5, 2.4), (2, 1.2), (4, 0))
    below = 1 - (x - x.min()) / np.ptp(x) - (y - y.min()) / np.ptp(y)
    assert (knee(x, y), below.argmax()) == (1, 2)


@pytest.mark.parametrize("factor", [(1e-6, 1.0), (1.0, 1e6)])
def test_units_of_the_terms_do_not_move_it(factor):
    x, y = decades((0, 4), (1, 2.2), (2, 0.9), (4, 0))
    assert knee(factor[0] * x, factor[1] * y) == 2


@pytest.mark.parametrize(
    "points",
    [[(0, 1)], [(0, 1), (1, 0)], [(0, 2), (1, 1), (2, 0)], [(0, 2), (1.5, 1.5), (2, 0)], [(0, 0), (1, 1), (2, 2)]],
    ids=["one", "two", "straight", "bent outwards", "one beats all"],
)
def test_a_front_without_a_corner_has_no_knee(points):
    assert knee(*decades(*points)) is None
