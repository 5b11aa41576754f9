"""Each known failure is seen in data that have it, named with its number, and in no other data.

How strong a failure must be: docs/howto-real-data.md, and the nightly tests of test_suspicions_everywhere.py.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from fusedtomo.settings import Acquisition
from fusedtomo.simulate import simulate
from fusedtomo.suspicions import gathered, haadf_model, suspicions
from fusedtomo.tilts import TiltScheme
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng


@lru_cache
def phantom(name):
    spec = PhantomSpec(name=name, size=24, seed=1)
    return make_phantom(spec, phantom_rng(spec))


def data(name="conio_nanotube", tilts=(25, 9), **more):
    haadf, chemical = ({"tilts": {"count": n}, "snr": snr} for n, snr in zip(tilts, (200.0, 3.0), strict=True))
    acquisition = Acquisition.model_validate({"haadf": haadf, "chemical": chemical, "seed": 1, **more})
    return simulate(phantom(name), acquisition)


def with_haadf(dataset, change):
    """The data set with HAADF counts that were changed, (tilt, y, x)."""
    counts = dataset.haadf.counts.copy()
    change(counts)
    return replace(dataset, haadf=replace(dataset.haadf, counts=counts))


def truth_model(dataset, name="conio_nanotube"):
    return haadf_model(phantom(name), dataset.haadf.scheme.angles_deg, dataset.gamma)


def kinds(dataset, model=None):
    return [one.kind for one in suspicions(dataset, model)]


def test_clean_data_and_the_truth_are_not_suspected():
    dataset = data()
    assert kinds(dataset, truth_model(dataset)) == []


def test_an_image_that_is_moved_is_named_with_its_tilt_and_axis():
    def along_y(counts):
        counts[7] = np.roll(counts[7], 2, axis=0)

    def along_x(counts):
        counts[3] = np.roll(counts[3], 2, axis=1)

    for change, axis, tilt in ((along_y, "y", 8), (along_x, "x", 4)):
        (found,) = suspicions(with_haadf(data(), change))
        assert (found.kind, found.value > found.threshold) == ("shifts", True)
        # root mean square over 25 tilts; along x a shift beyond the width of the edges is told too small
        assert 0.5 * 2 / np.sqrt(24) < found.value < 1.2 * 2 / np.sqrt(24)
        assert f"pixels beside each other along {axis}" in found.text
        assert f"tilt {tilt} is off by +" in found.text


def test_maps_are_looked_at_as_well():
    dataset = data(chemical={"tilts": {"count": 9}, "snr": 30.0})
    moved = tuple(replace(one, counts=np.roll(one.counts, [0, 0, 0], axis=(0, 1, 2))) for one in dataset.chemical)
    for one in moved:
        one.counts[4] = np.roll(one.counts[4], 3, axis=0)
    found = suspicions(replace(dataset, chemical=moved))
    assert [one.kind for one in found if one.text.startswith("maps lie ")] == ["shifts"]


def test_a_tilt_axis_beside_the_middle_is_no_sinusoid():
    dataset = data()
    moved = with_haadf(dataset, lambda counts: counts.__setitem__(slice(None), np.roll(counts, 2, axis=1)))
    (found,) = (one for one in suspicions(moved) if one.kind == "shifts")
    assert "along y" in found.text


def test_a_beam_that_flickers_and_a_thick_specimen_are_told_apart():
    dataset = data(haadf={"tilts": {"count": 24}, "snr": 2000.0})

    def flicker(counts):
        counts[::2] += 0.1 * (counts[::2] - np.float32(dataset.haadf.background))

    (found,) = suspicions(with_haadf(dataset, flicker))
    assert (found.kind, "jumps from tilt to tilt" in found.text) == ("mass", True)
    assert found.value == pytest.approx(0.05 / 1.05, rel=0.2)
    thick = suspicions(data("cuo_coo_nanocubes", thickness_damping=2.0))
    assert [one.kind for one in thick] == ["mass"]
    assert "smoothly" in thick[0].text


def test_inverted_contrast_is_seen():
    found = {one.kind: one for one in suspicions(data("c_tio2_particles", thickness_damping=4.0))}
    assert found["contrast"].value < -0.5
    assert "HAADF falls where the maps are brightest" in found["contrast"].text


def test_an_element_without_maps_is_seen_where_it_forms_bodies_of_its_own():
    (found,) = suspicions(data("cu_sic_catalyst", unmapped=("Cu",)))
    assert (found.kind, found.value > 0.03) == ("unmapped", True)
    assert "the maps of Si, C show too little" in found.text


def test_a_misfit_beyond_noise_and_the_model_s_own_error_is_seen():
    dataset = data()
    model = truth_model(dataset)
    assert kinds(dataset, 7 * model) == []  # the gain is fitted
    quiet = data(haadf={"tilts": {"count": 25}, "snr": 1e5})  # the noise is a hundredth of what the model leaves out
    waves = np.sign(np.sin(np.arange(24.0) + 0.5)).astype(np.float32)
    assert kinds(quiet, model * (1 + np.float32(0.08) * waves)) == []
    assert kinds(quiet, model * (1 + np.float32(0.3) * waves)) == ["misfit"]
    (found,) = suspicions(dataset, np.roll(model, 2, axis=1))
    assert (found.kind, found.threshold) == ("misfit", 2.5)
    assert "reduced chi-square" in found.text
    assert kinds(dataset, 0 * model) == ["misfit"]


def test_the_unit_of_haadf_does_not_matter():
    dataset = data()
    for factor in (1e-3, 1e4):
        scaled = replace(dataset.haadf, counts=dataset.haadf.counts * np.float32(factor), background=0.0)
        plain = replace(dataset.haadf, background=0.0)
        for one in (scaled, plain):
            assert kinds(replace(dataset, haadf=one)) == kinds(replace(dataset, haadf=plain))


def test_few_or_different_tilts_say_nothing_and_break_nothing():
    assert kinds(data(tilts=(2, 2))) == []
    dataset = data("c_tio2_particles", thickness_damping=4.0)
    assert "contrast" in kinds(dataset)
    apart = tuple(
        replace(one, scheme=TiltScheme(tuple(a + 3.0 for a in one.scheme.angles_deg))) for one in dataset.chemical
    )
    assert "contrast" not in kinds(replace(dataset, chemical=apart))
    dark = with_haadf(dataset, lambda counts: counts.fill(0))
    assert kinds(dark) == []


def test_ranks_look_at_the_whole():
    dataset = data()

    class Two:
        """A rank whose neighbour has the same columns."""

        def gather(self, array):
            return np.concatenate([array, array], axis=-1)

    whole = gathered(dataset, Two())
    assert whole.haadf.counts.shape == (25, 24, 48)
    assert {one.counts.shape for one in whole.chemical} == {(9, 24, 48)}
