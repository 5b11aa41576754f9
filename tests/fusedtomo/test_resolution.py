"""Spectra, shell correlation and edges against volumes whose answer is known.

The shell correlation is held against one that shares no line with it, and against torch-fourier-shell-correlation where
that is installed: it brings torch, some gigabytes, which the other tests do without.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fusedtomo.errors import InputError
from fusedtomo.operators.projector import Projector
from fusedtomo.resolution import (
    REGIONS,
    Shells,
    edge,
    half_bit,
    noise_floor_cutoff,
    power_spectrum,
    shell_correlation,
)

VOXEL_NM = 0.8


def by_hand(first, second, region="all", tilts_deg=(-90, 90)):
    """Shell correlation from the full transforms, one shell after the other; and how many frequencies each has."""
    f, g = np.fft.fftn(first - first.mean()), np.fft.fftn(second - second.mean())
    n, inside = min(first.shape), in_region(first.shape, region, tilts_deg)
    radius = np.sqrt(sum(k**2 for k in frequencies(first.shape)))
    shells = [inside & (np.rint(n * radius) == s) for s in range(1, n // 2 + 1)]
    shells = [s for s in shells if s.sum() >= 16]  # 8 independent ones
    of = [(f[s] * g[s].conj()).sum().real / np.sqrt((abs(f[s]) ** 2).sum() * (abs(g[s]) ** 2).sum()) for s in shells]
    return np.array(of), np.array([s.sum() / 2 for s in shells])


def frequencies(shape):
    return np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")


def in_region(shape, region, tilts_deg):
    """A frequency is measured where a tilt between the first and the last has it in the plane normal to its beam."""
    z, y, x = frequencies(shape)
    if region in ("measured", "missing"):
        with np.errstate(divide="ignore", invalid="ignore"):
            tilt = np.degrees(np.arctan(z / y))  # along the beam of this tilt, y sin - z cos is 0
        measured = ((tilt >= tilts_deg[0]) & (tilt <= tilts_deg[1])) | ((y == 0) & (z == 0))
        return measured == (region == "measured")
    along = {"x": x, "y": y, "z": z}.get(region)
    return np.ones(shape, bool) if along is None else abs(along) >= np.sqrt(0.75) * np.sqrt(z**2 + y**2 + x**2)


@pytest.mark.parametrize("shape", [(64, 64, 64), (48, 64, 40)])
def test_correlation_is_that_of_a_library(rng, shape):
    """Its shells (version 0.6) are triangles two of ours wide: curves differ by noise, and fall together."""
    library = pytest.importorskip("torch_fourier_shell_correlation")
    torch = pytest.importorskip("torch")
    signal = gaussian_filter(rng.standard_normal(shape), 1.5)
    first, second = (signal / signal.std() + 0.5 * rng.standard_normal(shape) for _ in range(2))
    ours = shell_correlation(first, second, VOXEL_NM)
    theirs = library.fourier_shell_correlation(*(torch.tensor(v - v.mean()) for v in (first, second))).numpy()
    theirs = theirs[1 : len(ours.value) + 1]
    assert np.abs(ours.value - theirs).mean() < 0.01
    np.testing.assert_allclose(ours.value, theirs, atol=0.04)
    found, wanted = (Shells(ours.frequency, of, ours.count).falls_below(0.5) for of in (ours.value, theirs))
    assert found == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("shape", [(16, 16, 16), (15, 19, 13), (13, 11, 15)])
def test_correlation_and_counts_are_those_of_the_full_transform(rng, shape, region):
    first = rng.standard_normal(shape)
    second = first + rng.standard_normal(shape)
    tilts = (-62.0, 47.0)
    found = shell_correlation(first, second, VOXEL_NM, region, tilts)
    value, count = by_hand(first, second, region, tilts)
    np.testing.assert_allclose(found.value, value, rtol=1e-10)
    np.testing.assert_allclose(found.count, count)
    assert found.frequency[-1] == pytest.approx((min(shape) // 2) / (min(shape) * VOXEL_NM))


def test_correlation_of_halves_is_their_share_of_signal(rng):
    signal, *noise = rng.standard_normal((3, 32, 32, 32))
    halves = [signal + np.sqrt(2) * part for part in noise]
    found = shell_correlation(*halves, VOXEL_NM)
    assert np.average(found.value, weights=found.count) == pytest.approx(1 / 3, abs=0.02)
    assert shell_correlation(signal, 7 * signal + 3, VOXEL_NM).value == pytest.approx(1)  # blind to gain and offset
    unrelated = shell_correlation(*noise, VOXEL_NM)
    assert np.abs(unrelated.value * np.sqrt(unrelated.count)).max() < 4  # standard deviations


def test_half_a_bit_of_many_frequencies_is_an_snr_of_0_2071():
    many = Shells(np.ones(1), np.ones(1), np.array([1e12]))
    assert half_bit(many) == pytest.approx(0.2071 / 1.2071, abs=1e-5)
    one = Shells(np.ones(1), np.ones(1), np.ones(1))
    assert half_bit(one) == pytest.approx(1, abs=2e-4)  # of one frequency, agreement says nothing


def test_a_fall_is_between_two_shells():
    shells = Shells(np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.5, 0.0]), np.ones(3))
    assert shells.falls_below(0.25) == pytest.approx(0.25)
    assert shells.falls_below(np.array([0.0, 0.75, 0.0])) == pytest.approx(0.18)  # 1 - 0.5 s = 0.75 s
    assert shells.falls_below(-1) is None
    assert shells.falls_below(2) == 0.1


@pytest.mark.parametrize("tilt_deg", [-60, -35, 0, 25, 80])
def test_a_wave_that_a_tilt_projects_is_measured_by_it_and_another_is_missing(tilt_deg):
    n, angle = 48, np.radians(tilt_deg)
    z, y, _ = np.meshgrid(*[np.arange(n) - (n - 1) / 2] * 3, indexing="ij")
    window = np.exp(-((z**2 + y**2) / (2 * 7.0**2)))
    wave = (window * np.cos(2 * np.pi * 0.2 * (y * np.cos(angle) + z * np.sin(angle)))).astype(np.float32)
    seen, unseen = (np.abs(Projector([at], n, n).forward(wave)).max() for at in (tilt_deg, tilt_deg - 50))
    assert seen > 50 * unseen

    def power(region):
        found = power_spectrum(wave, 1.0, region, (tilt_deg - 12, tilt_deg + 12))
        return (found.value * found.count).sum()

    assert power("measured") > 20 * power("missing")
    assert power("measured") + power("missing") == pytest.approx(power("all"))


def test_regions_about_the_axes_hold_what_varies_along_them(rng):
    field = rng.standard_normal((24, 24, 24))
    for axis, name in enumerate("zyx"):
        smooth = gaussian_filter(field, [0 if other == axis else 3 for other in range(3)], mode="wrap")
        high = {region: power_spectrum(smooth, VOXEL_NM, region).value[-3:].mean() for region in "xyz"}
        assert max(high, key=high.get) == name


def test_the_power_of_white_noise_is_its_variance_in_every_region(rng):
    noise = 3 * rng.standard_normal((32, 32, 32))
    for region in REGIONS:
        found = power_spectrum(noise, VOXEL_NM, region, (-70, 70))
        assert np.average(found.value, weights=found.count) == pytest.approx(9, rel=0.05), region


def test_the_noise_floor_begins_where_the_signal_ends(rng):
    n, end = 48, 0.22  # cycles a voxel
    radius = np.sqrt(sum(k**2 for k in np.meshgrid(*[np.fft.fftfreq(n)] * 3, indexing="ij")))
    signal = np.fft.ifftn(np.fft.fftn(rng.standard_normal((n, n, n))) * (radius <= end)).real
    noisy = power_spectrum(signal + 0.1 * rng.standard_normal(signal.shape), VOXEL_NM)
    assert noise_floor_cutoff(noisy) * VOXEL_NM == pytest.approx(end, abs=1 / n)
    smooth = gaussian_filter(rng.standard_normal((n, n, n)), 1.0, mode="wrap")
    assert noise_floor_cutoff(power_spectrum(smooth, VOXEL_NM)) is None


def ball(n, radius):
    """A ball with the share of each voxel that it fills, 0.5 inside."""
    fine = (np.arange(4 * n) - (4 * n - 1) / 2) / 4
    z, y, x = np.meshgrid(fine, fine, fine, indexing="ij", sparse=True)
    inside = (z**2 + y**2 + x**2 <= radius**2).astype(np.float32)
    return 0.5 * inside.reshape(n, 4, n, 4, n, 4).mean(axis=(1, 3, 5))


def test_an_edge_is_as_wide_as_what_blurred_it_along_each_axis():
    sigmas = {"z": 2.5, "y": 1.5, "x": 1.5}
    blurred = gaussian_filter(ball(48, 15), list(sigmas.values()))
    for axis, sigma in sigmas.items():
        found = edge(blurred, VOXEL_NM, axis)
        # what voxels (1/12) and linear interpolation (1/6) add to the variance; the ball's edge is oblique up to 1/0.95
        width = 2 * np.sqrt(2 * np.log(2) * (sigma**2 + 1 / 12 + 1 / 6)) * VOXEL_NM
        assert found.half_pitch_nm == pytest.approx(1.025 * width, rel=0.05), axis
        assert found.profile[found.distance_nm == 0] == pytest.approx(0.5, abs=0.05)


def test_a_sharp_edge_is_a_voxel_wide():
    assert edge(ball(32, 9.3), VOXEL_NM, "x").half_pitch_nm == pytest.approx(VOXEL_NM, rel=0.35)


def test_what_has_no_edge_has_none(rng):
    assert edge(np.zeros((24, 24, 24)), VOXEL_NM, "x") is None
    slab = np.zeros((24, 24, 24))
    slab[:12] = 1
    assert edge(slab, VOXEL_NM, "y") is None
    found = edge(slab, VOXEL_NM, "z")
    assert (found.count, found.profile[0], found.profile[-1]) == (24 * 24, 0, 1)
    slab[:10] = 0
    assert edge(slab, VOXEL_NM, "z") is None  # too thin to have an inside


def test_volumes_that_cannot_be_compared_are_refused(rng):
    with pytest.raises(InputError, match=r"\(16, 16, 16\) and \(16, 16, 12\)"):
        shell_correlation(np.ones((16, 16, 16)), np.ones((16, 16, 12)), 1.0)
    with pytest.raises(InputError, match="8 voxels each way"):
        power_spectrum(np.ones((16, 16, 4)), 1.0)
