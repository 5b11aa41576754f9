"""The recipe: what does a laboratory have to say about its files before they can be imported?"""

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fusedtomo.elements import atomic_number
from fusedtomo.errors import nearest
from fusedtomo.importing.formats import ANGLE
from fusedtomo.settings import Settings, TiltDegrees
from fusedtomo.toml import read_toml, validated


def _inside(name: str) -> str:
    """Refuse a name that could leave the data folder, on any operating system."""
    path = PureWindowsPath(name)  # knows both kinds of slash, and drives
    if not name or path.anchor or ".." in path.parts or "\0" in name:
        raise ValueError(f"'{name}' must be a name inside the data folder: not absolute, no '..'")
    return name


def _symbol(symbol: str) -> str:
    atomic_number(symbol)
    return symbol


FileName = Annotated[str, AfterValidator(_inside)]
Symbol = Annotated[str, AfterValidator(_symbol)]
Level = Annotated[float, Field(ge=0)] | Literal["auto"]
Gain = Annotated[float, Field(gt=0)] | Literal["auto"]
Amount = float | Literal["auto"]
Angles = str | tuple[TiltDegrees, ...]


class PixelSize(Settings):
    """A pixel size kept in the file."""

    dataset: str = Field(description="name of the pixel size in the file: one number, or one equal number a tilt")
    nm_per_unit: float = Field(gt=0, description="nanometres in one of its units, for example 1000 for micrometres")


class Shifts(Settings):
    """Whole-pixel shifts that align the tilts, from a JSON list with one pair a tilt of a regular scheme."""

    file: FileName = Field(description="JSON file inside the data folder")
    first_angle_deg: TiltDegrees = Field(description="tilt angle of the first pair")
    step_deg: float = Field(gt=0, le=90, description="degrees between pairs")
    order: Literal["xy", "yx"] = Field("xy", description="which of a pair's numbers moves along x (columns)")


class Processing(Settings):
    """What `fusedtomo process` does with the data set; nothing has to be said."""

    bin: int = Field(1, ge=1, le=64, description="pixels along an edge that become one, counts summed")
    align: bool = Field(False, description="find shifts and tilt axis on HAADF first (fusedtomo align)")
    methods: tuple[str, ...] = Field(
        ("fused", "poisson", "poisson-tv"), min_length=1, description="what is reconstructed; the first is the result"
    )
    depth: int | None = Field(None, ge=1, le=8192, description="voxels along the beam; default: as many as across")
    gamma: float | None = Field(None, ge=1.0, le=2.0, description="HAADF exponent; default: 1.7")
    iterations: int = Field(100, ge=1, le=1_000_000, description="cap on outer iterations of every reconstruction")
    tolerance: float = Field(1e-3, ge=0, description="stop when the volume moves by less than this fraction")
    folds: int = Field(5, ge=2, le=20, description="parts of counts and tilts of which each is held out once")
    solves: int = Field(25, ge=1, le=1000, description="reconstructions of a part that finding weights may take")
    seed: int = Field(0, ge=0, description="of the thinning of counts")
    exports: tuple[str, ...] = Field(
        ("tomviz",), description="formats that the result is written in (fusedtomo export)"
    )


class ImportRecipe(Settings):
    """Where a measured HAADF and chemical tilt series are kept, and how they become a data set."""

    file: FileName = Field(
        description="file inside the data folder (fusedtomo.importing.formats); {angle} in it: one file a tilt"
    )
    haadf_file: FileName | None = Field(None, description="file of the HAADF stack; default: `file`")
    haadf: str = Field(description="name of the HAADF stack (tilt, y, x) in the file; of HDF5 the path of the data set")
    elements: dict[Symbol, str] = Field(
        min_length=1, description="name of the stack (tilt, y, x) of raw counts of each element"
    )
    angles_deg: Angles | None = Field(
        None,
        description="name of the tilt angles in degrees, or of a .rawtlt, .tlt, .txt or .mdoc file, or the angles "
        "themselves; default: those in the names of the files",
    )
    chemical_angles_deg: Angles | None = Field(
        None, description="the same for the chemical stacks; default: in their files' names, else as HAADF's"
    )
    pixel_nm: Annotated[float, Field(gt=0)] | PixelSize = Field(
        description="edge of a pixel in nanometres, or the data set that holds it"
    )
    tilt_axis: Literal["x", "y"] = Field(description="image axis parallel to the tilt axis: x (columns) or y (rows)")
    reverse_tilt: bool = Field(False, description="negate the angles, which mirrors the volume in z")
    shifts: Shifts | None = Field(None, description="alignment shifts; default: the stacks are aligned already")
    crop_px: int = Field(0, ge=0, description="pixels to cut from every edge after shifting")
    exclude_angles_deg: tuple[TiltDegrees, ...] = Field((), description="tilts to leave out")
    haadf_saturation: float | None = Field(
        None, gt=0, description="HAADF value at which the detector saturates; higher ones are clipped to it"
    )
    haadf_background: Level = Field("auto", description="HAADF level of vacuum; auto: measured where it is dark")
    chemical_background: Level | dict[Symbol, Level] = Field(
        "auto",
        description="counts per pixel without specimen, for all or by element; auto: the mean in vacuum",
    )
    chemical_gain: Gain | dict[Symbol, Gain] = Field(
        "auto",
        description="counts per unit of concentration and voxel, for all or by element; auto: from thickness",
    )
    thickness_nm: float | None = Field(None, gt=0, description="specimen thickness at 0 degrees, for automatic gains")

    process: Processing = Field(Processing(), description="what `fusedtomo process` does with the data set")

    @model_validator(mode="after")
    def _angles_are_somewhere(self) -> Self:
        if self.angles_deg is None and ANGLE not in (self.haadf_file or self.file):
            raise ValueError(f"angles_deg is missing; give it, or {ANGLE} in the name of the file, one file a tilt")
        return self

    @model_validator(mode="after")
    def _numbers_fit_the_elements(self) -> Self:
        for field in ("chemical_background", "chemical_gain"):
            value = getattr(self, field)
            for symbol in value if isinstance(value, Mapping) else ():
                if symbol not in self.elements:
                    raise ValueError(f"{field} names '{symbol}'; {nearest(symbol, self.elements)}")
        if self.thickness_nm is None and "auto" in [self.gain_of(e) for e in self.elements]:
            raise ValueError("chemical_gain 'auto' needs thickness_nm; add it, or give every element's gain")
        return self

    def background_of(self, element: str) -> Amount:
        """Counts per pixel without specimen of one element."""
        return _entry(self.chemical_background, element)

    def gain_of(self, element: str) -> Amount:
        """Counts per unit of concentration and voxel of one element."""
        return _entry(self.chemical_gain, element)


def _entry(value: Amount | Mapping[str, Amount], element: str) -> Amount:
    """The value of one element; "auto" for those that a table leaves out."""
    return value.get(element, "auto") if isinstance(value, Mapping) else value


def read_recipe(path: str | Path) -> ImportRecipe:
    """Return the recipe in a TOML file, or raise one InputError naming file, key, value and cure."""
    return validated(ImportRecipe, read_toml(path), path)
