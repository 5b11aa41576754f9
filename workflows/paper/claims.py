"""What does the paper say with a number, and what was found here?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from workflows.campaign import Value
from workflows.maps.sampling_map import METHOD
from workflows.report.findings import Findings

_NEAR = 0.1  # relative: the paper says "around", and gives two digits

Runs = Mapping[str, Findings]  # by the name of the campaign file


@dataclass(frozen=True)
class Found:
    """What was found where the paper has a number.

    Attributes:
        text: the numbers found.
        holds: whether the paper's statement holds here; None where a number stands beside it and no more is said.
    """

    text: str
    holds: bool | None = None


Find = Callable[[Runs], Found | None]  # None as long as the runs lack what it needs


@dataclass(frozen=True)
class Claim:
    """A statement of the paper.

    Attributes:
        says: what it says, with its number.
        find: what these runs give; None as long as they lack what it needs.
        note: why the two may differ, and what the number hides.
    """

    says: str
    find: Find
    note: str = ""


@dataclass(frozen=True)
class Judged:
    """A claim beside what was found."""

    claim: Claim
    found: Found | None

    @property
    def verdict(self) -> str:
        """One word for the table."""
        if self.found is None:
            return "not measured"
        return {True: "holds", False: "does not hold", None: "beside it"}[self.found.holds]


def errors(findings: Findings, method: str) -> np.ndarray:
    """The error of every cell of a method, (axis, ...) float64 with NaN where there is none."""
    return _of(findings, method).values


def error_at(findings: Findings, method: str, cell: tuple[Value, ...]) -> float:
    """The error of one cell of a method; NaN where there is none."""
    at = dict(zip(findings.config.axes, cell, strict=True))
    return float(_of(findings, method).sel(at).item())


def _of(findings: Findings, method: str) -> xr.DataArray:
    found: xr.DataArray = findings.map.error.sel({METHOD: method})
    return found


def most_cells_below(campaign: str, method: str, most: float) -> Find:
    """Whether a method's error is below a number in more than half of the map."""

    def find(runs: Runs) -> Found | None:
        known = _finite(errors(runs[campaign], method))
        if not known.size:
            return None
        below = float(np.mean(known < most))
        return Found(f"in {below:.0%} of {known.size} cells; median {np.median(known):.2f}", below > 0.5)

    return find


def error_is(campaign: str, method: str, cell: tuple[Value, ...], expected: float) -> Find:
    """A method's error in one cell; it holds within a tenth of the paper's number."""

    def find(runs: Runs) -> Found | None:
        found = error_at(runs[campaign], method, cell)
        return Found(f"{found:.2f}", _near(found, expected)) if np.isfinite(found) else None

    return find


def errors_are(campaign: str, method: str, expected: float) -> Find:
    """A method's errors over the map; it holds where their median is within a tenth of the paper's number."""

    def find(runs: Runs) -> Found | None:
        known = _finite(errors(runs[campaign], method))
        if not known.size:
            return None
        middle = float(np.median(known))
        return Found(f"{middle:.2f} ({known.min():.2f} to {known.max():.2f})", _near(middle, expected))

    return find


def _near(found: float, expected: float) -> bool:
    return abs(found - expected) <= _NEAR * expected


def gain(campaign: str, method: str, over: str, low: float, high: float) -> Find:
    """How many times lower a method's error is than another's, over the map; it holds where the median lies between."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        ratios = _finite(errors(findings, over) / errors(findings, method))
        if not ratios.size:
            return None
        middle = float(np.median(ratios))
        label = f"of {METHODS[over].label} over {METHODS[method].label}"
        return Found(f"{middle:.1f} ({ratios.min():.1f} to {ratios.max():.1f}) {label}", low <= middle <= high)

    return find


def always_lower(campaign: str, method: str, than: str) -> Find:
    """Whether a method's error is below another's in every cell."""

    def find(runs: Runs) -> Found | None:
        findings = runs[campaign]
        differences = _finite(errors(findings, than) - errors(findings, method))
        if not differences.size:
            return None
        lower = int(np.sum(differences > 0))
        return Found(f"in {lower} of {differences.size} cells", lower == differences.size)

    return find


def _finite(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = values[np.isfinite(values)]
    return found
