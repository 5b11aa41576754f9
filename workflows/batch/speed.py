"""How fast does this machine compute a trial, now? Several small ones are timed, and its load is looked at."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fusedtomo.errors import InputError
from fusedtomo.methods import METHODS
from fusedtomo.placement import HERE, Placement
from workflows.campaign import CampaignConfig, Condition, Trial
from workflows.campaign.specimen import at_least
from workflows.trial.evaluate import evaluate
from workflows.trial.memory import n_elements

PROBE_SIZE = 32
PROBES = 3
_PROBE_ITERATIONS = 10
_MOST_ITERATIONS = 100  # of the trial that is watched until it stops by itself
_TYPICAL_INNER = 10  # TV iterations where their number follows the duality gap
_BUSY = 0.3  # processes that want a core, for each core: more than this program alone brings


@dataclass(frozen=True)
class Load:
    """What else a host computes: processes that want a core, in the last minute and at most lately; and its cores."""

    processes: float
    cores: int
    lately: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether others slow a campaign down."""
        return self.processes > _BUSY * self.cores

    def stretches(self, threads: int) -> float:
        """How much longer `threads` at once take than on cores of their own: cores are shared by all that want one."""
        return max(1.0, (max(self.processes, self.lately) + threads) / self.cores)

    def slows(self, threads: int) -> float:
        """How much longer they take than the one thread that was timed, which others slowed down, too."""
        return self.stretches(threads) / self.stretches(1)


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        units_s: seconds of a unit of work (`work`), one a probe.
        kernels_s: seconds of loading the kernels, or of compiling them where that was never done here.
        share: iterations that a trial did until it stopped by itself, over its cap.
        load: of this host before the measurement.
    """

    units_s: tuple[float, ...]
    kernels_s: float = 0.0
    share: float = 1.0
    load: Load = Load(0.0, 1)


def load_here() -> Load:
    """The load of this host; none where the system does not tell it."""
    try:
        now, *before = os.getloadavg()
        return Load(now, len(os.sched_getaffinity(0)), max(before))
    except (OSError, AttributeError):
        return Load(0.0, os.cpu_count() or 1)


def work(config: CampaignConfig, condition: Condition) -> float:
    """Units of work of a trial: voxels times channels passed over, as the projector and TV do, at the iteration cap."""
    elements, method = n_elements(config), METHODS[condition.method]
    setup, acquisition = config.setup(condition), config.acquisition_of(condition)
    per_iteration = 4 * elements * len(acquisition.chemical.tilts.scheme())
    if method.uses("haadf"):
        per_iteration += 3 * len(acquisition.haadf.tilts.scheme())
    if method.uses("tv"):
        per_iteration += 8 * elements * (setup.solver.tv_iterations or _TYPICAL_INNER)
    return setup.size**3 * per_iteration * setup.solver.max_iterations * method.solves


def measured(config: CampaignConfig, place: Placement = HERE, threads: int = 1) -> Speed:
    """Time small trials of a campaign on so many threads, as a worker has."""
    load, condition = load_here(), _costliest(config)
    probe = _small(config, _PROBE_ITERATIONS, tolerance=0.0)
    with _threads(threads):
        kernels_s = _timed(probe, condition, place)[0]
        seconds = [_timed(probe, condition, place)[0] for _ in range(PROBES)]
        share = _share(config, condition, place)
    return Speed(tuple(each / work(probe, condition) for each in seconds), kernels_s, share, load)


def _costliest(config: CampaignConfig) -> Condition:
    return max(config.conditions(), key=lambda condition: work(config, condition))


def _small(config: CampaignConfig, iterations: int, tolerance: float) -> CampaignConfig:
    size = min(PROBE_SIZE, config.phantom.size or PROBE_SIZE)
    specimen = at_least(config.phantom, size, config.bins)
    solver = config.solver.model_copy(update={"max_iterations": iterations, "tolerance": tolerance})
    return config.model_copy(update={"phantom": specimen, "solver": solver})


def _timed(config: CampaignConfig, condition: Condition, place: Placement) -> tuple[float, int]:
    """Seconds and iterations of a trial."""
    began = time.perf_counter()
    result = evaluate(Trial(config, condition, 0, {}), place)
    if not result.ok:
        raise InputError(f"a trial of campaign '{config.name}' fails: {result.reason}; mend the campaign")
    return time.perf_counter() - began, result.iterations


def _share(config: CampaignConfig, condition: Condition, place: Placement) -> float:
    """The part of its cap that a trial needs; all of it where the trial does not stop within what is watched."""
    solves = METHODS[condition.method].solves
    most = min(_MOST_ITERATIONS, config.solver.max_iterations)
    done = _timed(_small(config, most, config.solver.tolerance), condition, place)[1]
    return done / (config.solver.max_iterations * solves) if done < most * solves else 1.0


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many of numba's threads: a trial on more of them than a worker has would be timed too short."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)
