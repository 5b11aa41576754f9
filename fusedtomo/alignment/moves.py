"""Moves: what is done to images that are shifted and turned, and to the counts in them?"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from fusedtomo.tilts import FusedDataset, TiltSeries


@dataclass(frozen=True, eq=False)
class Moves:
    """Where aligned images are taken from: aligned(p) = recorded(R(axis) p + shift), p from the centre.

    Attributes:
        shifts_px: (tilt, 2) float64, along y and x of the recorded images.
        axis_deg: rotation of the tilt axis in the images, from x towards y.
        angles_deg: of every image.
    """

    shifts_px: np.ndarray
    axis_deg: float
    angles_deg: tuple[float, ...]

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        shifts = self.shifts_px.tolist()
        return {"axis_deg": self.axis_deg, "angles_deg": list(self.angles_deg), "shifts_yx_px": shifts}

    @property
    def rotation(self) -> np.ndarray:
        """(2, 2), for coordinates (y, x)."""
        angle = np.deg2rad(self.axis_deg)
        return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    def moved(self, images: np.ndarray, order: int = 1) -> np.ndarray:
        """The images (tilt, y, x), aligned; order 0 takes the nearest pixel and mixes no counts."""
        return np.stack([self._moved(image, shift, order) for image, shift in zip(images, self.shifts_px, strict=True)])

    def _moved(self, image: np.ndarray, shift: np.ndarray, order: int) -> np.ndarray:
        centre = (np.array(image.shape) - 1) / 2
        offset = centre + shift - self.rotation @ centre
        moved: np.ndarray = ndimage.affine_transform(image, self.rotation, offset, order=order, mode="nearest")
        return moved

    def onwards(self, further_px: np.ndarray) -> "Moves":
        """As before, and then every aligned image moved by so much (tilt, 2), along its own y and x."""
        return replace(self, shifts_px=self.shifts_px - further_px @ self.rotation.T)

    def observable(self) -> "Moves":
        """Without what only moves the whole specimen: then the volume moves, and no image shows it."""
        angles = np.deg2rad(self.angles_deg)
        along = self.shifts_px @ self.rotation  # of the aligned frame: y across the axis, x along it
        unseen = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        along[:, 0] -= unseen @ np.linalg.lstsq(unseen, along[:, 0], rcond=None)[0]
        along[:, 1] -= along[:, 1].mean()
        return replace(self, shifts_px=along @ self.rotation.T)

    def turned(self, axis_deg: float) -> "Moves":
        """The same shifts of the recorded images, about another axis."""
        return replace(self, axis_deg=axis_deg)

    def scaled(self, factor: float) -> "Moves":
        """For images with so many times as many pixels along an edge."""
        return replace(self, shifts_px=self.shifts_px * factor)

    def at(self, angles_deg: tuple[float, ...]) -> "Moves":
        """For other tilts of the same recording: each moves like the tilt next to it."""
        nearest = [int(np.argmin(np.abs(np.subtract(self.angles_deg, angle)))) for angle in angles_deg]
        return Moves(self.shifts_px[nearest], self.axis_deg, angles_deg)


def aligned(dataset: FusedDataset, moves: Moves) -> FusedDataset:
    """The data set with all images moved: HAADF interpolated, counts of the maps taken from the nearest pixel.

    So no counts are mixed, and those of a map stay Poisson counts; they lie up to half a pixel beside HAADF.
    """
    haadf = replace(dataset.haadf, counts=moves.moved(dataset.haadf.counts, order=3))  # linear would blur edges
    of_maps = moves.at(dataset.chemical_scheme.angles_deg)
    return replace(dataset, haadf=haadf, chemical=tuple(_nearest(series, of_maps) for series in dataset.chemical))


def _nearest(series: TiltSeries, moves: Moves) -> TiltSeries:
    return replace(series, counts=moves.moved(series.counts, order=0))
