"""The verdict on histories whose answer can be seen, and on those of solvers."""

import numpy as np
import pytest

from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.convergence import convergence, moved


def history(**terms):
    """Cost terms with their sum."""
    return {**terms, "total": list(np.sum([*terms.values()], axis=0))}


FALLING = 1 + 9 * 0.7 ** np.arange(41)  # 10 to 1.0000057


def test_a_cost_that_has_come_down_and_settled_is_converged():
    assert convergence(history(haadf=FALLING, chemical=2 * FALLING, tv=5 - 0.1 * FALLING)) == "converged"


@pytest.mark.parametrize("iterations", [1, 5, 15, 25])
def test_one_on_its_way_is_not(iterations):
    assert convergence(history(haadf=FALLING[: iterations + 1], chemical=FALLING[: iterations + 1])) == "not converged"


def test_it_is_the_last_ten_iterations_and_a_thousandth_of_the_cost():
    flat, step = np.full(30, 4.0), np.full(30, 6.0)
    for place, size, verdict in (
        (-11, 0.02, "not converged"),  # the step lies between the first two of the last eleven values
        (-12, 0.02, "converged"),
        (-11, 0.0099, "converged"),  # of a cost of 10
    ):
        step[:] = 6.0
        step[: place + 1] += size
        assert convergence(history(haadf=flat, chemical=step)) == verdict, (place, size)


def test_terms_that_trade_against_each_other_have_not_settled():
    ramp = np.linspace(0, 1, 30)
    assert convergence(history(haadf=5 + ramp, chemical=5 - ramp)) == "not converged"


def test_a_few_iterations_that_move_nothing_are_converged_and_a_start_alone_is_not():
    assert convergence(history(chemical=[3.0, 2.9999])) == "converged"
    assert convergence(history(chemical=[3.0])) == "not converged"


@pytest.mark.parametrize(
    "total",
    [[2.0, 1.0, 2.1], [2.0, 1.0, 1.02], [2.0, np.nan], [2.0, np.inf], [np.inf, np.inf], [1.0, 1.0 + 1e-9]],
    ids=["above the start", "above the least", "no number", "infinite", "infinite at once", "hardly above the start"],
)
def test_a_cost_that_rises_or_is_no_number_is_diverging(total):
    assert convergence({"chemical": total, "total": total}) == "diverging"


def test_what_momentum_swings_is_no_divergence():
    swing = np.concatenate([FALLING, 1 + 5e-3 * np.sin(np.arange(9))])
    assert convergence(history(chemical=swing)) == "not converged"


def test_what_a_callback_recorded_beside_the_terms_does_not_count():
    assert convergence({**history(chemical=FALLING), "nrmse": np.linspace(1, 0, 41)}) == "converged"
    assert moved({**history(chemical=[3.0, 3.0]), "peak": [0.0, 9.0]}) == 0


@pytest.mark.parametrize(
    ("method", "weights", "iterations", "verdict"),
    [
        ("fused", Weights(haadf=0.1, tv=1.0), 400, "converged"),
        ("fused", Weights(haadf=0.1, tv=1.0), 3, "not converged"),
        ("gradient-descent", Weights(haadf=100.0, chemical=100.0, tv=0.01), 20, "diverging"),
    ],
)
def test_solvers_that_are_done_cut_short_and_lost(tiny_dataset, method, weights, iterations, verdict):
    settings = SolverSettings(max_iterations=iterations, tolerance=3e-4)
    found = reconstruct(tiny_dataset, method, weights, settings)
    assert convergence(found.history) == verdict
    assert (found.stopped == "diverging") == (verdict == "diverging")
