"""How much of each element does a voxel filled with one material hold?"""

from fractions import Fraction


def _formula(**atoms: int) -> dict[str, Fraction]:
    total = sum(atoms.values())
    return {symbol: Fraction(count, total) for symbol, count in atoms.items()}


# Concentration = atom fraction: CoO holds 0.5 Co and 0.5 O, gold 1 (paper, Methods and Supplement 11);
# Fe3O4 holds 42.9 % Fe and 57.1 % O (Supplement 12). Cu0.64S0.36 is Cu1.81S, of which the particles are made (Methods).
STOICHIOMETRY: dict[str, dict[str, Fraction]] = {
    "Au": _formula(Au=1),
    "C": _formula(C=1),
    "Co3O4": _formula(Co=3, O=4),
    "CoO": _formula(Co=1, O=1),
    "Cu": _formula(Cu=1),
    "Cu0.64S0.36": _formula(Cu=16, S=9),
    "CuO": _formula(Cu=1, O=1),
    "Fe3O4": _formula(Fe=3, O=4),
    "Mn3O4": _formula(Mn=3, O=4),
    "NiO": _formula(Ni=1, O=1),
    "SiC": _formula(Si=1, C=1),
    "TiO2": _formula(Ti=1, O=2),
    "ZnS": _formula(Zn=1, S=1),
}
