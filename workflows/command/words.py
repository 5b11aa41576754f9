"""Which values of axes are meant by words such as ``haadf=47``?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fusedtomo.errors import InputError

if TYPE_CHECKING:
    from workflows.campaign import Value


def values_of(axes: Sequence[str], words: Iterable[str], of: str) -> dict[str, Value]:
    """The values by axis; the beginning of an axis's name will do.

    Args:
        axes: the axes that there are.
        words: each AXIS=VALUE.
        of: whose axes they are, for messages.
    """
    from workflows.campaign import AXES

    found: dict[str, Value] = {}
    for word in words:
        name, equals, value = word.partition("=")
        meant = [axis for axis in axes if axis.startswith(name)]
        if not equals or len(meant) != 1:
            raise InputError(f"'{word}' is not AXIS=VALUE; the axes of {of} are {', '.join(axes)}")
        try:
            (found[meant[0]],) = AXES[meant[0]].checked([value])
        except ValueError as error:
            raise InputError(str(error)) from None
    return found
