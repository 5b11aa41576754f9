"""Fused multi-modal electron tomography: project, reconstruct and score 3D chemistry."""

__version__ = "0.1.0"
