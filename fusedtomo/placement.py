"""Where does a reconstruction run: on which ranks, on which device, in which precision is it kept?"""

import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np

from fusedtomo.arrays import Array
from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL, Comm, local_rank

Device = Literal["cpu", "gpu"]

_log = logging.getLogger("fusedtomo")


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

    def __post_init__(self) -> None:
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
        gpu: ModuleType = cupy
        return gpu

    def put(self, array: np.ndarray) -> Array:
        """The array as contiguous float32 on the device."""
        return self.xp.ascontiguousarray(self.xp.asarray(array, dtype=np.float32))


HERE = Placement()


def placed(device: Device = "cpu", comm: Comm = SERIAL, *, half: bool = False) -> Placement:
    """Place this rank; on all ranks. Of several, each takes one of the GPUs that it sees, by its number on its node.

    A program that runs alone keeps the GPU that is current.
    """
    place = Placement(comm, device, half)
    if device == "gpu" and comm.size > 1:
        _take_gpu(place.xp.cuda, comm)
    return place


def _take_gpu(cuda: ModuleType, comm: Comm) -> None:
    number = local_rank()  # all ranks take part; what follows may fail on one alone
    try:
        n_gpus = cuda.runtime.getDeviceCount()
    except cuda.runtime.CUDARuntimeError as error:
        raise InputError(
            f"rank {comm.rank} sees no GPU ({error}); ask the scheduler for one, or choose device 'cpu'"
        ) from None
    cuda.Device(number % n_gpus).use()
    way = "directly" if comm.device_aware else "through the host"
    _log.info("rank %d computes on GPU %d of %d; arrays go to MPI %s", comm.rank, number % n_gpus, n_gpus, way)
