"""The atlas: which weights are best for a given number of tilts (paper, Supplement 22a), kept as atlas.h5."""

import math
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from fusedtomo.errors import InputError
from fusedtomo.hdf5 import new_hdf5, read_array
from fusedtomo.io.volumes import get_elements
from fusedtomo.settings import Weights
from workflows.campaign.config import CampaignConfig, Condition
from workflows.maps.sampling_map import SamplingMap, best_by_condition, fused_grid, sampling_map
from workflows.record.journal import TrialResult

FORMAT = "fusedtomo atlas"
FORMAT_VERSION = 1
WEIGHTS = tuple(Weights.model_fields)
HAADF = "HAADF"
_RESERVED = ("format", "format_version")
# the SNR differs by more than this factor: the weights were searched for other data
_SNR_FACTOR = 2.0


@dataclass(frozen=True)
class AtlasLookup:
    """Weights for a data set, and what speaks against using them ("" when nothing does)."""

    weights: dict[str, float]
    warning: str = ""


@dataclass(frozen=True, eq=False)
class Atlas:
    """The sampling map and the parameters of the best trial of each of its fused cells.

    Attributes:
        map: the sampling map.
        parameters: haadf, chemical and tv, then gamma and eps when searched; each (n_haadf, n_chemical)
            float64, NaN where no trial succeeded.
        snr: SNR reached by the best trial, by modality ("HAADF" and the elements); arrays like those.
        provenance: what made the atlas, by name: campaign, code version, machine, ...
    """

    map: SamplingMap
    parameters: dict[str, np.ndarray]
    snr: dict[str, np.ndarray]
    provenance: dict[str, str | float]

    @property
    def chemical_snr(self) -> float:
        """Mean SNR reached over elements and cells; NaN when the atlas has none."""
        values = np.concatenate([np.ravel(grid) for name, grid in self.snr.items() if name != HAADF] or [[np.nan]])
        finite = values[np.isfinite(values)]
        return float(finite.mean()) if finite.size else math.nan

    def weights_for(self, haadf_tilts: float, chemical_tilts: float, chemical_snr: float | None = None) -> AtlasLookup:
        """Return the atlas's weights (and gamma, eps when searched) for a data set.

        Between cells, outside the map and where it has gaps, SamplingMap.interpolate says what is taken.

        Args:
            haadf_tilts, chemical_tilts: numbers of tilts of the data, at least 1.
            chemical_snr: mean SNR of its chemical maps; None when unknown. The atlas holds for one SNR.

        Raises:
            InputError: a count or SNR is out of range, or the atlas has no filled cell.
        """
        for name, value in (("HAADF tilts", haadf_tilts), ("chemical tilts", chemical_tilts)):
            if not (math.isfinite(value) and value >= 1):
                raise InputError(f"{name} is {value}; give the number of tilts of the data, at least 1")
        at = (haadf_tilts, chemical_tilts)
        weights = {name: self._value(name, at) for name in self.parameters}
        warnings = [*_outside(self.map.axes, at), *_other_snr(self.chemical_snr, chemical_snr)]
        return AtlasLookup(weights, "; ".join(warnings))

    def _value(self, name: str, at: tuple[float, float]) -> float:
        value = self.map.interpolate(self.parameters[name], *at)
        if math.isnan(value):
            campaign = "no trial of its campaign succeeded; run the campaign again"
            raise InputError(f"the atlas has no value of '{name}' in any cell: {campaign}, or use another atlas")
        return value


def _outside(axes, at) -> list[str]:
    return [
        f"{count:g} {name} tilts lie outside the atlas ({axis[0]} to {axis[-1]}): its edge is used"
        for name, axis, count in zip(("HAADF", "chemical"), axes, at, strict=True)
        if not axis[0] <= count <= axis[-1]
    ]


def _other_snr(atlas_snr: float, data_snr: float | None) -> list[str]:
    if data_snr is None or math.isnan(atlas_snr):
        return []
    if not (math.isfinite(data_snr) and data_snr > 0):
        raise InputError(
            f"chemical SNR is {data_snr}; give the mean SNR of the chemical maps, above 0, or leave it out"
        )
    if 1 / _SNR_FACTOR <= data_snr / atlas_snr <= _SNR_FACTOR:
        return []
    return [
        f"the data's chemical SNR {data_snr:.3g} differs more than {_SNR_FACTOR:g}-fold from the atlas's "
        f"{atlas_snr:.3g}: search the weights at this SNR, or check them before use"
    ]


def build_atlas(config: CampaignConfig, trials: list[TrialResult], provenance: dict[str, str | float]) -> Atlas:
    """Build the atlas from the journal: parameters and SNR of the best trial of every fused cell."""
    winners = best_by_condition(config, trials)

    def grid(value_of) -> np.ndarray:
        def of_cell(cell: Condition) -> float:
            return np.nan if winners[cell] is None else value_of(winners[cell])

        return fused_grid(config, of_cell).astype(float)

    searched = [name for name in config.search.space if name not in WEIGHTS]
    parameters = {n: grid(lambda t, n=n: {**t.weights, **t.point}.get(n, np.nan)) for n in (*WEIGHTS, *searched)}
    scored = [t for cell, t in winners.items() if t is not None and cell.method == "fused"]
    modalities = dict.fromkeys(name for trial in scored for name in trial.snr)
    snr = {n: grid(lambda t, n=n: t.snr.get(n, np.nan)) for n in modalities}
    return Atlas(sampling_map(config, trials), parameters, snr, dict(provenance))


def write_atlas(atlas: Atlas, path: str | Path) -> None:
    """Write atlas.h5 (layout: docs/formats.md); an older file stays whole until the new one is complete."""
    with new_hdf5(path) as file:
        file.attrs.update({**atlas.provenance, "format": FORMAT, "format_version": FORMAT_VERSION})
        for group in ("baselines", "atlas", "snr"):
            file.create_group(group, track_order=True)  # else names come back sorted, and the map's rows with them
        scales = _write_axes(file, atlas.map)
        for name, (data, dimensions, description) in _data_sets(atlas).items():
            dataset = file.create_dataset(name, data=data)
            dataset.attrs.update({"units": "1", "description": description})
            for index, dimension in enumerate(dimensions):
                dataset.dims[index].label = dimension
                dataset.dims[index].attach_scale(scales[dimension])


def _write_axes(file: h5py.File, sampling: SamplingMap) -> dict[str, h5py.Dataset]:
    axes = {"haadf_tilts": sampling.haadf_tilts, "chemical_tilts": sampling.chemical_tilts}
    scales = {name: file.create_dataset(f"axes/{name}", data=np.array(counts)) for name, counts in axes.items()}
    names = np.array(sampling.elements, dtype=h5py.string_dtype())
    scales["elements"] = file.create_dataset("axes/elements", data=names)
    for name, scale in scales.items():
        scale.make_scale(name)
        scale.attrs["units"] = "1" if name == "elements" else "tilts"
    return scales


def _data_sets(atlas: Atlas) -> dict[str, tuple[np.ndarray, tuple[str, ...], str]]:
    """Every data set below its name: values, dimensions, description."""
    sampling, cell = atlas.map, ("haadf_tilts", "chemical_tilts")
    rows = sampling.baselines.items()
    baselines = {f"baselines/{name}/nrmse": (row, cell[1:], f"lowest NRMSE of {name}") for name, row in rows}
    parameters = {f"atlas/{name}": (grid, cell, f"{name} of the best trial") for name, grid in atlas.parameters.items()}
    snr = {f"snr/{name}": (grid, cell, f"SNR reached by {name}") for name, grid in atlas.snr.items()}
    return {
        "map/nrmse": (sampling.nrmse, cell, "lowest NRMSE, mean over the elements"),
        "map/nrmse_by_element": (
            sampling.nrmse_by_element,
            ("elements", *cell),
            "NRMSE of the same trials by element",
        ),
        "map/failed": (sampling.failed, cell, "trials that failed"),
        "counts/trials": (sampling.trials, cell, "trials that ended, ok or failed"),
        **baselines,
        **parameters,
        **snr,
    }


def read_atlas(path: str | Path) -> Atlas:
    """Read atlas.h5.

    Raises:
        InputError: the file is missing, torn, or not an atlas; it names the file, what lacks and the cure.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the atlas.h5 of a finished campaign")
    try:
        with h5py.File(path, "r") as file:
            return _read(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except KeyError as error:
        cure = "write it again from the run folder's journal, or give another file"
        raise InputError(f"{path}: not a whole {FORMAT}, {error.args[0]} is missing; {cure}") from None
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); write it again from its journal") from None


def _read(file: h5py.File) -> Atlas:
    if file.attrs.get("format") != FORMAT:
        raise KeyError(f"the attribute format = '{FORMAT}'")
    if file.attrs["format_version"] != FORMAT_VERSION:
        raise KeyError(f"format_version {FORMAT_VERSION} (it has {file.attrs['format_version']})")
    axes = ("haadf_tilts", "chemical_tilts")
    for name in (*axes, "elements"):
        _there(file, f"axes/{name}")
    tilts = {name: tuple(read_array(file, f"axes/{name}", 1, np.int64).tolist()) for name in axes}
    elements = get_elements(file, "axes")
    shape = tuple(len(counts) for counts in tilts.values())
    sampling = SamplingMap(
        **tilts,
        elements=elements,
        nrmse=_values(file, "map/nrmse", shape),
        nrmse_by_element=_values(file, "map/nrmse_by_element", (len(elements), *shape)),
        baselines={m: _values(file, f"baselines/{m}/nrmse", shape[1:]) for m in _names(file, "baselines")},
        trials=_values(file, "counts/trials", shape),
        failed=_values(file, "map/failed", shape),
    )
    parameters = {name: _values(file, f"atlas/{name}", shape) for name in (*WEIGHTS, *_names(file, "atlas"))}
    snr = {name: _values(file, f"snr/{name}", shape) for name in _names(file, "snr")}
    provenance = {name: _scalar(value) for name, value in file.attrs.items() if name not in _RESERVED}
    return Atlas(sampling, parameters, snr, provenance)


def _names(file: h5py.File, group: str) -> list[str]:
    """Members of a group in the order they were written."""
    if group not in file:
        raise KeyError(f"/{group}")
    return list(file[group])


def _values(file: h5py.File, name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = _there(file, name)[()]
    if getattr(values, "dtype", np.dtype(object)).kind not in "fiu":
        raise InputError(f"/{name} holds no numbers; write the atlas again from the run folder's journal")
    if values.shape != shape:
        raise KeyError(f"/{name} of shape {shape} (it has {values.shape})")
    return values


def _there(file: h5py.File, name: str) -> h5py.Dataset:
    if not isinstance(file.get(name), h5py.Dataset):
        raise KeyError(f"/{name}")
    return file[name]


def _scalar(value):
    return value.item() if isinstance(value, np.generic) else value
