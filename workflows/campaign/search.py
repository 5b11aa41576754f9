"""How is every condition searched? The table `search` of a campaign: strategy, budget, and ranges of the parameters."""

import math
from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from fusedtomo.settings import Settings, SolverSettings, Weights
from workflows.campaign.fidelity import Fidelity
from workflows.campaign.measures import Minimise, checked_measures
from workflows.campaign.prior import PriorOrPath
from workflows.campaign.setup import refused_plainly
from workflows.campaign.strategies import STRATEGIES

Searchable = Literal["haadf", "chemical", "tv", "gamma", "eps"]
SEARCHABLE: tuple[Searchable, ...] = get_args(Searchable)
WEIGHTS = tuple(Weights.model_fields)


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

    @property
    def middle(self) -> float:
        """The middle of the range, on its own scale."""
        if self.scale == "log":
            return math.exp((math.log(self.low) + math.log(self.high)) / 2)
        return (self.low + self.high) / 2

    def place(self, value: float) -> float:
        """Where a value lies in the range, on its own scale: 0 at the low end, 1 at the high one."""
        if self.scale == "log" and value <= 0:
            return -math.inf
        scale = math.log if self.scale == "log" else float
        low, high = scale(self.low), scale(self.high)
        return (scale(value) - low) / (high - low)


class Search(Settings):
    """How the weights of every condition are searched."""

    strategy: str = Field("gp_hedge", description="how points are proposed: gp_hedge, sobol, grid, or a plug-in's")
    minimise: Minimise = Field("nrmse", description="nrmse, rmse, stoichiometry_error, or weights of several of them")
    evaluations: int = Field(20, ge=1, le=1000, description="trials in total per condition of a fused method")
    baseline_evaluations: int = Field(8, ge=1, le=1000, description="the same of methods without the HAADF term")
    initial_points: int = Field(6, ge=2, description="Sobol points before the Gaussian process takes over")
    pending: int = Field(1, ge=1, le=64, description="trials of one condition under way at once")
    lag: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="the same of a campaign whose strategy sees all conditions; default: by its cells",
    )
    warm_start: bool = Field(
        False, description="start every trial from the solution of its condition's first one, not from the chemistry"
    )
    fidelity: Fidelity | None = Field(
        None, description="cheap trials of a strategy that asks for them: slabs of the specimen; default: none"
    )
    prior: PriorOrPath | None = Field(
        None, description="atlas.h5 of an earlier campaign, from whose trials the search starts; default: from nothing"
    )
    until_regret: float | None = Field(
        None, gt=0, lt=1, description="end when the certificate says that no cell can be better by more; 0.01 is 1 %"
    )
    space: dict[Searchable, Dimension] = Field(min_length=1, description="what is searched, and over which range")

    @field_validator("strategy")
    @classmethod
    def _strategy_there(cls, name: str) -> str:
        return STRATEGIES[name].name

    @field_validator("minimise")
    @classmethod
    def _measures_there(cls, wanted: Minimise) -> Minimise:
        return checked_measures(wanted)

    @model_validator(mode="after")
    def _warm_start_has_a_first_trial(self) -> Self:
        if self.warm_start and STRATEGIES[self.strategy].sees == "campaign":
            raise ValueError(f"warm_start needs a search in each condition, but '{self.strategy}' sees the campaign")
        return self

    @model_validator(mode="after")
    def _strategy_can_do_it(self) -> Self:
        for wish, able, lacks, has in (
            ("fidelity", "cheap", "computes every trial in full", "asks for cheap trials"),
            ("until_regret", "certifies", "has no certificate", "has one"),
            ("prior", "starts_from_prior", "starts from nothing", "starts from earlier trials"),
        ):
            if getattr(self, wish) is not None and not getattr(STRATEGIES[self.strategy], able):
                others = ", ".join(one.name for one in STRATEGIES.values() if getattr(one, able))
                raise ValueError(
                    f"{wish}: '{self.strategy}' {lacks}; leave {wish} out, or take a strategy that {has}: {others}"
                )
        return self

    @model_validator(mode="after")
    def _ends_are_values(self) -> Self:
        """Both ends of a range are what a file could give as well."""
        for name, dimension in self.space.items():
            model = Weights if name in WEIGHTS else SolverSettings
            for value in (dimension.low, dimension.high):
                try:
                    refused_plainly(model, **{name: value})
                except ValueError as error:
                    raise ValueError(f"space.{name} reaches {value:g}: {error}") from None
        return self
