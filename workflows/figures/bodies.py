"""How sharp are the surfaces of each element's bodies, and how large are the bodies (paper, Figs. 1, 2k and 3d)?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fusedtomo.bodies import Bodies
from fusedtomo.methods import METHODS
from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, SINGLE_COLUMN_IN
from fusedtomo.plot.heat_map import title_lines

_HEIGHT_IN = 2.1
_TRUTH = "truth"


@dataclass(frozen=True, eq=False)
class BodiesInfo:
    """What every method shows of every element, beside the truth on the same grid.

    Attributes:
        title: specimen, size and noise.
        truth: by element.
        methods: by name, in the order drawn: by element.
    """

    title: str
    truth: Mapping[str, Bodies]
    methods: Mapping[str, Mapping[str, Bodies]]

    @property
    def size_in(self) -> tuple[float, float]:
        """Width and height: one column of a journal for an element or two, else both."""
        return SINGLE_COLUMN_IN if len(self.truth) < 3 else DOUBLE_COLUMN_IN, _HEIGHT_IN

    @property
    def alt_text(self) -> str:
        """What is seen, in numbers."""
        return " ".join(f"{label}: {_told(found)}." for label, found in self._rows)

    def told(self, method: str) -> str:
        """What a method shows of every element, in words and numbers."""
        return _told(self.methods[method])

    @property
    def table(self) -> pd.DataFrame:
        """One row a method and element; the truth first."""
        return pd.DataFrame(
            {
                "method": label,
                "element": element,
                "bodies": len(one.diameters_nm),
                "specks": one.specks,
                "mean_diameter_nm": _mean(one.diameters_nm),
                "diameter_deviation_nm": float(one.diameters_nm.std()) if one.diameters_nm.size else np.nan,
                "thickness_nm": one.thickness_nm,
                "edge_nm": one.edge_nm,
            }
            for label, found in self._rows
            for element, one in found.items()
        )

    @property
    def _rows(self) -> list[tuple[str, Mapping[str, Bodies]]]:
        return [(_TRUTH, self.truth), *((METHODS[name].label, found) for name, found in self.methods.items())]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _told(found: Mapping[str, Bodies]) -> str:
    return "; ".join(
        f"{element} {len(one.diameters_nm)} bodies of {_mean(one.diameters_nm):.1f} nm, {one.thickness_nm:.1f} nm "
        f"thick, edge {one.edge_nm:.1f} nm"
        for element, one in found.items()
    )


def draw_bodies(info: BodiesInfo, figure: Figure) -> None:
    """Draw a panel an element: mean concentration by the distance from the true surface."""
    panels = figure.subplots(1, len(info.truth), squeeze=False, sharey=True)[0]
    for ax, (element, truth) in zip(panels, info.truth.items(), strict=True):
        ax.plot(truth.distance_nm, truth.profile, color="black", linestyle="--", label=_TRUTH)
        for name, found in info.methods.items():
            look, one = METHODS[name], found[element]
            ax.plot(
                one.distance_nm, one.profile, color=look.color, marker=look.marker, markersize=2.5, label=look.label
            )
        ax.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        ax.set(title=element, xlabel="distance (nm)")
    panels[0].set(ylabel="concentration / level", ylim=(-0.05, None))  # shared, so once all are drawn
    if info.title:
        figure.suptitle("\n".join(title_lines(info.title, info.size_in[0])), fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
