"""Elements and their mixtures stay apart for every reader, and an element has one colour in all figures."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fusedtomo.elements import ATOMIC_NUMBERS
from fusedtomo.plot.elements import ELEMENT_COLORS, element_color, mixed
from phantoms.registry import list_phantoms
from tests.workflows.figures.vision import SIMULATED, ciede2000, difference, lab

# shipped specimens, the superlattice with its carbon, and the mixture that once turned white: (elements, compounds)
SPECIMENS = {
    "cuo_coo_nanocubes": ("Co Cu O Au", ["Co O", "Cu O"]),
    "conio_nanotube": ("Co Ni O", ["Co O", "Ni O"]),
    "co3o4_mn3o4_core_shell": ("Co Mn O", ["Co O", "Mn O"]),
    "au_fe3o4_superlattice": ("Fe O Au", ["Fe O"]),
    "cu_sic_catalyst": ("Cu Si C", ["Si C"]),
    "zns_cus_heterostructures": ("Zn Cu S", ["Zn S", "Cu S"]),
    "c_tio2_particles": ("C Ti O", ["Ti O"]),
    "au_fe3o4_in_carbon": ("Fe O Au C", ["Fe O"]),
    "silicate": ("Mg Si O", ["Mg O", "Si O", "Mg Si O"]),
}
APART = {"normal": 18, "protanopia": 18, "deuteranopia": 18, "tritanopia": 11}  # CIEDE2000; 1 is just noticeable
COMPOUNDS_APART = 5  # a compound lies between its own elements


def blend(color_of, mix, images):
    """The composite colour of every phase, by name: elements alone, and compounds with all of theirs at the limit."""

    def of(elements, compounds):
        phases = [*elements.split(), *compounds]
        columns = [[float(name in phase.split()) for phase in phases] for name in elements.split()]
        colors = [color_of(index, name) for index, name in enumerate(elements.split())]
        return dict(zip(phases, mix(np.array(columns, np.float32)[:, None], colors)[0], strict=True))

    return of(*images)


def nearest(phases, vision, most=2):
    """The smallest difference between two phases of up to so many elements in all, and which they are."""
    pairs = [pair for pair in combinations(phases, 2) if sum(len(name.split()) for name in pair) <= most]
    return min((difference(phases[one], phases[two], vision), one, two) for one, two in pairs)


def by_symbol(specimen):
    return blend(lambda _, name: element_color(name), mixed, SPECIMENS[specimen])


def as_before(specimen):
    """The colours by position, and their sum, that figures had until 2026-11."""
    colors = ("#ffb000", "#2f7bff", "#ff3c5a", "#00c98d")

    def added(images, colors):
        return np.clip(np.einsum("eij,ec->ijc", images, np.array(colors)), 0, 1)

    return blend(lambda index, _: to_rgb(colors[index]), added, SPECIMENS[specimen])


def test_every_shipped_specimen_is_measured_and_its_elements_have_chosen_colors():
    for name, family in list_phantoms().items():
        assert tuple(SPECIMENS[name][0].split()) == family.elements
        assert set(family.elements) <= set(ELEMENT_COLORS)


@pytest.mark.parametrize("vision", SIMULATED)
@pytest.mark.parametrize("specimen", SPECIMENS)
def test_elements_of_a_specimen_stay_apart(specimen, vision):
    apart, *pair = nearest(by_symbol(specimen), vision)
    assert apart > APART[vision], pair


@pytest.mark.parametrize("vision", SIMULATED)
@pytest.mark.parametrize("specimen", SPECIMENS)
def test_compounds_stay_apart_from_elements_and_one_another(specimen, vision):
    apart, *pair = nearest(by_symbol(specimen), vision, most=9)
    assert apart > COMPOUNDS_APART, pair


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_no_mixture_turns_white(specimen):
    for name, color in by_symbol(specimen).items():
        assert difference(color, (1, 1, 1)) > 10, name


def test_the_measures_fail_the_earlier_colors_and_their_sum():
    """Else they would prove nothing."""
    found = {name: as_before(name) for name in SPECIMENS}
    assert difference(found["silicate"]["Mg Si O"], (1, 1, 1)) < 10  # white
    assert difference(found["au_fe3o4_superlattice"]["Fe O"], (1, 1, 1)) < 10
    for vision in ("protanopia", "deuteranopia"):
        assert nearest(found["cuo_coo_nanocubes"], vision)[0] < APART[vision]
    assert nearest(found["au_fe3o4_superlattice"], "deuteranopia")[0] < APART["deuteranopia"]


def test_all_chosen_colors_differ_and_are_seen_on_black():
    for one, two in combinations(ELEMENT_COLORS, 2):
        assert difference(element_color(one), element_color(two)) > 5, (one, two)
    assert min(lab(element_color(name))[0] for name in ELEMENT_COLORS) > 50


def test_other_elements_have_a_color_of_their_own_that_does_not_change():
    others = [name for name in ATOMIC_NUMBERS if name not in ELEMENT_COLORS]
    colors = {name: element_color(name) for name in others}
    assert len({tuple(np.round(color, 3)) for color in colors.values()}) == len(others)
    assert all(0 <= part <= 1 for color in colors.values() for part in color)
    assert min(lab(color)[0] for color in colors.values()) > 50
    np.testing.assert_allclose(colors["Pt"], element_color("Pt"), atol=0)
    assert difference(colors["Pd"], colors["Ag"]) > 20  # neighbours are mapped together
    assert element_color("Pt") != element_color("phase 1")


def test_a_mixture_lies_between_its_elements_and_is_as_bright_as_the_brightest():
    colors = [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]
    images = np.array([[[1.0, 0.0, 1.0, 0.5, 0.0]], [[0.0, 0.5, 1.0, 0.5, 0.0]]], np.float32)
    red, half_blue, both, half_both, none = mixed(images, colors)[0]
    np.testing.assert_allclose(red, (1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(half_blue, (0, 0, 0.5), atol=1e-6)
    np.testing.assert_allclose(both, (0.7354, 0, 0.7354), atol=1e-4)  # half of the light of each
    np.testing.assert_allclose(half_both, both / 2, atol=1e-6)
    assert none.tolist() == [0, 0, 0]
    assert mixed(np.stack([images, images]), colors).shape == (2, 1, 5, 3)


@pytest.mark.parametrize(
    ("one", "two", "apart"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ],
)
def test_color_differences_are_those_of_the_published_pairs(one, two, apart):
    assert ciede2000(one, two) == pytest.approx(apart, abs=1e-4)
    assert ciede2000(two, one) == pytest.approx(apart, abs=1e-4)


def test_simulated_vision_keeps_grey_and_merges_red_with_green():
    for vision in SIMULATED:
        assert difference((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), vision) == 0
        np.testing.assert_allclose(lab((0.5, 0.5, 0.5), vision), lab((0.5, 0.5, 0.5)), atol=0.1)
    red, green = (0.72, 0.35, 0.0), (0.5, 0.5, 0.0)
    assert difference(red, green, "deuteranopia") < difference(red, green) / 3
