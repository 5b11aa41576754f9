"""Algorithm 1 of Supplement 24 as printed: fixed gradient steps, then TV denoising, a fixed number of times.

The weights double as step sizes. So that their size does not depend on the data's units, each gradient is divided
by its term's largest curvature L at the start, the role that the paper gives the power method, and lambda_tv counts
in units of noise over L_2. The cost recorded is the one that such steps lower: its terms are over L, too. One misprint
is mended, the sign of Eq. 2; Eq. 3 keeps its numerator A x - b without eps, and so the counts come in with their
background subtracted. The inner iterations of TV, each time from zero, are as many as `tv_iterations` says; the paper
names their number `ng` and does not give it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fusedtomo.arrays import Array, array_module, kernels, relative_change
from fusedtomo.losses import ChemicalPoisson, Loss
from fusedtomo.parallel import Comm
from fusedtomo.solvers.initial import initial_volume, lifted, supported
from fusedtomo.solvers.problem import Problem
from fusedtomo.solvers.solution import Best, Callback, History, Solution, Stop

EPS = 0.1  # counts, Algorithm 1 line 7
_INNER = 20  # of TV, where the settings give no number; 56 give the same NRMSE where the descent converges
_FAR = 10.0  # times the start's cost: steps that are too long do not come back from there


def gradient_descent(problem: Problem, *, initial: Array | None = None, callback: Callback | None = None) -> Solution:
    """x <- tv_fgp(x - lambda_1 grad_1 / L_1 - lambda_2 grad_2 / L_2, lambda_3)."""
    comm, weights, settings = problem.place.comm, problem.weights, problem.settings
    x = lifted(initial_volume(problem) if initial is None else problem.place.put(initial), comm)
    losses: dict[str, Loss] = {"haadf": problem.haadf(), "chemical": _chemical(problem)}
    largest = {name: _largest_curvature(loss, x, comm) for name, loss in losses.items()}
    lambdas = {"haadf": weights.haadf / largest["haadf"], "chemical": weights.chemical / largest["chemical"]}
    thresholds = weights.tv * problem.gradient_noise / largest["chemical"]
    history, unit_metric = History(callback), array_module(x).ones_like(x)
    tv = _with_inner_iterations(problem).total_variation_of(thresholds)
    x = supported(x, problem.support)
    before, noisy = array_module(x).empty_like(x), array_module(x).empty_like(x)
    projected = {name: loss.project(x) for name, loss in losses.items()}
    first = total = _record(history, losses, lambdas, projected, tv.value(x), x)
    best, stopped = Best(first), "max_iterations"
    for _ in range(settings.max_iterations):
        before, x = x, before
        for k, (name, loss) in enumerate(losses.items()):
            loss.gradient(projected[name], before, lambdas[name], noisy, add=k > 0)
        kernels(x).sums.descend(before, noisy, unit_metric, 1.0, noisy)
        tv.forget()
        variation, _ = tv.prox(noisy, unit_metric, 1.0, x)
        if problem.support is not None:
            x *= problem.support
        for name, loss in losses.items():
            loss.project(x, projected[name])
        total = _record(history, losses, lambdas, projected, variation, x)
        best.passed(total, before)
        if not total <= _FAR * first:  # nor is NaN
            break
        if relative_change(x, before, comm) <= settings.tolerance:
            stopped = "tolerance"
            break
    return Solution(best.volume(x), history.values, _verdict(first, total, stopped))


def _with_inner_iterations(problem: Problem) -> Problem:
    """The problem with a fixed number of TV's inner iterations, as Algorithm 1 has it."""
    fixed = problem.settings.tv_iterations or _INNER
    return replace(problem, settings=problem.settings.model_copy(update={"tv_iterations": fixed}))


def _verdict(first: float, total: float, stopped: Stop) -> Stop:
    """Why it stopped, unless its last iterate is worse than its first."""
    if not np.isfinite(first):
        return "not finite"
    return stopped if total <= first else "diverging"


def _chemical(problem: Problem) -> ChemicalPoisson:
    """The chemical term with the printed gradient, g A' ((g A x - b) / (g A x + eps)).

    That is g A' (1 - (b + eps) / (g A x + eps)), the likelihood's own for counts of b + eps.
    """
    signal = np.maximum(problem.dataset.chemical_counts - problem.background[:, None, None, None], 0)
    eps = np.full_like(problem.background, problem.settings.eps or EPS)
    return ChemicalPoisson(
        problem.chemical_projector,
        signal,
        problem.gain,
        eps,
        compared_with=signal + eps[:, None, None, None],
        place=problem.place,
    )


def _largest_curvature(loss: Loss, x: Array, comm: Comm) -> float:
    bound = array_module(x).zeros_like(x)
    loss.add_curvature(loss.project(x), x, 1.0, bound)
    return max(float(comm.gather(np.array([float(bound.max())])).max()), 1e-12)


def _record(
    history: History,
    losses: Mapping[str, Loss],
    lambdas: Mapping[str, float],
    projected: Mapping[str, Array],
    variation: float,
    x: Array,
) -> float:
    values = {name: lambdas[name] * loss.value(projected[name]) for name, loss in losses.items()}
    return history.record({**values, "tv": variation}, x)
