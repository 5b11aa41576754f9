"""Settings: validated once, at the door."""

import pytest
from pydantic import ValidationError

from fusedtomo.settings import Acquisition, Modality, SolverSettings, TiltRange, Weights

MODALITY = {"tilts": {"count": 9}, "snr": 5.0}


@pytest.mark.parametrize(
    ("model", "good", "key"),
    [
        (TiltRange, {"count": 3}, "max_angle"),
        (Modality, MODALITY, "sn"),
        (Acquisition, {"haadf": MODALITY, "chemical": MODALITY}, "gama"),
        (Weights, {}, "tvv"),
        (SolverSettings, {}, "iterations"),
    ],
)
def test_unknown_keys_are_refused_by_name(model, good, key):
    model.model_validate(good)
    with pytest.raises(ValidationError, match=rf"{key}\n.*[Ee]xtra inputs are not permitted"):
        model.model_validate(good | {key: 1})


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (TiltRange, {}, "give exactly one of count, increment_deg and angles_deg, not 0 of them"),
        (TiltRange, {"count": 3, "increment_deg": 2}, "give exactly one of .*, not 2 of them"),
        (TiltRange, {"count": 1}, "count"),
        (TiltRange, {"increment_deg": 0}, "increment_deg"),
        (TiltRange, {"angles_deg": [0]}, "angles_deg"),
        (TiltRange, {"angles_deg": [0, 91]}, "angles_deg"),
        (TiltRange, {"count": 3, "min_deg": -91}, "min_deg"),
        (TiltRange, {"count": 3, "min_deg": 10, "max_deg": 5}, "min_deg 10 is not below max_deg 5"),
        (TiltRange, {"count": 3, "max_deg": float("nan")}, "max_deg"),
        (Modality, {"tilts": {"count": 3}}, "give one of snr, dose_counts and total_dose_counts"),
        (Modality, MODALITY | {"dose_counts": 4}, "give one of snr, dose_counts and total_dose_counts"),
        (Modality, MODALITY | {"snr": 1.0}, "snr 1 is not above 1"),
        (Modality, MODALITY | {"snr": {"Co": 3, "O": 0.5}}, "snr 0.5 is not above 1"),
        (Modality, {"tilts": {"count": 3}, "dose_counts": 0}, "dose_counts"),
        (Acquisition, {"haadf": MODALITY, "chemical": MODALITY, "gamma": 2.5}, "gamma"),
        (Acquisition, {"haadf": MODALITY, "chemical": MODALITY, "background_fraction": 1}, "background_fraction"),
        (Acquisition, {"haadf": MODALITY, "chemical": MODALITY, "grid": "coarse"}, "'same' or 'fine'"),
        (Acquisition, {"haadf": MODALITY, "chemical": MODALITY, "seed": -1}, "seed"),
        (Weights, {"tv": -1e-9}, "tv"),
        (Weights, {"haadf": float("inf")}, "haadf"),
        (SolverSettings, {"max_iterations": 0}, "max_iterations"),
        (SolverSettings, {"tolerance": -1}, "tolerance"),
        (SolverSettings, {"eps": 0}, "eps"),
        (SolverSettings, {"gamma": 0.5}, "gamma"),
        (SolverSettings, {"depth": 0}, "depth"),
        (SolverSettings, {"tv_iterations": 0}, "tv_iterations"),
        (SolverSettings, {"initial_iterations": -1}, "initial_iterations"),
    ],
)
def test_impossible_values_are_refused(model, values, message):
    with pytest.raises(ValidationError, match=message):
        model.model_validate(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"count": 3}, (-70, 0, 70)),
        ({"min_deg": -10, "max_deg": 10, "increment_deg": 8}, (-10, -2, 6)),
        ({"angles_deg": (5, -3, 40.5)}, (5, -3, 40.5)),
    ],
)
def test_every_way_to_say_the_tilts_gives_its_angles(values, expected):
    assert TiltRange.model_validate(values).scheme().angles_deg == expected


def test_defaults_are_the_paper_s():
    acquisition = Acquisition.model_validate({"haadf": MODALITY, "chemical": MODALITY})
    assert (acquisition.gamma, acquisition.background_fraction, acquisition.grid) == (2.0, 0.15, "same")


@pytest.mark.parametrize("model", [TiltRange, Modality, Acquisition, Weights, SolverSettings])
def test_every_field_is_described(model):
    assert all(field.description for field in model.model_fields.values())


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Weights().tv = 2.0
