"""What does the paper say with a number, and what was found here?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import xarray as xr

from fusedtomo.methods import METHODS
from workflows.campaign import Value
from workflows.maps.sampling_map import METHOD
from workflows.report.findings import Findings

_FEWEST = 2  # seeds that have a deviation
_NEAR = 0.1  # relative: the paper says "around", and gives two digits

COLUMNS = ("the paper says", "found here", "verdict", "note")
Row = tuple[str, str, str, str]  # of the comparison with the paper

Runs = Mapping[str, Findings]  # by the name of the campaign file


@dataclass(frozen=True)
class Found:
    """What was found where the paper has a number.

    Attributes:
        words: what was found; with numbers, where they stand and how they are written, as of str.format.
        holds: whether the paper's statement holds here; None where a number stands beside it and no more is said.
        numbers: those found, as far as they may differ on other noise.
    """

    words: str
    holds: bool | None = None
    numbers: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """What was found."""
        return self.words.format(*self.numbers) if self.numbers else self.words


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
class _Spread:
    """Mean and deviation of a number, written alike."""

    mean: float
    deviation: float

    def __format__(self, how: str) -> str:
        return f"{self.mean:{how}} ± {self.deviation:{how}}"


@dataclass(frozen=True)
class Judged:
    """A claim beside what was found.

    Attributes:
        claim: the claim.
        found: with the best trials as they are.
        again: the same on other noise, one a seed; () where nothing was computed again.
    """

    claim: Claim
    found: Found | None
    again: tuple[Found, ...] = ()

    @property
    def repeated(self) -> bool:
        """Whether its numbers have a deviation."""
        return self.found is not None and bool(self.found.numbers) and len(self.again) >= _FEWEST

    @property
    def text(self) -> str:
        """What was found; on other noise, mean and standard deviation of its numbers."""
        if self.found is None:
            return "–"
        if not self.repeated:
            return self.found.text
        columns = zip(*(one.numbers for one in self.again), strict=True)
        return self.found.words.format(*(_Spread(fmean(values), stdev(values)) for values in columns))

    @property
    def verdict(self) -> str:
        """A few words for the table. Of what was computed again, it is about the other noise alone."""
        if self.found is None:
            return "not measured"
        verdicts = {one.holds for one in (self.again if self.repeated else (self.found,))}
        if len(verdicts) > 1:
            return "within noise"
        return {True: "holds", False: "does not hold", None: "beside it"}[verdicts.pop()]

    @property
    def row(self) -> Row:
        """As it stands in the comparison with the paper."""
        return self.claim.says, self.text, self.verdict, self.claim.note


def judged(claim: Claim, runs: Runs, again: Sequence[Runs]) -> Judged:
    """Find what a claim is about in some runs, and in the same on other noise."""
    found = [one for other in again if (one := claim.find(other))]
    return Judged(claim, claim.find(runs), tuple(found) if len(found) == len(again) else ())


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
        words = f"in {{:.0%}} of {known.size} cells; median {{:.2f}}"
        return Found(words, below > 0.5, (below, float(np.median(known))))

    return find


def error_is(campaign: str, method: str, cell: tuple[Value, ...], expected: float) -> Find:
    """A method's error in one cell; it holds within a tenth of the paper's number."""

    def find(runs: Runs) -> Found | None:
        found = error_at(runs[campaign], method, cell)
        return Found("{:.2f}", _near(found, expected), (found,)) if np.isfinite(found) else None

    return find


def errors_are(campaign: str, method: str, expected: float) -> Find:
    """A method's errors over the map; it holds where their median is within a tenth of the paper's number."""

    def find(runs: Runs) -> Found | None:
        known = _finite(errors(runs[campaign], method))
        if not known.size:
            return None
        middle = float(np.median(known))
        numbers = (middle, float(known.min()), float(known.max()))
        return Found("{:.2f} (cells: {:.2f} to {:.2f})", _near(middle, expected), numbers)

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
        words = f"{{:.1f}} (cells: {{:.1f}} to {{:.1f}}) of {METHODS[over].label} over {METHODS[method].label}"
        return Found(words, low <= middle <= high, (middle, float(ratios.min()), float(ratios.max())))

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
