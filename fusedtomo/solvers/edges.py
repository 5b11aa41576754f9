"""Where has a volume edges, so that total variation should count less there? Local weights, element by element.

docs/solver.md says what is minimised with them. Everything here is the same bit by bit however a volume is cut into
slabs: float32 voxel by voxel, and float64 sums over columns.
"""

from dataclasses import dataclass

import numpy as np

from fusedtomo.arrays import Array, array_module, dot, totals
from fusedtomo.operators.zcontrast import ZContrast
from fusedtomo.parallel import SERIAL, Comm

_SEEN = 0.5  # of the mean brightness about it: atoms of an element at least as bright show edges of their own
# docs/solver.md, "Edge-weighted total variation", says what others brought
_SOFTNESS = 0.2  # the steepness at which a weight is one half
_OWN, _GUIDED = 3.0, 4.0  # how much more total variation counts where it is flat
_NOTHING = np.float32(1e-30)  # less than any concentration or slope that counts
_NEIGHBOURS = ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1]), (np.s_[..., 1:], np.s_[..., :-1]))


@dataclass(frozen=True, eq=False)
class EdgeWeights:
    """What total variation is multiplied by.

    Attributes:
        local: (element, z, y, x) float32 in (0, 1].
        strength: (element,), >= 1.
    """

    local: Array
    strength: np.ndarray


def edge_weights(volume: Array, contrast: ZContrast, comm: Comm = SERIAL) -> EdgeWeights:
    """From the edges of a volume (element, z, y, x): an element's own, or those of all elements that HAADF sees.

    HAADF hardly sees an element whose atoms are less than half as bright as the mean atom about them (oxygen in a
    metal's oxide, carbon in a carbide); chemistry alone tells its edges, badly, but they mostly lie where others have
    some. They are taken from the sum of the elements that HAADF sees.
    """
    seen = brightness(volume, contrast, comm) >= _SEEN
    xp, softness = array_module(volume), np.float32(_SOFTNESS)
    guide, local = _steepness(_summed(volume, seen), comm), xp.empty_like(volume)
    for channel, own, out in zip(volume, seen, local, strict=True):
        steepness = _steepness(channel, comm) if own else guide
        xp.divide(softness, steepness + softness, out=out)
    return EdgeWeights(local, np.where(seen, _OWN, _GUIDED))


def brightness(volume: Array, contrast: ZContrast, comm: Comm = SERIAL) -> np.ndarray:
    """HAADF brightness of an element's atoms over that of the mean atom where they are, (element,).

    With b = zeta^gamma an element has ``sum_v b_i x_i / sum_v x_i (sum_j b_j x_j / sum_j x_j)``. The mean over all
    atoms is 1, so that an element has 1 at least unless the volume is empty.
    """
    xp, bright = array_module(volume), contrast.zeta**contrast.gamma
    mean, amount = xp.zeros_like(volume[0]), xp.zeros_like(volume[0])
    for channel, b in zip(volume, bright.astype(np.float32), strict=True):
        mean += b * channel
        amount += channel
    mean /= xp.maximum(amount, _NOTHING)
    about = np.array([dot(channel, mean, comm) for channel in volume])
    found: np.ndarray = bright * totals(volume, comm) / np.maximum(about, float(_NOTHING))
    return found


def _summed(volume: Array, chosen: np.ndarray) -> Array:
    total = array_module(volume).zeros_like(volume[0])
    for channel, included in zip(volume, chosen, strict=True):
        if included:
            total += channel
    return total


def _steepness(channel: Array, comm: Comm) -> Array:
    """|grad x| of (z, y, x) over its mean weighted by itself, ``sum |grad x|^2 / sum |grad x|``: 1 at a usual edge."""
    length = slope(channel, comm)
    scale = dot(length, length, comm) / max(float(totals(length[None], comm)[0]), float(_NOTHING))
    length *= np.float32(1 / max(scale, float(_NOTHING)))
    return length


def slope(channel: Array, comm: Comm = SERIAL) -> Array:
    """|grad x| of (z, y, x), by the forward differences of total variation: zero at the last plane of an axis."""
    xp = array_module(channel)
    squares = xp.zeros_like(channel)
    _, right = comm.neighbours(xp.ascontiguousarray(channel[..., 0]), None)
    for ahead, here in _NEIGHBOURS:
        difference = channel[ahead] - channel[here]
        difference *= difference
        squares[here] += difference
    if right is not None:
        difference = right - channel[..., -1]
        squares[..., -1] += difference * difference
    return xp.sqrt(squares, out=squares)
