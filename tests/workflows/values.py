"""A tiny campaign and its trials, for the tests of what is made from them."""

from dataclasses import replace

from workflows.campaign import CampaignConfig
from workflows.record.journal import TrialResult

SPACE = {"haadf": {"low": 1e-3, "high": 10.0}, "tv": {"low": 1e-2, "high": 100.0}}
PROVENANCE = {"campaign": "tiny", "seconds": 36.5, "seed": 3}


def campaign(haadf=(5, 20), chemical=(3, 9, 27), space=SPACE, **changes):
    """A campaign of 2 x 3 cells and two baselines; `changes` are whole tables of it, such as `axes`."""
    return CampaignConfig.model_validate(
        {
            "name": "tiny",
            "phantom": {"name": "nanocubes", "size": 64, "seed": 0},
            "acquisition": {"haadf": {"snr": 2000.0}, "chemical": {"snr": 2.5}},
            "axes": {"haadf_tilts": haadf, "chemical_tilts": chemical},
            "search": {"space": space, "evaluations": 4, "baseline_evaluations": 2},
            **changes,
        }
    )


def over(axes, **changes):
    """A campaign over any axes; where no axis gives the tilts, there are 20 and 9 of them."""
    given = {name: {"snr": snr, "tilts": n} for name, snr, n in (("haadf", 2000.0, 20), ("chemical", 2.5, 9))}
    return campaign(axes=axes, acquisition=given, **changes)


def trial(key, number, nrmse, **point):
    """A successful trial, or with nrmse None a failed one."""
    common = {"condition": key, "trial": number, "point": point, "seconds": 36.0}
    weights = {"haadf": 0.1, "chemical": 1.0, "tv": 1.0} | {k: v for k, v in point.items() if k != "gamma"}
    if nrmse is None:
        return TrialResult(status="failed", reason="MemoryError: <b>", weights=weights, **common)
    by_element = {"Co": 0.9 * nrmse, "Au": 1.1 * nrmse}
    snr = {"HAADF": 2000.0, "Co": 2.0, "Au": 4.0}
    return TrialResult(status="ok", nrmse=nrmse, nrmse_by_element=by_element, weights=weights, snr=snr, **common)


def cheap(key, number, nrmse, fidelity=0.25, **point):
    """A successful trial of a part of the problem."""
    return replace(trial(key, number, nrmse, **point), fidelity=fidelity)


def filled(haadf=(5, 20), chemical=(3, 9, 27), skip=()):
    """One winning and one losing trial a cell; weights are power laws of the tilts."""
    for h in haadf:
        for c in chemical:
            if (h, c) not in skip:
                yield trial(f"fused-h{h}-c{c}", 0, 0.9, haadf=5.0, tv=5.0)
                yield trial(f"fused-h{h}-c{c}", 1, 1 / (h + c), haadf=0.01 * h, tv=30.0 / c)
    yield trial("poisson-c3", 0, 1.5)


TRIALS = [
    trial("poisson-c3", 0, 1.6),
    trial("fused-h5-c3", 0, 0.5),
    trial("fused-h5-c3", 1, 0.342),
    trial("fused-h5-c9", 0, None),
]


def everything(config):
    """All trials that a campaign is to make, with one and the same result."""
    return [trial(one.key, number, 0.5) for one in config.conditions() for number in range(config.evaluations(one))]
