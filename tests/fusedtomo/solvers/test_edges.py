"""Local weights: against their definition, by hand, and where there is nothing to weigh."""

import numpy as np
import pytest

from fusedtomo.arrays import to_host
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.solvers.edges import brightness, edge_weights, slope
from tests.fusedtomo.reference import forward_differences

COPPER_OXIDE = (29, 8)


def _blocks(*where):
    """Bodies of concentration 1 in a volume (element, 6, 7, 8), one slice triple an element; None for nothing."""
    volume = np.zeros((len(where), 6, 7, 8), np.float32)
    for channel, body in zip(volume, where, strict=True):
        if body is not None:
            channel[body] = 1
    return volume


LEFT = np.s_[1:5, 1:5, 1:3]
RIGHT = np.s_[1:5, 1:5, 5:7]


@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 4, 5), (4, 1, 5), (4, 5, 1)])
def test_slope_is_the_length_of_the_differences_of_total_variation(place, shape, rng):
    volume = rng.random(shape, dtype=np.float32)
    expected = np.sqrt((forward_differences(volume.astype(np.float64)) ** 2).sum(axis=0))
    np.testing.assert_allclose(to_host(slope(place.put(volume))), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gamma", [1.0, 1.7, 2.0])
def test_brightness_is_that_of_an_atom_beside_the_mean_atom_about_it(place, gamma):
    """Copper and oxygen, one to one, in the same voxels: b / ((b + b') / 2); gold alone is its own mean."""
    volume = place.put(_blocks(LEFT, LEFT, RIGHT))
    copper, oxygen = (np.array([29, 8]) / 79) ** gamma
    mean = (copper + oxygen) / 2
    found = brightness(volume, ZContrast((*COPPER_OXIDE, 79), gamma))
    np.testing.assert_allclose(found, [copper / mean, oxygen / mean, 1], rtol=1e-5)


def test_weights_are_the_slope_of_a_logarithmic_penalty(place, rng):
    """For an element that is seen: s d log(1 + g / (s d)) over the length g of the gradient, s its mean at edges."""
    volume, softness = rng.random((1, 5, 6, 7), dtype=np.float32), 0.2
    g = np.sqrt((forward_differences(volume[0].astype(np.float64)) ** 2).sum(axis=0))
    scale, small = (g**2).sum() / g.sum(), 1e-5

    def penalty(length):
        return scale * softness * np.log(1 + length / (scale * softness))

    found = edge_weights(place.put(volume), ZContrast((29,), 2.0))
    np.testing.assert_allclose(to_host(found.local)[0], (penalty(g + small) - penalty(g)) / small, rtol=1e-4)
    assert found.strength.tolist() == [3.0]


def test_what_haadf_hardly_sees_takes_the_edges_of_what_it_sees(place):
    """Oxygen fills copper's and gold's bodies unevenly: its own edges do not count, theirs do, all alike."""
    volume = _blocks(LEFT, LEFT, RIGHT)
    volume[1][RIGHT] = 0.5
    contrast = ZContrast((*COPPER_OXIDE, 79), 2.0)
    found = edge_weights(place.put(volume), contrast)
    together, local = place.put(volume[:1] + volume[2:]), to_host(found.local)
    np.testing.assert_allclose(local[1], to_host(edge_weights(together, ZContrast((29,), 2.0)).local)[0], rtol=1e-4)
    assert found.strength.tolist() == [3.0, 4.0, 3.0]
    assert (local[0][..., 4:] == 1).all()  # copper does not know of gold
    assert local[2][1, 1, 4] < 0.5


def test_weights_lie_above_zero_and_at_most_at_one(place, rng):
    volume = rng.random((3, 5, 6, 7), dtype=np.float32) ** 8
    local = to_host(edge_weights(place.put(volume), ZContrast((27, 8, 79), 1.7)).local)
    assert local.dtype == np.float32
    assert local.min() > 0
    assert local.max() <= 1


def test_nothing_has_no_edge(place):
    found = edge_weights(place.put(_blocks(LEFT, None)), ZContrast(COPPER_OXIDE, 2.0))
    assert np.isfinite(to_host(found.local)).all()
    nothing = edge_weights(place.put(_blocks(None, None)), ZContrast(COPPER_OXIDE, 2.0))
    np.testing.assert_array_equal(to_host(nothing.local), 1)
