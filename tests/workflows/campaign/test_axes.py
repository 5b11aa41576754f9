"""An axis is a value: it alone knows what it changes, and no other file names a particular one."""

import ast
from pathlib import Path

import numpy as np
import pytest

from fusedtomo.registry import UnknownName
from fusedtomo.settings import Acquisition, SolverSettings
from fusedtomo.simulate import simulate
from phantoms.spec import PhantomSpec
from tests.workflows.tiny import config
from workflows.campaign import AXES, Condition
from workflows.campaign.setup import AcquisitionConfig, Setup

ROOT = Path(__file__).parents[3]
SETUP = Setup(
    PhantomSpec(name="conio_nanotube", size=16, seed=1),
    AcquisitionConfig.model_validate({"haadf": {"tilts": 5, "snr": 9.0}, "chemical": {"tilts": 3, "dose_counts": 2.0}}),
    SolverSettings(),
)


def changed(name, value) -> tuple[PhantomSpec, Acquisition, SolverSettings]:
    """The setup with an axis at a value."""
    setup = AXES[name].apply(SETUP, AXES[name].checked([value])[0])
    return setup.phantom, setup.acquisition.complete(7), setup.solver


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("haadf_tilts", 47, lambda p, a, s: len(a.haadf.tilts.scheme()) == 47 and len(a.chemical.tilts.scheme()) == 3),
        ("chemical_tilts", 9, lambda p, a, s: len(a.chemical.tilts.scheme()) == 9),
        ("haadf_snr", 50, lambda p, a, s: a.haadf.snr == 50.0),
        ("chemical_snr", 6, lambda p, a, s: (a.chemical.snr, a.chemical.dose_counts) == (6.0, None)),
        ("haadf_dose", 3, lambda p, a, s: (a.haadf.snr, a.haadf.dose_counts) == (None, 3.0)),
        ("chemical_dose", 3, lambda p, a, s: a.chemical.dose_counts == 3.0),
        ("haadf_total_dose", 90, lambda p, a, s: (a.haadf.snr, a.haadf.total_dose_counts) == (None, 90.0)),
        ("chemical_total_dose", 90, lambda p, a, s: a.chemical.total_dose_counts == 90.0),
        ("haadf_range", 60, lambda p, a, s: (a.haadf.tilts.min_deg, a.haadf.tilts.max_deg) == (-60.0, 60.0)),
        ("chemical_range", 50, lambda p, a, s: a.chemical.tilts.scheme().angles_deg == (-50.0, 0.0, 50.0)),
        ("assumed_gamma", 1.4, lambda p, a, s: s.gamma == 1.4 and a.gamma == 2.0),
        ("background_misfit", -0.5, lambda p, a, s: a.background_misfit == -0.5),
        ("misalignment", 0.5, lambda p, a, s: a.misalignment_px == 0.5),
        ("thickness_damping", 2, lambda p, a, s: a.thickness_damping == 2.0),
        ("unmapped", "O", lambda p, a, s: a.unmapped == ("O",)),
        ("unmapped", "none", lambda p, a, s: a.unmapped == ()),
        ("size", 24, lambda p, a, s: p.size == 24),
        ("grid", "fine", lambda p, a, s: a.grid == "fine"),
        ("noise_seed", 5, lambda p, a, s: a.seed == 5 and p.seed == 1),
        ("specimen_seed", 5, lambda p, a, s: p.seed == 5 and a.seed == 7),
    ],
)
def test_every_axis_changes_what_it_says(name, value, expected):
    phantom, acquisition, solver = changed(name, value)
    assert expected(phantom, acquisition, solver)
    assert not expected(SETUP.phantom, SETUP.acquisition.complete(7), SETUP.solver) or value == "none"


def test_the_list_above_holds_every_axis_that_comes_with_fusedtomo():
    (mark,) = test_every_axis_changes_what_it_says.pytestmark
    assert {name for name, *_ in mark.args[1]} == set(AXES)


def test_keys_and_words_tell_conditions_apart():
    at = {name: {"unmapped": "O", "grid": "fine"}.get(name, 2) for name in AXES}
    keys = [Condition("fused", ((name, value),)).key for name, value in at.items()]
    assert len(set(keys)) == len(keys)
    words = [Condition("fused", ((name, value),)).words for name, value in at.items()]
    assert len(set(words)) == len(words)
    assert Condition("fused", (("haadf_tilts", 47), ("chemical_tilts", 9))).key == "fused-h47-c9"
    assert Condition("fused", (("chemical_snr", 2.5),)).words == "fused, chemical SNR 2.5"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("haadf_tilts", [2, 2], "must rise strictly"),
        ("haadf_tilts", [2.5], "valid integer"),
        ("haadf_snr", [1.0], "greater than 1"),
        ("chemical_dose", [float("inf")], "finite"),
        ("haadf_range", [100], "less than or equal to 90"),
        ("grid", ["coarse"], "'same' or 'fine'"),
        ("unmapped", ["O", "O"], "give each once"),
        ("size", [8], "greater than or equal to 16"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_axis_s_name(name, values, message):
    with pytest.raises(ValueError, match=f"{name} = .*{message}"):
        AXES[name].checked(values)


def test_categories_keep_their_order():
    assert AXES["unmapped"].checked(["none", "O", "Co"]) == ("none", "O", "Co")
    with pytest.raises(UnknownName, match="there is no axis 'tilts'"):
        AXES["tilts"]


def test_a_data_set_tells_where_it_stands(tiny_phantom):
    acquisition = {
        "haadf": {"tilts": {"count": 5}, "snr": 50.0},
        "chemical": {"tilts": {"count": 3}, "dose_counts": 4.0},
    }
    dataset = simulate(tiny_phantom, Acquisition.model_validate(acquisition))
    found = {name: axis.measured(dataset) for name, axis in AXES.items() if axis.measured(dataset) is not None}
    assert (found["haadf_tilts"], found["chemical_tilts"]) == (5, 3)
    assert (found["haadf_range"], found["chemical_range"]) == (70, 70)
    assert found["haadf_snr"] == dataset.haadf.snr
    assert found["chemical_dose"] == pytest.approx(4.0, rel=0.1)  # as drawn
    assert found["chemical_total_dose"] == pytest.approx(3 * found["chemical_dose"])
    assert set(found) == {
        f"{m}_{w}" for m in ("haadf", "chemical") for w in ("tilts", "range", "snr", "dose", "total_dose")
    }


def test_a_total_dose_is_shared_by_the_tilts(tiny_phantom):
    def mean_counts(n_tilts: int) -> float:
        campaign = config(
            axes={"chemical_total_dose": [60.0]},
            acquisition__chemical={"tilts": n_tilts},
            acquisition__haadf={"tilts": 3, "snr": 9.0},
        )
        (condition,) = campaign.cells("fused")
        dataset = simulate(tiny_phantom, campaign.acquisition_of(condition))
        return float(np.mean([series.counts.mean() for series in dataset.chemical]))

    assert mean_counts(3) == pytest.approx(20.0, rel=0.05)
    assert mean_counts(6) == pytest.approx(10.0, rel=0.05)


def named(source: str) -> set[str]:
    """Every identifier and every whole string of a source."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        values = (getattr(node, field, None) for field in ("id", "attr", "arg", "name", "value"))
        found |= {value for value in values if isinstance(value, str)}
    return found


def test_no_file_but_that_of_the_axes_names_a_particular_one():
    # an axis may have the name of the field that it sets, which is no mention of the axis
    fields = {field for model in (PhantomSpec, Acquisition, SolverSettings) for field in model.model_fields}
    names = set(AXES) - fields
    assert {"haadf_tilts", "chemical_snr", "misalignment"} <= names
    sources = [path for package in ("fusedtomo", "phantoms", "workflows") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): named(path.read_text()) & names for path in sources}
    assert {path: axes for path, axes in found.items() if axes and not path.endswith("campaign/axes.py")} == {}
    assert named("def f(haadf_tilts): return grid.chemical_tilts") >= {"haadf_tilts", "chemical_tilts"}
