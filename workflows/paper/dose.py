"""Supplements 6 and 7: how much dose does fusion save, and where none?"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from fusedtomo.plot.drawing import to_figure
from workflows.campaign.axes import text
from workflows.figures.along import over_last_axis
from workflows.figures.curves import draw_curves
from workflows.maps.sampling_map import METHOD
from workflows.paper.claims import Claim, Find, Found, Runs
from workflows.paper.figure import PAPER, PaperFigure
from workflows.report.findings import Findings
from workflows.report.product import Drawn
from workflows.report.resolutions import resolutions_of

_CAMPAIGN = "paper-s7"
_FEW, _MANY = 9, 45  # chemical tilts: of fusion, and of the conventional series that the paper compares it with
_HUNDREDFOLD = 100
_METHODS = ("fused", "poisson-tv", "poisson")


def along_dose(runs: Runs) -> Drawn | None:
    """The error of every method over the dose of the maps, with few tilts and with many."""
    findings = runs[_CAMPAIGN]
    wanted = [(method, tilts) for tilts in (_FEW, _MANY) for method in _METHODS]
    info = over_last_axis(findings.config, findings.map.error, wanted, "NRMSE")
    if info is None:
        return None
    caption = (
        "The lowest error of every method over the total dose of the chemical maps, mean counts of a pixel summed over "
        "all tilts, which share it evenly. HAADF images are the same everywhere: 47 tilts."
    )
    return Drawn("NRMSE over dose", caption, to_figure(draw_curves, info), info.alt_text)


def _errors(findings: Findings) -> xr.DataArray:
    found: xr.DataArray = findings.map.error
    return found


def saving(method: str, of: Callable[[Findings], xr.DataArray] = _errors) -> Find:
    """How many times more dose a method with many tilts needs to reach the error of fusion with few.

    Args:
        method: the other one.
        of: what is to be reached: the error, or another quantity over (method_name, axes) that falls with the dose.
    """

    def find(runs: Runs) -> Found | None:
        findings = runs[_CAMPAIGN]
        first, last = findings.config.axes
        doses, found = np.array(findings.config.axes[last], float), of(findings)
        fused = found.sel({METHOD: "fused", first: _FEW}).values
        other = found.sel({METHOD: method, first: _MANY}).values
        if not np.isfinite([*fused, *other]).all():
            return None
        factors = [_needed(doses, other, error) / dose for dose, error in zip(doses, fused, strict=True)]
        texts = [_told(dose, factor, doses[-1]) for dose, factor in zip(doses, factors, strict=True)]
        # where the other never gets as low, too little dose may have been tried to tell
        told = [f for f, dose in zip(factors, doses, strict=True) if np.isfinite(f) or doses[-1] >= _HUNDREDFOLD * dose]
        return Found("; ".join(texts), bool(np.median(told) >= _HUNDREDFOLD) if told else None)

    return find


def _needed(doses: np.ndarray, errors: np.ndarray, error: float) -> float:
    """The dose at which a curve of errors, made falling, reaches one; infinite where it never does."""
    falling = np.minimum.accumulate(errors)
    if error < falling[-1]:
        return float("inf")
    return float(np.exp(np.interp(-error, -falling, np.log(doses))))


def _told(dose: float, factor: float, most: float) -> str:
    return f"{text(dose)}: {'> ' + text(round(most / dose, 1)) if np.isinf(factor) else f'{factor:.2g}'} x"


PAPER.register(
    PaperFigure(
        name="s7",
        title="Error and resolution over dose",
        paper="Supplements 6 and 7",
        campaigns=(_CAMPAIGN,),
        shows=("sampling_map", "slices", "resolution", "resolutions"),
        draw=(along_dose,),
        claims=(
            Claim(
                "multi-modal tomography performs well at one-hundredth the dose of conventional tomography",
                saving("poisson"),
                "dose of fusion with 9 tilts: times more dose that a conventional series of 45 tilts needs",
            ),
            Claim("(the same beside compressed sensing)", saving("poisson-tv"), "Poisson + TV with 45 tilts"),
            Claim(
                "(the same, for resolution instead of NRMSE)",
                saving("poisson", resolutions_of),
                "agreement with the truth by half a bit; never finer than two voxels, which ends the comparison",
            ),
        ),
    )
)
