"""How should a dose be split between HAADF and chemical maps, and over how many tilts? What the cells of runs say.

A cell costs the counts per pixel of all images that its method uses. Conventional methods need no HAADF images, and pay
for none. Only cells that were computed are recommended: nothing is interpolated, and nothing beyond the map is known.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from fusedtomo.errors import InputError
from fusedtomo.methods import METHODS
from fusedtomo.settings import Modality
from workflows.campaign import AXES, CampaignConfig, Condition, Value
from workflows.campaign.measures import label_of
from workflows.maps.sampling_map import METHOD, SURE, axes_of

_SAME = 1 + 1e-9  # doses are sums of rounded numbers


@dataclass(frozen=True)
class Prices:
    """What a count per pixel costs, in the unit of the budget; of several elements a count is their mean.

    HAADF collects far more of the electrons than a chemical map does: who knows electrons per count gives them here.
    """

    haadf: float = 1.0
    chemical: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("HAADF", self.haadf), ("chemical", self.chemical)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"a {name} count costs {value:g}; give a number above 0")


@dataclass(frozen=True)
class Share:
    """What one modality takes of a dose: its tilts, counts per pixel of all images together, and their dose."""

    tilts: int
    counts: float
    dose: float


@dataclass(frozen=True)
class Cell:
    """A cell of a map, and what it costs.

    Attributes:
        condition: method and values.
        error: as the campaign minimised it, mean over the repeats.
        deviation: standard deviation over the repeats; NaN where it is not known.
        repeats: results in the mean.
        haadf: None where the method uses no HAADF images.
        chemical: the chemical maps.
        on_edge: axes on which the cell has the first or the last of several values.
    """

    condition: Condition
    error: float
    deviation: float
    repeats: int
    haadf: Share | None
    chemical: Share
    on_edge: tuple[str, ...] = ()

    @property
    def dose(self) -> float:
        """Of both modalities together."""
        return self.chemical.dose + (self.haadf.dose if self.haadf else 0.0)

    @property
    def variance(self) -> float:
        """Of the mean; NaN where it is not known."""
        return self.deviation**2 / self.repeats if self.repeats else math.nan


@dataclass(frozen=True)
class Rival:
    """Another method beside the recommended cell.

    Attributes:
        method: its name.
        at_dose: its lowest error for no more than the recommended cell's dose; None without such a cell.
        as_good: its cheapest cell with an error no higher; None where its cells reach none.
        most: the dose up to which its cells are known.
    """

    method: str
    at_dose: Cell | None
    as_good: Cell | None
    most: float


@dataclass(frozen=True)
class Advice:
    """What to do with a dose.

    Attributes:
        budget: what there is.
        method: for whom.
        measure: what the error is.
        cells: all cells of all methods.
        best: the cell of the lowest error within the budget; None where none fits.
        as_good: cells within the budget that lie within the noise of the best, the cheapest first; empty where the
            noise is not known.
        rivals: other methods at the same dose.
        warnings: what the map does not know.
    """

    budget: float
    method: str
    measure: str
    cells: tuple[Cell, ...]
    best: Cell | None
    as_good: tuple[Cell, ...]
    rivals: tuple[Rival, ...]
    warnings: tuple[str, ...]

    def front(self, method: str) -> tuple[Cell, ...]:
        """The cells of a method that no cheaper one is as good as, the cheapest first."""
        found: list[Cell] = []
        for cell in sorted(_of(self.cells, method), key=lambda cell: (cell.dose, cell.error)):
            if not found or cell.error < found[-1].error:
                found.append(cell)
        return tuple(found)


def advise(cells: Sequence[Cell], budget: float, method: str, measure: str) -> Advice:
    """Choose among the cells of one or several maps; see `cells_of`.

    Raises:
        InputError: the budget is no dose, or the method has no cell with a result.
    """
    if not (math.isfinite(budget) and budget > 0):
        raise InputError(f"the dose budget is {budget:g}; give counts per pixel above 0")
    own = _of(cells, method)
    if not own:
        known = ", ".join(dict.fromkeys(cell.condition.method for cell in cells)) or "none"
        raise InputError(f"no cell of '{method}' has a result; methods with results: {known}")
    best = _lowest(own, budget)
    others = dict.fromkeys(cell.condition.method for cell in cells if cell.condition.method != method)
    rivals = tuple(_rival(_of(cells, other), best) for other in others) if best else ()
    as_good = _within_noise(own, best, budget) if best else ()
    return Advice(budget, method, measure, tuple(cells), best, as_good, rivals, tuple(_warnings(own, best, budget)))


def cells_of(
    config: CampaignConfig, sampling: xr.Dataset, prices: Prices = Prices(), at: Mapping[str, Value] | None = None
) -> list[Cell]:
    """The cells of a campaign's map that have a result, with what they cost.

    Args:
        config: the campaign.
        sampling: its map.
        prices: of a count.
        at: values of axes; those that change neither tilts nor noise must be given, as nobody chooses them for a dose.

    Raises:
        InputError: such an axis is not given, or a value is not on its axis.
    """
    fixed = dict(at or {})
    _check_fixed(config, fixed)
    found = []
    for method in config.methods:
        for condition in config.cells(method):
            here = dict(condition.at)
            if all(here.get(name, value) == value for name, value in fixed.items()):
                cell = _cell(config, sampling, condition, prices, set(fixed))
                found += [cell] if math.isfinite(cell.error) else []
    return found


def check_comparable(configs: Sequence[CampaignConfig]) -> None:
    """Refuse runs whose errors cannot stand beside each other: of other specimens, or of another measure."""
    first = configs[0]
    for config in configs[1:]:
        for what, ours, theirs in (
            ("the specimen", _specimen(first), _specimen(config)),
            ("what is minimised", label_of(first.search.minimise), label_of(config.search.minimise)),
            ("the acquisition beside tilts and noise", _beside(first), _beside(config)),
        ):
            if ours != theirs:
                raise InputError(
                    f"runs '{first.name}' and '{config.name}' differ in {what}: {ours} and {theirs}; "
                    f"ask for advice on each alone"
                )


def _specimen(config: CampaignConfig) -> object:
    return config.decisive()["phantom"]


def _beside(config: CampaignConfig) -> object:
    """The acquisition without what a dose is split over."""
    alone = {"haadf", "chemical", "min_deg", "max_deg", "seed"}
    return config.acquisition.model_dump(exclude=alone)


def _check_fixed(config: CampaignConfig, fixed: Mapping[str, Value]) -> None:
    for name, value in fixed.items():
        if name in config.axes and value not in config.axes[name]:
            known = ", ".join(map(str, config.axes[name]))
            raise InputError(f"{AXES[name].label} is {value}; the map has {known}")
    for name, values in config.axes.items():
        if len(values) > 1 and name not in fixed and not _is_choice(config, name):
            raise InputError(
                f"the axis '{name}' changes neither tilts nor noise, so that no dose chooses its value; say which one "
                f"holds: --at {name}={values[0]} (it has {', '.join(map(str, values))})"
            )


def _is_choice(config: CampaignConfig, name: str) -> bool:
    """Whether an axis changes the tilts or the noise of a modality: such a value a microscopist chooses."""
    setups = (config.setup(Condition(config.methods[0], ((name, value),))) for value in config.axes[name])
    return len({(setup.acquisition.haadf, setup.acquisition.chemical) for setup in setups}) > 1


def _cell(config: CampaignConfig, sampling: xr.Dataset, condition: Condition, prices: Prices, fixed: set[str]) -> Cell:
    at, axes = dict(condition.at), axes_of(sampling)
    own = sampling.sel({METHOD: condition.method, **{name: at.get(name, config.axes[name][0]) for name in axes}})
    acquisition = config.acquisition_of(config.repeated(condition)[0])
    uses_haadf = METHODS[condition.method].uses("haadf")
    edges = (name for name in at if name not in fixed and _at_end(config.axes[name], at[name], name))
    return Cell(
        condition,
        float(own.error),
        float(own.error_deviation) if "error_deviation" in own else math.nan,
        int(own.repeats),
        _share(acquisition.haadf, prices.haadf) if uses_haadf else None,
        _share(acquisition.chemical, prices.chemical),
        tuple(edges),
    )


def _at_end(values: tuple[Value, ...], value: Value, name: str) -> bool:
    return AXES[name].scale != "category" and len(values) > 1 and value in (values[0], values[-1])


def _share(modality: Modality, price: float) -> Share:
    tilts, counts = len(modality.tilts.scheme()), modality.total_counts
    return Share(tilts, counts, price * counts)


def _of(cells: Iterable[Cell], method: str) -> list[Cell]:
    return [cell for cell in cells if cell.condition.method == method]


def _lowest(cells: Iterable[Cell], most: float) -> Cell | None:
    """The lowest error for no more than a dose; of equals the cheapest."""
    return min(
        (cell for cell in cells if cell.dose <= most * _SAME), key=lambda cell: (cell.error, cell.dose), default=None
    )


def _within_noise(cells: Iterable[Cell], best: Cell, budget: float) -> tuple[Cell, ...]:
    """As the map calls cells the best: less than two standard errors of the difference behind."""
    near = [
        cell
        for cell in cells
        if cell.dose <= budget * _SAME and cell.error - best.error <= SURE * np.sqrt(cell.variance + best.variance)
    ]
    return tuple(sorted(near, key=lambda cell: (cell.dose, cell.error)))


def _rival(cells: list[Cell], best: Cell) -> Rival:
    as_good = min((cell for cell in cells if cell.error <= best.error), key=lambda cell: cell.dose, default=None)
    return Rival(cells[0].condition.method, _lowest(cells, best.dose), as_good, max(cell.dose for cell in cells))


def _warnings(own: list[Cell], best: Cell | None, budget: float) -> Iterable[str]:
    least, most = (float(end(cell.dose for cell in own)) for end in (min, max))
    if best is None:
        yield f"the budget of {budget:.4g} lies below the cheapest cell of the map, {least:.4g}: nothing is known there"
    elif budget > most * _SAME:
        yield f"the budget of {budget:.4g} lies above the dearest cell of the map, {most:.4g}: nothing is known there"
    if best and best.on_edge:
        said = ", ".join(AXES[name].said(dict(best.condition.at)[name]) for name in best.on_edge)
        yield f"the best cell lies on the edge of the map ({said}): beyond it there may be a better one"
