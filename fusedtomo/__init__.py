"""Fused multi-modal electron tomography: project, reconstruct and score 3D chemistry.

``import fusedtomo as ft`` loads nothing: ``dir(ft)`` lists what there is, and each name is loaded when it is used.
Specimens are in the package phantoms, campaigns and their maps in the package workflows.
"""

import os

from fusedtomo.front import front

__version__ = "0.1.0"

# GNU's OpenMP, below numba, reads this when it is loaded. Its threads spin at the end of every loop; on cores that
# others use too that made a reconstruction ten times slower (docs/speed.md).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_NAMES = {
    # values
    "ChemicalVolume": "fusedtomo.volume",
    "FusedDataset": "fusedtomo.tilts",
    "TiltScheme": "fusedtomo.tilts",
    "TiltSeries": "fusedtomo.tilts",
    "Acquisition": "fusedtomo.settings",
    "SolverSettings": "fusedtomo.settings",
    "Weights": "fusedtomo.settings",
    "InputError": "fusedtomo.errors",
    # read and write
    "read_dataset": "fusedtomo.io",
    "read_history": "fusedtomo.io",
    "read_truth": "fusedtomo.io",
    "read_volume": "fusedtomo.io",
    "write_dataset": "fusedtomo.io",
    "write_reconstruction": "fusedtomo.io",
    "write_volume": "fusedtomo.io",
    "dataset_from_arrays": "fusedtomo.from_arrays",
    "from_xarray": "fusedtomo.labelled",
    "to_xarray": "fusedtomo.labelled",
    "export": "fusedtomo.exporting",
    # do
    "simulate": "fusedtomo.simulate",
    "reconstruct": "fusedtomo.reconstruct",
    "METHODS": "fusedtomo.methods",
    # judge
    "score": "fusedtomo.score",
    "stoichiometry": "fusedtomo.stoichiometry",
    "resolution": "fusedtomo.resolution",
    # look
    "plot": "fusedtomo.plot",
}
front("fusedtomo", _NAMES)
