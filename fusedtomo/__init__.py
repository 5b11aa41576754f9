"""Fused multi-modal electron tomography: project, reconstruct and score 3D chemistry."""

import os

__version__ = "0.1.0"

# GNU's OpenMP, below numba, reads this when it is loaded. Its threads spin at the end of every loop; on cores that
# others use too that made a reconstruction ten times slower (docs/speed.md).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
