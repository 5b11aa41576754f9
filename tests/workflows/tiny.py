"""A campaign that takes milliseconds a trial, as a value and as the TOML file that a user would write."""

import copy
import json
from pathlib import Path
from typing import Any

from workflows.campaign import CampaignConfig, Condition

_CONTENT = {
    "name": "tiny",
    "seed": 3,
    "methods": ["fused", "poisson-tv", "poisson"],
    "phantom": {"name": "conio_nanotube", "size": 16, "seed": 1},
    "acquisition": {"haadf": {"snr": 100.0}, "chemical": {"snr": 3.0}},
    "axes": {"haadf_tilts": [2, 4], "chemical_tilts": [2, 3]},
    "solver": {"max_iterations": 2},
    "search": {
        "evaluations": 4,
        "baseline_evaluations": 3,
        "initial_points": 2,
        "space": {"haadf": {"low": 1e-3, "high": 1.0}, "tv": {"low": 0.1, "high": 5.0}},
    },
}
REMOVED = object()


def fused(haadf_tilts: int, chemical_tilts: int) -> Condition:
    """A fused cell of such a campaign."""
    return Condition("fused", (("haadf_tilts", haadf_tilts), ("chemical_tilts", chemical_tilts)))


def baseline(method: str, chemical_tilts: int) -> Condition:
    """A cell of a method that does not see the HAADF images."""
    return Condition(method, (("chemical_tilts", chemical_tilts),))


def content(**changes: Any) -> dict[str, Any]:
    """The campaign's content; a change such as ``search__pending=3`` sets a key, REMOVED takes one out."""
    changed = copy.deepcopy(_CONTENT)
    for path, value in changes.items():
        *parents, key = path.split("__")
        table = changed
        for parent in parents:
            table = table.setdefault(parent, {})
        if value is REMOVED:
            del table[key]
        else:
            table[key] = value
    return changed


def config(**changes: Any) -> CampaignConfig:
    """The validated campaign."""
    return CampaignConfig.model_validate(content(**changes))


def write_toml(path: Path, **changes: Any) -> Path:
    """The campaign as a TOML file; return its path."""
    path.write_text("".join(f"{key} = {toml_value(value)}\n" for key, value in content(**changes).items()))
    return path


def toml_value(value: Any) -> str:
    """A value in TOML; tables inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(inner) for inner in value) + "]"
    if isinstance(value, float):
        return repr(value)  # inf and nan are TOML as well
    return json.dumps(value)
