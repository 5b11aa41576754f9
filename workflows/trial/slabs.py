"""Which columns does a cheap trial compute, which of them does it score, and what do they take over from the whole?

With one tilt axis along x, columns across it share nothing but total variation and a few totals. A slab is cut out of
the simulated data of the whole, so that pixels, noise and rays stay the same. Total variation ends at the cuts: a
margin on each side is computed and not scored. The totals are those of the whole (`in_units_of`), because the weights
are relative to them (docs/solver.md).
"""

from dataclasses import dataclass, replace

import numpy as np

from fusedtomo.losses import mean_counts, noise_variance
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.tilts import FusedDataset, TiltSeries
from workflows.campaign.fidelity import Fidelity

_PLAIN = Fidelity(slab=1, margin=0)  # of strategies that ask for a share and say no more


@dataclass(frozen=True)
class Columns:
    """Columns along x of a trial.

    Attributes:
        computed: their places in the whole, rising.
        scored: (computed,) bool.
    """

    computed: np.ndarray
    scored: np.ndarray


def columns_of(width: int, share: float, layout: Fidelity | None = None) -> Columns:
    """The columns of a trial that computes a share of a volume: at least one, evenly spread where there are slabs."""
    layout = layout or _PLAIN
    n = max(1, round(share * width))
    blocks = min(layout.slabs, n)
    sizes = [n // blocks + (block < n % blocks) for block in range(blocks)]
    starts = [int((block + 0.5) * width / blocks - size / 2) for block, size in enumerate(sizes)]
    places = [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return Columns(np.concatenate(places), np.concatenate([_inner(each, layout.margin) for each in places]))


def _inner(places: np.ndarray, margin: int) -> np.ndarray:
    """The columns of a slab without its margins, (places,) bool; at least one."""
    margin = min(margin, (len(places) - 1) // 2)
    inner = np.zeros(len(places), bool)
    inner[margin : len(places) - margin] = True
    return inner


def cut(dataset: FusedDataset, columns: np.ndarray) -> FusedDataset:
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
