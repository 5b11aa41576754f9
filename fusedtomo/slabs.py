"""What do some columns of a data set take over from the whole, so that weights mean the same in both?

With one tilt axis along x, columns across it share nothing but total variation and a few totals. The totals are those
of the whole, because the weights are relative to them (docs/solver.md).
"""

from dataclasses import replace

import numpy as np

from fusedtomo.losses import mean_counts, noise_variance
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.tilts import FusedDataset, TiltSeries

_MOST_VALUES = 2**19  # of a volume of all elements that is solved often
_LEAST_COLUMNS = 12


def cut(dataset: FusedDataset, columns: np.ndarray | slice) -> FusedDataset:
    """The data of some columns."""

    def of(series: TiltSeries) -> TiltSeries:
        return replace(series, counts=np.ascontiguousarray(series.counts[..., columns]))

    return replace(dataset, haadf=of(dataset.haadf), chemical=tuple(of(series) for series in dataset.chemical))


def in_units_of(
    whole: FusedDataset, slab: FusedDataset, weights: Weights, settings: SolverSettings
) -> tuple[Weights, SolverSettings]:
    """Weights and settings that weigh a slab's terms as those given weigh them in the whole.

    TV is weighed by the mean counts of an element, HAADF by the noise of its images (docs/solver.md). A slab through
    the middle has more counts than the whole.
    """
    ratios = np.sqrt(mean_counts(slab.chemical_counts) / mean_counts(whole.chemical_counts))
    factors = zip(whole.elements, ratios, strict=True)
    tv = {element: settings.tv_by_element.get(element, 1.0) * float(ratio) for element, ratio in factors}
    haadf = weights.haadf * _noise(slab.haadf) / _noise(whole.haadf)
    return weights.model_copy(update={"haadf": haadf}), settings.model_copy(update={"tv_by_element": tv})


def _noise(haadf: TiltSeries) -> float:
    """The variance that the HAADF term is weighed by."""
    return noise_variance(haadf.counts - np.float32(haadf.background))


def middle_columns(dataset: FusedDataset, settings: SolverSettings | None = None) -> tuple[int, int]:
    """The middle columns of x, from and to: as many as are solved quickly, for what takes many reconstructions."""
    width, length = dataset.haadf.counts.shape[1:]
    depth = (settings.depth if settings else None) or width
    n = min(length, max(_LEAST_COLUMNS, _MOST_VALUES // (len(dataset.elements) * depth * width)))
    return (length - n) // 2, (length - n) // 2 + n
