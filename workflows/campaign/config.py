"""A campaign: one TOML file, validated, expanded into the conditions of its axes."""

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from fusedtomo.methods import METHODS
from fusedtomo.settings import Acquisition, Settings, SolverSettings, Weights
from fusedtomo.toml import validated
from workflows.campaign.axes import AXES, Axis, Value
from workflows.campaign.conditions import Condition
from workflows.campaign.products import PRODUCTS
from workflows.campaign.search import WEIGHTS, Dimension, Search
from workflows.campaign.setup import AcquisitionConfig, Setup
from workflows.campaign.specimen import Specimen
from workflows.campaign.strategies import STRATEGIES

MOST_AXES = 3
_LEAST_LAG, _MOST_LAG = 2, 16  # between which a quarter of the cells is the default
_EARLIER = {"grid": "axes", "baselines": "methods"}  # names of earlier versions, still read


class Report(Settings):
    """What the report shows beside the map."""

    slices: tuple[tuple[Value, ...], ...] = Field(
        (), description="cells shown as slices, a value of every axis each; default: the one with the lowest error"
    )
    landscapes: tuple[tuple[Value, ...], ...] = Field(
        (), description="cells whose searched landscape is drawn; default: the same"
    )
    also: tuple[str, ...] = Field((), description="products that not every report has")
    noise_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="seeds of other noise, on which the best trials of some cells are computed again"
    )
    again: tuple[tuple[Value, ...], ...] | Literal["all"] = Field(
        (), description="those cells, a value of every axis each, or all of them; default: the ones shown as slices"
    )

    @field_validator("also")
    @classmethod
    def _products_there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(PRODUCTS[name].name for name in names)


class CampaignConfig(Settings):
    """A whole campaign (configs/campaigns/*.toml)."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="name of the campaign and its run folder"
    )
    seed: int = Field(0, ge=0, description="seed of noise and search")
    phantom: Specimen = Field(description="the specimen: a phantom by name, or the volume of a file")
    acquisition: AcquisitionConfig = Field(
        AcquisitionConfig(), description="simulation settings, as far as no axis says them"
    )
    axes: dict[str, tuple[Value, ...]] = Field(
        description="one to three axes and their values: the map's rows, columns and panels"
    )
    repeats: dict[str, tuple[Value, ...]] = Field(
        {}, description="seeds over which the results of a cell are averaged, such as noise_seed"
    )
    solver: SolverSettings = Field(SolverSettings(), description="stopping rules and assumptions of the solver")
    weights: Weights = Field(Weights(), description="values of the weights that are not searched")
    search: Search = Field(description="strategy, budget and space")
    methods: tuple[str, ...] = Field(
        ("fused", "poisson-tv", "poisson"), min_length=1, description="the methods compared, the map's own first"
    )
    report: Report = Field(Report(), description="extras of the report")

    @model_validator(mode="before")
    @classmethod
    def _as_earlier_versions_had_it(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        for old, new in _EARLIER.items():
            if old in content and new in content:
                raise ValueError(f"'{old}' is the earlier name of '{new}'; give '{new}' alone")
        renamed = {_EARLIER.get(key, key): value for key, value in content.items()}
        if "baselines" in content and isinstance(content["baselines"], list | tuple):
            renamed["methods"] = ("fused", *content["baselines"])
        return renamed

    @field_validator("methods")
    @classmethod
    def _methods_there(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]} is named twice; name each method once")
        if blind := [name for name in names if not METHODS[name].uses("chemical")]:
            raise ValueError(
                f"{blind[0]} finds no elements, so that it has no error against the specimen; leave it out, or use it "
                f"by `fusedtomo reconstruct --method {blind[0]}`"
            )
        return tuple(METHODS[name].name for name in names)

    @field_validator("axes", "repeats", mode="before")
    @classmethod
    def _axes_there(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        checked, faults = {}, []
        for name, values in content.items():
            try:
                checked[name] = AXES[name].checked(values)
            except ValueError as error:
                faults.append(str(error))
        if faults:
            raise ValueError("; ".join(faults))
        return checked

    @model_validator(mode="after")
    def _axes_fit(self) -> Self:
        if not 1 <= len(self.axes) <= MOST_AXES:
            raise ValueError(f"axes: {len(self.axes)} are given; give one to {MOST_AXES}")
        for name in self.repeats:
            if not AXES[name].repeats:
                seeds = ", ".join(axis.name for axis in AXES.values() if axis.repeats)
                raise ValueError(
                    f"repeats: '{name}' is no seed, so that its results cannot be averaged; seeds: {seeds}"
                )
            if name in self.axes:
                raise ValueError(f"repeats: '{name}' is an axis as well; it can be drawn or averaged, not both")
        for condition in self.conditions():
            self.acquisition_of(condition)
        for name in self.axes:
            if not any(METHODS[method].uses(AXES[name].term) for method in self.methods):
                raise ValueError(
                    f"axes: '{name}' alters no result of {', '.join(self.methods)}; leave it out, or add a method that "
                    "sees it"
                )
        return self

    @model_validator(mode="after")
    def _other_noise_is_other(self) -> Self:
        own = self.seed if self.acquisition.seed is None else self.acquisition.seed
        if own in self.report.noise_seeds:
            raise ValueError(f"report.noise_seeds has {own}, the noise of the search itself; give other seeds")
        if self.report.noise_seeds and (seeds := [name for name in (*self.axes, *self.repeats) if AXES[name].repeats]):
            raise ValueError(f"report.noise_seeds: '{seeds[0]}' repeats the campaign already; leave one of both out")
        return self

    @model_validator(mode="after")
    def _report_cells_exist(self) -> Self:
        again = () if self.report.again == "all" else self.report.again
        if self.report.again == "all" and not self.report.noise_seeds:
            raise ValueError("report.again = 'all' needs other noise; give noise_seeds = [101], or more of them")
        for cell in (*self.report.slices, *self.report.landscapes, *again):
            if len(cell) != len(self.axes) or any(
                v not in axis for v, axis in zip(cell, self.axes.values(), strict=True)
            ):
                raise ValueError(f"report names the cell {list(cell)}, which is not on the axes {', '.join(self.axes)}")
        return self

    def cells(self, method: str) -> tuple[Condition, ...]:
        """The cells of a method on the axes that it sees, the last axis fastest."""
        return tuple(Condition(method, at) for at in self._grid(self.axes, method))

    def repeated(self, cell: Condition) -> tuple[Condition, ...]:
        """The conditions over which a cell is averaged; itself where nothing is repeated."""
        return tuple(Condition(cell.method, cell.at + at) for at in self._grid(self.repeats, cell.method))

    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, those of methods blind to an axis first: they are quick, and every column needs them."""
        blind = sorted(self.methods, key=lambda method: len(self.seen(method)) == len(self.axes))
        return tuple(one for method in blind for cell in self.cells(method) for one in self.repeated(cell))

    def seen(self, method: str) -> tuple[Axis, ...]:
        """The campaign's axes that a method sees."""
        return tuple(AXES[name] for name in self.axes if METHODS[method].uses(AXES[name].term))

    def cell(self, method: str, values: tuple[Value, ...]) -> Condition:
        """The cell of a method at a value of every axis."""
        at = zip(self.axes, values, strict=True)
        return Condition(method, tuple((name, value) for name, value in at if METHODS[method].uses(AXES[name].term)))

    @staticmethod
    def _grid(axes: dict[str, tuple[Value, ...]], method: str) -> Iterator[tuple[tuple[str, Value], ...]]:
        seen = [name for name in axes if METHODS[method].uses(AXES[name].term)]
        for values in product(*(axes[name] for name in seen)):
            yield tuple(zip(seen, values, strict=True))

    def setup(self, condition: Condition) -> Setup:
        """What a condition is simulated from; an axis that its method does not see stands at its first value."""
        values = {name: values[0] for name, values in (self.axes | self.repeats).items()} | dict(condition.at)
        setup = Setup(self.phantom, self.acquisition, self.solver)
        for name, value in values.items():
            setup = AXES[name].apply(setup, value)
        return setup

    @property
    def bins(self) -> int:
        """How many times as fine the finest of the simulations' grids is."""
        return max(self.setup(condition).bins for condition in self.conditions())

    def acquisition_of(self, condition: Condition) -> Acquisition:
        """The acquisition that a condition's data is simulated with."""
        return self.setup(condition).acquisition.complete(self.seed)

    def evaluations(self, condition: Condition) -> int:
        """Trials in total of one condition; one where nothing is searched."""
        space, search = self.space(condition), self.search
        if not space:
            return 1
        budget = search.evaluations if METHODS[condition.method].uses("haadf") else search.baseline_evaluations
        return STRATEGIES[search.strategy].trials(budget, len(space))

    @property
    def lag(self) -> int:
        """Trials of the whole campaign under way at once, where the strategy sees all conditions.

        A proposal does not know the results of the last `lag` trials: on a small map that is much of what there is.
        """
        cells = sum(bool(self.space(one)) for one in self.conditions())
        return self.search.lag or min(_MOST_LAG, max(_LEAST_LAG, cells // 4))

    def cheap(self, condition: Condition) -> float:
        """The fidelity of a cheap trial; 1 where there are none."""
        layout = self.search.fidelity
        return 1.0 if layout is None else layout.share(self.setup(condition).size)

    def equivalents(self, condition: Condition) -> float:
        """How many whole trials cost as much as all trials of a condition."""
        trials, cheap = self.evaluations(condition), self.cheap(condition)
        whole = min(trials, STRATEGIES[self.search.strategy].whole(trials)) if cheap < 1 else trials
        return whole + cheap * (trials - whole)

    def space(self, condition: Condition) -> dict[str, Dimension]:
        """The searched parameters that the condition's method has, in a fixed order."""
        method = METHODS[condition.method]
        names = [name for name in method.searched if name in self.search.space]
        # of two terms the ratio of their weights is all that matters
        if len(method.terms) == 2 and "chemical" in names and method.terms <= set(names):
            names.remove("chemical")
        return {name: self.search.space[name] for name in names}

    def parameters(self, condition: Condition, point: dict[str, float]) -> tuple[Weights, SolverSettings]:
        """Weights and solver settings of a trial: the file's and the axes', with the searched point put in."""
        weights = {name: value for name, value in point.items() if name in WEIGHTS}
        others = {name: value for name, value in point.items() if name not in WEIGHTS}
        return self.weights.model_copy(update=weights), self.setup(condition).solver.model_copy(update=others)

    def resized(self, size: int) -> Self:
        """The same campaign of a specimen of another size, voxels along each edge; its name tells the size.

        Raises:
            InputError: the size is none.
        """
        changed = {"name": f"{self.name}-{size}", "phantom": self.phantom.model_dump() | {"size": size}}
        return validated(type(self), self.model_dump(exclude_unset=True) | changed, "--size")

    def until(self, regret: float) -> Self:
        """The same campaign, which ends when its certificate says that no cell can be better by more than a share.

        Raises:
            InputError: it is no share, or the strategy has no certificate.
        """
        content = self.model_dump(exclude_unset=True)
        content["search"] |= {"until_regret": regret}
        return validated(type(self), content, "--until-regret")

    def decisive(self) -> dict[str, Any]:
        """Everything that alters a condition's results.

        The name, the report, the axes and the budgets do not: they may change, and a run goes on with what it has.
        (Where a strategy lays its points by the budget, the budget counts.) Nor does where the file of a volume lies.
        """
        strategy = STRATEGIES[self.search.strategy]
        unused = {"pending" if strategy.sees == "campaign" else "lag", "until_regret"}
        # as campaigns of earlier versions were hashed
        unused |= {name for name in ("fidelity", "prior") if getattr(self.search, name) is None}
        if not strategy.laid_by_budget:
            unused |= {"evaluations", "baseline_evaluations"}
        alone = {"name", "report", "axes", "repeats", "methods"}
        held: dict[str, Any] = (
            {} if self.search.prior is None else {"prior": {"atlas", "cells", "trials"}}
        )  # its hash says it all
        nested: dict[str, Any] = {"search": {**dict.fromkeys(unused, True), **held}, "phantom": {"volume"}}
        if self.solver.pace == "steady":  # as campaigns of earlier versions were hashed
            nested["solver"] = {"pace"}
        return self.model_dump(mode="json", exclude={**dict.fromkeys(alone, True), **nested})

    def fingerprint(self) -> str:
        """A hash of `decisive`."""
        return hashlib.sha256(json.dumps(self.decisive(), sort_keys=True).encode()).hexdigest()[:16]


def sizes_of(config: CampaignConfig) -> tuple[int, ...]:
    """Voxels along each edge of the campaign's specimens, rising."""
    return tuple(sorted({config.setup(condition).size for condition in config.conditions()}))


def sizes_text(config: CampaignConfig) -> str:
    """Such as 40³, or 24³ to 64³."""
    smallest, *others = (f"{size}³" for size in sizes_of(config))
    return f"{smallest} to {others[-1]}" if others else smallest
