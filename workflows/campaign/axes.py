"""Which axes can a campaign have? Each is a value that changes the specimen, the acquisition or the solver.

This module alone knows particular axes; what plans, simulates, searches and draws asks the axis. Add one by
`AXES.register(Axis(...))` (docs/adding.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from fusedtomo.methods import Term
from fusedtomo.registry import Registry
from fusedtomo.settings import MOST_TILTS, Dose, Snr, TotalDose
from fusedtomo.snr import snr_of_map
from fusedtomo.tilts import FusedDataset, TiltSeries
from workflows.campaign.setup import Setup, plain

Value = int | float | str
Apply = Callable[[Setup, Any], Setup]


def _unknown(_dataset: FusedDataset) -> None:
    """Measured data does not tell it."""


@dataclass(frozen=True)
class Axis:
    """One direction in which the conditions of a campaign differ.

    Attributes:
        name: as written in a campaign file and in data sets.
        label, unit: what people read; unit "1" for none.
        key: stands before the value in a condition's key, as "h" in ``fused-h47-c9``.
        type: of a value, as pydantic takes it.
        apply: the setup with the value put in.
        term: of Eq. 1, whose data the value alters alone: methods without it do not see the axis; None: all see it.
        scale: of drawings and of interpolation; values of a "category" have no order.
        phrase: the value in words.
        repeats: a seed, over which results may be averaged.
        measured: the value that a data set has; None where it does not tell.
    """

    name: str
    label: str
    unit: str
    key: str
    type: Any
    apply: Apply
    term: Term | None = None
    scale: Literal["log", "linear", "category"] = "log"
    phrase: str = "{label} {value}"
    repeats: bool = False
    measured: Callable[[FusedDataset], float | None] = _unknown

    def checked(self, values: Any) -> tuple[Value, ...]:
        """The values; ValueError says which one is wrong."""
        if not isinstance(values, list | tuple) or not values:
            raise ValueError(f"{self.name} = {values!r}: give a list of one value or more")
        found = tuple(self._checked(value) for value in values)
        if len(set(found)) < len(found) or (self.scale != "category" and list(found) != sorted(found)):
            raise ValueError(f"{self.name} = {list(values)}: values must rise strictly; sort them, give each once")
        return found

    def _checked(self, value: Any) -> Value:
        try:
            checked: Value = TypeAdapter(self.type).validate_python(value)
        except ValidationError as error:
            raise ValueError(f"{self.name} = {value!r}: {plain(error)}") from None
        return checked

    def said(self, value: Value) -> str:
        """The value in words, such as "47 HAADF tilts"."""
        return self.phrase.format(label=self.label, value=text(value), unit=self.unit)


def text(value: Value) -> str:
    """A value as short text: 47, 2.5, O."""
    return value if isinstance(value, str) else f"{value:g}"


def _series(name: str, field: str, *others: str) -> Apply:
    """Put the value into a field of a modality; `others` are other ways to say the same, which go."""

    def apply(setup: Setup, value: Value) -> Setup:
        series = getattr(setup.acquisition, name).model_copy(update={**dict.fromkeys(others), field: value})
        return _acquisition(**{name: series})(setup)

    return apply


def _range(name: str) -> Apply:
    def apply(setup: Setup, value: float) -> Setup:
        return _series(name, "min_deg")(_series(name, "max_deg")(setup, value), -value)

    return apply


def _acquisition(**changes: object) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, acquisition=setup.acquisition.model_copy(update=changes))


def _of_acquisition(field: str) -> Apply:
    return lambda setup, value: _acquisition(**{field: value})(setup)


def _of_phantom(field: str) -> Apply:
    def apply(setup: Setup, value: Value) -> Setup:
        if field not in type(setup.phantom).model_fields:
            raise ValueError(f"the specimen is the volume of a file, which has no {field}; leave its axis out")
        return replace(setup, phantom=setup.phantom.model_copy(update={field: value}))

    return apply


def _unmapped(setup: Setup, value: str) -> Setup:
    return _acquisition(unmapped=() if value == "none" else (value,))(setup)


def _assumed_gamma(setup: Setup, value: float) -> Setup:
    return replace(setup, solver=setup.solver.model_copy(update={"gamma": value}))


def _of_maps(value_of: Callable[[TiltSeries], float | None]) -> Callable[[FusedDataset], float | None]:
    """The mean over the elements' series; None where one does not tell."""

    def measured(dataset: FusedDataset) -> float | None:
        values = [value for series in dataset.chemical if (value := value_of(series)) is not None]
        return sum(values) / len(values) if len(values) == len(dataset.chemical) else None

    return measured


def _of_haadf(value_of: Callable[[TiltSeries], float | None]) -> Callable[[FusedDataset], float | None]:
    return lambda dataset: value_of(dataset.haadf)


def _n_tilts(series: TiltSeries) -> float:
    return float(len(series.scheme))


def _snr(series: TiltSeries) -> float | None:
    return series.snr


def _dose(series: TiltSeries) -> float:
    return float(series.counts.mean())


def _total_dose(series: TiltSeries) -> float:
    return _dose(series) * len(series.scheme)


def _half_range(series: TiltSeries) -> float:
    return max(abs(angle) for angle in series.scheme.angles_deg)


_Count = Annotated[int, Field(ge=2, le=MOST_TILTS)]
_Snr = Annotated[Snr, Field(gt=1, allow_inf_nan=False)]
_Dose = Annotated[Dose, Field(allow_inf_nan=False)]
_TotalDose = Annotated[TotalDose, Field(allow_inf_nan=False)]
_Degrees = Annotated[float, Field(gt=0, le=90)]
_Seed = Annotated[int, Field(ge=0)]
_NOISE = ("snr", "dose_counts", "total_dose_counts")

AXES: Registry[Axis] = Registry("axis")


def _modality(name: Term, label: str, key: str, measured_by: Callable[..., Any]) -> Sequence[Axis]:
    """The axes that each of the two modalities has."""
    counts, phrase = "counts/pixel", "{label} {value} {unit}"
    haadf_alone: Term | None = "haadf" if name == "haadf" else None  # every method sees the chemical maps

    def axis(what: str, words: str, unit: str, letter: str, type: Any, apply: Apply, of: Any, **more: Any) -> Axis:
        more = {"term": haadf_alone, "measured": measured_by(of), **more}
        return Axis(f"{name}_{what}", f"{label} {words}", unit, f"{key}{letter}", type, apply, **more)

    def noise(field: str) -> Apply:
        return _series(name, field, *_NOISE)

    return (
        axis("tilts", "tilts", "tilts", "", _Count, _series(name, "tilts"), _n_tilts, phrase="{value} {label}"),
        axis("snr", "SNR", "1", "s", _Snr, noise("snr"), _snr if haadf_alone else snr_of_map),
        axis("dose", "dose", counts, "d", _Dose, noise("dose_counts"), _dose, phrase=phrase),
        axis(
            "total_dose", "total dose", counts, "t", _TotalDose, noise("total_dose_counts"), _total_dose, phrase=phrase
        ),
        axis("range", "tilt range ±", "degrees", "r", _Degrees, _range(name), _half_range, scale="linear"),
    )


for _axis in (
    *_modality("haadf", "HAADF", "h", _of_haadf),
    *_modality("chemical", "chemical", "c", _of_maps),
    Axis(
        "assumed_gamma", "assumed γ", "1", "g", Annotated[float, Field(ge=1, le=2)], _assumed_gamma, "haadf", "linear"
    ),
    Axis(
        "background_misfit",
        "background misfit",
        "1",
        "b",
        Annotated[float, Field(gt=-1, le=100, allow_inf_nan=False)],
        _of_acquisition("background_misfit"),
        scale="linear",
    ),
    Axis(
        "misalignment",
        "residual misalignment",
        "pixels",
        "m",
        Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)],
        _of_acquisition("misalignment_px"),
        scale="linear",
        phrase="{label} {value} {unit}",
    ),
    Axis(
        "thickness_damping",
        "thickness damping",
        "1",
        "k",
        Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)],
        _of_acquisition("thickness_damping"),
        "haadf",
        scale="linear",
    ),
    Axis(
        "unmapped", "element without maps", "1", "u", str, _unmapped, scale="category", phrase="without maps: {value}"
    ),
    Axis("size", "specimen size", "voxels", "n", Annotated[int, Field(ge=16, le=1024)], _of_phantom("size")),
    Axis(
        "grid",
        "simulation grid",
        "1",
        "",
        Literal["same", "fine"],
        _of_acquisition("grid"),
        scale="category",
        phrase="simulated on the {value} grid",
    ),
    Axis("noise_seed", "noise seed", "1", "s", _Seed, _of_acquisition("seed"), scale="category", repeats=True),
    Axis("specimen_seed", "specimen seed", "1", "p", _Seed, _of_phantom("seed"), scale="category", repeats=True),
):
    AXES.register(_axis)
