"""Is this data like what an atlas was made for? What differs in elements, SNR, tilt range or gamma is said.

Weights are relative to counts and noise (docs/solver.md), and still another specimen or another noise has others: on a
CoNiO nanotube the nanocubes' atlas loses 4 % NRMSE and 45 % of the stoichiometry.
"""

import json
from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from fusedtomo.incoming import parsed_json
from fusedtomo.solvers.problem import TYPICAL_GAMMA
from fusedtomo.tilts import FusedDataset, TiltSeries
from fusedtomo.toml import validated
from workflows.campaign import CampaignConfig
from workflows.campaign.experience import CONFIGURATION
from workflows.campaign.setup import Setup

_RANGE_DEG = 5.0  # by which the ends of two tilt ranges may differ
_GAMMA = 0.05  # and two exponents


def against(atlas: xr.Dataset, dataset: FusedDataset, gamma: float | None = None, specimen: str = "") -> list[str]:
    """What is not alike, each in words with the cure; SNR stands in workflows/maps/lookup.py, which has the cells'.

    Args:
        atlas: as `read_atlas` gives it.
        dataset: the data.
        gamma: the exponent that the solver will assume; None: that of the data, or the usual one.
        specimen: the phantom that the data was simulated from; "" where it is not known, as of measured data.

    Raises:
        InputError: what the atlas says of itself is no campaign.
    """
    text = atlas.attrs.get(CONFIGURATION)
    if text is None:
        return ["the atlas does not say what it was made for: check the weights before use"]
    content = parsed_json(str(text), "the atlas", "the atlas.h5 of a campaign")
    config = validated(CampaignConfig, content, "the atlas")
    elements = atlas.element.values.tolist() if "element" in atlas else []
    return [
        *_specimen(config, elements, dataset, specimen),
        *_ranges(config, dataset),
        *_gamma(config, gamma or dataset.gamma or TYPICAL_GAMMA),
    ]


def specimen_of(facts: Mapping[str, object]) -> str:
    """The phantom that a data set was simulated from, by the attributes of its file; "" where they do not say."""
    try:
        return str(json.loads(str(facts["phantom"]))["name"])
    except (KeyError, TypeError, ValueError):  # measured data, or a file of another program
        return ""


def _specimen(config: CampaignConfig, elements: list[str], dataset: FusedDataset, specimen: str) -> Iterator[str]:
    unmapped = {one.acquisition.unmapped for one in _setups(config)}
    made_for = [[element for element in elements if element not in left_out] for left_out in unmapped]
    most = max(made_for, key=len)
    cure = "search the weights for this specimen, or check them before use"
    if not any(set(mapped) == set(dataset.elements) for mapped in made_for):
        yield f"the data maps {', '.join(dataset.elements)}, the atlas was made for {', '.join(most)}: {cure}"
    elif specimen and specimen != config.phantom.name:
        yield f"the data is of '{specimen}', the atlas was made for '{config.phantom.name}': {cure}"


def _setups(config: CampaignConfig) -> list[Setup]:
    return [config.setup(one) for one in config.conditions()]


def _ranges(config: CampaignConfig, dataset: FusedDataset) -> Iterator[str]:
    """An axis of the campaign over ranges is warned of where the atlas is left; of others there is one value."""
    acquisitions = [config.acquisition_of(one) for one in config.conditions()]
    for modality, series in (("haadf", dataset.haadf), ("chemical", dataset.chemical[0])):
        schemes = [getattr(one, modality).tilts.scheme() for one in acquisitions]
        low, high = ({round(end(one.angles_deg), 3) for one in schemes} for end in (min, max))
        if len(low) == len(high) == 1 and (said := _other_range(series, low.pop(), high.pop())):
            yield f"{modality} tilts {said}"


def _other_range(series: TiltSeries, low: float, high: float) -> str:
    angles = series.scheme.angles_deg
    if np.abs([min(angles) - low, max(angles) - high]).max() <= _RANGE_DEG:
        return ""
    cure = "search the weights for this range, or check them before use"
    return f"go from {min(angles):.3g} to {max(angles):.3g} degrees, the atlas's from {low:.3g} to {high:.3g}: {cure}"


def _gamma(config: CampaignConfig, assumed: float) -> Iterator[str]:
    made_with = {one.solver.gamma or one.acquisition.gamma for one in _setups(config)}
    nearest = min(made_with, key=lambda one: abs(one - assumed))
    if "gamma" not in config.search.space and abs(nearest - assumed) > _GAMMA:
        cure = f"give --gamma {nearest:g} where it fits the detector, or check the weights before use"
        yield f"gamma {assumed:g} is assumed, the atlas was made with {nearest:g}: {cure}"
