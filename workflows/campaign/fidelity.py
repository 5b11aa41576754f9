"""What is a cheap trial? A slab of the specimen's columns, or several; `search.fidelity` of a campaign says so."""

from pydantic import Field

from fusedtomo.errors import InputError
from fusedtomo.settings import Settings


class Fidelity(Settings):
    """Slabs of columns along x, cut out of the simulated data of the whole."""

    slab: int = Field(ge=1, description="columns of a slab, those that are scored")
    margin: int = Field(0, ge=0, description="columns on each side that are computed with it, and not scored")
    slabs: int = Field(1, ge=1, description="how many: one in the middle, or several spread over the specimen")

    @property
    def columns(self) -> int:
        """Columns that are computed."""
        return self.slabs * (self.slab + 2 * self.margin)

    def share(self, size: int) -> float:
        """Of the columns of a specimen: the fidelity of a cheap trial, below 1.

        Raises:
            InputError: it has no columns to spare.
        """
        if self.columns < size:
            return self.columns / size
        widest = (size - 1) // self.slabs - 2 * self.margin
        cure = f"give slab = {widest} or less" if widest >= 1 else "lower margin or slabs, or leave fidelity out"
        raise InputError(
            f"'search.fidelity': {self.slabs} x (slab of {self.slab} + 2 margins of {self.margin}) are {self.columns} "
            f"columns, but the specimen has {size}, and a cheap trial must be narrower; {cure}"
        )
