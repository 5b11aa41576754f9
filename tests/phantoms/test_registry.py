"""Is every phantom what its spec promises: grid, seed, stoichiometry, room and physical size?"""

import os
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from fusedtomo.errors import InputError
from phantoms.registry import FAMILIES, MOST_VACUUM, PhantomSpec, list_phantoms, make_phantom, phantom_rng

NAMES = sorted(list_phantoms())
# Linear relations between elements that hold in every voxel: coefficients whose weighted sum is zero.
RELATIONS = {
    "cuo_coo_nanocubes": {"Co": 1, "Cu": 1, "O": -1},
    "conio_nanotube": {"Co": 1, "Ni": 1, "O": -1},
    "co3o4_mn3o4_core_shell": {"Co": 4, "Mn": 4, "O": -3},
    "au_fe3o4_superlattice": {"Fe": 4, "O": -3},
    "au_fe3o4_in_carbon": {"Fe": 4, "O": -3},
    "cu_sic_catalyst": {"Si": 1, "C": -1},
    "zns_cus_heterostructures": {"Zn": 16, "Cu": 9, "S": -16},
    "c_tio2_particles": {"Ti": 2, "O": -1},
}


def _phantom(name, size, seed=0, **extra):
    spec = PhantomSpec(name=name, size=size, seed=seed, **extra)
    return make_phantom(spec, phantom_rng(spec))


@pytest.fixture(scope="module", params=NAMES)
def volume(request):
    return request.param, _phantom(request.param, 64)


def _outside_cylinder(size):
    """Voxels (z, y) whose centre lies outside the inscribed cylinder about x."""
    place = np.arange(size) - (size - 1) / 2
    return np.hypot(place[:, None], place[None, :]) > size / 2


def test_the_promised_families_are_listed():
    assert set(NAMES) == set(RELATIONS)


def test_grid_and_elements(volume):
    name, phantom = volume
    family = list_phantoms()[name]
    assert phantom.data.shape == (len(family.elements), 64, 64, 64)
    assert phantom.data.dtype == np.float32
    assert phantom.data.flags.c_contiguous
    assert phantom.elements == family.elements
    assert phantom.voxel_nm == pytest.approx(family.field_of_view_nm / 64)


def test_stoichiometry_holds_in_every_voxel(volume):
    name, phantom = volume
    residual = sum(factor * phantom[element].astype(float) for element, factor in RELATIONS[name].items())
    assert np.abs(residual).max() < 1e-6


def test_concentrations_lie_between_vacuum_and_solid(volume):
    _, phantom = volume
    total = phantom.data.sum(axis=0, dtype=float)
    assert phantom.data.min() >= 0
    assert total.max() <= 1 + 1e-6
    assert total.max() > 1 - 1e-6  # solid somewhere


def test_core_shell_core_is_co3o4_alone():
    phantom = _phantom("co3o4_mn3o4_core_shell", 128)
    total = phantom.data.sum(axis=0)
    core = (phantom["Mn"] == 0) & (total > 0.999)
    assert core.sum() > 1000
    np.testing.assert_allclose(phantom["Co"][core] / total[core], 3 / 7, atol=1e-6)


def test_copper_sulfide_between_the_caps_is_cu064_s036_alone():
    phantom = _phantom("zns_cus_heterostructures", 128)
    disk = (phantom["Zn"] == 0) & (phantom.data.sum(axis=0) > 1 - 1e-6)
    assert disk.sum() > 10_000
    np.testing.assert_allclose(phantom["Cu"][disk], 0.64, atol=1e-6)
    np.testing.assert_allclose(phantom["S"][disk], 0.36, atol=1e-6)


def test_the_beam_crosses_up_to_280_nm_of_tio2():
    """Facets take a little away: 3 Ti is the share of a voxel that TiO2 fills."""
    for seed in range(3):
        phantom = _phantom("c_tio2_particles", 64, seed)
        thickness_nm = 3 * phantom["Ti"].sum(axis=0) * phantom.voxel_nm
        assert 250 < thickness_nm.max() < 281


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size", "seed"), [(16, 0), (16, 1), (17, 2), (64, 3)])
def test_vacuum_outside_the_inscribed_cylinder_and_at_its_ends(name, size, seed):
    data = _phantom(name, size, seed).data
    assert not data[:, _outside_cylinder(size)].any()
    assert not data[..., [0, -1]].any()


@pytest.mark.parametrize("name", NAMES)
def test_no_element_is_missing_at_the_smallest_size(name):
    for seed in (0, 2**40):
        phantom = _phantom(name, 16, seed)
        assert (phantom.data.max(axis=(1, 2, 3)) > 0.02).all()


@pytest.mark.parametrize("name", NAMES)
def test_seed_decides_the_specimen(name):
    first, again = (_phantom(name, 16, 3).data for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_draws_every_body_anew(name):
    """Volumes of two seeds may look alike (two tubes overlap); bodies cannot, for each is placed by the generator."""

    def places(seed):
        bodies = FAMILIES[name].build(phantom_rng(PhantomSpec(name=name, size=16, seed=seed)))
        found = {tuple(np.concatenate(body.shape.bounds())) for body in bodies}
        return found - {max(found, key=np.ptp)} if name == "au_fe3o4_in_carbon" else found  # carbon fills the field

    assert places(3).isdisjoint(places(4))


def test_families_draw_from_streams_of_their_own():
    first, other = (phantom_rng(PhantomSpec(name=name, size=16, seed=0)) for name in NAMES[:2])
    assert first.random() != other.random()


def test_generator_of_a_seed_never_changes():
    """The seed and the first 64 bits of the name's SHA-256, as sha256sum tells."""
    rng = phantom_rng(PhantomSpec(name="cuo_coo_nanocubes", size=16, seed=7))
    assert rng.bit_generator.seed_seq.entropy == [7, 0x32E672A7E77917F6]


@pytest.mark.parametrize("name", NAMES)
def test_same_specimen_at_double_resolution(name):
    """48 and 96 are painted on grids (144 and 192) of which neither divides the other."""
    coarse, fine = _phantom(name, 48, 5), _phantom(name, 96, 5).binned(2)
    assert fine.voxel_nm == pytest.approx(coarse.voxel_nm)
    for element in coarse.elements:
        assert np.corrcoef(coarse[element].ravel(), fine[element].ravel())[0, 1] > 0.99
        assert coarse[element].sum() == pytest.approx(fine[element].sum(), rel=0.05)


def test_larger_field_of_view_adds_vacuum_only():
    """The same nanometres of gold at any field of view."""
    usual, wide = (_phantom("au_fe3o4_superlattice", 128, field_of_view_nm=edge) for edge in (80, 120))
    assert wide.voxel_nm == pytest.approx(120 / 128)
    volumes_nm3 = [phantom["Fe"].sum(dtype=float) * phantom.voxel_nm**3 for phantom in (usual, wide)]
    assert volumes_nm3[0] == pytest.approx(volumes_nm3[1], rel=0.01)


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="no phantom 'conio_nanotubes'; did you mean 'conio_nanotube'"):
        _phantom("conio_nanotubes", 16)


def test_field_of_view_that_cuts_the_specimen_is_refused():
    with pytest.raises(InputError, match=r"50 nm would cut .* of at least 256"):
        _phantom("conio_nanotube", 16, field_of_view_nm=50)


def test_a_field_of_view_in_which_the_specimen_vanishes_is_refused():
    with pytest.raises(InputError, match=r"256000 nm little would be seen of .*, which fills 256 nm; .* at most 1024 "):
        _phantom("conio_nanotube", 1024, field_of_view_nm=256e3)


@pytest.mark.parametrize("name", NAMES)
def test_in_the_widest_field_of_view_every_element_is_still_there_at_the_smallest_size(name):
    edge = MOST_VACUUM * FAMILIES[name].field_of_view_nm
    usual, wide = _phantom(name, 16), _phantom(name, 16, field_of_view_nm=edge)
    for element in usual.elements:  # a ramp wider than a particle overstates its volume (phantoms/painting.py)
        assert 0.5 < wide[element].sum() * MOST_VACUUM**3 / usual[element].sum() < 2


@pytest.mark.parametrize("bad", [{"size": 15}, {"size": 1025}, {"seed": -1}, {"field_of_view_nm": 0}, {"voxels": 3}])
def test_spec_refuses(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        PhantomSpec(**{"name": NAMES[0], "size": 16, "seed": 0} | bad)


_GOLD_BALL = """
import numpy as np
from phantoms.registry import FAMILIES
from phantoms.shapes import Sphere
from phantoms.specimen import Body, Family

FAMILIES.register(Family("gold_ball", "one ball", ("Au",), 50.0, lambda rng: [Body(Sphere(np.zeros(3), 10), "Au")]))
"""
_MAKE_IT = """
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
spec = PhantomSpec(name="gold_ball", size=25, seed=0)
print(make_phantom(spec, phantom_rng(spec)).data.sum() * 8)
"""


def test_a_plugin_adds_a_specimen(tmp_path):
    """In a process of its own, as a user would: a ball of gold of 10 nm holds 4/3 pi 1000 nm^3."""
    (tmp_path / "gold_ball.py").write_text(_GOLD_BALL)
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "FUSEDTOMO_PLUGINS": "gold_ball"}
    made = subprocess.run([sys.executable, "-c", _MAKE_IT], env=environment, check=True, capture_output=True, text=True)
    assert float(made.stdout) == pytest.approx(4 / 3 * np.pi * 1000, rel=0.01)
    assert "gold_ball" not in FAMILIES
