"""How large are the terms of Eq. 1 at a volume, whichever method it comes from and whatever their weights?"""

from fusedtomo.arrays import Array
from fusedtomo.solvers.problem import Problem

Terms = dict[str, float]


def terms_at(problem: Problem, volume: Array, *, haadf: bool = True) -> Terms:
    """The terms of docs/solver.md by name, all with weights of 1.

    "haadf" is half the squared misfit over the noise variance of a HAADF pixel, "chemical" the Kullback-Leibler
    divergence of the counts from the model (with least squares in the settings half the squared misfit over the mean
    counts of its element), both sums over all pixels; "tv" is sum_i tau_i ||x_i||_TV, in units of the noise it holds
    against. Factors by element are kept, weights are not.

    Args:
        problem: the data and the settings, such as gamma and eps.
        volume: (element, z, y, x) on the problem's device; of several ranks, this rank's columns.
        haadf: whether the HAADF term is wanted.
    """
    losses = {"chemical": problem.chemical()} | ({"haadf": problem.haadf()} if haadf else {})
    terms = {name: loss.value(loss.project(volume)) for name, loss in losses.items()}
    return {**terms, "tv": problem.total_variation_of(problem.gradient_noise).value(volume)}
