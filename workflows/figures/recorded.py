"""What was recorded? HAADF and every map at the tilt nearest to 0 degrees."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN
from fusedtomo.tilts import FusedDataset, TiltSeries

_BRIGHTEST = 0.995  # quantile of an image that is drawn brightest


@dataclass(frozen=True, eq=False)
class RecordedInfo:
    """Images (y, x) by name, and the tilt of each in degrees."""

    images: dict[str, np.ndarray]
    angles_deg: dict[str, float]

    @classmethod
    def of(cls, dataset: FusedDataset) -> "RecordedInfo":
        """Those of a data set at the tilt nearest to 0."""
        series = (dataset.haadf, *dataset.chemical)
        places = {one.name: _nearest(one) for one in series}
        images = {one.name: one.counts[places[one.name]] for one in series}
        return cls(images, {one.name: one.scheme.angles_deg[places[one.name]] for one in series})

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of one row of images."""
        height, width = next(iter(self.images.values())).shape
        return DOUBLE_COLUMN_IN, DOUBLE_COLUMN_IN / len(self.images) * height / width + 0.45

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        parts = [
            f"{name} at {self.angles_deg[name]:g} degrees, mean {one.mean():.3g}" for name, one in self.images.items()
        ]
        return f"Recorded images: {'; '.join(parts)}."


def _nearest(series: TiltSeries) -> int:
    return int(np.argmin(np.abs(series.scheme.angles_deg)))


def draw_recorded(info: RecordedInfo, figure: Figure) -> None:
    """Draw the images side by side, each on its own scale."""
    axes = figure.subplots(1, len(info.images), squeeze=False)[0]
    for ax, (name, image) in zip(axes, info.images.items(), strict=True):
        top = float(np.quantile(image, _BRIGHTEST)) or float(image.max()) or 1.0
        ax.imshow(image, cmap="gray", origin="lower", vmin=float(image.min()), vmax=top, interpolation="none")
        ax.set(xticks=[], yticks=[], title=name)
        ax.set_xlabel(f"mean {image.mean():.3g}")
