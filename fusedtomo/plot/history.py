"""Did a reconstruction converge (paper, Supplement 13b)?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN
from fusedtomo.solvers.convergence import SOLVE

# a term keeps its name of the file, but a reader sees the word of the text
_WORDS = {"haadf": "HAADF", "tv": "total variation", "total": "sum"}
_DASHES = ("-", "--", "-.", ":")  # told apart in print without colours, too
_FEW = 30  # so many values are marked one by one
_HEIGHT_IN = 2.3


@dataclass(frozen=True, eq=False)
class HistoryInfo:
    """What a solver recorded: terms of the cost by name, and the NRMSE when known; each (iterate,), from the start."""

    terms: dict[str, np.ndarray]
    nrmse: np.ndarray | None

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height of a figure with one panel, or two."""
        return (SINGLE_COLUMN_IN if self.nrmse is None else DOUBLE_COLUMN_IN), _HEIGHT_IN

    @property
    def iterations(self) -> int:
        """How many steps were made: one less than there are values, as the first is the start."""
        series = [*self.terms.values(), *([] if self.nrmse is None else [self.nrmse])]
        return max((len(values) - 1 for values in series), default=0)

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers: for readers who do not see the figure."""
        parts = [_told(_WORDS.get(name, name), term, "a value above 0") for name, term in self.terms.items()]
        cost = f"Terms of the cost over {_counted(self.iterations)}: {'; '.join(parts)}." if parts else ""
        if self.nrmse is None:
            return cost or "No value was recorded."
        error = _told("NRMSE", self.nrmse, "a value")
        if self.iterations and np.isfinite(self.nrmse).any():
            least = int(np.nanargmin(self.nrmse))
            error += f", lowest {self.nrmse[least]:.3f} after {_counted(least)}"
        return f"{cost} {error}.".strip()


def _counted(iterations: int) -> str:
    return f"{iterations} iteration{'' if iterations == 1 else 's'}"


def _told(name: str, values: np.ndarray, wanted: str) -> str:
    """The name with its first and last finite value, and which way it went; or without what is wanted."""
    shown = values[np.isfinite(values)]
    if not shown.size:
        return f"{name} without {wanted}"
    first, last = (_number(value) for value in shown[[0, -1]])
    if first == last:
        return f"{name} {first} at start and end" if len(shown) > 1 else f"{name} {first}"
    return f"{name} {'falls' if shown[-1] < shown[0] else 'rises'} from {first} to {last}"


def _number(value: float) -> str:
    """Three digits without a power of ten where it can be: 40400 becomes "40,400"."""
    return f"{float(f'{value:.3g}'):,.0f}" if 1000 <= value < 1e9 else f"{value:.3g}"


def history_info(histories: Mapping[str, Sequence[float]]) -> HistoryInfo:
    """Sort recorded values into cost terms and "nrmse"; values not above 0 become NaN, for the log axis.

    The number of a row's cost function is left out: where it changes, the terms leap.
    """
    values = {name: np.asarray(values, float) for name, values in histories.items() if name != SOLVE}
    nrmse = values.pop("nrmse", None)
    terms = {name: np.where(term > 0, term, np.nan) for name, term in values.items()}
    return HistoryInfo(terms, nrmse)


def draw_history(info: HistoryInfo, figure: Figure) -> None:
    """Draw the cost terms against iterations on a log axis, and the NRMSE beside them."""
    panels = figure.subplots(1, 1 if info.nrmse is None else 2, squeeze=False)[0]
    _draw_terms(info.terms, panels[0])
    if info.nrmse is not None:
        _draw_nrmse(info.nrmse, panels[1])
    for panel in panels:
        panel.set_xlabel("iteration")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.spines[["top", "right"]].set_visible(False)


def _draw_terms(terms: Mapping[str, np.ndarray], ax: Axes) -> None:
    dashes = cycle(_DASHES)
    for name, term in terms.items():
        look = {"linestyle": "-", "color": "black"} if name == "total" else {"linestyle": next(dashes)}
        ax.plot(term, label=_WORDS.get(name, name), marker="." if len(term) < _FEW else None, **look)
    if any(np.isfinite(term).any() for term in terms.values()):
        ax.set_yscale("log")
    if terms:
        ax.legend(frameon=False)
    ax.set_ylabel("term of the cost")


def _draw_nrmse(nrmse: np.ndarray, ax: Axes) -> None:
    ax.plot(nrmse, color="black", marker="." if len(nrmse) < _FEW else None)
    if np.isfinite(nrmse).any():
        least = int(np.nanargmin(nrmse))
        ax.plot(least, nrmse[least], "o", color="black", markerfacecolor="white", label=f"lowest: {nrmse[least]:.3f}")
        ax.legend(frameon=False)
    ax.set_ylabel(r"$\langle$NRMSE$\rangle$")
