"""Which columns a cheap trial computes and scores, and that its terms weigh what they weigh in the whole."""

import numpy as np
import pytest

from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.slabs import cut, in_units_of
from fusedtomo.solvers.problem import Problem
from tests.workflows.tiny import config, fused
from workflows.campaign.fidelity import Fidelity
from workflows.trial.bench import bench_of
from workflows.trial.slabs import columns_of


@pytest.mark.parametrize(
    ("width", "share", "layout", "computed", "scored"),
    [
        (16, 0.25, None, range(6, 10), range(6, 10)),
        (17, 0.5, None, range(4, 12), range(4, 12)),
        (16, 1e-9, None, [7], [7]),  # one at least
        (16, 0.5, {"slab": 4, "margin": 2}, range(4, 12), range(6, 10)),
        (
            32,
            0.5,
            {"slab": 4, "margin": 2, "slabs": 2},
            [*range(4, 12), *range(20, 28)],
            [*range(6, 10), *range(22, 26)],
        ),
        (16, 3 / 16, {"slab": 1, "margin": 4}, range(6, 9), [7]),  # one at least is scored
    ],
)
def test_columns(width, share, layout, computed, scored):
    columns = columns_of(width, share, None if layout is None else Fidelity(**layout))
    assert columns.computed.tolist() == list(computed)
    assert columns.computed[columns.scored].tolist() == list(scored)


def test_a_slab_s_terms_weigh_what_they_weigh_in_the_whole():
    campaign, weights = config(), Weights(haadf=0.3, tv=0.7)
    whole = bench_of(campaign, fused(4, 3)).data(campaign.acquisition_of(fused(4, 3)))
    settings = SolverSettings(tv_by_element={"Ni": 2.0})
    slab = cut(whole, np.arange(0, 5))

    def effective(data, weights, settings):
        problem = Problem(data, weights, settings)
        return [*problem.total_variation().weights, weights.haadf / problem.haadf().variance]

    in_whole = effective(whole, weights, settings)
    in_slab = effective(slab, weights, settings)
    assert all(abs(own / one - 1) > 0.02 for own, one in zip(in_slab, in_whole, strict=True))  # else nothing is shown
    assert effective(slab, *in_units_of(whole, slab, weights, settings)) == pytest.approx(in_whole, rel=1e-6)
