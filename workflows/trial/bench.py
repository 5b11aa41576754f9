"""What does a worker keep from trial to trial? One specimen, what was recorded of it, and where solvers start."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np

from fusedtomo.arrays import Array
from fusedtomo.placement import HERE, Placement
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.slabs import cut
from fusedtomo.solvers.initial import initial_volume
from fusedtomo.solvers.problem import Problem
from fusedtomo.tilts import FusedDataset
from fusedtomo.volume import ChemicalVolume
from phantoms.spec import PhantomSpec
from workflows.campaign import CampaignConfig, Condition
from workflows.campaign.specimen import VolumeSpec, made
from workflows.trial.slabs import Columns

T = TypeVar("T")
_DATA, _STARTS = 4, 2  # data sets and initial volumes kept: a worker turns to another condition after every trial


@lru_cache(maxsize=1)
def _bench(specimen: PhantomSpec | VolumeSpec, bins: int, place: Placement) -> "Bench":
    return Bench(specimen, bins, place)


def bench_of(config: CampaignConfig, condition: Condition, place: Placement = HERE) -> "Bench":
    """The bench of a condition's specimen: the last one is kept, and of several ranks each has its columns."""
    setup = config.setup(condition)
    return _bench(setup.phantom, setup.bins, place)


def truth_of(config: CampaignConfig, condition: Condition, elements: tuple[str, ...] | None = None) -> ChemicalVolume:
    """The ground truth of a condition on its reconstruction's grid, of all elements or of some."""
    truth = bench_of(config, condition).truth
    return truth.only(elements or truth.elements)


class Bench:
    """A specimen and what is made from it, keyed by content: a changed setting never meets old data.

    Args:
        specimen: at the reconstruction's size.
        bins: how many times as fine the simulation's grid is.
        place: ranks and device.
    """

    def __init__(self, specimen: PhantomSpec | VolumeSpec, bins: int, place: Placement):
        self._specimen, self._bins, self._place = specimen, bins, place
        self._data: dict[Hashable, FusedDataset] = {}
        self._starts: dict[Hashable, Array] = {}

    @cached_property
    def _phantom(self) -> ChemicalVolume:
        bins, whole = self._bins, made(self._specimen, self._bins)
        mine = self._place.comm.columns(whole.shape[-1] // bins)
        data = np.ascontiguousarray(whole.data[..., bins * mine.start : bins * mine.stop])
        return ChemicalVolume(data, whole.elements, whole.voxel_nm)

    @cached_property
    def truth(self) -> ChemicalVolume:
        """The ground truth on the reconstruction's grid, in the host's memory."""
        return self._phantom.binned(self._bins) if self._bins > 1 else self._phantom

    @cached_property
    def truth_there(self) -> ChemicalVolume:
        """The truth where the reconstruction is: a GPU scores there, as a host would take longer than the solver."""
        return replace(self.truth, data=self._place.put(self.truth.data))

    def data(self, acquisition: Acquisition) -> FusedDataset:
        """The simulated tilt series."""
        return _kept(
            self._data, acquisition, _DATA, lambda: simulate(self._phantom, acquisition, comm=self._place.comm)
        )

    def start(self, acquisition: Acquisition, settings: SolverSettings, columns: Columns | None = None) -> Array:
        """Where solvers start: the volume that a few iterations on the chemistry alone give; of some columns or all."""
        of_start = _settings_of_start(settings)

        def made() -> Array:
            whole = self.data(acquisition)
            dataset = whole if columns is None else cut(whole, columns.computed)
            return initial_volume(Problem(dataset, Weights(), of_start, self._place))

        which = None if columns is None else tuple(columns.computed)
        return _kept(self._starts, (acquisition, of_start, which), _STARTS, made)


def _settings_of_start(settings: SolverSettings) -> SolverSettings:
    """The settings that the initial volume depends on; what else a trial changes must not make it be computed again."""
    return SolverSettings(eps=settings.eps, depth=settings.depth, initial_iterations=settings.initial_iterations)


def _kept(kept: dict[Hashable, T], key: Hashable, most: int, make: Callable[[], T]) -> T:
    """The value of a key, made when it is not kept; the one that was not used for longest goes."""
    kept[key] = kept.pop(key) if key in kept else make()
    if len(kept) > most:
        del kept[next(iter(kept))]
    return kept[key]
