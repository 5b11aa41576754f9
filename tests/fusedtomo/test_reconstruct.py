"""One call from data to volume: what every method keeps, and what the fused one gains."""

import sys
from itertools import pairwise

import numpy as np
import pytest

from fusedtomo.arrays import to_host
from fusedtomo.errors import InputError
from fusedtomo.placement import Placement
from fusedtomo.reconstruct import METHODS, reconstruct
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng

TERMS = {
    "fused": {"haadf", "chemical", "tv"},
    "fused-weighted": {"haadf", "chemical", "tv"},
    "gradient-descent": {"haadf", "chemical", "tv"},
    "fused-without-tv": {"haadf", "chemical", "tv"},
    "poisson": {"chemical", "tv"},
    "poisson-tv": {"chemical", "tv"},
    "fista-tv": {"chemical", "tv"},
    "sirt": {"chemical"},
}
HAADF_ALONE = {"haadf-sirt", "haadf-tv"}  # tests/fusedtomo/solvers/test_haadf_alone.py
EVERY_METHOD = pytest.mark.parametrize("method", sorted(set(METHODS) - HAADF_ALONE))
PAPER_WEIGHTS = Weights(haadf=0.1, chemical=1.0, tv=1.0)
SHORT_STEPS = Weights(haadf=0.1, chemical=0.1, tv=0.01)  # Algorithm 1 converges: its weights are steps


def _short(**extra):
    """Few iterations, for what does not depend on how far they come."""
    return SolverSettings(**{"max_iterations": 6, "tolerance": 0.0, "gamma": 1.7, "tv_iterations": 5} | extra)


def _full(**extra):
    """With as many iterations of total variation in each as the method takes by itself."""
    return _short(tv_iterations=None, **extra)


def test_every_method_is_tested():
    assert set(TERMS) | HAADF_ALONE == set(METHODS)


@EVERY_METHOD
def test_a_reconstruction_says_what_it_is_and_how_it_came_about(place, tiny_dataset, tiny_phantom, method):
    weights, settings = Weights(haadf=0.2), _short()
    found = reconstruct(tiny_dataset, method, weights, settings, truth=tiny_phantom, place=place)
    assert found.volume.elements == tiny_dataset.elements
    assert found.volume.shape == (8, 8, 6)
    assert found.volume.voxel_nm == tiny_dataset.pixel_nm
    assert found.volume.data.dtype == np.float32
    assert (found.volume.data >= 0).all()
    assert np.isfinite(found.volume.data).all()
    assert (found.method, found.weights, found.settings) == (method, weights, settings)
    assert found.seconds > 0


@EVERY_METHOD
def test_history_holds_every_term_of_every_iterate(place, tiny_dataset, tiny_phantom, method):
    found = reconstruct(tiny_dataset, method, SHORT_STEPS, _short(), truth=tiny_phantom, place=place)
    solves = METHODS[method].solves
    assert set(found.history) == TERMS[method] | {"total", "nrmse"} | ({"solve"} if solves > 1 else set())
    assert {len(values) for values in found.history.values()} == {found.iterations + 1}
    assert (found.iterations, found.stopped) == (6 * solves, "max_iterations")
    terms = np.array([found.history[name] for name in sorted(TERMS[method])])
    np.testing.assert_allclose(found.history["total"], terms.sum(axis=0))
    assert found.history["nrmse"][-1] == pytest.approx(score(found.volume, tiny_phantom).nrmse)


@EVERY_METHOD
def test_without_a_truth_no_error_is_recorded(place, tiny_dataset, method):
    assert "nrmse" not in reconstruct(tiny_dataset, method, settings=_short(max_iterations=1), place=place).history


@EVERY_METHOD
def test_it_stops_when_the_volume_moves_less_than_the_tolerance(place_for_long, tiny_dataset, method):
    weights = Weights(haadf=0.1, chemical=0.1, tv=0.005)  # for Algorithm 1 these are steps and a concentration
    found = reconstruct(tiny_dataset, method, weights, _full(max_iterations=400, tolerance=0.02), place=place_for_long)
    assert found.stopped == "tolerance"
    assert 0 < found.iterations < 400 * METHODS[method].solves


@EVERY_METHOD
def test_the_callback_sees_every_iterate_and_adds_to_the_history(place, tiny_dataset, tiny_phantom, method):
    seen = []

    def callback(iteration, volume):
        seen.append(iteration)
        return {"peak": volume.max()}

    found = reconstruct(tiny_dataset, method, SHORT_STEPS, _short(), truth=tiny_phantom, callback=callback, place=place)
    assert seen == list(range(6 * METHODS[method].solves + 1))
    assert found.history["peak"][-1] == pytest.approx(found.volume.data.max())
    assert len(found.history["nrmse"]) == len(seen)


@EVERY_METHOD
def test_the_caller_s_initial_volume_is_where_it_starts(place, tiny_dataset, tiny_phantom, method):
    """A volume that is nowhere empty, so that the fused methods need not lift it, is the first iterate as it is."""
    initial = np.maximum(tiny_phantom.data, np.float32(0.25))
    initial.flags.writeable = False
    first = []
    reconstruct(
        tiny_dataset,
        method,
        settings=_short(max_iterations=1),
        initial=initial,
        callback=lambda i, v: first.append(to_host(v).copy()),
        place=place,
    )
    np.testing.assert_array_equal(first[0], initial)


@EVERY_METHOD
def test_nothing_is_written_into_the_caller_s_arrays(place, tiny_dataset, method):
    counts = [series.counts.copy() for series in (tiny_dataset.haadf, *tiny_dataset.chemical)]
    initial = np.full((3, 8, 8, 6), 0.4, np.float32)
    reconstruct(tiny_dataset, method, settings=_short(), initial=initial, place=place)
    assert (initial == 0.4).all()
    for series, before in zip((tiny_dataset.haadf, *tiny_dataset.chemical), counts, strict=True):
        np.testing.assert_array_equal(series.counts, before)


@EVERY_METHOD
def test_the_same_data_gives_the_same_bits(place, tiny_dataset, method):
    a, b = (
        reconstruct(tiny_dataset, method, settings=_full(max_iterations=3), place=place).volume.data for _ in range(2)
    )
    np.testing.assert_array_equal(a, b)


def _small(names=("Co",), n_tilts=2, counts=3.0):
    """A data set of constant images, (y, x) = (6, 4)."""
    scheme = TiltScheme.from_count(-30, 40, n_tilts)
    chemical = tuple(TiltSeries(e, np.full((n_tilts, 6, 4), counts, np.float32), scheme) for e in names)
    return FusedDataset(TiltSeries("HAADF", np.full((n_tilts, 6, 4), 50, np.float32), scheme), chemical, 1.0)


@EVERY_METHOD
def test_two_tilts_of_one_element_suffice(place, method):
    data = reconstruct(_small(), method, settings=_short(), place=place).volume.data
    assert data.shape == (1, 6, 6, 4)
    assert np.isfinite(data).all()
    assert data.max() > 0


@EVERY_METHOD
def test_series_without_a_count_give_an_empty_and_finite_element(place_for_long, tiny_dataset, method):
    nothing = TiltSeries("Fe", np.zeros_like(tiny_dataset.chemical[0].counts), tiny_dataset.chemical_scheme)
    dataset = FusedDataset(tiny_dataset.haadf, (*tiny_dataset.chemical, nothing), 2.0)
    found = reconstruct(dataset, method, settings=_full(max_iterations=10), place=place_for_long)
    assert np.isfinite(found.volume.data).all()
    assert np.isfinite(found.history["total"]).all()
    silent = reconstruct(_small(counts=0.0), method, settings=_full(), place=place_for_long)
    assert np.isfinite(silent.volume.data).all()


@EVERY_METHOD
def test_depth_may_differ_from_width(place, tiny_dataset, method):
    assert reconstruct(tiny_dataset, method, settings=_short(depth=5), place=place).volume.shape == (5, 8, 6)


@EVERY_METHOD
def test_a_single_slice_is_reconstructed(place, tiny_dataset, method):
    def cut(series):
        return TiltSeries(
            series.name, series.counts[:, :, 2:3], series.scheme, gain=series.gain, background=series.background
        )

    dataset = FusedDataset(cut(tiny_dataset.haadf), tuple(cut(s) for s in tiny_dataset.chemical), 2.0)
    data = reconstruct(dataset, method, settings=_short(), place=place).volume.data
    assert data.shape == (3, 8, 8, 1)
    assert np.isfinite(data).all()


def test_fused_weights_matter_only_by_their_ratio(place_for_long, tiny_dataset):
    settings = SolverSettings(max_iterations=300, tolerance=1e-5, tv_iterations=20)
    one = reconstruct(tiny_dataset, "fused", Weights(haadf=0.1, chemical=1, tv=1), settings, place=place_for_long)
    three = reconstruct(tiny_dataset, "fused", Weights(haadf=0.3, chemical=3, tv=3), settings, place=place_for_long)
    assert three.history["total"][-1] == pytest.approx(3 * one.history["total"][-1], rel=1e-4)
    # the cost is flat near its minimum: its tolerance's square root
    np.testing.assert_allclose(three.volume.data, one.volume.data, atol=0.01)


def test_fused_cost_rises_only_where_momentum_is_dropped_next(place, tiny_dataset):
    """Theory promises a fall, but for 1e-6 of the smooth part, of each step from the last iterate itself: the first,
    and the one after each rise, where the momentum restarts. It needs an exact prox: no TV here.
    """
    weights = Weights(haadf=0.1, chemical=1.0, tv=0.0)
    totals = reconstruct(tiny_dataset, "fused", weights, _short(max_iterations=150), place=place).history["total"]
    rose = [after > before * (1 + 1e-6) for before, after in pairwise(totals)]
    assert not rose[0]
    assert not any(first and second for first, second in pairwise(rose))
    assert totals[-1] < 0.5 * totals[0]


def test_poisson_ignores_the_weights(place, tiny_dataset):
    a = reconstruct(tiny_dataset, "poisson", Weights(haadf=0, chemical=9, tv=9), _short(), place=place)
    b = reconstruct(tiny_dataset, "poisson", Weights(), _short(), place=place)
    np.testing.assert_array_equal(a.volume.data, b.volume.data)
    assert set(a.history["tv"]) == {0.0}


def _nanocubes(size):
    spec = PhantomSpec(name="cuo_coo_nanocubes", size=size, seed=0)
    return make_phantom(spec, phantom_rng(spec))


def _dataset(phantom, haadf, chemical, **extra):
    return simulate(phantom, Acquisition.model_validate({"haadf": haadf, "chemical": chemical, **extra}))


def test_fused_recovers_a_phantom_from_many_clean_tilts(place_for_long):
    phantom = _nanocubes(16)
    tilts = {"min_deg": -90, "max_deg": 86, "count": 45}
    modality = {"tilts": tilts, "dose_counts": 1e5}
    found = reconstruct(
        _dataset(phantom, modality, modality),
        "fused",
        Weights(haadf=0.01, tv=0.1),
        SolverSettings(max_iterations=200, tolerance=1e-5),
        truth=phantom,
        place=place_for_long,
    )
    # 45 tilts over 180 degrees determine 16 x 16 slices, and a dose of 1e5 leaves 0.3 % of noise: what remains is
    # how far 200 iterations come at the edges, 4 %
    assert found.history["nrmse"][-1] < 0.08
    assert score(found.volume, phantom).stoichiometry_error < 0.02


def test_fusion_beats_tv_and_tv_beats_likelihood_at_the_paper_s_noise(place_for_long):
    phantom = _nanocubes(32)
    snr = {"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96}
    dataset = _dataset(phantom, {"tilts": {"count": 47}, "snr": 2208.67}, {"tilts": {"count": 9}, "snr": snr})
    errors = {
        method: score(reconstruct(dataset, method, PAPER_WEIGHTS, place=place_for_long).volume, phantom).nrmse
        for method in ("fused", "poisson-tv", "poisson")
    }
    # 0.35, 0.59 and 1.10; the paper reports a 3 to 5 fold gain of fused over poisson at its size of 256
    assert errors["fused"] < 0.8 * errors["poisson-tv"]
    assert errors["poisson-tv"] < 0.8 * errors["poisson"]


def test_fused_without_tv_is_fused_with_a_tv_weight_of_0_whatever_the_weight(place, tiny_dataset):
    without = reconstruct(tiny_dataset, "fused-without-tv", Weights(haadf=0.2, tv=3.0), _full(), place=place)
    weightless = reconstruct(tiny_dataset, "fused", Weights(haadf=0.2, tv=0.0), _full(), place=place)
    np.testing.assert_array_equal(without.volume.data, weightless.volume.data)
    assert without.history == weightless.history
    assert set(without.history["tv"]) == {0.0}
    assert min(without.history["haadf"]) > 0
    with_tv = reconstruct(tiny_dataset, "fused", Weights(haadf=0.2, tv=3.0), _full(), place=place)
    assert score(with_tv.volume, without.volume).nrmse > 0.01


def test_data_without_background_is_not_taken_for_converged_at_once(place_for_long):
    phantom = _nanocubes(32)
    snr = {"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96}
    dataset = _dataset(
        phantom,
        {"tilts": {"count": 47}, "snr": 2208.67},
        {"tilts": {"count": 9}, "snr": snr},
        background_fraction=0.0,
    )
    by_default = reconstruct(dataset, "poisson-tv", PAPER_WEIGHTS, place=place_for_long).history["total"][-1]
    at_length = reconstruct(
        dataset, "poisson-tv", PAPER_WEIGHTS, SolverSettings(tolerance=1e-6), place=place_for_long
    ).history["total"][-1]
    assert by_default < 1.1 * at_length


def test_unknown_methods_are_refused_with_the_nearest_known_one(tiny_dataset):
    with pytest.raises(InputError, match=r"there is no method 'fusd'; did you mean 'fused'\?"):
        reconstruct(tiny_dataset, "fusd")


def test_an_initial_volume_of_another_shape_is_refused(tiny_dataset):
    with pytest.raises(InputError, match=r"shape \(3, 8, 8, 5\), but the data set's is \(3, 8, 8, 6\)"):
        reconstruct(tiny_dataset, "fused", initial=np.zeros((3, 8, 8, 5), np.float32))


def test_an_initial_volume_below_zero_is_refused(tiny_dataset):
    with pytest.raises(InputError, match=r"initial volume has concentrations down to -0.5; raise those voxels to 0"):
        reconstruct(tiny_dataset, "fused", initial=np.full((3, 8, 8, 6), -0.5, np.float32))


def test_a_truth_of_other_elements_is_refused(tiny_dataset, tiny_phantom):
    other = ChemicalVolume(tiny_phantom.data, ("Co", "O", "Pt"), 2.0)
    with pytest.raises(InputError, match="Co, O, Au but the truth Co, O, Pt"):
        reconstruct(tiny_dataset, "fused", truth=other)


ITERATIVE = pytest.mark.parametrize(
    "method", ["fused", "fused-weighted", "poisson-tv", "fista-tv", "sirt", "gradient-descent"]
)


@ITERATIVE
def test_outside_a_mask_the_volume_stays_empty(place, tiny_dataset, method):
    mask = np.zeros((8, 8, 6), bool)
    mask[1:7, 1:7] = True
    inside = reconstruct(tiny_dataset, method, settings=_short(), mask=mask, place=place).volume.data
    assert not inside[:, ~mask].any()
    assert inside[:, mask].any()
    everywhere = reconstruct(tiny_dataset, method, settings=_short(), place=place).volume.data
    assert everywhere[:, ~mask].any()  # or this shows nothing


def test_the_cylinder_is_what_every_projection_sees_whole(place, tiny_dataset):
    z, y, _ = np.ogrid[:8, :8, :6]
    cylinder = np.broadcast_to(np.hypot(z - 3.5, y - 3.5) <= 4, (8, 8, 6))
    upper = np.broadcast_to(z < 4, (8, 8, 6))
    named = reconstruct(tiny_dataset, settings=_short(mask="cylinder"), place=place).volume.data
    np.testing.assert_array_equal(
        named, reconstruct(tiny_dataset, settings=_short(), mask=cylinder, place=place).volume.data
    )
    both = reconstruct(tiny_dataset, settings=_short(mask="cylinder"), mask=upper, place=place).volume.data
    np.testing.assert_array_equal(
        both, reconstruct(tiny_dataset, settings=_short(), mask=cylinder & upper, place=place).volume.data
    )


@pytest.mark.parametrize("mask", [np.ones((8, 8, 5), bool), np.ones((8, 8, 6)), np.zeros((8, 8, 6), bool)])
def test_masks_that_cannot_be_one_are_refused(tiny_dataset, mask):
    with pytest.raises(InputError, match="mask is"):
        reconstruct(tiny_dataset, settings=_short(), mask=mask)


def test_least_squares_chemistry_is_what_fista_tv_minimises(place, tiny_dataset):
    settings = _short(chemical_term="least-squares")
    ours, theirs = (
        reconstruct(tiny_dataset, m, PAPER_WEIGHTS, settings, place=place) for m in ("poisson-tv", "fista-tv")
    )
    np.testing.assert_array_equal(ours.volume.data, theirs.volume.data)
    poisson = reconstruct(tiny_dataset, "poisson-tv", PAPER_WEIGHTS, _short(), place=place)
    assert np.abs(poisson.volume.data - theirs.volume.data).max() > 1e-3


def test_anisotropic_total_variation_is_another(place, tiny_dataset):
    one, other = (
        reconstruct(tiny_dataset, settings=_short(tv=kind), place=place).volume.data
        for kind in ("isotropic", "anisotropic")
    )
    assert np.abs(one - other).max() > 1e-3


def test_a_factor_smooths_one_element_alone(place, tiny_dataset):
    """Without the HAADF term elements do not know of each other."""
    smooth = reconstruct(tiny_dataset, "poisson-tv", settings=_short(tv_by_element={"O": 5.0}), place=place)
    base = reconstruct(tiny_dataset, "poisson-tv", settings=_short(), place=place)

    def roughness(found, element):
        return np.abs(np.diff(found.volume[element], axis=0)).sum()

    assert roughness(smooth, "O") < 0.7 * roughness(base, "O")
    with pytest.raises(InputError, match="no element 'Ag' to weigh; did you mean 'Au'"):
        reconstruct(tiny_dataset, settings=_short(chemical_by_element={"Ag": 2.0}), place=place)


def test_an_element_weight_is_a_weight(place, tiny_dataset):
    """All elements' chemical terms doubled are the chemical weight doubled."""
    by_element = _short(chemical_by_element=dict.fromkeys(tiny_dataset.elements, 2.0))
    one = reconstruct(tiny_dataset, "fused", Weights(chemical=1.0), by_element, place=place)
    two = reconstruct(tiny_dataset, "fused", Weights(chemical=2.0), _short(), place=place)
    assert one.history["total"] == pytest.approx(two.history["total"], rel=1e-5)


def test_half_precision_and_unknown_hardware_are_refused_at_the_door(tiny_dataset, monkeypatch):
    with pytest.raises(InputError, match="half precision is for GPUs"):
        Placement(half=True)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match=r"device 'gpu' needs CuPy .*fusedtomo\[gpu12\]"):
        reconstruct(tiny_dataset, settings=_short(), place=Placement(device="gpu"))
