"""How do benchmark results look? Each function draws what is in a result's tables and curves, and computes nothing."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = {"fused": "#0072b2", "Algorithm 1": "#d55e00", "Condat-Vu": "#7f7f7f"}  # Okabe and Ito's, and grey
_BAR = {"color": "0.35", "lw": 0.8, "ls": (0, (4, 3))}
_SHOWN = 3  # cases whose curves are drawn
_KERNELS = {"joseph": "o", "tv": "s", "zcontrast": "^", "poisson": "D", "sums": "v"}
_ALL_METHODS_AT = 64
_PAPER = (320, 6.1)  # its public code's notebook: voxels on a side, seconds an outer iteration, two elements, one GPU


def convergence(curves: dict[str, dict], rows: list[dict], cost_within: float, nrmse_within: float) -> Figure:
    """Curves of a few cases, above each other cost and NRMSE, and the counts of all cases beside them."""
    figure = Figure(figsize=(13.5, 7.2), layout="constrained")
    chosen = list(curves)[:: max(1, len(curves) // _SHOWN)][:_SHOWN]
    grid = figure.add_gridspec(2, _SHOWN + 2)
    for column, name in enumerate(chosen):
        case, top = curves[name], figure.add_subplot(grid[0, column])
        bottom = figure.add_subplot(grid[1, column], sharex=top)
        _draw_costs(top, case, cost_within)
        _draw_errors(bottom, case, nrmse_within)
        top.set_title("\n".join(name.rsplit(", HAADF", 1)[0].split(", ", 1)), fontsize=9)
        top.tick_params(labelbottom=False)
        if column == 0:
            top.set_ylabel("cost above F*, relative")
            bottom.set_ylabel("NRMSE")
            top.legend(fontsize=8, frameon=False, loc="lower left")
        bottom.set_xlabel("outer iteration")
    _draw_counts(figure.add_subplot(grid[:, _SHOWN:]), rows)
    return figure


def _draw_costs(axes: Axes, case: dict, within: float) -> None:
    for name, color in COLORS.items():
        gap = np.array(case[name]["costs"]) / case["least"] - 1
        axes.loglog(case[name]["iterations"], np.maximum(gap, 1e-6), color=color, lw=1.6, label=name)
    axes.axhline(within, **_BAR)
    _note(axes, f"{100 * within:g} %", (1, within), (2, 2))
    axes.set_ylim(1e-5, 30)
    axes.grid(alpha=0.25, lw=0.5)


def _draw_errors(axes: Axes, case: dict, within: float) -> None:
    for name, color in COLORS.items():
        axes.semilogx(case[name]["iterations"], case[name]["nrmse"], color=color, lw=1.6)
    axes.axhspan(*(case["nrmse"] * (1 + sign * within) for sign in (-1, 1)), color="0.8", lw=0)
    _note(axes, f"± {100 * within:g} % of the NRMSE at F*", (1, case["nrmse"]), (3, -12))
    axes.grid(alpha=0.25, lw=0.5)


def _draw_counts(axes: Axes, rows: list[dict]) -> None:
    """One line a case, from the count of `fused` to that of Algorithm 1; open where a run ended before."""
    for y, row in enumerate(rows):
        counts = {name: row[name] for name in ("fused", "Algorithm 1")}
        axes.plot([_number(each) for each in counts.values()], [y, y], color="0.8", lw=1.2, zorder=1)
        for name, count in counts.items():
            open_end = isinstance(count, str)
            face = "white" if open_end else COLORS[name]
            marker = ">" if open_end else "o"
            axes.scatter(_number(count), y, marker=marker, s=34, facecolor=face, edgecolor=COLORS[name], zorder=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [_case_label(row) for row in rows], fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("outer iterations needed (> : not within the run)")
    axes.set_title("to 0.3 % of F* and 1 % of a minimiser's NRMSE", fontsize=9)
    axes.grid(alpha=0.25, lw=0.5, axis="x", which="both")


def _case_label(row: dict) -> str:
    phantom = row["phantom"].split("_")[-1]
    return f"{phantom}  γ {row['gamma']:g}  {row['TV']} TV  {row['tilts']}  λ₁ {row['HAADF']:g}"


def _number(count: int | str) -> float:
    return float(str(count).lstrip("> "))


def reconstructions(rows: list[dict]) -> Figure:
    """Time per iteration and peak memory against size."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    fused = [row for row in rows if row["method"] == "fused"]
    sizes = np.array([row["size"] for row in fused])
    _draw_times(left, sizes, rows, fused)
    right.loglog(sizes, [row["peak MB"] for row in fused], "o-", color=COLORS["fused"], label="peak of the process")
    right.loglog(sizes, 16e-6 * sizes**3.0, **_BAR, label="one volume of four elements")
    right.axhline(5000, color=COLORS["Algorithm 1"], lw=0.8)
    _note(right, "5 GB", (sizes[0], 5000), (0, -11))
    right.set_ylabel("MB")
    for axes, ticks in ((left, [*sizes, _PAPER[0]]), (right, sizes)):
        axes.set_xticks(ticks, [f"{size}³" for size in ticks], fontsize=8)
        axes.minorticks_off()
        axes.set_xlabel("voxels")
        axes.legend(fontsize=8, frameon=False, loc="upper left" if axes is left else "lower right")
        axes.grid(alpha=0.25, lw=0.5)
    return figure


def _draw_times(axes: Axes, sizes: np.ndarray, rows: list[dict], fused: list[dict]) -> None:
    axes.loglog(sizes, [row["ms an iteration"] for row in fused], "o-", color=COLORS["fused"], label="fused")
    axes.loglog(sizes, fused[-1]["ms an iteration"] * (sizes / sizes[-1]) ** 3.0, **_BAR, label="∝ voxels")
    for names, cost in _together([row for row in rows if row["method"] != "fused" and row["size"] == _ALL_METHODS_AT]):
        axes.plot(_ALL_METHODS_AT, cost, "_", color="0.45", ms=9)
        _note(axes, names, (_ALL_METHODS_AT, cost), (-7, -3), ha="right")
    axes.plot(_PAPER[0], 1e3 * _PAPER[1], "*", color=COLORS["Algorithm 1"], ms=12, ls="none")
    text = "the paper's code, as published:\ntwo elements, one GPU"
    _note(axes, text, (_PAPER[0], 1e3 * _PAPER[1]), (-10, -6), ha="right")
    axes.set_ylim(top=2.5e3 * _PAPER[1])
    axes.set_ylabel("ms an outer iteration")


def _together(rows: list[dict]) -> list[tuple[str, float]]:
    """Methods and their times; those that would be written over each other in one."""
    found: list[tuple[str, float]] = []
    for row in sorted(rows, key=lambda row: row["ms an iteration"]):
        name, cost = row["method"], row["ms an iteration"]
        if found and cost < 1.25 * found[-1][1]:
            name, cost = f"{found[-1][0]}, {name}", found.pop()[1]
        found.append((name, cost))
    return found


def roofline(rows: list[dict], copy: float, peak: float) -> Figure:
    """Every kernel's rate against its intensity, under the machine's roof; copy in GB/s, peak in GFLOP/s."""
    figure = Figure(figsize=(8.6, 5.6), layout="constrained")
    axes = figure.subplots()
    intensity = np.geomspace(0.1, 100, 200)
    axes.loglog(intensity, np.minimum(peak, copy * intensity), color="0.3", lw=1.4)
    _note(axes, f"{peak:.0f} GFLOP/s, fused multiply-adds", (95, peak), (0, 4), ha="right")
    _note(axes, f"{copy:.0f} GB/s, copy", (0.9, 0.9 * copy), (-6, 4), ha="right")
    for row in rows:
        (family, name), at = row["kernel"].split(".", 1), (row["operations a byte"], row["GFLOP/s"])
        axes.plot(*at, _KERNELS[family], ms=6, color=COLORS["fused"], alpha=0.85)
        _note(axes, name, at, (6, 1 if name.startswith("adjoint") else -6))
    axes.set_xlabel("operations a byte that must go through memory")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"{rows[0]['size']}³, four elements", fontsize=9)
    handles = [axes.plot([], [], marker, color=COLORS["fused"], label=name)[0] for name, marker in _KERNELS.items()]
    axes.legend(handles=handles, fontsize=8, frameon=False, loc="lower right")
    axes.grid(alpha=0.25, lw=0.5)
    return figure


def _note(axes: Axes, text: str, at: tuple, points: tuple, **style) -> None:
    axes.annotate(text, at, xytext=points, textcoords="offset points", fontsize=7.5, **style)


def steering(curves: dict[str, dict[str, list[float]]]) -> Figure:
    """How busy the workers of each run are over time: trials below, proposals on top."""
    figure = Figure(figsize=(4.4 * len(curves), 3.4), layout="constrained")
    for column, (axes, (name, curve)) in enumerate(zip(figure.subplots(1, len(curves)), curves.items(), strict=True)):
        layers = [100 * np.array(curve[kind]) for kind in ("trial", "proposal")]
        colors = COLORS["fused"], COLORS["Algorithm 1"]
        axes.stackplot(curve["seconds"], *layers, colors=colors, labels=("trials", "proposals"), alpha=0.85, lw=0)
        axes.axhline(90, **_BAR)
        axes.set_ylim(0, 103)
        axes.set_xlim(0, max(curve["seconds"]))
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("seconds")
        if column == 0:
            axes.set_ylabel("workers busy, %")
            axes.legend(fontsize=8, frameon=True, loc="lower center")
    return figure


def search(rows: list[dict]) -> Figure:
    """Regret against cost for every strategy, a panel for each map: the mean over cells, and the worst cell."""
    maps = list(dict.fromkeys((row["specimen"], row["cells"]) for row in rows))
    figure = Figure(figsize=(4.6 * len(maps), 3.8), layout="constrained")
    for axes, (specimen, cells) in zip(np.ravel(figure.subplots(1, len(maps), sharey=True)), maps, strict=True):
        own = [row for row in rows if (row["specimen"], row["cells"]) == (specimen, cells)]
        for color, (name, kind) in zip(_OF_SEARCHES, _SEARCHES.items(), strict=True):
            _draw_searches(axes, [row for row in own if kind(row["search"])], name, color)
        axes.set(xscale="log", yscale="log", xlabel="whole reconstructions a cell", title=f"{specimen}, {cells} cells")
        axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        axes.set_yticks([0.1, 1, 10], ["0.1 or less", "1", "10"])
        axes.minorticks_off()
        axes.grid(alpha=0.25, lw=0.5)
    figure.axes[0].set_ylabel("regret, %: mean, and worst cell")
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure


_OF_SEARCHES = ("#0072B2", "#56B4E9", "#D55E00", "#777777")
_SEARCHES = {
    "map, slabs": lambda name: name.startswith("map") and "slabs" in name,
    "map": lambda name: name.startswith("map") and "slabs" not in name,
    "GP-Hedge a cell": lambda name: name.startswith("gp_hedge"),
    "Sobol a cell": lambda name: name.startswith("sobol"),
}


def _draw_searches(axes: Axes, rows: list[dict], name: str, color: str) -> None:
    if not rows:
        return
    cost, mean, worst = (
        np.array([row[key] for row in rows]) for key in ("whole reconstructions a cell", "regret %, mean", "worst cell")
    )
    mean, worst = np.maximum(mean, 0.1), np.maximum(worst, 0.1)  # a trial may come out luckily, below the truth
    axes.plot(cost, mean, "o-", ms=5, color=color, label=name)
    axes.plot(cost, worst, "^", ms=5, color=color, fillstyle="none")
    axes.vlines(cost, mean, worst, color=color, lw=0.8, alpha=0.6)
