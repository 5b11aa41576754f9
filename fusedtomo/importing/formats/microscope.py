"""Microscopes' own files, by RosettaSciIO: what is in them, and which counts of a spectrum image belong to a line?

A name in a recipe is the title of an image, a stack or a spectrum image of the file, such as ``HAADF``. Where a title
comes twice, the later ones are called ``EDS (2)``, ``EDS (3)``. Of a spectrum image two more kinds of names give a map:

    EDX[6.314:6.494]    counts from 6.314 to 6.494 keV (eV for energy loss), both included: the unit of its axis
    EDX/Fe_Ka           counts within one FWHM to either side of an X-ray line

FWHM is that of a silicon detector with 130 eV at Mn Ka (Fiori and Newbury 1978). Every signal's pixel size in
nanometres is ``HAADF/pixel_nm``, and the angles of a stack whose first axis is one of angles are ``HAADF/angles_deg``,
as far as the file tells: vendors' numbers are often wrong (docs/howto-real-data.md).
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.extras import check_installed
from fusedtomo.hdf5 import naming, open_hdf5, reason_of
from fusedtomo.importing.formats.format import Arrays, Format, Reader
from fusedtomo.incoming import check_regular

_READERS = {  # suffix -> module of RosettaSciIO
    ".bcf": "bruker",
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".hspy": "hspy",
    ".mrc": "mrc",
    ".ali": "mrc",
    ".ser": "tia",
    ".tif": "tiff",
    ".tiff": "tiff",
}
_NM = {"nm": 1.0, "µm": 1e3, "um": 1e3, "μm": 1e3, "Å": 0.1, "angstrom": 0.1, "pm": 1e-3, "mm": 1e6, "m": 1e9}
_DEGREES = ("deg", "degree", "degrees", "°")
_WINDOW = re.compile(r"(?P<title>.+)\[(?P<low>[^:\]]+):(?P<high>[^:\]]+)\]")
_LINE = re.compile(r"(?P<title>.+)/(?P<element>[A-Z][a-z]?)_(?P<line>[KLM][a-z][0-9]?)")
_FWHM_MN_EV, _MN_EV = 130.0, 5898.75

Signal = dict[str, Any]  # as RosettaSciIO returns it: data, axes, metadata


@contextmanager
def _opened(path: Path) -> Iterator[Reader]:
    check_regular(path, "a microscope's file")
    if h5py.is_hdf5(path):
        with open_hdf5(path):  # refuses links to other files, which RosettaSciIO would follow
            pass
    with naming(f"{path}"):
        signals = _titled(_read(path), path.stem)
        yield Arrays(_Signals(signals), {title: _told(signal) for title, signal in signals.items()}, overlaps)


def _read(path: Path) -> list[Signal]:
    check_installed("rsciio", "rosettasciio", "formats")
    reader, failed = import_module(f"rsciio.{_READERS[path.suffix.lower()]}"), ""
    with warnings.catch_warnings(action="ignore"):  # of NumPy's, and of files that it leaves open
        try:
            found: list[Signal] = reader.file_reader(str(path))
        except Exception as error:  # each of its readers raises what it likes, and holds files in its traceback
            failed = reason_of(error)
    if failed:
        raise InputError(f"cannot be read by RosettaSciIO ({failed}); copy it again, or convert it")
    return found


def _titled(signals: list[Signal], stem: str) -> dict[str, Signal]:
    """By title; a title that comes again gets a number."""
    found: dict[str, Signal] = {}
    for signal in signals:
        title = signal["metadata"].get("General", {}).get("title") or stem
        names = (title if number == 1 else f"{title} ({number})" for number in range(1, len(signals) + 1))
        found[next(name for name in names if name not in found)] = signal
    return found


@dataclass(frozen=True, eq=False)
class _Signals(Mapping[str, np.ndarray]):
    """Everything that a file has a name for; windows of spectra are cut when they are asked for."""

    signals: dict[str, Signal]

    def __iter__(self) -> Iterator[str]:
        for title, signal in self.signals.items():
            yield title
            yield from (f"{title}/{name}" for name, tell in _TOLD.items() if tell(signal) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in iter(self) or self._spectrum_of(name) is not None)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.signals:
            return np.asarray(self.signals[name]["data"])
        title, _, told = name.rpartition("/")
        if title in self.signals and told in _TOLD:
            return np.asarray(_TOLD[told](self.signals[title]))
        spectrum = self._spectrum_of(name)
        if spectrum is None:
            raise KeyError(name)
        return _window(*spectrum, name)

    def _spectrum_of(self, name: str) -> tuple[Signal, float, float] | None:
        """The spectrum image and the window that a name stands for."""
        found = _windowed(name)
        return (
            None
            if found is None or found["title"] not in self.signals
            else (self.signals[found["title"]], *_energies(found))
        )


def _windowed(name: str) -> re.Match[str] | None:
    """A name that has the form of a window."""
    return _WINDOW.fullmatch(name) or _LINE.fullmatch(name)


def _energies(name: re.Match[str]) -> tuple[float, float]:
    """Both ends of a window, in the unit of the spectrum's axis; InputError where the name gives none."""
    if name.re is _LINE:
        return line_window_kev(name["element"], name["line"])
    try:
        return float(name["low"]), float(name["high"])
    except ValueError:
        raise InputError(f"'{name[0]}': a window is two energies, such as EDX[6.31:6.49]") from None


def overlaps(names: Mapping[str, str]) -> list[str]:
    """What to say of windows (by element) that share energies: counts of one element are among those of the other."""
    found = {element: match for element, name in names.items() if (match := _windowed(name))}
    windows = {element: (match["title"], *_energies(match)) for element, match in found.items()}
    said = []
    for (one, (title, low, high)), (other, (of, first, last)) in combinations(windows.items(), 2):
        shared = min(high, last) - max(low, first)
        if title == of and shared > 0:
            share = shared / min(high - low, last - first)
            said.append(f"windows of {one} and {other} overlap by {share:.0%} of the narrower: their maps share counts")
    return said


def _told(signal: Signal) -> str:
    """What the file says of the axes, and which lines it names."""
    axes = [f"{axis.get('name')} {_span(axis)}" for axis in signal["axes"] if isinstance(axis.get("name"), str)]
    lines = signal["metadata"].get("Sample", {}).get("xray_lines", [])
    return "; ".join([*axes, *([f"lines: {', '.join(lines)}"] if lines else [])])


def _span(axis: dict[str, Any]) -> str:
    first, last = axis["offset"], axis["offset"] + axis["scale"] * (axis["size"] - 1)
    return f"{first:.4g} to {last:.4g} {axis.get('units') or 'without a unit'}"


def _window(signal: Signal, low: float, high: float, name: str) -> np.ndarray:
    """The counts of a window of energies, summed."""
    *_, axis = signal["axes"]
    energies = axis["offset"] + axis["scale"] * np.arange(axis["size"])
    first, end = np.searchsorted(energies, (low, high))
    end += end < len(energies) and energies[end] == high
    if signal["data"].ndim < 3 or not first < end:
        span = f"{energies[0]:.4g} to {energies[-1]:.4g} {axis.get('units') or ''}".strip()
        raise InputError(f"'{name}': no channel of a spectrum image lies in {low:.4g} to {high:.4g}; it has {span}")
    counts: np.ndarray = np.asarray(signal["data"][..., first:end]).sum(axis=-1, dtype=np.float64)
    return counts


@cache
def line_window_kev(element: str, line: str) -> tuple[float, float]:
    """Where the counts of an X-ray line lie: one FWHM to either side of it, in keV."""
    window = "the window itself, such as EDX[6.31:6.49]"
    check_installed("xraydb", "xraydb", "formats", f"{element}_{line}", f"give {window}")
    import xraydb

    found = xraydb.xray_line(element, line if line[-1].isdigit() else f"{line}1")
    if found is None:
        known = ", ".join(sorted(xraydb.xray_lines(element)))
        raise InputError(f"{element} has no line '{line}'; it has {known}")
    width = np.sqrt(2.5 * (found.energy - _MN_EV) + _FWHM_MN_EV**2)
    return float(found.energy - width) / 1e3, float(found.energy + width) / 1e3


def _pixel_nm(signal: Signal) -> float | None:
    """The edge of a pixel, of the axes that have a length."""
    edges = [axis["scale"] * _NM[axis["units"]] for axis in signal["axes"] if axis.get("units") in _NM]
    return float(edges[-1]) if edges else None


def _angles_deg(signal: Signal) -> np.ndarray | None:
    """The angles of the images of a stack, where the file tells them."""
    stage = signal["metadata"].get("Acquisition_instrument", {}).get("TEM", {}).get("Stage", {})
    first, n_images = signal["axes"][0], np.shape(signal["data"])[0]
    if np.size(told := stage.get("tilt_alpha", ())) == n_images:
        return np.ravel(np.asarray(told, np.float64))
    if str(first.get("units")).lower() in _DEGREES:
        return float(first["offset"]) + float(first["scale"]) * np.arange(n_images)
    return None


_TOLD: dict[str, Callable[[Signal], Any]] = {"pixel_nm": _pixel_nm, "angles_deg": _angles_deg}


def _recognises(path: Path) -> bool:
    """Whether it is a file of a microscope: HDF5 of others has a suffix that some microscopes use, too."""
    suffix = path.suffix.lower()
    if suffix == ".emd" and h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return "Data" in file and "Presentation" in file  # Velox
    return suffix in _READERS and suffix != ".emd"


MICROSCOPE = Format("microscope", tuple(_READERS), _opened, _recognises)
