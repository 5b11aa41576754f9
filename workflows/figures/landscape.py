"""What does the searched landscape of one cell look like, with the points tried (paper, Supplement 22c)?"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fusedtomo.errors import InputError
from workflows.campaign import CampaignConfig, Condition, Dimension
from workflows.campaign.measures import symbol_of
from workflows.figures.cells import COLORS, SYMBOLS, color_limits
from workflows.figures.drawing import axes_of
from workflows.record.journal import TrialResult, best, by_condition

# fewer points say nothing about a surface: they are drawn alone
FEWEST_FOR_SURFACE = 4
_GRID = {1: 200, 2: 60}


@dataclass(frozen=True)
class AxisInfo:
    """One drawn parameter: its name, label, range and scale."""

    name: str
    label: str
    limits: tuple[float, float]
    scale: Literal["log", "linear"]


@dataclass(frozen=True, eq=False)
class LandscapeInfo:
    """The landscape of one condition over one or two searched parameters.

    Attributes:
        title: the condition in words.
        axes: the one or two drawn parameters; the most important ones by Gaussian process length scale.
        points: (trial, axis) where the successful trials were made; `errors` (trial,) what they gave.
        label: what these are.
        failed: (trial, axis) where trials failed.
        best: (axis,) the point of the lowest error; None without a successful trial.
        grid: per axis the values where the surface is known.
        surface: error that the Gaussian process expects, (n,) or (n_second, n_first); None with too few points.
        deviation: its standard deviation, same shape.
        others: searched parameters that are not drawn, held at the best trial's value.
    """

    title: str
    axes: tuple[AxisInfo, ...]
    points: np.ndarray
    errors: np.ndarray
    label: str
    failed: np.ndarray
    best: np.ndarray | None
    grid: tuple[np.ndarray, ...]
    surface: np.ndarray | None
    deviation: np.ndarray | None
    others: dict[str, float]

    size_in = (4.6, 3.7)

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        over = " and ".join(axis.name for axis in self.axes)
        if self.best is None:
            return f"Landscape of {self.title} over {over}: no successful trial."
        place = ", ".join(f"{axis.name} {value:.3g}" for axis, value in zip(self.axes, self.best, strict=True))
        found = f"{len(self.points)} trials, the lowest {self.errors.min():.3f} at {place}"
        return f"Landscape of {self.title} over {over}: {found}."


def landscape_info(config: CampaignConfig, trials: list[TrialResult], condition: Condition) -> LandscapeInfo:
    """Fit the landscape of a condition to its trials.

    Of more than two searched parameters the two that matter most are drawn.

    Raises:
        InputError: nothing is searched for this condition's method.
    """
    space = config.space(condition)
    if not space:
        raise InputError(f"condition '{condition.key}' has no searched parameter; name a fused cell of the map")
    own = by_condition(trials).get(condition.key, [])
    minimised = config.search.minimise
    scored = [trial for trial in own if trial.whole and set(space) <= set(_point(trial))]
    points, errors = _points(scored, space), np.array([trial.error(minimised) for trial in scored], float)
    winner = best(scored, minimised)
    process = _fit(_unit(points, space), errors) if len(points) >= FEWEST_FOR_SURFACE else None
    chosen = _most_important(process, len(space))
    names, ranges = list(space), list(space.values())
    grid = tuple(_grid(ranges[index], _GRID[len(chosen)]) for index in chosen)
    best_point = None if winner is None else _points([winner], space)[0]
    surface = deviation = None
    if process is not None:
        surface, deviation = _predict(process, space, chosen, grid, best_point)
    held = {name: float(best_point[i]) for i, name in enumerate(space) if i not in chosen} if winner else {}
    lost = _points([trial for trial in own if not trial.ok and set(space) <= set(trial.point)], space)
    return LandscapeInfo(
        title=condition.words,
        axes=tuple(_axis(names[index], ranges[index]) for index in chosen),
        points=points[:, chosen],
        errors=errors,
        label=symbol_of(minimised),
        failed=lost[:, chosen],
        best=None if winner is None else best_point[chosen],
        grid=grid,
        surface=surface,
        deviation=deviation,
        others=held,
    )


def _axis(name: str, dimension: Dimension) -> AxisInfo:
    return AxisInfo(name, SYMBOLS.get(name, name), (dimension.low, dimension.high), dimension.scale)


def _point(trial: TrialResult) -> dict[str, float]:
    return {**trial.weights, **trial.point}


def _points(trials: list[TrialResult], space: dict[str, Dimension]) -> np.ndarray:
    """(trial, parameter) float64."""
    return np.array([[_point(trial)[name] for name in space] for trial in trials], float).reshape(-1, len(space))


def _unit(points: np.ndarray, space: dict[str, Dimension]) -> np.ndarray:
    """Points scaled to 0..1 over each range, on its own scale: the coordinates in which the search works."""
    columns = []
    for values, dimension in zip(points.T, space.values(), strict=True):
        scale = np.log if dimension.scale == "log" else np.asarray
        low, high = scale(dimension.low), scale(dimension.high)
        columns.append((scale(values) - low) / (high - low))
    return np.column_stack(columns)


def _grid(dimension: Dimension, count: int) -> np.ndarray:
    spaced = np.geomspace if dimension.scale == "log" else np.linspace
    return spaced(dimension.low, dimension.high, count)


def _fit(points: np.ndarray, nrmse: np.ndarray):
    """A Gaussian process as the search uses it: Matern 5/2, one length scale a parameter, white noise."""
    # scikit-learn takes a second to import, and comes with scikit-optimize
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    lengths = np.full(points.shape[1], 0.5)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(lengths, (0.05, 10.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=0)
    with warnings.catch_warnings():
        # a length scale at its bound is a parameter that does not matter: drawn as such, nothing to warn of
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, nrmse)


def _most_important(process, count: int) -> list[int]:
    """Indices of the one or two parameters with the shortest length scales, in the order of the space."""
    if process is None or count <= 2:
        return list(range(min(count, 2)))
    lengths = np.atleast_1d(process.kernel_.k1.k2.length_scale)
    return sorted(np.argsort(lengths, kind="stable")[:2].tolist())


def _predict(process, space, chosen, grid, best_point) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (n,) or (n_second, n_first); parameters off the grid at the best point."""
    meshes = np.meshgrid(*grid)
    points = np.tile(best_point, (meshes[0].size, 1))
    for index, mesh in zip(chosen, meshes, strict=True):
        points[:, index] = mesh.ravel()
    mean, deviation = process.predict(_unit(points, space), return_std=True)
    return mean.reshape(meshes[0].shape), deviation.reshape(meshes[0].shape)


def draw_landscape(info: LandscapeInfo, target: Figure | Axes) -> None:
    """Draw a curve (one parameter) or filled contours (two); tried points are black dots, the best a star."""
    ax = axes_of(target)
    (_draw_curve if len(info.axes) == 1 else _draw_surface)(info, ax)
    held = ", ".join(f"{SYMBOLS.get(name, name)} = {value:.2g}" for name, value in info.others.items())
    ax.set_title(f"{info.title}\nat {held}" if held else info.title, fontsize=10)
    for axis, parameter in zip((ax.xaxis, ax.yaxis), info.axes, strict=False):
        axis.set_label_text(parameter.label)
    if not len(info.points):
        ax.text(0.5, 0.5, "no successful trial", transform=ax.transAxes, ha="center", va="center")


def _draw_curve(info: LandscapeInfo, ax: Axes) -> None:
    if info.surface is not None:
        low, high = info.surface - info.deviation, info.surface + info.deviation
        ax.fill_between(info.grid[0], low, high, color="tab:blue", alpha=0.2, linewidth=0)
        ax.plot(info.grid[0], info.surface, color="tab:blue")
    ax.plot(info.points[:, 0], info.errors, "ko", markersize=4, label="tried")
    for x in info.failed[:, 0]:
        ax.axvline(x, color="tab:red", linestyle=":", linewidth=1)
    if info.best is not None:
        ax.plot(info.best[0], info.errors.min(), "*", color="tab:red", markeredgecolor="white", markersize=14)
    ax.set_xscale(info.axes[0].scale)
    ax.set_xlim(info.axes[0].limits)
    ax.set_ylabel(info.label)


def _draw_surface(info: LandscapeInfo, ax: Axes) -> None:
    ax.set_xscale(info.axes[0].scale)
    ax.set_yscale(info.axes[1].scale)
    limits = color_limits(info.errors, "linear")
    if info.surface is not None:
        # colours span what was measured; the process may overshoot between the points
        filled = ax.contourf(*info.grid, info.surface, np.linspace(*limits, 25), cmap=COLORS, extend="both")
        ax.figure.colorbar(filled, ax=ax, label=info.label, ticks=_ticks(limits))
        ax.plot(*info.points.T, "o", color="black", markeredgecolor="white", markeredgewidth=0.5, markersize=5)
    elif len(info.points):
        dots = ax.scatter(*info.points.T, c=info.errors, cmap=COLORS, vmin=limits[0], vmax=limits[1], edgecolor="black")
        ax.figure.colorbar(dots, ax=ax, label=info.label)
    ax.plot(*info.failed.T, "x", color="tab:red", markersize=6, clip_on=False)
    if info.best is not None:
        ax.plot(*info.best, "*", color="tab:red", markeredgecolor="white", markersize=15, clip_on=False)
    ax.set_xlim(info.axes[0].limits)
    ax.set_ylim(info.axes[1].limits)


def _ticks(limits: tuple[float, float]) -> list[float]:
    """Round values within the limits; those beyond would pile up at the ends of the colour bar."""
    return [tick for tick in MaxNLocator(6).tick_values(*limits) if limits[0] <= tick <= limits[1]]
