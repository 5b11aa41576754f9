"""Atomic numbers, and the hints that errors give."""

import pytest

from fusedtomo.elements import ATOMIC_NUMBERS, atomic_number
from fusedtomo.errors import InputError, nearest


def test_known_elements_have_their_number():
    known = {"H": 1, "C": 6, "O": 8, "Si": 14, "Mn": 25, "Fe": 26, "Co": 27, "Ni": 28, "Cu": 29, "Au": 79, "Og": 118}
    assert {symbol: atomic_number(symbol) for symbol in known} == known


def test_the_table_is_complete_and_without_repeats():
    assert sorted(ATOMIC_NUMBERS.values()) == list(range(1, 119))
    assert all(symbol.isalpha() and symbol == symbol.capitalize() for symbol in ATOMIC_NUMBERS)


@pytest.mark.parametrize("symbol", ["Xx", "co", "", "X", "cobalt", "HAADF"])
def test_anything_else_is_refused_with_a_hint(symbol):
    with pytest.raises(InputError, match=f"element '{symbol}' has no atomic number; use a symbol of"):
        atomic_number(symbol)


def test_nearest_suggests_a_near_name_or_lists_all():
    assert nearest("posson", ["poisson", "sirt"]) == "did you mean 'poisson'?"
    assert nearest("zzz", ["sirt", "poisson"]) == "known names: poisson, sirt"


def test_input_errors_are_value_errors():
    assert issubclass(InputError, ValueError)
