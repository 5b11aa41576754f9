"""How long are the steps of a projected gradient that now and then takes one beyond what is safe?

Altschuler and Parrilo (2023), "Acceleration by stepsize hedging II"; for projected and proximal gradients Bok and
Altschuler (2024). A single step of more than twice the safe length may lead away from the minimum; the short steps
around it take back what it lost, and n steps come as near as n^1.27 even ones, without the memory that momentum takes.
"""

_SILVER = 1 + 2**0.5


def silver(k: int, n: int) -> float:
    """The length of step k = 1, ..., n in safe steps: 1 + _SILVER^(v - 1), with 2^v the power of two in k.

    The schedule suits n = 2^m - 1. Of any other n the last step is a short one, or it might end at a long one.
    """
    twos = 0 if k == n else (k & -k).bit_length() - 1
    return 1 + float(_SILVER ** (twos - 1))
