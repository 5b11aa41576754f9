"""The simulated acquisition: seeds, noise statistics, SNR, background and the fine grid."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.operators.projector import Projector
from fusedtomo.settings import Acquisition
from fusedtomo.simulate import reached_snr, scale_to_snr, simulate
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng

PAPER_SNR = {"Co": 1.92, "Cu": 2.89, "O": 2.69, "Au": 1.96}  # Methods, "Multi-modal simulations"
ATOMIC_NUMBERS = {"Co": 27, "Cu": 29, "O": 8, "Au": 79}


def _nanocubes(size):
    spec = PhantomSpec(name="cuo_coo_nanocubes", size=size, seed=0)
    return make_phantom(spec, phantom_rng(spec))


@pytest.fixture(scope="module")
def phantom():
    return _nanocubes(32)


def _acquisition(haadf=None, chemical=None, **extra):
    haadf = {"tilts": {"count": 9}, "snr": 2208.67} | (haadf or {})
    chemical = {"tilts": {"count": 7}, "snr": PAPER_SNR} | (chemical or {})
    return Acquisition.model_validate({"haadf": haadf, "chemical": chemical, **extra})


def _dose(counts, tilts=None):
    return {"snr": None, "dose_counts": counts, "tilts": tilts or {"count": 9}}


def _expected(series, density):
    """What a series' pixels are drawn from: gain times line integral, plus background."""
    signal = Projector(series.scheme.angles_deg, *density.shape[:2]).forward(density)
    return series.gain * signal.astype(np.float64) + series.background


def _counts(dataset):
    return [series.counts for series in (dataset.haadf, *dataset.chemical)]


def _brightness(phantom, gamma):
    zeta = np.array([ATOMIC_NUMBERS[e] for e in phantom.elements]) / 79
    return ((zeta[:, None, None, None] * phantom.data) ** gamma).sum(axis=0).astype(np.float32)


def test_one_seed_gives_the_same_bits_and_another_seed_other_noise(phantom):
    first, again, other = (simulate(phantom, _acquisition(seed=seed)) for seed in (3, 3, 4))
    for a, b, c in zip(_counts(first), _counts(again), _counts(other), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@pytest.mark.parametrize("haadf", [{"tilts": {"count": 21}}, {"snr": 100.0}])
def test_chemical_counts_do_not_change_with_the_haadf_series(phantom, haadf):
    a, b = simulate(phantom, _acquisition()), simulate(phantom, _acquisition(haadf=haadf))
    np.testing.assert_array_equal(a.chemical_counts, b.chemical_counts)
    assert a.haadf.counts.shape != b.haadf.counts.shape or (a.haadf.counts != b.haadf.counts).any()


def test_series_of_one_data_set_have_noise_of_their_own(phantom):
    twin = ChemicalVolume(np.stack([phantom["O"], phantom["O"]]), ("Co", "O"), phantom.voxel_nm)
    dataset = simulate(twin, _acquisition(chemical={"snr": 3.0}))
    assert (dataset.chemical[0].counts != dataset.chemical[1].counts).mean() > 0.5


def test_series_carry_the_angles_elements_and_sizes_asked_for(phantom):
    angles = (-63.5, -20.0, 1.25, 44.0, 71.0)
    dataset = simulate(phantom, _acquisition(chemical={"tilts": {"angles_deg": angles}}, gamma=1.7))
    assert dataset.elements == phantom.elements
    assert dataset.chemical_scheme.angles_deg == angles
    assert dataset.chemical_counts.shape == (4, 5, 32, 32)
    assert dataset.haadf.counts.shape == (9, 32, 32)
    assert dataset.haadf.scheme.angles_deg[0] == -70
    assert dataset.pixel_nm == phantom.voxel_nm
    assert dataset.gamma == 1.7


def test_every_series_reaches_its_snr(phantom):
    dataset = simulate(phantom, _acquisition(chemical={"tilts": {"count": 25}}))
    wanted = {"HAADF": 2208.67, **PAPER_SNR}
    for series in (dataset.haadf, *dataset.chemical):
        # the noise of 9000 pixels or more is known to sqrt(2 / 9000) = 1.5 %, of a few counts each a bit worse
        assert series.snr == pytest.approx(wanted[series.name], rel=0.05)
        assert series.counts.mean(dtype=np.float64) == pytest.approx(wanted[series.name] - 1, rel=0.05)
        measured = reached_snr(series.counts, _expected(series, _density(phantom, series.name)))
        assert measured == pytest.approx(series.snr, rel=1e-3)


def _density(phantom, name):
    return _brightness(phantom, 2.0) if name == "HAADF" else phantom[name]


def test_scale_to_snr_follows_the_paper_s_definition():
    mean = 0.37
    counts = mean * scale_to_snr(mean, 2.69)
    assert (counts + counts**2) / counts == pytest.approx(2.69)  # Poisson: the variance is the mean


def test_reached_snr_of_noise_free_counts_is_infinite():
    assert reached_snr(np.ones((2, 3, 3)), np.ones((2, 3, 3))) == np.inf


def test_dose_is_the_mean_count(phantom):
    dataset = simulate(phantom, _acquisition(haadf=_dose(700.0), chemical=_dose(5.0)))
    assert dataset.haadf.counts.mean(dtype=np.float64) == pytest.approx(700, rel=0.01)
    for series in dataset.chemical:
        assert series.counts.mean(dtype=np.float64) == pytest.approx(5, rel=0.02)  # 9216 pixels: sqrt(5 / 9216) = 0.5 %


def test_counts_are_poisson_with_mean_equal_to_variance(phantom):
    for series in simulate(phantom, _acquisition(chemical={"tilts": {"count": 25}})).chemical:
        expected = _expected(series, phantom[series.name])
        np.testing.assert_array_equal(series.counts, np.round(series.counts))
        assert series.counts.min() >= 0
        pearson = (series.counts - expected) ** 2 / expected
        spread = 3 * pearson.std() / np.sqrt(pearson.size)  # three standard errors
        assert pearson.mean() == pytest.approx(1, abs=spread)
        assert (series.counts - expected).mean() == pytest.approx(0, abs=3 * np.sqrt(expected.mean() / expected.size))


@pytest.mark.parametrize("fraction", [0.0, 0.15, 0.4])
def test_vacuum_is_the_stated_fraction_of_the_brightest_pixel(phantom, fraction):
    acquisition = _acquisition(haadf=_dose(1e4), chemical=_dose(1e4), background_fraction=fraction)
    dataset = simulate(phantom, acquisition)
    for series in (dataset.haadf, *dataset.chemical):
        density = _density(phantom, series.name)
        signal = Projector(series.scheme.angles_deg, 32, 32).forward(density)
        assert series.background == pytest.approx(fraction * series.gain * signal.max(), rel=1e-5, abs=1e-9)
        vacuum = series.counts[signal == 0]
        assert vacuum.mean(dtype=np.float64) == pytest.approx(series.background, rel=0.01, abs=1e-9)


@pytest.mark.parametrize("gamma", [1.0, 1.7, 2.0])
def test_haadf_is_proportional_to_the_projected_power_of_z(phantom, gamma):
    haadf = simulate(phantom, _acquisition(haadf=_dose(1e6), gamma=gamma, background_fraction=0.0)).haadf
    expected = Projector(haadf.scheme.angles_deg, 32, 32).forward(_brightness(phantom, gamma)).astype(np.float64)
    gain = (haadf.counts * expected).sum() / (expected**2).sum()
    error = np.sqrt(((haadf.counts - gain * expected) ** 2).mean() / (haadf.counts**2).mean())
    assert error < 3e-3  # Poisson noise of a million counts is 1e-3
    assert haadf.gain == pytest.approx(gain, rel=1e-3)


def test_elements_that_the_phantom_lacks_give_an_empty_series(phantom):
    data = phantom.data.copy()
    data[3] = 0
    series = simulate(ChemicalVolume(data, phantom.elements, 1.0), _acquisition()).chemical[3]
    assert not series.counts.any()
    assert (series.gain, series.background, series.snr) == (None, 0.0, None)


def _smooth(size):
    """Two overlapping Gaussians a sixth of the volume wide: what interpolation does to edges is left out."""
    z, y, x = np.meshgrid(*[(np.arange(size) + 0.5) / size - 0.5] * 3, indexing="ij")
    blobs = [np.exp(-((z - c) ** 2 + (y + c) ** 2 + x**2) / (2 / 8**2)) for c in (0.05, -0.1)]
    return ChemicalVolume(np.stack(blobs).astype(np.float32), ("Co", "O"), 64.0 / size)


def test_fine_grid_gives_the_shapes_pixels_and_projections_of_the_same_grid():
    noise_free = {"haadf": _dose(1e6), "chemical": _dose(1e6, {"count": 7})}
    fine = simulate(_smooth(64), _acquisition(**noise_free, grid="fine"))
    same = simulate(_smooth(32), _acquisition(**noise_free))
    assert fine.pixel_nm == same.pixel_nm == 2.0
    for a, b in zip((fine.haadf, *fine.chemical), (same.haadf, *same.chemical), strict=True):
        assert a.counts.shape == b.counts.shape
        # in voxels of the final grid
        signals = [(series.counts - series.background) / series.gain for series in (a, b)]
        # averaging two pixels of a blob of sigma 4 pixels blurs it by (1/4^2) / 8, under 1 %; noise is 0.2 %
        assert np.linalg.norm(signals[0] - signals[1]) < 0.02 * np.linalg.norm(signals[1])


def test_phantoms_are_left_alone(phantom):
    before = phantom.data.copy()
    simulate(phantom, _acquisition())
    np.testing.assert_array_equal(phantom.data, before)


def test_an_element_without_snr_is_refused_by_name(phantom):
    with pytest.raises(InputError, match=r"snr is given for Co, Cu, O but not for Au; add 'Au = \.\.\.'"):
        simulate(phantom, _acquisition(chemical={"snr": {"Co": 2.0, "Cu": 2.0, "O": 2.0}}))


def test_a_fine_grid_of_odd_size_is_refused():
    odd = ChemicalVolume(np.ones((1, 7, 7, 7), np.float32), ("Co",), 1.0)
    with pytest.raises(InputError, match="7"):
        simulate(odd, _acquisition(chemical={"snr": 3.0}, grid="fine"))


def _signal(series):
    """A series' noiseless part, as far as its counts tell."""
    return (series.counts - series.background) / series.gain


def _centres(images):
    """The centre of mass of every image (tilt, y and x)."""
    mass = images.sum(axis=(1, 2))
    y, x = np.indices(images.shape[1:])
    return np.stack([(images * y).sum(axis=(1, 2)) / mass, (images * x).sum(axis=(1, 2)) / mass], axis=1)


def test_a_misfit_alters_what_is_said_of_the_background_alone(phantom):
    right, wrong = (simulate(phantom, _acquisition(background_misfit=misfit)) for misfit in (0.0, -0.25))
    for a, b in zip((right.haadf, *right.chemical), (wrong.haadf, *wrong.chemical), strict=True):
        np.testing.assert_array_equal(a.counts, b.counts)
        assert (b.gain, b.snr) == (a.gain, a.snr)
        assert b.background == pytest.approx(0.75 * a.background)


def test_misaligned_images_are_shifted_at_random_all_elements_of_a_tilt_alike(phantom):
    twin = ChemicalVolume(np.stack([phantom["O"], phantom["O"]]), ("Co", "O"), phantom.voxel_nm)
    tilts = {"count": 25}
    clear = {"haadf": _dose(1e7, tilts), "chemical": _dose(1e7, tilts)}
    still, moved, again, other = (
        simulate(twin, _acquisition(**clear, misalignment_px=pixels, seed=seed))
        for pixels, seed in ((0.0, 0), (0.8, 0), (0.8, 0), (0.8, 1))
    )
    shifts = [_centres(_signal(a)) - _centres(_signal(b)) for a, b in zip(moved.chemical, still.chemical, strict=True)]
    np.testing.assert_allclose(shifts[0], shifts[1], atol=0.02)
    assert shifts[0].std(axis=0) == pytest.approx([0.8, 0.8], rel=0.4)  # of 25 tilts: 14 % by chance
    assert abs(shifts[0].mean()) < 0.4
    of_haadf = _centres(_signal(moved.haadf)) - _centres(_signal(still.haadf))
    assert np.abs(of_haadf - shifts[0]).max() > 0.5  # the modalities are recorded apart
    np.testing.assert_array_equal(again.haadf.counts, moved.haadf.counts)
    elsewhere = _centres(_signal(other.haadf)) - _centres(_signal(still.haadf))
    assert np.abs(of_haadf - elsewhere).max() > 0.5


def test_a_misalignment_changes_no_count_that_it_need_not(phantom):
    dataset, moved = (simulate(phantom, _acquisition(misalignment_px=pixels)) for pixels in (0.0, 2.0))
    for a, b in zip(_counts(dataset), _counts(moved), strict=True):
        assert b.mean() == pytest.approx(a.mean(), rel=0.02)
        assert (b >= 0).all()


def test_a_thick_specimen_is_darkest_in_haadf_where_it_is_thickest_and_its_maps_do_not_see_it(phantom):
    clear = {"haadf": _dose(1e7, {"count": 3}), "chemical": _dose(1e7, {"count": 3})}
    thin, thick = (simulate(phantom, _acquisition(**clear, thickness_damping=damping)) for damping in (0.0, 4.0))
    over_most = _signal(thin.haadf) / _signal(thin.haadf).max()
    expected = over_most * np.exp(-4 * over_most)  # brightest at a quarter of the thickest
    found = _signal(thick.haadf)
    np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=0.01)
    for a, b in zip(thin.chemical, thick.chemical, strict=True):
        np.testing.assert_array_equal(a.counts, b.counts)


def test_an_element_without_maps_is_in_the_haadf_images_alone(phantom):
    whole, hidden = simulate(phantom, _acquisition()), simulate(phantom, _acquisition(unmapped=["Cu"]))
    assert hidden.elements == tuple(element for element in whole.elements if element != "Cu")
    np.testing.assert_array_equal(hidden.haadf.counts, whole.haadf.counts)
    for series in hidden.chemical:
        same = next(one for one in whole.chemical if one.name == series.name)
        np.testing.assert_array_equal(series.counts, same.counts)


@pytest.mark.parametrize(
    ("unmapped", "told"), [(["Zn"], "unmapped names 'Zn', which the specimen does not hold"), (None, "all elements")]
)
def test_maps_that_cannot_be_left_out_are_refused(phantom, unmapped, told):
    with pytest.raises(InputError, match=told):
        simulate(phantom, _acquisition(unmapped=unmapped or phantom.elements))


@pytest.mark.parametrize("n_tilts", [3, 12])
def test_a_total_dose_is_shared_by_the_images_of_a_series(phantom, n_tilts):
    dose = {"snr": None, "total_dose_counts": 900.0, "tilts": {"count": n_tilts}}
    dataset = simulate(phantom, _acquisition(haadf=dose, chemical=dose))
    for counts in _counts(dataset):
        assert counts.mean() == pytest.approx(900 / n_tilts, rel=0.02)
    same = simulate(phantom, _acquisition(haadf={**dose, "total_dose_counts": None, "dose_counts": 900 / n_tilts}))
    np.testing.assert_array_equal(dataset.haadf.counts, same.haadf.counts)
