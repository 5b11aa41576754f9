"""How do bodies become a chemical volume? Materials displace one another and stoichiometry gives elements."""

import numpy as np

from fusedtomo.volume import ChemicalVolume
from phantoms.materials import STOICHIOMETRY
from phantoms.shapes import Grid, Window, occupancy
from phantoms.specimen import Body

# Below this size bodies are painted finer and averaged: a ramp wider than a particle overstates its volume.
_MIN_PAINTED_SIZE = 128
_VOXELS_PER_SLAB = 2**22  # bounds the working memory, a slab of planes at a time, whatever the size


def paint(bodies: list[Body], elements: tuple[str, ...], size: int, field_of_view_nm: float) -> ChemicalVolume:
    """Return the volume (element, size, size, size) that bodies make on a grid of edge `field_of_view_nm`.

    Later bodies displace earlier ones, so no voxel holds more than 1 in total. Elements follow from the
    materials' fractions alone, so stoichiometry is exact in every voxel, at surfaces too.
    """
    finer = -(-_MIN_PAINTED_SIZE // size)
    n, voxel_nm = size * finer, field_of_view_nm / (size * finer)
    centres = ((np.arange(n) - (n - 1) / 2) * voxel_nm).astype(np.float32)
    planes = finer * max(1, _VOXELS_PER_SLAB // (n * n * finer))
    data = np.empty((len(elements), size, size, size), np.float32)
    for start in range(0, n, planes):
        fractions = _fractions(bodies, (centres[start : start + planes], centres, centres), voxel_nm)
        _write_elements(fractions, elements, finer, data[:, start // finer : (start + planes) // finer])
    return ChemicalVolume(data, elements, field_of_view_nm / size)


def _fractions(bodies: list[Body], grid: Grid, voxel_nm: float) -> dict[str, np.ndarray]:
    """Volume fraction (z, y, x) of each material on one slab."""
    materials = sorted({body.material for body in bodies if body.material is not None})
    fractions = {name: np.zeros([len(axis) for axis in grid], np.float32) for name in materials}
    for body in bodies:
        window, new = occupancy(body.shape, grid, voxel_nm)
        if new.size:
            _displace(fractions, body.material, window, new)
    return fractions


def _displace(fractions: dict[str, np.ndarray], material: str | None, window: Window, new: np.ndarray) -> None:
    """Let `new` of a material take its share of a window: what was there keeps 1 - new."""
    rest = 1 - new
    for fraction in fractions.values():
        fraction[window] *= rest
    if material is not None:
        fractions[material][window] += new


def _write_elements(fractions: dict[str, np.ndarray], elements: tuple[str, ...], finer: int, out: np.ndarray) -> None:
    """Average over finer^3 voxels and write concentration = sum of fraction * stoichiometry to `out`."""
    out[...] = 0
    for material, fraction in fractions.items():
        share = _binned(fraction, finer)
        for symbol, part in STOICHIOMETRY[material].items():
            out[elements.index(symbol)] += np.float32(part) * share


def _binned(fraction: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of factor^3 voxels of (z, y, x)."""
    if factor == 1:
        return fraction
    z, y, x = (n // factor for n in fraction.shape)
    binned: np.ndarray = fraction.reshape(z, factor, y, factor, x, factor).mean(axis=(1, 3, 5))
    return binned
