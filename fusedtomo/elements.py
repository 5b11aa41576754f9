"""Atomic numbers of the chemical elements."""

from fusedtomo.errors import InputError, nearest

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
    "Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
HAADF = "HAADF"  # the name of the HAADF series, and of a volume of brightness: no element
ATOMIC_NUMBERS = {symbol: number for number, symbol in enumerate(_SYMBOLS.split(), start=1)}


def atomic_number(symbol: str) -> int:
    """Return Z of an element symbol such as ``"Co"``; raise InputError for anything else."""
    if symbol not in ATOMIC_NUMBERS:
        hint = nearest(symbol, ATOMIC_NUMBERS) if len(symbol) == 2 else "for example Co, O or Au"
        raise InputError(f"element '{symbol}' has no atomic number; use a symbol of the periodic table ({hint})")
    return ATOMIC_NUMBERS[symbol]


def check_channels(names: tuple[str, ...]) -> None:
    """Refuse names of a volume's channels that are neither elements nor HAADF alone."""
    if names != (HAADF,):
        for name in names:
            atomic_number(name)
