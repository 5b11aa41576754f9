"""Settings of a simulated acquisition and of a solver: validated once, at the door."""

from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fusedtomo.tilts import TiltScheme


class Settings(BaseModel):
    """Base of every settings value: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __hash__(self) -> int:
        """Of the content, tables included: what a worker keeps is found by the settings that it was made with."""
        return hash((type(self), self.model_dump_json()))


MOST_TILTS = 1000
MOST_COUNTS = 1e9  # a pixel; float32 tells counts one by one up to 1.7e7, and Poisson numbers end at 9e18
Snr = Annotated[float, Field(le=MOST_COUNTS)]  # the lower bound has a message of its own
Dose = Annotated[float, Field(gt=0, le=MOST_COUNTS)]
TotalDose = Annotated[float, Field(gt=0, le=MOST_COUNTS * MOST_TILTS)]
TiltDegrees = Annotated[float, Field(ge=-90, le=90)]


class TiltRange(Settings):
    """Tilt angles of one modality: evenly spaced by count or increment, or listed one by one."""

    min_deg: TiltDegrees = Field(-70.0, description="first tilt angle in degrees")
    max_deg: TiltDegrees = Field(70.0, description="last tilt angle in degrees")
    count: int | None = Field(
        None, ge=2, le=MOST_TILTS, description="number of evenly spaced tilts, both ends included"
    )
    increment_deg: float | None = Field(None, gt=0, le=90, description="tilt increment in degrees")
    angles_deg: tuple[TiltDegrees, ...] | None = Field(
        None, min_length=2, max_length=MOST_TILTS, description="irregular angles, one by one"
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        given = [key for key in ("count", "increment_deg", "angles_deg") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of count, increment_deg and angles_deg, not {len(given)} of them")
        if self.min_deg >= self.max_deg:
            raise ValueError(f"min_deg {self.min_deg:g} is not below max_deg {self.max_deg:g}")
        least = (self.max_deg - self.min_deg) / MOST_TILTS
        if self.increment_deg is not None and self.increment_deg < least:
            raise ValueError(
                f"increment_deg {self.increment_deg:g} makes more than {MOST_TILTS} tilts; give a larger one"
            )
        return self

    def scheme(self) -> TiltScheme:
        """The angles themselves."""
        if self.angles_deg is not None:
            return TiltScheme(self.angles_deg)
        if self.count is not None:
            return TiltScheme.from_count(self.min_deg, self.max_deg, self.count)
        return TiltScheme.from_increment(self.min_deg, self.max_deg, cast(float, self.increment_deg))


class Modality(Settings):
    """Tilts and noise of one modality; the noise is set by an SNR, or by the dose of each image or of all."""

    tilts: TiltRange = Field(description="the tilt angles")
    snr: Snr | dict[str, Snr] | None = Field(
        None, description="signal-to-noise ratio above 1 (docs/conventions.md), one for all or one per element"
    )
    dose_counts: Dose | None = Field(
        None, description="mean expected counts per pixel of each image, background included"
    )
    total_dose_counts: TotalDose | None = Field(
        None, description="the same summed over all images of the series, which share it evenly"
    )

    @model_validator(mode="after")
    def _noise_is_said_once(self) -> Self:
        ways = (self.snr, self.dose_counts, self.total_dose_counts)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("give one of snr, dose_counts and total_dose_counts")
        for snr in self.snr.values() if isinstance(self.snr, dict) else [self.snr or 2.0]:
            if not snr > 1:
                raise ValueError(f"snr {snr:g} is not above 1, the SNR of a Poisson image with no counts at all")
        return self

    @property
    def total_counts(self) -> float:
        """Mean expected counts per pixel of all images together; of several elements, whose SNR differs, their mean.

        An SNR is 1 + the mean count (docs/conventions.md).
        """
        if self.total_dose_counts:
            return self.total_dose_counts
        counts = self.dose_counts
        if counts is None:
            ratios = list(self.snr.values()) if isinstance(self.snr, dict) else [cast(float, self.snr)]
            counts = sum(ratios) / len(ratios) - 1
        return counts * len(self.tilts.scheme())


class Acquisition(Settings):
    """How a phantom is turned into a data set (paper, Methods, 'Multi-modal simulations')."""

    haadf: Modality = Field(description="HAADF tilts and noise")
    chemical: Modality = Field(description="chemical tilts and noise")
    gamma: float = Field(2.0, ge=1.0, le=2.0, description="HAADF contrast grows as (Z x)^gamma; the paper simulates 2")
    background_fraction: float = Field(0.15, ge=0, lt=1, description="vacuum level over the maximum; the paper's 0.15")
    grid: Literal["same", "fine"] = Field(
        "same", description="simulate on the reconstruction's grid (paper) or on one twice as fine, then bin"
    )
    background_misfit: float = Field(
        0.0, gt=-1, le=100, description="how far the background that the data set states is off: 0.1 says 10 % too much"
    )
    misalignment_px: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="standard deviation of random shifts that every image keeps after alignment, in pixels",
    )
    thickness_damping: float = Field(
        0.0,
        ge=0,
        le=20,
        description="thickest mass-thickness over that where HAADF is brightest: above 1 contrast is inverted there",
    )
    unmapped: tuple[str, ...] = Field(
        (), description="elements of the specimen that HAADF sees but that have no chemical maps"
    )
    seed: int = Field(0, ge=0, description="seed of the Poisson noise and of the shifts")


Factor = Annotated[float, Field(ge=0, le=1e9)]


class Weights(Settings):
    """Weights of the three terms of Eq. 1, in the scaling of docs/solver.md where 1 is natural for each."""

    haadf: Factor = Field(0.1, description="lambda_1, weight of the HAADF term")
    chemical: Factor = Field(1.0, description="lambda_2, weight of the chemical term")
    tv: Factor = Field(1.0, description="lambda_3, weight of total variation")


class SolverSettings(Settings):
    """When a solver stops and what it assumes."""

    gamma: float | None = Field(None, ge=1.0, le=2.0, description="HAADF exponent; default: the data set's, else 1.7")
    eps: float | None = Field(
        None,
        ge=1e-12,
        le=MOST_COUNTS,
        description="counts added inside the logarithm; default: the expected background (fused), 0.1 (Algorithm 1)",
    )
    max_iterations: int = Field(
        100, ge=1, le=1_000_000, description="cap on outer iterations, of each of the three solves of fused-weighted"
    )
    tolerance: float = Field(
        1e-3, ge=0, description="stop when the volume moves by less than this fraction of itself in an iteration"
    )
    tv_iterations: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="inner iterations of the TV prox, warm-started; default: as the fall of the cost asks for "
        "(Algorithm 1: 20)",
    )
    pace: Literal["steady", "fast"] = Field(
        "steady",
        description="fast: the metric is made anew again and again, and the TV prox takes long steps; the same problem "
        "in fewer passes, by another path. Not for sirt and gradient-descent",
    )
    tv: Literal["isotropic", "anisotropic"] = Field("isotropic", description="the length of gradients, or of each part")
    chemical_term: Literal["poisson", "least-squares"] = Field(
        "poisson", description="likelihood of the chemical counts; least-squares suits high counts"
    )
    chemical_by_element: dict[str, Factor] = Field({}, description="factors on the chemical terms of single elements")
    tv_by_element: dict[str, Factor] = Field({}, description="factors on the total variation of single elements")
    mask: Literal["none", "cylinder"] = Field(
        "none", description="keep the volume empty outside the cylinder that every projection sees"
    )
    depth: int | None = Field(
        None, ge=1, le=8192, description="voxels along the beam; default: as many as the detector is wide"
    )
    initial_iterations: int = Field(
        5, ge=0, le=10_000, description="Poisson iterations on the chemical data for the initial volume"
    )
