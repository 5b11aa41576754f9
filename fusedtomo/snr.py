"""How strong are chemical maps over their noise? As they were simulated; of measured data, as the counts tell.

Counts of a map are Poisson, so that their SNR is 1 + m with m the mean count (docs/conventions.md). HAADF images have
an unknown scale: their noise would have to be found in the images, where edges of a specimen look like noise.
"""

from fusedtomo.tilts import FusedDataset, TiltSeries


def snr_of_map(series: TiltSeries) -> float:
    """The SNR that the series (tilt, y, x) of an element has reached where it is known, else the estimate."""
    return 1 + float(series.counts.mean(dtype="float64")) if series.snr is None else series.snr


def snr_of_maps(dataset: FusedDataset) -> tuple[float, bool]:
    """The mean SNR of the maps, and whether any of them is an estimate."""
    values = [snr_of_map(series) for series in dataset.chemical]
    return sum(values) / len(values), any(series.snr is None for series in dataset.chemical)
