"""HDF5 files: how are volumes, data sets and reconstructions kept on disk, and read back bit by bit?

Every file opens in HDFView, h5dump, MATLAB or h5py; nothing in it is pickled. The root carries
``fusedtomo_kind`` ("volume", "dataset" or "reconstruction"), ``fusedtomo_version`` and what the caller adds.
The layouts: `fusedtomo.io.volumes` (volumes and reconstructions) and `fusedtomo.io.datasets`.

A file is written under a temporary name beside its target and renamed when it is complete: a program that
dies while writing leaves the old file as it was. Bad input raises one InputError: file, field, value, cure.
"""

from fusedtomo.io.datasets import read_dataset, read_truth, write_dataset
from fusedtomo.io.root import Attributes, kind_of, read_attributes
from fusedtomo.io.volumes import read_history, read_volume, write_reconstruction, write_volume

__all__ = [
    "Attributes",
    "kind_of",
    "read_attributes",
    "read_dataset",
    "read_history",
    "read_truth",
    "read_volume",
    "write_dataset",
    "write_reconstruction",
    "write_volume",
]
