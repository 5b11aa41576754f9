"""What does a search save that starts from the atlas of another campaign, and what does a wrong atlas cost?

python -m benchmarks.priors [--full]

Recorded landscapes (benchmarks/landscapes.py) of several specimens. The earlier campaign had Sobol points in each cell
of its own landscape, of another seed: other scatter, other small shifts of each optimum. The search that starts from it
has whole trials alone.
"""

import argparse
import json
from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks import landscapes, machine, slabs
from benchmarks.landscapes import TILTS
from benchmarks.results import Results, table
from benchmarks.search import NANOCUBES, NANOTUBE, Case, searched
from workflows.campaign import CampaignConfig
from workflows.campaign.experience import Experience, Past, prior_from
from workflows.campaign.prior import Prior

EARLIER_TRIALS, EARLIER_SEED = 16, 50  # of a cell of the earlier campaign; added to the seed
SHELLS = "co3o4_mn3o4_core_shell"
TARGETS = {NANOTUBE: (4,), NANOCUBES: (2, 4)}  # trials a cell


@cache
def prior_of(phantom: str, seed: int) -> str:
    """The trials of an earlier campaign, as JSON."""
    case = Case("earlier", phantom, TILTS[phantom], "sobol", EARLIER_TRIALS)
    config, _, trials, _ = searched(case, seed + EARLIER_SEED)
    conditions = {one.key: one for one in config.conditions()}
    past = [Past(conditions[one.condition], one.point, one.nrmse, one.fidelity) for one in trials]
    return prior_from(config, Experience(config, past), Prior(atlas="recorded")).model_dump_json()


def config_of(case: Case, seed: int, source: str | None) -> CampaignConfig:
    """A campaign that starts from another one, or from nothing."""
    content = case.config(seed).model_dump()
    prior = None if source is None else json.loads(prior_of(source, seed))
    return CampaignConfig.model_validate({**content, "search": content["search"] | {"prior": prior}})


def rows_of(target: str, sources: Sequence[str | None], seeds: int) -> list[dict]:
    """Mean and worst regret of a target after some trials a cell, by what the search starts from."""
    rows = []
    for evaluations in TARGETS[target]:
        for source in sources:
            case = Case("map", target, TILTS[target], "map", evaluations, lag=2)
            regrets = []
            for seed in range(seeds):
                _, land, trials, _ = searched(case, seed, config_of(case, seed, source))
                least = {}
                for one in trials:
                    least[one.condition] = min(one.nrmse, least.get(one.condition, np.inf))
                regrets.append([land.regret(key, least.get(key, 2.0)) for key in land.least])
            rows.append(
                {
                    "searched": target,
                    "starts from": source or "nothing",
                    "trials a cell": evaluations,
                    "seeds": seeds,
                    "regret %, mean": 100 * float(np.mean(regrets)),
                    "worst cell": 100 * float(np.max(regrets, axis=1).mean()),
                }
            )
            print(rows[-1], flush=True)
    return rows


def run(*, full: bool = False) -> Results:
    """Both specimens, from nothing and from several atlases, two searches of each kind, five with `full`."""
    seeds = 5 if full else 2
    host, others = machine.describe(), machine.OtherLoad()
    sources = [None, NANOCUBES, NANOTUBE, SHELLS]
    rows = [row for target in TARGETS for row in rows_of(target, sources, seeds)]
    notes = [
        f"landscapes recorded at {landscapes.SIZE}^3, ranges {slabs.SPACE}; an atlas has {EARLIER_TRIALS} Sobol points "
        "in each of its cells, of another seed, of which the nearest to the best are kept; its own specimen is the "
        "case in which a prior can save most",
        str(others),
    ]
    return Results("priors", host, rows, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="five searches of each kind")
    results = run(**vars(parser.parse_args()))
    print(table(results.rows), *results.notes, sep="\n")
