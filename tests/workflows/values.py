"""A tiny campaign and its trials, for the tests of what is made from them."""

from workflows.campaign import CampaignConfig
from workflows.record.journal import TrialResult

SPACE = {"haadf": {"low": 1e-3, "high": 10.0}, "tv": {"low": 1e-2, "high": 100.0}}


def campaign(haadf=(5, 20), chemical=(3, 9, 27), space=SPACE):
    """A campaign of 2 x 3 cells and two baselines."""
    return CampaignConfig.model_validate(
        {
            "name": "tiny",
            "phantom": {"name": "nanocubes", "size": 64, "seed": 0},
            "acquisition": {"haadf": {"snr": 2000.0}, "chemical": {"snr": 2.5}},
            "axes": {"haadf_tilts": haadf, "chemical_tilts": chemical},
            "search": {"space": space, "evaluations": 4, "baseline_evaluations": 2},
        }
    )


def trial(key, number, nrmse, **point):
    """A successful trial, or with nrmse None a failed one."""
    common = {"condition": key, "trial": number, "point": point, "seconds": 36.0}
    weights = {"haadf": 0.1, "chemical": 1.0, "tv": 1.0} | {k: v for k, v in point.items() if k != "gamma"}
    if nrmse is None:
        return TrialResult(status="failed", reason="MemoryError: <b>", weights=weights, **common)
    by_element = {"Co": 0.9 * nrmse, "Au": 1.1 * nrmse}
    snr = {"HAADF": 2000.0, "Co": 2.0, "Au": 4.0}
    return TrialResult(status="ok", nrmse=nrmse, nrmse_by_element=by_element, weights=weights, snr=snr, **common)
