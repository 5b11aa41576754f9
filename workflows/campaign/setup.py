"""What is a condition simulated from and solved with? A specimen, an acquisition and a solver, which axes change."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from fusedtomo.settings import (
    MOST_TILTS,
    Acquisition,
    Dose,
    Modality,
    Settings,
    Snr,
    SolverSettings,
    TiltDegrees,
    TiltRange,
    TotalDose,
)
from phantoms.spec import PhantomSpec
from workflows.campaign.specimen import VolumeSpec


class SeriesConfig(Settings):
    """Tilts and noise of one modality, as far as no axis of the campaign says them."""

    tilts: int | None = Field(None, ge=2, le=MOST_TILTS, description="number of tilts, evenly spaced")
    min_deg: TiltDegrees | None = Field(None, description="first tilt angle; default: that of the acquisition")
    max_deg: TiltDegrees | None = Field(None, description="last tilt angle; default: that of the acquisition")
    snr: Snr | dict[str, Snr] | None = Field(None, description="signal-to-noise ratio above 1, one or per element")
    dose_counts: Dose | None = Field(None, description="mean expected counts per pixel of each image")
    total_dose_counts: TotalDose | None = Field(None, description="the same of all images of the series together")

    @model_validator(mode="after")
    def _as_a_modality_takes_it(self) -> Self:
        noise = {name: getattr(self, name) for name in ("snr", "dose_counts", "total_dose_counts")}
        if any(value is not None for value in noise.values()):
            refused_plainly(Modality, tilts=TiltRange(count=2), **noise)
        return self


class AcquisitionConfig(Settings):
    """How the conditions of a campaign are acquired, as far as no axis says it."""

    min_deg: TiltDegrees = Field(-70.0, description="first tilt angle")
    max_deg: TiltDegrees = Field(70.0, description="last tilt angle")
    haadf: SeriesConfig = Field(SeriesConfig(), description="HAADF tilts and noise")
    chemical: SeriesConfig = Field(SeriesConfig(), description="chemical tilts and noise")
    gamma: float = Field(2.0, ge=1.0, le=2.0, description="HAADF exponent of the simulation")
    background_fraction: float = Field(0.15, ge=0, lt=1, description="vacuum level over the maximum")
    background_misfit: float = Field(
        0.0, gt=-1, le=100, description="relative error of the background that the data states"
    )
    misalignment_px: float = Field(
        0.0, ge=0, le=1000, description="standard deviation of the shifts that images keep, pixels"
    )
    thickness_damping: float = Field(
        0.0, ge=0, le=20, description="thickest mass-thickness over that where HAADF is brightest; 0: none"
    )
    unmapped: tuple[str, ...] = Field((), description="elements of the specimen without chemical maps")
    grid: Literal["same", "fine"] = Field("same", description="simulation grid")
    seed: int | None = Field(None, ge=0, description="seed of the noise; default: that of the campaign")

    @model_validator(mode="after")
    def _as_a_range_takes_it(self) -> Self:
        refused_plainly(TiltRange, min_deg=self.min_deg, max_deg=self.max_deg, count=2)
        return self

    def complete(self, seed: int) -> Acquisition:
        """The acquisition; ValueError names what neither the file nor an axis gives."""
        own = self.model_dump(exclude={"min_deg", "max_deg", "haadf", "chemical", "seed"})
        modalities = {name: self._modality(name) for name in ("haadf", "chemical")}
        return Acquisition(**modalities, **own, seed=seed if self.seed is None else self.seed)

    def _modality(self, name: str) -> Modality:
        series: SeriesConfig = getattr(self, name)
        try:
            tilts = TiltRange(
                min_deg=self.min_deg if series.min_deg is None else series.min_deg,
                max_deg=self.max_deg if series.max_deg is None else series.max_deg,
                count=series.tilts,
            )
            noise = series.model_dump(include={"snr", "dose_counts", "total_dose_counts"})
            return Modality(tilts=tilts, **noise)
        except ValidationError as error:
            reason = plain(error)
            if series.tilts is None:
                reason = "the number of tilts is given nowhere: add `tilts`, or an axis of it"
            raise ValueError(f"acquisition.{name}: {reason}") from None


@dataclass(frozen=True)
class Setup:
    """What the data of a condition is simulated from, and what its solver assumes."""

    phantom: PhantomSpec | VolumeSpec
    acquisition: AcquisitionConfig
    solver: SolverSettings

    @property
    def size(self) -> int:
        """Voxels along each edge of the reconstruction; 0 of a volume whose file was not read yet."""
        return self.phantom.size or 0

    @property
    def bins(self) -> int:
        """How many times as fine the simulation's grid is."""
        return 2 if self.acquisition.grid == "fine" else 1


def refused_plainly(model: type[Settings], **content: object) -> None:
    """Raise ValueError with the reason alone for what `model` would refuse later, in the first worker."""
    try:
        model(**content)
    except ValidationError as error:
        raise ValueError(plain(error)) from None


def plain(error: ValidationError) -> str:
    """The first reason of a validation error."""
    return error.errors()[0]["msg"].removeprefix("Value error, ")
