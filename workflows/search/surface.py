"""What do a campaign's trials say of the error at any weights in any cell? A Gaussian process over all of them.

The logarithm of the error is a sum of independent parts, each a product of a kernel over cells and one over points:

- the level of a cell: smooth over the axes, and a part of its own;
- the bowl that all cells share: a quadratic, and a smooth rest (Matern 5/2);
- how cells move and bend it: a quadratic whose coefficients are smooth over the axes, and a smooth rest over both;
- what is different in slabs: a level, smooth and of each cell's own, and a tilted, bent bowl;
- what is different in an earlier campaign, where the search starts from one: a level, a bowl, a smooth rest.

So the model learns from every cell what they share, and from each cell no more than what is its own. Kernels factorise,
which makes the mean over all cells and points one matrix product a part. scikit-learn's kernels see all columns of
their input, so that such a sum would be classes of our own there too; the process itself is a page of linear algebra.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

# SciPy comes late: `fusedtomo status` knows the strategy "map", and computes nothing

# parts of the sum: kernels over cells, kernels over points, and the deviation in log error that is expected of the part
_PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "level": (("smooth",), (), 0.3),
    "own level": (("same",), (), 0.05),
    "bowl": ((), ("quadratic",), 0.2),
    "shape": ((), ("bump",), 0.1),
    "bent": (("smooth",), ("quadratic",), 0.2),
    "rest": (("smooth",), ("bump",), 0.06),
    "own bowl": (("same",), ("quadratic",), 0.01),
    "slab level": (("slabs", "smooth"), (), 0.1),
    "slab's own level": (("slabs", "same"), (), 0.03),
    "slab bowl": (("slabs",), ("quadratic",), 0.03),
    "slab bent": (("slabs", "smooth"), ("quadratic",), 0.03),
}
# what is different in an earlier campaign, from which a search starts
_OF_EARLIER: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "earlier level": (("earlier",), (), 0.3),
    "earlier levels": (("earlier", "smooth"), (), 0.1),
    "earlier bowl": (("earlier",), ("quadratic",), 0.1),
    "earlier bent": (("earlier", "smooth"), ("quadratic",), 0.05),
    "earlier shape": (("earlier",), ("bump",), 0.05),
}
_ALL = _PARTS | _OF_EARLIER
_NOISE, _SLAB_NOISE = 0.006, 0.015  # of trials about the surface: solvers stop where they stop
_LOOSE = 0.4  # how far a fit may go from what is expected: a deviation of the natural logarithm
_UNLIKE = 1.0  # the same for what is different in an earlier campaign, which may be of any other specimen
_MISLED = 0.7  # and for the bowl of slabs, which may be that of others
_ALONG_CELLS, _ALONG_POINTS = (0.8, 0.5), (0.35, 0.4)  # lengths over the unit range, and how far they may go
_CONSTANT = 1.0  # deviation of the mean level of all cells, in log error
_FITTED = 320  # points that parameters are fitted to, at most


@dataclass(frozen=True)
class Places:
    """Where trials are.

    Attributes:
        cell: (n,) int, number of the condition; below 0 one of an earlier campaign.
        at: (n, axes) float, its coordinates, 0 to 1 along every axis.
        point: (n, parameters) float, 0 to 1 along every range.
        slab: (n,) bool, whether the trial is a cheap one.
    """

    cell: np.ndarray
    at: np.ndarray
    point: np.ndarray
    slab: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    def __getitem__(self, which: np.ndarray | slice | list[int]) -> "Places":
        return Places(self.cell[which], self.at[which], self.point[which], self.slab[which])

    def whole(self) -> "Places":
        """The same, computed in full."""
        return replace(self, slab=np.zeros(len(self), bool))

    def joined(self, other: "Places") -> "Places":
        """Both, one after the other."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("cell", "at", "point", "slab"))
        return Places(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Parameters:
    """Deviations of the parts, and lengths over which they vary; all as natural logarithms, in one vector.

    Attributes:
        values: deviations of the parts, of the scatter, of the scatter of slabs, then lengths.
        n_axes: how many of these lengths are over cells.
        parts: names of the parts.
    """

    values: np.ndarray
    n_axes: int
    parts: tuple[str, ...] = tuple(_PARTS)

    @staticmethod
    def prior(n_axes: int, n_parameters: int, *, earlier: bool = False) -> "Parameters":
        """Where a fit starts; with `earlier` there are trials of an earlier campaign."""
        parts = tuple(_ALL if earlier else _PARTS)
        return Parameters(_prior(parts, n_axes, n_parameters)[0], n_axes, parts)

    def moved(self, values: np.ndarray) -> "Parameters":
        """The same parts and lengths with other values."""
        return replace(self, values=values)

    @property
    def n_deviations(self) -> int:
        """How many values come before the lengths."""
        return len(self.parts) + 2

    def amplitude(self, name: str) -> float:
        """Deviation of a part, or of the scatter, in log error."""
        return float(np.exp(self.values[(*self.parts, "noise", "slab noise").index(name)]))

    @property
    def along_cells(self) -> np.ndarray:
        """(axes,)."""
        return np.asarray(np.exp(self.values[self.n_deviations : self.n_deviations + self.n_axes]))

    @property
    def along_points(self) -> np.ndarray:
        """(parameters,)."""
        return np.asarray(np.exp(self.values[self.n_deviations + self.n_axes :]))


def _prior(parts: tuple[str, ...], n_axes: int, n_parameters: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of every parameter's logarithm."""
    free = dict.fromkeys(_OF_EARLIER, _UNLIKE) | {"slab bowl": _MISLED}
    rows = [(_ALL[name][2], free.get(name, _LOOSE)) for name in parts]
    rows += [(_NOISE, _LOOSE), (_SLAB_NOISE, _LOOSE), *[_ALONG_CELLS] * n_axes, *[_ALONG_POINTS] * n_parameters]
    means, spreads = np.array(rows).T
    return np.log(means), spreads


def _matern(a: np.ndarray, b: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Matern 5/2 with a length along each column; 1 where there is none."""
    squares = np.zeros((len(a), len(b)))
    for column, length in enumerate(lengths):
        squares += ((a[:, None, column] - b[None, :, column]) / length) ** 2
    r = np.sqrt(5 * squares)
    return np.asarray((1 + r + r**2 / 3) * np.exp(-r))


def _quadratic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The kernel of linear and quadratic functions about the middle, each with coefficients of unit deviation."""
    product = (2 * a - 1) @ (2 * b - 1).T
    return np.asarray(product + product**2)


class Kernel:
    """The covariance of log errors between two sets of places: a sum of products over cells and over points."""

    def __init__(self, parameters: Parameters):
        self.parameters = parameters

    def factor(self, name: str, a: Places, b: Places) -> np.ndarray:
        """One of the kernels that parts are products of, (a, b)."""
        match name:
            case "smooth":
                return _matern(a.at, b.at, self.parameters.along_cells)
            case "bump":
                return _matern(a.point, b.point, self.parameters.along_points)
            case "quadratic":
                return _quadratic(a.point, b.point)
            case "same":
                return np.asarray(a.cell[:, None] == b.cell[None, :], float)
            case "earlier":
                return np.asarray((a.cell[:, None] < 0) & (b.cell[None, :] < 0), float)
            case _:  # "slabs"
                return np.asarray(a.slab[:, None] & b.slab[None, :], float)

    def of_cells(self, a: Places, b: Places) -> dict[str, np.ndarray]:
        """The kernel over cells of each part, (a, b)."""
        factors = {name: self.factor(name, a, b) for name in ("smooth", "same", "slabs", "earlier")}
        return {name: _product(factors, _ALL[name][0], (len(a), len(b))) for name in self.parameters.parts}

    def of_points(self, a: Places, b: Places) -> dict[str, np.ndarray]:
        """The kernel over points of each part, (a, b)."""
        factors = {name: self.factor(name, a, b) for name in ("bump", "quadratic")}
        return {name: _product(factors, _ALL[name][1], (len(a), len(b))) for name in self.parameters.parts}

    def parts(self, a: Places, b: Places) -> dict[str, np.ndarray]:
        """Each part at unit deviation, (a, b)."""
        cells, points = self.of_cells(a, b), self.of_points(a, b)
        return {name: cells[name] * points[name] for name in self.parameters.parts}

    def sum(self, parts: dict[str, np.ndarray]) -> np.ndarray:
        """The covariance from its parts."""
        squares = {name: self.parameters.amplitude(name) ** 2 for name in parts}
        return np.asarray(_CONSTANT**2 + sum(squares[name] * part for name, part in parts.items()))

    def __call__(self, a: Places, b: Places) -> np.ndarray:
        """(a, b)."""
        return self.sum(self.parts(a, b))

    def noise(self, places: Places) -> np.ndarray:
        """Variance of each trial about the surface."""
        of = self.parameters.amplitude
        return np.where(places.slab, of("slab noise") ** 2, of("noise") ** 2) + 1e-8


def _product(factors: dict[str, np.ndarray], names: tuple[str, ...], shape: tuple[int, int]) -> np.ndarray:
    product = np.ones(shape)
    for name in names:
        product = product * factors[name]
    return product


class Surface:
    """The posterior of log errors, given those of trials.

    Args:
        places: of the trials.
        errors: (n,) logarithms of what came out.
        parameters: of the kernel.
    """

    def __init__(self, places: Places, errors: np.ndarray, parameters: Parameters):
        self.places, self.parameters, self.kernel = places, parameters, Kernel(parameters)
        self._middle = float(np.median(errors)) if len(errors) else 0.0
        self._errors = errors - self._middle

    @cached_property
    def _lower(self) -> np.ndarray:
        from scipy.linalg import cholesky

        covariance = self.kernel(self.places, self.places)
        covariance[np.diag_indices_from(covariance)] += self.kernel.noise(self.places)
        return np.asarray(cholesky(covariance, lower=True, overwrite_a=True, check_finite=False))

    @cached_property
    def _weights(self) -> np.ndarray:
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve((self._lower, True), self._errors, check_finite=False))

    def surprise(self, which: np.ndarray) -> float:
        """How far trials lie from what all others make of them: root mean square, in deviations; 1 where all is well.

        Args:
            which: (n,) bool, of which trials.
        """
        from scipy.linalg import cho_solve

        inverse = np.diag(cho_solve((self._lower, True), np.eye(len(which)), check_finite=False))
        left_out = self._weights / np.sqrt(inverse)  # residual of each without itself, over its deviation
        return float(np.sqrt(np.mean(left_out[which] ** 2))) if which.any() else 1.0

    def mean(self, places: Places) -> np.ndarray:
        """(n,) log errors expected."""
        return np.asarray(self._middle + self.kernel(places, self.places) @ self._weights)

    def means(self, cells: Places, points: np.ndarray) -> np.ndarray:
        """(cells, points) log errors expected of every cell, in full or in slabs as `cells` say, at every point."""
        grid = Places(np.zeros(len(points), int), np.zeros((len(points), 0)), points, np.zeros(len(points), bool))
        over_cells, over_points = self.kernel.of_cells(cells, self.places), self._of_points(grid)
        total = np.full((len(cells), len(points)), self._middle + _CONSTANT**2 * self._weights.sum())
        for name, kernel in over_cells.items():
            square = self.parameters.amplitude(name) ** 2
            total += (square * kernel * self._weights) @ over_points[name].T
        return total

    def _of_points(self, grid: Places) -> dict[str, np.ndarray]:
        return self.kernel.of_points(grid, self.places)

    def covariance(self, places: Places) -> np.ndarray:
        """(n, n) of log errors between places."""
        from scipy.linalg import solve_triangular

        half = solve_triangular(self._lower, self.kernel(self.places, places), lower=True, check_finite=False)
        return np.asarray(self.kernel(places, places) - half.T @ half)

    def draws(self, places: Places, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, n) surfaces that are as likely as the trials make them."""
        values, vectors = np.linalg.eigh(self.covariance(places))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(self.mean(places) + rng.standard_normal((count, len(places))) @ root.T)


def fitted(places: Places, errors: np.ndarray, start: Parameters, steps: int = 40) -> Parameters:
    """Parameters under which the trials are most likely, held by their prior (maximum a posteriori)."""
    from scipy.optimize import minimize

    chosen = _spread(len(places))
    places, errors = places[chosen], errors[chosen] - np.median(errors)
    means, spreads = _prior(start.parts, places.at.shape[1], places.point.shape[1])

    def cost(values: np.ndarray) -> tuple[float, np.ndarray]:
        fit, slope = _misfit(places, errors, start.moved(values))
        away = (values - means) / spreads
        return fit + 0.5 * float(away @ away), slope + away / spreads

    bounds = [(mean - 4 * spread, mean + 4 * spread) for mean, spread in zip(means, spreads, strict=True)]
    found = minimize(cost, start.values, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return start.moved(np.round(found.x, 6))


def _spread(count: int) -> np.ndarray:
    """The newest trials, and evenly many of the older ones."""
    if count <= _FITTED:
        return np.arange(count)
    older = np.linspace(0, count - _FITTED // 2 - 1, _FITTED - _FITTED // 2).astype(int)
    return np.concatenate([older, np.arange(count - _FITTED // 2, count)])


def _misfit(places: Places, errors: np.ndarray, parameters: Parameters) -> tuple[float, np.ndarray]:
    """The negative logarithm of the likelihood, and its slope by the logarithms of the parameters."""
    from scipy.linalg import cho_solve, cholesky

    kernel = Kernel(parameters)
    parts = kernel.parts(places, places)
    covariance = kernel.sum(parts)
    covariance[np.diag_indices_from(covariance)] += kernel.noise(places)
    lower = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((lower, True), errors, check_finite=False)
    pull = cho_solve((lower, True), np.eye(len(errors)), check_finite=False) - np.outer(weights, weights)
    fit = 0.5 * float(errors @ weights) + float(np.log(np.diag(lower)).sum())
    return fit, np.concatenate([_by_deviations(places, kernel, parts, pull), _by_lengths(places, kernel, parts, pull)])


def _by_deviations(places: Places, kernel: Kernel, parts: dict[str, np.ndarray], pull: np.ndarray) -> np.ndarray:
    of = kernel.parameters.amplitude
    noise = kernel.noise(places) * np.diag(pull)
    return np.array(
        [
            *(of(name) ** 2 * float((pull * part).sum()) for name, part in parts.items()),
            float(noise[~places.slab].sum()),
            float(noise[places.slab].sum()),
        ]
    )


def _by_lengths(places: Places, kernel: Kernel, parts: dict[str, np.ndarray], pull: np.ndarray) -> np.ndarray:
    """By a small difference: the length of one kernel changes only the parts that hold it."""
    step, slopes = 1e-5, []
    for index in range(kernel.parameters.n_deviations, len(kernel.parameters.values)):
        moved = kernel.parameters.values.copy()
        moved[index] += step
        other = Kernel(kernel.parameters.moved(moved))
        change = (other.sum(other.parts(places, places)) - kernel.sum(parts)) / step
        slopes.append(0.5 * float((pull * change).sum()))
    return np.array(slopes)
