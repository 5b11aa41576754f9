"""What is one condition of a campaign, and what is one trial of it?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusedtomo.methods import METHODS
from workflows.campaign.axes import AXES, Value, text

if TYPE_CHECKING:
    from workflows.campaign.config import CampaignConfig


@dataclass(frozen=True)
class Condition:
    """A method at one value of every axis that it sees.

    Attributes:
        method: its name.
        at: (axis, value) in the campaign's order of axes.
    """

    method: str
    at: tuple[tuple[str, Value], ...]

    @property
    def key(self) -> str:
        """The condition's name in the journal, such as ``fused-h47-c9``."""
        return "-".join([self.method, *(f"{AXES[name].key}{text(value)}" for name, value in self.at)])

    @property
    def words(self) -> str:
        """The condition for people, such as "fused, 47 HAADF tilts, 9 chemical tilts"."""
        return ", ".join([METHODS[self.method].label, *(AXES[name].said(value) for name, value in self.at)])

    def only(self, axes: frozenset[str] | set[str]) -> "Condition":
        """The condition without its values of other axes."""
        return Condition(self.method, tuple((name, value) for name, value in self.at if name in axes))


@dataclass(frozen=True)
class Trial:
    """What a worker needs to evaluate one point of one condition; small, no arrays.

    Attributes:
        config: the campaign.
        condition: of the campaign.
        number: of the trial within its condition, from 0.
        point: the searched parameters.
        start: the point whose solution it starts from; None for a start from the chemistry.
        fidelity: how much of the problem is computed, in (0, 1]; below 1 a slab of so many of its columns.
        keep: a file of the run folder that takes the reconstruction; "" keeps none.
    """

    config: "CampaignConfig"
    condition: Condition
    number: int
    point: dict[str, float]
    start: dict[str, float] | None = None
    fidelity: float = 1.0
    keep: str = ""
