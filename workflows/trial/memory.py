"""How much memory does a trial take, and does this host have it?"""

import math

from fusedtomo.memory import SPECIMEN_VOLUMES, available_gb, check_fits, series_gb, solver_gb, volume_gb
from fusedtomo.methods import METHODS
from fusedtomo.placement import Device
from workflows.campaign import CampaignConfig, Condition, Trial
from workflows.campaign.specimen import elements_of, held_gb

PROCESS_GB = 0.3  # Python and its libraries


def trial_gb(config: CampaignConfig, condition: Condition, fidelity: float = 1.0) -> float:
    """Memory of one trial's arrays, on the device that it runs on; a cheap trial's are those of its columns."""
    size, elements = config.setup(condition).size, n_elements(config)
    acquisition, method = config.acquisition_of(condition), METHODS[condition.method]
    n_haadf = len(acquisition.haadf.tilts.scheme()) if method.uses("haadf") else 0
    n_chemical = len(acquisition.chemical.tilts.scheme())
    shape = (size, size, max(1, round(fidelity * size)))
    return solver_gb(elements, shape, n_haadf, n_chemical, weighted=method.solves > 1)


def host_gb(config: CampaignConfig, condition: Condition, fidelity: float = 1.0) -> float:
    """Memory of a process that computes the trial alone on the CPU; a cheap one's data is simulated whole."""
    kept = _specimen_gb(config, condition) if config.setup(condition).acquisition.grid == "fine" else 0.0
    data = 0.0 if fidelity == 1 else _data_gb(config, condition)
    return PROCESS_GB + trial_gb(config, condition, fidelity) + data + kept + held_gb(config.phantom)


def n_elements(config: CampaignConfig) -> int:
    """Elements of the campaign's specimen."""
    return len(elements_of(config.phantom))


def check_memory(trial: Trial, device: Device, ranks: int) -> None:
    """Refuse a trial that this host has no memory for, of several ranks for the part of one.

    Each rank paints the specimen whole, and then keeps its columns.
    """
    painted = SPECIMEN_VOLUMES * _specimen_gb(trial.config, trial.condition)
    shared = 0.0 if device == "gpu" else host_gb(trial.config, trial.condition, trial.fidelity) / ranks
    size = trial.config.setup(trial.condition).size
    cure, free_gb = "lower phantom.size", available_gb()
    if painted < free_gb:
        wanted = ranks * math.ceil(shared / free_gb)
        cure += f", or share it among {wanted} ranks on as many hosts (mpiexec -n {wanted})"
    check_fits(f"a trial of {trial.condition.key} at {size}^3", max(painted, shared), cure)


def _specimen_gb(config: CampaignConfig, condition: Condition) -> float:
    """The specimen of a condition, on the grid that it is painted on."""
    setup = config.setup(condition)
    edge = setup.size * (2 if setup.acquisition.grid == "fine" else 1)
    return volume_gb(n_elements(config), (edge, edge, edge))


def _data_gb(config: CampaignConfig, condition: Condition) -> float:
    """The truth and the tilt series of a condition, in full."""
    size, acquisition, elements = config.setup(condition).size, config.acquisition_of(condition), n_elements(config)
    n_haadf, n_chemical = (len(one.tilts.scheme()) for one in (acquisition.haadf, acquisition.chemical))
    return volume_gb(elements, (size, size, size)) + series_gb(elements, n_haadf, n_chemical, (size, size))
