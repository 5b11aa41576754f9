"""What does a search start from? Trials of an earlier campaign, of which this one keeps a copy (`search.prior`)."""

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from fusedtomo.settings import Settings
from workflows.campaign.axes import Value


def _named(given: Any) -> Any:
    return {"atlas": given} if isinstance(given, str) else given


class PriorTrial(Settings):
    """A whole trial of the earlier campaign."""

    cell: int = Field(ge=0, description="number of its cell")
    point: dict[str, float] = Field(description="searched parameters")
    error: float = Field(gt=0, description="of what was minimised")


class PriorCell(Settings):
    """A condition of the earlier campaign."""

    method: str = Field(description="name of the method")
    at: dict[str, Value] = Field(description="its value of every axis")


class Prior(Settings):
    """The trials of an atlas; what it holds stands beside its name once it was read (workflows/campaign/experience.py).

    A run folder keeps the trials themselves, so that a run goes on without the atlas, and whatever becomes of it.
    """

    atlas: str = Field(min_length=1, description="atlas.h5 of an earlier campaign; relative to the campaign file")
    content: str = Field("", pattern="^([0-9a-f]{16})?$", description="hash of the trials; found by itself")
    cells: tuple[PriorCell, ...] = Field((), description="its conditions; found by themselves")
    trials: tuple[PriorTrial, ...] = Field((), description="its trials near the best; found by themselves")

    def holding(self, cells: tuple[PriorCell, ...], trials: tuple[PriorTrial, ...]) -> Self:
        """With what the atlas holds."""
        text = json.dumps([one.model_dump() for one in (*cells, *trials)], sort_keys=True)
        content = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self.model_copy(update={"cells": cells, "trials": trials, "content": content})


PriorOrPath = Annotated[Prior, BeforeValidator(_named)]
