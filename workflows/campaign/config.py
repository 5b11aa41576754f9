"""A campaign: one TOML file, validated, expanded into the conditions of a sampling map."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from fusedtomo.errors import InputError, nearest
from fusedtomo.settings import Acquisition, Modality, Settings, SolverSettings, TiltDegrees, TiltRange, Weights
from fusedtomo.toml import read_toml, validated
from phantoms.registry import list_phantoms, make_phantom
from phantoms.spec import PhantomSpec, phantom_rng

Method = Literal["fused", "poisson-tv", "poisson"]
SEARCHABLE = ("haadf", "chemical", "tv", "gamma", "eps")
_WEIGHTS = tuple(Weights.model_fields)
# the parameters that a method's cost function has: searching another one would waste every trial
_USED_BY = {"fused": SEARCHABLE, "poisson-tv": ("chemical", "tv", "eps"), "poisson": ()}


class Dimension(Settings):
    """The range of one searched parameter."""

    low: float = Field(gt=0, description="smallest value tried")
    high: float = Field(gt=0, description="largest value tried")
    scale: Literal["log", "linear"] = Field("log", description="log for weights; linear suits gamma")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Search(Settings):
    """How the weights of every condition are searched."""

    strategy: Literal["gp_hedge", "sobol", "grid"] = Field("gp_hedge", description="how points are proposed")
    evaluations: int = Field(20, ge=1, le=1000, description="trials in total per fused condition")
    baseline_evaluations: int = Field(8, ge=1, le=1000, description="trials in total per Poisson + TV condition")
    initial_points: int = Field(6, ge=2, description="Sobol points before the Gaussian process takes over")
    pending: int = Field(1, ge=1, le=64, description="trials of one condition under way at once")
    warm_start: bool = Field(
        False, description="start every trial from the solution of its condition's first one, not from the chemistry"
    )
    space: dict[Literal[SEARCHABLE], Dimension] = Field(
        min_length=1, description="what is searched, and over which range"
    )

    @model_validator(mode="after")
    def _gamma_in_range(self) -> Self:
        gamma = self.space.get("gamma")
        if gamma and not (gamma.low >= 1.0 and gamma.high <= 2.0):
            raise ValueError(f"space.gamma runs from {gamma.low:g} to {gamma.high:g}; keep it within 1 and 2")
        return self


class MapNoise(Settings):
    """Noise of one modality over the whole map."""

    snr: float | dict[str, float] | None = Field(None, description="signal-to-noise ratio above 1, one or per element")
    dose_counts: float | None = Field(None, gt=0, description="mean expected counts per pixel, background included")

    @model_validator(mode="after")
    def _as_a_modality_takes_it(self) -> Self:
        _refused_plainly(Modality, tilts=TiltRange(count=2), snr=self.snr, dose_counts=self.dose_counts)
        return self


class MapAcquisition(Settings):
    """What all cells of a map share of their acquisition."""

    min_deg: TiltDegrees = Field(-70.0, description="first tilt angle")
    max_deg: TiltDegrees = Field(70.0, description="last tilt angle")
    haadf: MapNoise = Field(description="HAADF noise")
    chemical: MapNoise = Field(description="chemical noise")
    gamma: float = Field(2.0, ge=1.0, le=2.0, description="HAADF exponent of the simulation")
    background_fraction: float = Field(0.15, ge=0, lt=1, description="vacuum level over the maximum")
    grid: Literal["same", "fine"] = Field("same", description="simulation grid")

    @model_validator(mode="after")
    def _as_a_range_takes_it(self) -> Self:
        _refused_plainly(TiltRange, min_deg=self.min_deg, max_deg=self.max_deg, count=2)
        return self

    def at(self, haadf_tilts: int, chemical_tilts: int, seed: int) -> Acquisition:
        """The acquisition of one cell."""

        def modality(count: int, noise: MapNoise) -> Modality:
            tilts = TiltRange(min_deg=self.min_deg, max_deg=self.max_deg, count=count)
            return Modality(tilts=tilts, snr=noise.snr, dose_counts=noise.dose_counts)

        return Acquisition(
            haadf=modality(haadf_tilts, self.haadf),
            chemical=modality(chemical_tilts, self.chemical),
            gamma=self.gamma,
            background_fraction=self.background_fraction,
            grid=self.grid,
            seed=seed,
        )


def _refused_plainly(model: type[Settings], **content) -> None:
    """Raise ValueError with the reason alone for what `model` would refuse later, in the first worker."""
    try:
        model(**content)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


TiltCount = Annotated[int, Field(ge=2, le=1000)]


class Grid(Settings):
    """The axes of the sampling map."""

    haadf_tilts: tuple[TiltCount, ...] = Field(min_length=1, description="numbers of HAADF tilts, the map's rows")
    chemical_tilts: tuple[TiltCount, ...] = Field(
        min_length=1, description="numbers of chemical tilts, the map's columns"
    )

    @model_validator(mode="after")
    def _counts(self) -> Self:
        for axis in (self.haadf_tilts, self.chemical_tilts):
            if list(axis) != sorted(set(axis)):
                raise ValueError(f"{list(axis)} must rise strictly; sort it and give each count once")
        return self


class Report(Settings):
    """What the report shows beside the map."""

    slices: tuple[tuple[int, int], ...] = Field(
        (), description="cells (HAADF, chemical tilts) shown as slices; default: the best"
    )
    landscapes: tuple[tuple[int, int], ...] = Field(
        (), description="cells whose searched landscape is drawn; default: the same"
    )


class CampaignConfig(Settings):
    """A whole campaign (configs/campaigns/*.toml)."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="name of the campaign and its run folder"
    )
    seed: int = Field(0, ge=0, description="seed of noise and search")
    phantom: PhantomSpec = Field(description="the specimen")
    acquisition: MapAcquisition = Field(description="simulation settings shared by all cells")
    grid: Grid = Field(description="the axes of the map")
    solver: SolverSettings = Field(SolverSettings(), description="stopping rules and assumptions of the solver")
    weights: Weights = Field(Weights(), description="values of the weights that are not searched")
    search: Search = Field(description="strategy, budget and space")
    baselines: tuple[Literal["poisson-tv", "poisson"], ...] = Field(
        ("poisson-tv", "poisson"), description="non-fused rows below the map, from the top"
    )
    report: Report = Field(Report(), description="extras of the report")

    @model_validator(mode="after")
    def _report_cells_exist(self) -> Self:
        cells = {(h, c) for h in self.grid.haadf_tilts for c in self.grid.chemical_tilts}
        for cell in (*self.report.slices, *self.report.landscapes):
            if cell not in cells:
                raise ValueError(f"report names the cell {list(cell)}, which is not on the grid")
        return self

    def conditions(self) -> tuple["Condition", ...]:
        """All conditions, baselines first because they are quick and every column needs them."""
        rows = [(method, 0) for method in self.baselines] + [("fused", h) for h in self.grid.haadf_tilts]
        return tuple(Condition(method, h, c) for method, h in rows for c in self.grid.chemical_tilts)

    def evaluations(self, condition: "Condition") -> int:
        """Trials in total of one condition; one where nothing is searched, a full grid's points for `grid`."""
        space, search = self.space(condition), self.search
        if not space:
            return 1
        budget = search.evaluations if condition.method == "fused" else search.baseline_evaluations
        return grid_edge(budget, len(space)) ** len(space) if search.strategy == "grid" else budget

    def space(self, condition: "Condition") -> dict[str, Dimension]:
        """The searched parameters that the condition's method has, in a fixed order."""
        names = _USED_BY[condition.method]
        space = {name: self.search.space[name] for name in SEARCHABLE if name in names and name in self.search.space}
        # without the HAADF term the ratio of the two remaining weights is all that matters
        if condition.method == "poisson-tv" and {"chemical", "tv"} <= set(space):
            del space["chemical"]
        return space

    def acquisition_of(self, condition: "Condition") -> Acquisition:
        """The acquisition that a condition's data is simulated with; baselines ignore its HAADF series."""
        return self.acquisition.at(
            condition.haadf_tilts or self.grid.haadf_tilts[0], condition.chemical_tilts, self.seed
        )

    def parameters(self, condition: "Condition", point: dict[str, float]) -> tuple[Weights, SolverSettings]:
        """Weights and solver settings of a trial: the file's, with the searched point put in."""
        weights = {name: value for name, value in point.items() if name in _WEIGHTS}
        others = {name: value for name, value in point.items() if name not in _WEIGHTS}
        return self.weights.model_copy(update=weights), self.solver.model_copy(update=others)

    def decisive(self) -> dict[str, Any]:
        """Everything that alters a condition's results.

        The name, the report, the axes and the budgets do not: they may change, and a run goes on with what it has.
        (A grid search lays its points by the budget, so there it counts.)
        """
        budgets = set() if self.search.strategy == "grid" else {"evaluations", "baseline_evaluations"}
        unrelated = {"name": True, "report": True, "grid": True, "baselines": True, "search": budgets}
        return self.model_dump(mode="json", exclude=unrelated)

    def fingerprint(self) -> str:
        """A hash of `decisive`."""
        return hashlib.sha256(json.dumps(self.decisive(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, order=True)
class Condition:
    """One cell of the map, or of the rows below it: a method and how many tilts it gets (haadf_tilts 0: not used)."""

    method: Method
    haadf_tilts: int
    chemical_tilts: int

    @property
    def key(self) -> str:
        """The condition's name in the journal, such as ``fused-h47-c9``."""
        haadf = f"-h{self.haadf_tilts}" if self.haadf_tilts else ""
        return f"{self.method}{haadf}-c{self.chemical_tilts}"


@dataclass(frozen=True)
class Trial:
    """What a worker needs to evaluate one point of one condition; small, no arrays."""

    config: CampaignConfig
    condition: Condition
    number: int
    point: dict[str, float]
    start: dict[str, float] | None = None  # the point whose solution it starts from


def grid_edge(trials: int, dimensions: int) -> int:
    """Points along each edge of the largest full grid within a budget."""
    edge = int(np.floor(trials ** (1 / dimensions) + 1e-9))
    return max(edge, 1)


def load_campaign(path: str | Path) -> CampaignConfig:
    """Read and validate a campaign file; raise InputError naming file, field, value and cure.

    A run folder's own campaign.json is one as well.
    """
    content = _read_json(path) if Path(path).suffix == ".json" else read_toml(path)
    config = validated(CampaignConfig, content, path)
    try:
        _check_specimen(config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return config


def _read_json(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a campaign file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}; give another campaign file") from None


def _check_specimen(config: CampaignConfig) -> None:
    """Refuse what the specimen cannot have; otherwise every trial would fail by it."""
    families, name = list_phantoms(), config.phantom.name
    if name not in families:
        raise InputError(f"'phantom.name' = '{name}': there is no such phantom; {nearest(name, families)}")
    small = config.phantom.model_copy(update={"size": 16})
    elements = make_phantom(small, phantom_rng(small)).elements
    for modality, names in (("haadf", ("HAADF",)), ("chemical", elements)):
        snr = getattr(config.acquisition, modality).snr
        if isinstance(snr, dict) and set(snr) != set(names):
            raise InputError(
                f"'acquisition.{modality}.snr' is given for {', '.join(snr) or 'nothing'}, but phantom '{name}' needs "
                f"it for {', '.join(names)}; give one number for all, or one for each of these"
            )


def seed_of(*parts) -> int:
    """A 64-bit seed from a stable hash of the parts, the same on every machine and worker."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "little")


def generator(*parts) -> np.random.Generator:
    """A random generator seeded by `seed_of`."""
    return np.random.default_rng(seed_of(*parts))
