"""Tilt schemes, series and data sets: how angles are spelled, and what is refused."""

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.tilts import FusedDataset, TiltScheme, TiltSeries, check_signal, per_element

SCHEME = TiltScheme((-30.0, 0.0, 30.0))


def _series(name="Co", shape=(3, 4, 5), scheme=SCHEME, **extra):
    return TiltSeries(name, np.full(shape, 2.0, np.float32), scheme, **extra)


def _dataset(haadf=None, chemical=None, pixel_nm=1.0):
    chemical = (_series(), _series("O")) if chemical is None else chemical
    return FusedDataset(haadf or _series("HAADF"), chemical, pixel_nm)


def test_counted_angles_are_even_and_include_both_ends():
    assert TiltScheme.from_count(-60, 60, 5).angles_deg == (-60, -30, 0, 30, 60)


@pytest.mark.parametrize(
    ("last", "increment", "expected"),
    [(70, 35, (-70, -35, 0, 35, 70)), (69, 35, (-70, -35, 0, 35)), (-69.7, 0.1, (-70, -69.9, -69.8, -69.7))],
)
def test_incremented_angles_stop_at_the_last_one_within(last, increment, expected):
    assert TiltScheme.from_increment(-70, last, increment).angles_deg == pytest.approx(expected)


def test_schemes_are_values():
    assert TiltScheme((1.0, 2.0)) == TiltScheme((1.0, 2.0)) != TiltScheme((2.0, 1.0))
    assert len(SCHEME) == 3


@pytest.mark.parametrize(
    ("angles", "message"),
    [
        ((), "at least two angles, but 0 given; add angles"),
        ((3.0,), "at least two angles, but 1 given; add angles"),
        ((0.0, 90.5), r"tilt angle 90.5 degrees is outside \+-90; give angles in degrees within that range"),
        ((0.0, -1e9), r"tilt angle -1e\+09 degrees is outside"),
        ((0.0, float("nan")), "tilt angle nan degrees is outside"),
        ((0.0, 1.0, 0.0), "a tilt angle is given twice; average repeated images or drop one"),
    ],
)
def test_impossible_schemes_are_refused(angles, message):
    with pytest.raises(InputError, match=message):
        TiltScheme(angles)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (4, 5)}, r"'Zn' has shape \(4, 5\); it must be \(tilt, y, x\)"),
        ({"shape": (9, 4, 5)}, "'Zn' has 9 projections but its scheme has 3 angles; pass the scheme it was recorded"),
        ({"background": -1.0}, "'Zn' has background -1.0; give counts per pixel >= 0"),
        ({"background": float("nan")}, "'Zn' has background nan; give"),
        ({"gain": 0.0}, "'Zn' has gain 0.0; give counts per unit above 0"),
        ({"gain": float("inf")}, "'Zn' has gain inf; give"),
    ],
)
def test_impossible_series_are_refused_by_name(kwargs, message):
    with pytest.raises(InputError, match=message):
        _series("Zn", **kwargs)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_series_with_bad_pixels_are_refused(value):
    counts = np.ones((3, 4, 5), np.float32)
    counts[1, 2, 3] = value
    with pytest.raises(InputError, match="'Zn' holds NaN or infinity; replace those pixels first"):
        TiltSeries("Zn", counts, SCHEME)


def test_a_data_set_gathers_its_chemistry():
    dataset = _dataset()
    assert dataset.elements == ("Co", "O")
    assert dataset.chemical_scheme == SCHEME
    assert dataset.chemical_counts.shape == (2, 3, 4, 5)
    dataset.chemical_counts[:] = 0
    assert (dataset.chemical[0].counts == 2).all()  # a new array each time


def test_numbers_per_element_have_a_default_where_unknown():
    dataset = _dataset(chemical=(_series(gain=3.0), _series("O")))
    values = per_element(dataset, "gain", 1.5)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [3.0, 1.5])


OTHER_SCHEME = TiltScheme((-30.0, 0.0, 31.0))
NEGATIVE = TiltSeries("O", np.full((3, 4, 5), -0.5, np.float32), SCHEME)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"chemical": ()}, "needs the chemical series of at least one element"),
        ({"chemical": (_series("Qq"),)}, "element 'Qq' has no atomic number; use a symbol"),
        ({"chemical": (_series(), _series("O", scheme=OTHER_SCHEME))}, "'O' and 'Co' have different tilt angles"),
        (
            {"chemical": (_series(), _series("O", (3, 4, 6)))},
            r"'O' is \(3, 4, 6\) but 'Co' is \(3, 4, 5\); all elements must share one shape",
        ),
        ({"chemical": (_series(), NEGATIVE)}, r"'O' has negative counts \(down to -0.5\); give raw counts"),
        (
            {"haadf": _series("HAADF", (3, 5, 5))},
            r"HAADF images are \(5, 5\) but chemical maps \(4, 5\) \(y, x\); resample them",
        ),
        ({"pixel_nm": -1.0}, "pixel_nm is -1.0; give the pixel's edge in nanometres, above 0"),
    ],
)
def test_data_sets_that_do_not_fit_together_are_refused(kwargs, message):
    with pytest.raises(InputError, match=message):
        _dataset(**kwargs)


def test_haadf_may_be_negative_and_have_tilts_of_its_own():
    haadf = TiltSeries("HAADF", np.full((2, 4, 5), -3.0, np.float32), TiltScheme((0.0, 10.0)))
    assert len(_dataset(haadf=haadf).haadf.scheme) == 2


def test_an_element_recorded_twice_is_refused():
    with pytest.raises(InputError, match="Co"):
        _dataset(chemical=(_series(), _series()))


def signal(angles=(-40.0, 0.0, 40.0), counts=1.0, background=0.0, n_elements=1):
    series = [
        TiltSeries(name, np.full((3, 2, 2), counts, np.float32), TiltScheme(angles), 1.0, background)
        for name in ("HAADF", "Co")
    ]
    return FusedDataset(series[0], tuple(series[1:]), 1.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"angles": (-1.2, 0.0, 1.2)}, "tilt angles of 'HAADF' span 2.4 degrees; give angles in degrees, not radians"),
        ({"counts": 0.0}, "tilt series 'HAADF' has no pixel above its background of 0 counts"),
        ({"counts": 5.0, "background": 6.0}, "tilt series 'HAADF' has no pixel above its background of 6 counts"),
    ],
    ids=["radians", "nothing", "background"],
)
def test_data_without_a_signal_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        check_signal(signal(**changes))
    check_signal(signal())
