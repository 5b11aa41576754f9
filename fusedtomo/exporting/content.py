"""What other programs are given: which arrays, on which axes, of which calibration?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume


@dataclass(frozen=True, eq=False)
class Content:
    """Arrays on one grid: the elements of a volume, the HAADF series, or the chemical series.

    Attributes:
        part: "" for a volume; "haadf" or "chemical", which becomes a part of the file's name.
        arrays: by element symbol or "HAADF", float32; (x, y, z) of a volume, (angle, y, x) of a series, as the field's
            programs have them. x is the tilt axis.
        edge_nm: of a voxel or pixel.
        angles_deg: of every image of a series; None for a volume.
    """

    part: str
    arrays: Mapping[str, np.ndarray]
    edge_nm: float
    angles_deg: tuple[float, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each array."""
        return next(iter(self.arrays.values())).shape


def contents_of(source: ChemicalVolume | FusedDataset) -> tuple[Content, ...]:
    """A volume as one content, a data set as two: its modalities have angles of their own."""
    if isinstance(source, ChemicalVolume):
        channels = zip(source.elements, source.data, strict=True)
        return (Content("", {name: channel.transpose() for name, channel in channels}, source.voxel_nm),)
    haadf, scheme = source.haadf, source.chemical_scheme
    maps = {series.name: series.counts for series in source.chemical}
    return (
        Content("haadf", {haadf.name: haadf.counts}, source.pixel_nm, haadf.scheme.angles_deg),
        Content("chemical", maps, source.pixel_nm, scheme.angles_deg),
    )
