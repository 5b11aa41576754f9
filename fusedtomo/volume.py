"""A chemical volume: one concentration per element and voxel; ground truths and reconstructions alike."""

from dataclasses import dataclass

import numpy as np

from fusedtomo.elements import atomic_number
from fusedtomo.errors import InputError


@dataclass(frozen=True, eq=False)
class ChemicalVolume:
    """Concentrations of several elements on one voxel grid.

    Attributes:
        data: (element, z, y, x) float32, C order, >= 0. x is the tilt axis, z the beam at 0 degrees.
            1 is a voxel filled with the pure element; CoO holds 0.5 Co and 0.5 O (paper, Methods).
        elements: element symbols, one for each entry of the first axis; "HAADF" alone for brightness of any unit.
        voxel_nm: edge of a voxel in nanometres.
    """

    data: np.ndarray
    elements: tuple[str, ...]
    voxel_nm: float

    def __post_init__(self) -> None:
        if self.data.ndim != 4:
            raise InputError(f"a chemical volume is (element, z, y, x), but this array has shape {self.data.shape}")
        if len(self.elements) != len(self.data):
            raise InputError(
                f"volume holds {len(self.data)} channels but {len(self.elements)} elements "
                f"({', '.join(self.elements)}) are named; name each channel once"
            )
        if len(set(self.elements)) != len(self.elements):
            raise InputError(f"element named twice among {', '.join(self.elements)}; name each once")
        if not self.voxel_nm > 0:
            raise InputError(f"voxel_nm is {self.voxel_nm}; give the voxel's edge in nanometres, above 0")

    def __repr__(self) -> str:
        size = " × ".join(map(str, self.shape))
        return f"ChemicalVolume({', '.join(self.elements)}; {size} voxels (z, y, x) of {self.voxel_nm:.4g} nm)"

    def _repr_html_(self) -> str:
        """What a notebook shows: a thumbnail of slices."""
        from fusedtomo.thumbnail import html_of

        return html_of(repr(self), self.data, self.elements)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x)."""
        return self.data.shape[1:]

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """Z of every element."""
        return tuple(atomic_number(symbol) for symbol in self.elements)

    def __getitem__(self, element: str) -> np.ndarray:
        """Concentration (z, y, x) of one element."""
        if element not in self.elements:
            raise InputError(f"volume holds no '{element}'; it has {', '.join(self.elements)}")
        channel: np.ndarray = self.data[self.elements.index(element)]
        return channel

    def only(self, elements: tuple[str, ...]) -> "ChemicalVolume":
        """The volume of some of its elements, in their order."""
        if elements == self.elements:
            return self
        return ChemicalVolume(self.data[[self.elements.index(e) for e in elements]], elements, self.voxel_nm)

    def binned(self, factor: int) -> "ChemicalVolume":
        """Average blocks of factor^3 voxels."""
        if any(n % factor for n in self.shape):
            raise InputError(f"volume {self.shape} cannot be binned by {factor}: give sizes that are multiples of it")
        e, (z, y, x) = len(self.elements), (n // factor for n in self.shape)
        blocks = self.data.reshape(e, z, factor, y, factor, x, factor)
        data = blocks.mean(axis=(2, 4, 6), dtype=np.float64).astype(np.float32)
        return ChemicalVolume(data, self.elements, self.voxel_nm * factor)
