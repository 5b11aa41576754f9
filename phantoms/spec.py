"""Which phantom is wanted: its family, grid and seed."""

import hashlib

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class PhantomSpec(BaseModel):
    """A phantom by name; together with `phantom_rng` it fixes every voxel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Specimen family, one of those list_phantoms() knows.")
    size: int = Field(ge=16, le=1024, description="Voxels along each edge of the cubic volume.")
    seed: int = Field(ge=0, description="Draws the specimen; one seed is one specimen at every size.")
    field_of_view_nm: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Edge of the volume in nm; the family's own by default, more adds vacuum around it.",
    )


def phantom_rng(spec: PhantomSpec) -> np.random.Generator:
    """Return the generator for a spec; it depends on the seed and the name, never on the size."""
    # Python's own hash() of a string differs from process to process
    stable_hash = int.from_bytes(hashlib.sha256(spec.name.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([spec.seed, stable_hash]))
