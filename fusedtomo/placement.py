"""Where does a reconstruction run: on which ranks, on which device, in which precision is it kept?"""

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np

from fusedtomo.arrays import Array
from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL, Comm

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Placement:
    """Ranks that share a volume in slabs along x, and the device that each of them computes on.

    Attributes:
        comm: the ranks.
        device: "cpu" (NumPy and numba) or "gpu" (CuPy and CUDA).
        half: keep TV's dual field, and the volumes that the projector reads, in half precision (GPU only).
    """

    comm: Comm = SERIAL
    device: Device = "cpu"
    half: bool = False

    def __post_init__(self):
        if self.half and self.device != "gpu":
            raise InputError("half precision is for GPUs; leave it out or choose device 'gpu'")

    @property
    def xp(self) -> ModuleType:
        """numpy or cupy."""
        if self.device == "cpu":
            return np
        try:
            import cupy
        except ImportError as error:
            raise InputError(
                f"device 'gpu' needs CuPy ({error}); pip install 'fusedtomo[gpu12]' or 'fusedtomo[gpu13]'"
            ) from None
        return cupy

    def put(self, array: np.ndarray) -> Array:
        """The array as contiguous float32 on the device."""
        return self.xp.ascontiguousarray(self.xp.asarray(array, dtype=np.float32))


HERE = Placement()
