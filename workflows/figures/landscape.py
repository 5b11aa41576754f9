"""What does the searched landscape of one cell look like, with the points tried (paper, Supplement 22c)?"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fusedtomo.errors import InputError
from fusedtomo.plot.drawing import LINE_COLORS, SINGLE_COLUMN_IN, axes_of
from fusedtomo.plot.heat_map import COLORS, color_limits, title_lines
from workflows.campaign import CampaignConfig, Condition, Dimension
from workflows.campaign.measures import symbol_of
from workflows.figures.cells import SYMBOLS, subject_of
from workflows.record.journal import TrialResult, best, by_condition

# fewer points say nothing about a surface: they are drawn alone
FEWEST_FOR_SURFACE = 4
_GRID = {1: 200, 2: 60}
_CURVE, _LOWEST = LINE_COLORS[0], LINE_COLORS[1]


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
        subject: specimen, size and noise.
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
    subject: str
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

    size_in = (SINGLE_COLUMN_IN, 0.9 * SINGLE_COLUMN_IN)

    @property
    def alt_text(self) -> str:
        """What is seen, in words."""
        over = " and ".join(axis.name for axis in self.axes)
        if self.best is None:
            return f"Landscape of {self.title} over {over}: no successful trial."
        place = ", ".join(f"{axis.name} {value:.3g}" for axis, value in zip(self.axes, self.best, strict=True))
        found = f"{len(self.points)} trials, the lowest {self.errors.min():.3f} at {place}"
        return f"Landscape of {self.title} over {over}: {found}."


def landscape_info(
    config: CampaignConfig, trials: list[TrialResult], condition: Condition, restarts: int = 2
) -> LandscapeInfo:
    """Fit the landscape of a condition to its trials.

    Of more than two searched parameters the two that matter most are drawn. The fit's length scales are sought from
    one start, and from so many more.

    Raises:
        InputError: nothing is searched for this condition's method.
    """
    space = config.space(condition)
    if not space:
        raise InputError(f"condition '{condition.key}' has no searched parameter; name a fused cell of the map")
    own = [trial for trial in by_condition(trials).get(condition.key, []) if set(space) <= set(_point(trial))]
    minimised = config.search.minimise
    scored = [trial for trial in own if trial.whole and math.isfinite(trial.error(minimised))]
    errors = np.array([trial.error(minimised) for trial in scored], float)
    winner = best(scored, minimised)
    best_point = None if winner is None else _points([winner], space)[0]
    fitted = _Fitted(space, _points(scored, space), errors, best_point, restarts)
    return LandscapeInfo(
        title=condition.words,
        subject=subject_of(config),
        axes=tuple(_axis(name, space[name]) for name in fitted.drawn),
        points=fitted.points[:, fitted.chosen],
        errors=errors,
        label=symbol_of(minimised),
        failed=_points([trial for trial in own if not trial.ok], space)[:, fitted.chosen],
        best=None if fitted.best is None else fitted.best[fitted.chosen],
        grid=fitted.grid,
        surface=fitted.mean,
        deviation=fitted.deviation,
        others=fitted.held,
    )


class _Fitted:
    """A Gaussian process through the trials of a condition, over the one or two parameters that matter most.

    Args:
        space: the searched parameters.
        points: (trial, parameter) where trials were made; `errors` (trial,) what they gave.
        best: (parameter,) the point of the lowest error, at which parameters that are not drawn are held; or None.
        restarts: of the search for its length scales.
    """

    def __init__(
        self,
        space: dict[str, Dimension],
        points: np.ndarray,
        errors: np.ndarray,
        best: np.ndarray | None,
        restarts: int,
    ):
        self.space, self.points, self.best = space, points, best
        self.mean: np.ndarray | None = None
        self.deviation: np.ndarray | None = None
        process = _fit(_unit(points, space), errors, restarts) if len(points) >= FEWEST_FOR_SURFACE else None
        self.chosen = _most_important(process, len(space))
        self.drawn = [list(space)[index] for index in self.chosen]
        self.grid = tuple(_grid(space[name], _GRID[len(self.chosen)]) for name in self.drawn)
        if process is not None and best is not None:
            self._predict(process, best)

    @property
    def held(self) -> dict[str, float]:
        """The parameters that are not drawn, at the best point."""
        point = [] if self.best is None else self.best.tolist()
        return {name: value for name, value in zip(self.space, point, strict=False) if name not in self.drawn}

    def _predict(self, process: Any, best: np.ndarray) -> None:
        """Mean and standard deviation, (n,) or (n_second, n_first)."""
        meshes = np.meshgrid(*self.grid)
        points = np.tile(best, (meshes[0].size, 1))
        for index, mesh in zip(self.chosen, meshes, strict=True):
            points[:, index] = mesh.ravel()
        mean, deviation = process.predict(_unit(points, self.space), return_std=True)
        self.mean, self.deviation = mean.reshape(meshes[0].shape), deviation.reshape(meshes[0].shape)


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


def _fit(points: np.ndarray, errors: np.ndarray, restarts: int) -> Any:
    """A Gaussian process as the search uses it: Matern 5/2, one length scale a parameter, white noise."""
    # scikit-learn takes a second to import, and comes with scikit-optimize
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    lengths = np.full(points.shape[1], 0.5)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(lengths, (0.05, 10.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=restarts, random_state=0)
    with warnings.catch_warnings():
        # a length scale at its bound is a parameter that does not matter: drawn as such, nothing to warn of
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, errors)


def _most_important(process: Any, count: int) -> list[int]:
    """Indices of the one or two parameters with the shortest length scales, in the order of the space."""
    if process is None or count <= 2:
        return list(range(min(count, 2)))
    lengths = np.atleast_1d(process.kernel_.k1.k2.length_scale)
    return sorted(np.argsort(lengths, kind="stable")[:2].tolist())


def draw_landscape(info: LandscapeInfo, target: Figure | Axes) -> None:
    """Draw a curve (one parameter) or filled contours (two), what was tried and where the lowest error is."""
    ax = axes_of(target)
    (_draw_curve if len(info.axes) == 1 else _draw_surface)(info, ax)
    held = ", ".join(f"{SYMBOLS.get(name, name)} = {value:.2g}" for name, value in info.others.items())
    lines = [line for text in (info.title, info.subject) for line in title_lines(text, SINGLE_COLUMN_IN)]
    lines += [f"at {held}"] if held else []
    ax.set_title("\n".join(lines), loc="left", pad=18)
    for axis, parameter in zip((ax.xaxis, ax.yaxis), info.axes, strict=False):
        axis.set_label_text(parameter.label)
    if not len(info.points):
        ax.text(0.5, 0.5, "no successful trial", transform=ax.transAxes, ha="center", va="center")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False, fontsize=7, borderpad=0.2)


def _draw_curve(info: LandscapeInfo, ax: Axes) -> None:
    if info.surface is not None and info.deviation is not None:
        low, high = info.surface - info.deviation, info.surface + info.deviation
        ax.fill_between(info.grid[0], low, high, color=_CURVE, alpha=0.2, linewidth=0)
        ax.plot(info.grid[0], info.surface, color=_CURVE)
    if len(info.points):
        ax.plot(info.points[:, 0], info.errors, "o", color="black", label="tried")
    for number, x in enumerate(info.failed[:, 0]):
        ax.axvline(x, color="0.4", linestyle=":", linewidth=1, label="" if number else "failed")
    if info.best is not None:
        _draw_lowest(ax, info.best[0], info.errors.min())
    ax.set_xscale(info.axes[0].scale)
    ax.set_xlim(info.axes[0].limits)
    ax.set_ylabel(info.label)
    ax.spines[["top", "right"]].set_visible(False)


def _draw_lowest(ax: Axes, x: float, y: float) -> None:
    look: dict[str, Any] = {"color": _LOWEST, "markeredgecolor": "white", "markersize": 12, "clip_on": False}
    ax.plot(x, y, "*", label="lowest", **look)


def _draw_surface(info: LandscapeInfo, ax: Axes) -> None:
    ax.set_xscale(info.axes[0].scale)
    ax.set_yscale(info.axes[1].scale)
    limits = color_limits(info.errors, "linear")
    if info.surface is not None:
        # colours span what was measured; the process may overshoot between the points
        filled = ax.contourf(*info.grid, info.surface, np.linspace(*limits, 25), cmap=COLORS, extend="both")
        ax.figure.colorbar(filled, ax=ax, label=info.label, ticks=_ticks(limits))
        ax.plot(*info.points.T, "o", color="black", markeredgecolor="white", markeredgewidth=0.5, label="tried")
    elif len(info.points):
        look: dict[str, Any] = {"c": info.errors, "cmap": COLORS, "vmin": limits[0], "vmax": limits[1]}
        dots = ax.scatter(info.points[:, 0], info.points[:, 1], edgecolor="black", label="tried", **look)
        ax.figure.colorbar(dots, ax=ax, label=info.label, ticks=_ticks(limits))
    if len(info.failed):
        ax.plot(*info.failed.T, "x", color="black", markersize=5, clip_on=False, label="failed")
    if info.best is not None:
        _draw_lowest(ax, info.best[0], info.best[1])
    ax.set_xlim(info.axes[0].limits)
    ax.set_ylim(info.axes[1].limits)


def _ticks(limits: tuple[float, float]) -> list[float]:
    """Round values within the limits; those beyond would pile up at the ends of the colour bar."""
    return [tick for tick in MaxNLocator(6).tick_values(*limits) if limits[0] <= tick <= limits[1]]
