"""Which specimen does a campaign simulate: a phantom that is drawn, or the volume of a user's file?

A phantom is drawn at any size. A volume has the size of its file, or that over a whole number.
"""

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from fusedtomo.errors import InputError, nearest
from fusedtomo.settings import Settings
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import FAMILIES, make_phantom
from phantoms.spec import PhantomSpec, phantom_rng

LEAST, MOST = 16, 1024  # voxels along each edge, as of a phantom
_OF_PHANTOMS = ("name", "seed", "field_of_view_nm")


class VolumeSpec(Settings):
    """The volume of a file as the truth; what the file holds stands beside its name once it was read.

    A run folder keeps the file's absolute path, so that it works from any folder, and a hash of the content, so that
    no run goes on with another volume. The path itself alters no result.
    """

    volume: str = Field(min_length=1, description="volume or reconstruction file; relative to the campaign file")
    size: int | None = Field(
        None, ge=LEAST, le=MOST, description="voxels along each edge; default: the file's, half of it for a fine grid"
    )
    content: str = Field("", pattern="^([0-9a-f]{16})?$", description="hash of what the file holds; found by itself")
    elements: tuple[str, ...] = Field((), description="element symbols; found by themselves")
    voxels: int = Field(0, ge=0, description="the file's own voxels along each edge; found by themselves")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_drawn(cls, content: Any) -> Any:
        for name in _OF_PHANTOMS:
            if isinstance(content, Mapping) and name in content:
                raise ValueError(f"'{name}' is of phantoms that are drawn; a volume has none, so leave it out")
        return content

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(self.volume).name

    def found(self, folder: Path) -> Self:
        """With its absolute path and what the file holds; InputError where the file has changed since it was read."""
        path = Path(os.path.abspath(folder / self.volume))
        _read.cache_clear()
        volume, content = _read(path)
        if self.content not in ("", content):
            raise InputError(_changed(path))
        facts = {"content": content, "elements": volume.elements, "voxels": volume.shape[0]}
        return self.model_copy(update={"volume": str(path), **facts})

    def sizes(self, bins: int = 1) -> list[int]:
        """The sizes that the file has or can be binned to, where the simulation's grid is so many times as fine."""
        return [n for n in range(LEAST, self.voxels // bins + 1) if self.voxels % (n * bins) == 0]


def _kind(given: Any) -> str:
    has_volume = "volume" in given if isinstance(given, Mapping) else isinstance(given, VolumeSpec)
    return "from a file" if has_volume else "drawn"


Specimen = Annotated[
    Annotated[PhantomSpec, Tag("drawn")] | Annotated[VolumeSpec, Tag("from a file")], Discriminator(_kind)
]


def elements_of(specimen: PhantomSpec | VolumeSpec) -> tuple[str, ...]:
    """Its elements, in the order of the volume's channels; InputError where there is no such phantom."""
    return specimen.elements if isinstance(specimen, VolumeSpec) else FAMILIES[specimen.name].elements


def checked_elements(specimen: PhantomSpec | VolumeSpec) -> tuple[str, ...]:
    """The same; InputError for what makes no phantom, such as a field of view that is too small."""
    if isinstance(specimen, PhantomSpec):
        if specimen.name not in FAMILIES:
            hint = nearest(specimen.name, FAMILIES)
            raise InputError(f"'phantom.name' = '{specimen.name}': there is no such phantom; {hint}")
        made(specimen.model_copy(update={"size": LEAST}))
    return elements_of(specimen)


def made(specimen: PhantomSpec | VolumeSpec, bins: int = 1) -> ChemicalVolume:
    """The ground truth (element, z, y, x) on a grid `bins` times as fine as the reconstruction's.

    Raises:
        InputError: the file is missing, has changed, or has no such size.
    """
    if isinstance(specimen, VolumeSpec):
        return _from_file(specimen, (specimen.size or 0) * bins)
    fine = PhantomSpec(**{**specimen.model_dump(), "size": specimen.size * bins})
    return make_phantom(fine, phantom_rng(fine))


def at_least(specimen: PhantomSpec | VolumeSpec, size: int, bins: int = 1) -> PhantomSpec | VolumeSpec:
    """The specimen at a size, or at the next larger one that its file has."""
    if isinstance(specimen, VolumeSpec):
        size = next((n for n in specimen.sizes(bins) if n >= size), specimen.size or size)
    return specimen.model_copy(update={"size": size})


def check_size(specimen: PhantomSpec | VolumeSpec, bins: int) -> None:
    """Refuse the size of a volume that binning by a whole number does not give."""
    if isinstance(specimen, VolumeSpec) and specimen.size not in specimen.sizes(bins):
        has = f"{specimen.name} has {specimen.voxels} voxels along its longest edge"
        grid = "for the fine grid, which is simulated at twice the size, " if bins > 1 else ""
        fit = ", ".join(map(str, specimen.sizes(bins))) or f"none from {LEAST} to {MOST}"
        raise InputError(f"'phantom.size' = {specimen.size}: {has}; {grid}these sizes fit: {fit}")


def held_gb(specimen: PhantomSpec | VolumeSpec) -> float:
    """Memory of the file's volume, which a worker keeps."""
    return 4 * len(specimen.elements) * specimen.voxels**3 / 1e9 if isinstance(specimen, VolumeSpec) else 0.0


def _from_file(specimen: VolumeSpec, size: int) -> ChemicalVolume:
    volume, content = _read(Path(specimen.volume))
    if content != specimen.content:
        raise InputError(_changed(specimen.volume))
    bins = volume.shape[0] // size
    return volume if bins == 1 else volume.binned(bins)


def _changed(path: str | Path) -> str:
    return f"{path}: holds another volume than when the campaign was read; give the earlier file, or another --out"


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[ChemicalVolume, str]:
    """The volume of a file, with vacuum around it up to a cube, and a hash of what the file holds.

    A worker reads the file once: what it simulates cannot change under it.
    """
    from fusedtomo.io import read_volume  # HDF5 takes its time, and few campaigns have a file

    volume = read_volume(path)
    lowest = float(volume.data.min())
    if lowest < 0:
        raise InputError(f"{path}: concentrations down to {lowest:g} are no truth; raise those voxels to 0 first")
    if not volume.data.any():
        raise InputError(f"{path}: the volume is empty; give one with a specimen in it")
    digest = hashlib.sha256(f"{volume.elements} {volume.voxel_nm!r} {volume.shape}".encode())
    digest.update(np.ascontiguousarray(volume.data).data)
    return _cube(volume), digest.hexdigest()[:16]


def _cube(volume: ChemicalVolume) -> ChemicalVolume:
    edge = max(volume.shape)
    if volume.shape == (edge, edge, edge):
        return volume
    before = [(edge - n) // 2 for n in volume.shape]
    room = [(low, edge - n - low) for low, n in zip(before, volume.shape, strict=True)]
    return ChemicalVolume(np.pad(volume.data, [(0, 0), *room]), volume.elements, volume.voxel_nm)
