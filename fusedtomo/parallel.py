"""Ranks: who owns which columns of a volume, and how do their parts become one sum, one edge and one file?

A volume is cut into slabs along x, its last axis; projections need no communication then. Kernels return column sums,
and `total` adds the columns of all ranks in their global order: a result is the same bit by bit on any number of ranks.
Where a method says "on all ranks", every rank must call it, as with any MPI collective.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from fusedtomo.errors import InputError, TryAgain
from fusedtomo.kernels.interface import Array
from fusedtomo.launched import launched_ranks
from fusedtomo.outcomes import Outcome, outcome_of

Blocks = Iterable[tuple[object, np.ndarray]]

_READ_S = 0.2  # a launcher reads what a rank printed within this time; at an Abort it drops what it has not read
_HEADER = 8  # bytes in front of a rank's part of a message: how many columns it really has
_LOCAL_RANKS = (
    *("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "PMI_LOCAL_RANK", "PALS_LOCAL_RANKID"),
    "SLURM_LOCALID",  # the last: an mpiexec inside a Slurm job may be at 0 for every rank of a node
)


class AgreedError(InputError):
    """An InputError that all ranks raise at once, so that each can leave by itself and the first tell it."""


class AgreedTryAgain(AgreedError, TryAgain):
    """The same of what the same command may overcome a while later."""


class SerialComm:
    """The one rank of a program that runs alone; every method as in `MPIComm`."""

    rank, size, device_aware = 0, 1, False

    def columns(self, nx: int) -> slice:
        """All columns."""
        return slice(0, nx)

    def widths(self, nx_local: int) -> tuple[int, ...]:
        """The one width."""
        return (nx_local,)

    def total(self, columns: np.ndarray) -> np.ndarray:
        """Sum float64 (..., nx) over its columns: (...)."""
        return _sum(_host(columns))

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Return the array (..., nx) on the host."""
        return _host(array)

    def neighbours(self, to_left: Array | None, to_right: Array | None) -> tuple[Array, Array]:
        """Return (None, None): there are none."""
        return None, None

    def collect(self, array: np.ndarray, cuts: Sequence[Any], write: Callable[[Blocks], None]) -> None:
        """Call ``write`` with an iterator over ``(cut, array[cut])``."""
        write((cut, _host(array[cut])) for cut in cuts)

    def any(self, flag: bool) -> bool:
        """Return the flag."""
        return bool(flag)

    def bcast_text(self, text: str, root: int = 0) -> str:
        """Return the text."""
        return text

    def agree(self, error: InputError | None) -> None:
        """Raise the error, where there is one."""
        if error is not None:
            raise error

    def abort(self, message: str, code: int = 1) -> NoReturn:
        """Print a message to stderr and leave the program."""
        print(message, file=sys.stderr, flush=True)
        raise SystemExit(code)


SERIAL = SerialComm()


class MPIComm:
    """The ranks of an MPI communicator; only upper-case calls of mpi4py, which copy memory and pickle nothing.

    CuPy arrays: `neighbours` hands them to a CUDA-aware MPI, after a wait for their stream, and stages them through the
    host with any other; all other methods, which move little, always stage. That path has not run on a GPU yet.

    Args:
        comm: an mpi4py communicator.
        widths: columns of every rank; by default they are split evenly, the first ranks getting one more.
    """

    def __init__(self, comm: Any, widths: Sequence[int] | None = None):
        from mpi4py import MPI

        if widths is not None and (len(widths) != comm.size or min(widths) < 1):
            raise InputError(f"slab widths {tuple(widths)} do not suit {comm.size} ranks; give each one column or more")
        self.rank, self.size = comm.rank, comm.size
        self.device_aware = _is_device_aware(comm)
        self._comm, self._bytes, self._logical_or, self._minimum = comm, MPI.BYTE, MPI.LOR, MPI.MIN
        self._widths = None if widths is None else tuple(int(width) for width in widths)
        self._expected: tuple[int, ...] | None = None  # of the array to come, the same guess on all ranks
        self._left = comm.rank - 1 if comm.rank > 0 else MPI.PROC_NULL
        self._right = comm.rank + 1 if comm.rank < comm.size - 1 else MPI.PROC_NULL

    def columns(self, nx: int) -> slice:
        """This rank's columns of a volume nx wide; InputError when there are more ranks than columns."""
        widths = self._widths or _even_widths(nx, self.size)
        if sum(widths) != nx:
            raise InputError(f"slab widths {widths} make {sum(widths)} columns but the volume has {nx}; give others")
        start = sum(widths[: self.rank])
        return slice(start, start + widths[self.rank])

    def widths(self, nx_local: int) -> tuple[int, ...]:
        """The number of columns of every rank, from this rank's number; on all ranks."""
        widths = np.empty(self.size, np.int64)
        self._comm.Allgather(np.array([nx_local], np.int64), widths)
        return tuple(widths.tolist())

    def total(self, columns: np.ndarray) -> np.ndarray:
        """Sum float64 (..., nx_local) over the columns of all ranks, in their order: (...) on all ranks."""
        return _sum(self.gather(columns))

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Join (..., nx_local) to (..., nx), C order, on all ranks. For what is small; volumes go through `collect`.

        One message where the widths are those of the array before; each part says its width, so all ranks see it where
        they are not, and send again.
        """
        local = _host(array)
        if self._expected is None:
            self._expected = self.widths(local.shape[-1])
        parts = self._attempted(local, self._expected)
        while parts is None:  # once: the true widths are known then
            parts = self._attempted(local, self._expected)
        return _side_by_side(parts)

    def neighbours(self, to_left: Array | None, to_right: Array | None) -> tuple[Array, Array]:
        """Send an array to each neighbour and return ``(from_left, from_right)``, None at an end; on all ranks.

        Both arrays have the same shape and dtype on all ranks. None, on all ranks, sends nothing that way:
        ``neighbours(plane, None)`` returns ``(None, from_right)``.
        """
        from_right = self._shifted(to_left, self._left, self._right)
        from_left = self._shifted(to_right, self._right, self._left)
        return from_left, from_right

    def collect(self, array: np.ndarray, cuts: Sequence[Any], write: Callable[[Blocks], None]) -> None:
        """Bring an array (..., nx_local) to rank 0 block by block, so that it is whole nowhere; on all ranks.

        Args:
            array: this rank's columns.
            cuts: indices into the axes before the last, the same on all ranks; blocks of some MiB are best.
            write: called on rank 0 with an iterator over ``(cut, block)``, block being (..., nx) of all ranks.

        Raises:
            InputError: on all ranks, when `write` raised one. Any other error is rank 0's alone: see `guarded`.
        """
        widths = self.widths(array.shape[-1])
        blocks = ((cut, self._on_first(array[cut], widths)) for cut in cuts)
        error = None
        try:
            if self.rank == 0:
                write(blocks)
        except InputError as raised:
            error = raised
        for _ in blocks:  # the others' part; and rank 0 must take what it left, or they would wait for ever
            pass
        self.agree(error)

    def any(self, flag: bool) -> bool:
        """Is the flag set on any rank? On all ranks."""
        result = np.empty(1, bool)
        self._comm.Allreduce(np.array([flag], bool), result, op=self._logical_or)
        return bool(result[0])

    def bcast_text(self, text: str, root: int = 0) -> str:
        """Return the text of one rank on all ranks."""
        content = np.frombuffer(text.encode(errors="surrogateescape"), np.uint8)
        length = np.array([content.size], np.int64)
        self._comm.Bcast(length, root)
        buffer = content.copy() if self.rank == root else np.empty(length[0], np.uint8)
        self._comm.Bcast(buffer, root)
        return buffer.tobytes().decode(errors="surrogateescape")

    def agree(self, error: InputError | None) -> None:
        """Raise an AgreedError on all ranks where any has an error: that of the first of them."""
        first = np.empty(1, np.int64)
        self._comm.Allreduce(np.array([self.size if error is None else self.rank]), first, op=self._minimum)
        if first[0] < self.size:
            again, _, told = self.bcast_text(f"{isinstance(error, TryAgain)} {error}", int(first[0])).partition(" ")
            raise (AgreedTryAgain if again == "True" else AgreedError)(told)

    def abort(self, message: str, code: int = 1) -> NoReturn:
        """Print a message to stderr, also where that was silenced, and end all ranks."""
        sys.stdout.flush()
        print(message, file=sys.__stderr__, flush=True)
        time.sleep(_READ_S)
        self._comm.Abort(code)
        raise SystemExit(code)  # Abort does not return

    def _attempted(self, local: np.ndarray, expected: tuple[int, ...]) -> list[np.ndarray] | None:
        """The parts of all ranks; None on all of them, and their true widths noted, where those were not expected."""
        shapes = [(*local.shape[:-1], width) for width in expected]
        sizes = [_HEADER + math.prod(shape) * local.itemsize for shape in shapes]
        sent, received = np.zeros(sizes[self.rank], np.uint8), np.empty(sum(sizes), np.uint8)
        sent[:_HEADER].view(np.int64)[0] = local.shape[-1]
        if local.shape[-1] == expected[self.rank]:
            sent[_HEADER:] = local.reshape(-1).view(np.uint8)
        self._comm.Allgatherv([sent, self._bytes], [received, sizes, self._bytes])
        pieces = np.split(received, np.cumsum(sizes[:-1]))
        widths = tuple(int.from_bytes(piece[:_HEADER].tobytes(), sys.byteorder) for piece in pieces)
        if widths != expected:
            self._expected = widths
            return None
        bodies = zip(pieces, shapes, strict=True)
        return [np.frombuffer(piece[_HEADER:], local.dtype).reshape(shape) for piece, shape in bodies]

    def _on_first(self, array: np.ndarray, widths: tuple[int, ...]) -> np.ndarray:
        """The columns of all ranks side by side on rank 0; elsewhere this rank's own, which nobody reads."""
        local = _host(array)
        if self.rank > 0:
            self._comm.Gatherv([local, self._bytes], None)
            return local
        shapes = [(*local.shape[:-1], width) for width in widths]
        sizes = [math.prod(shape) for shape in shapes]
        parts = np.empty(sum(sizes), local.dtype)
        self._comm.Gatherv([local, self._bytes], [parts, [size * local.itemsize for size in sizes], self._bytes])
        pieces = zip(np.split(parts, np.cumsum(sizes[:-1])), shapes, strict=True)
        return _side_by_side([piece.reshape(shape) for piece, shape in pieces])

    def _shifted(self, array: Array | None, to: int, source: int) -> Array | None:
        """Send an array to one rank and return what comes from another, on the device where the array is."""
        if array is None:
            return None
        sent = self._sendable(array)
        arrived = np.empty_like(sent)
        message, answer = [sent, self._bytes], [arrived, self._bytes]  # bytes: MPI has no type for half precision
        self._comm.Sendrecv(message, dest=to, recvbuf=answer, source=source)
        return None if source < 0 else _like(array, arrived)

    def _sendable(self, array: Array) -> Array:
        """An array as MPI can read it: contiguous, complete, and on the host unless MPI reads the device too."""
        if isinstance(array, np.ndarray) or not self.device_aware:
            return _host(array)
        import cupy

        contiguous = cupy.ascontiguousarray(array)
        cupy.cuda.get_current_stream().synchronize()  # MPI knows nothing of streams
        return contiguous


Comm = SerialComm | MPIComm


def world() -> Comm:
    """All ranks that an MPI launcher started this program with, else `SERIAL`; only then is MPI initialised.

    Decided by what launchers put into the environment, which children inherit: a worker that a launcher started for
    another purpose, such as Parsl's, passes SERIAL and never asks here.
    """
    size = launched_ranks()
    if size == 1:
        return SERIAL
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there but no MPI library
        reason = str(error).splitlines()[0]
        raise InputError(
            f"an MPI launcher started {size} ranks but mpi4py cannot be used ({reason}); install fusedtomo[mpi], "
            f"or start the command without an MPI launcher"
        ) from None
    if MPI.COMM_WORLD.size != size:
        raise InputError(
            f"the launcher started {size} ranks but mpi4py's {MPI.get_vendor()[0]} sees {MPI.COMM_WORLD.size}; use the "
            f"mpiexec of that MPI, or point MPI4PY_LIBMPI at the launcher's library"
        )
    return MPIComm(MPI.COMM_WORLD)


def local_rank() -> int:
    """The number of this rank among those of its node, for one rank a GPU; 0 without MPI. On all ranks."""
    if launched_ranks() == 1:
        return 0
    for name in _LOCAL_RANKS:
        if name in os.environ:
            return int(os.environ[name])
    from mpi4py import MPI

    return MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).rank


@contextmanager
def agreed(comm: Comm) -> Iterator[None]:
    """An InputError on any rank is raised on all of them at the end of the block, in which no rank waits for others."""
    error = None
    try:
        yield
    except InputError as raised:
        error = raised
    comm.agree(error)


@contextmanager
def guarded(comm: Comm) -> Iterator[None]:
    """An error on one rank of several ends all of them with one message, where the others would wait for ever.

    With the exit code of fusedtomo/outcomes.py, or a SystemExit's own. An AgreedError passes.
    """
    try:
        yield
    except BaseException as error:
        agreed_upon = isinstance(error, AgreedError) or (isinstance(error, SystemExit) and not error.code)
        if comm.size == 1 or agreed_upon:
            raise
        in_turn(comm)
        outcome = _outcome(error)
        comm.abort(f"rank {comm.rank} of {comm.size}: {outcome.message}", outcome.code)


def in_turn(comm: Comm) -> None:
    """Wait a little, higher ranks longer: what fails on all ranks at once is told by the first, which ends the rest."""
    time.sleep(2 * _READ_S * min(comm.rank, 20))


def _outcome(error: BaseException) -> Outcome:
    if isinstance(error, SystemExit):
        return Outcome(error.code if isinstance(error.code, int) else 1, f"ended with {error.code}")
    return outcome_of(error)


def _is_device_aware(comm: Any) -> bool:
    """Does MPI read CUDA memory? Cray's switch, Open MPI's, or the kinds of memory that MPI 4.1 reports."""
    switches = ("MPICH_GPU_SUPPORT_ENABLED", "OMPI_MCA_opal_cuda_support")
    kinds = comm.Get_info().get("mpi_memory_alloc_kinds") or ""
    return "cuda" in kinds or any(os.environ.get(switch, "").lower() in ("1", "true") for switch in switches)


def _even_widths(nx: int, size: int) -> tuple[int, ...]:
    if size > nx:
        raise InputError(f"{size} ranks but the volume has {nx} columns (x); start at most {nx} ranks")
    return tuple(nx // size + (rank < nx % size) for rank in range(size))


def _host(array: Array) -> np.ndarray:
    """A C-contiguous array of the host; a GPU's is copied there, which waits for its stream."""
    return np.ascontiguousarray(array.get() if hasattr(array, "get") else array)


def _side_by_side(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Pieces (..., width) as one C-contiguous array."""
    return np.ascontiguousarray(np.concatenate(pieces, axis=-1))


def _like(array: Array, arrived: Array) -> Array:
    """An array that arrived, where `array` is: on the host, or on its device."""
    if isinstance(array, np.ndarray) or not isinstance(arrived, np.ndarray):
        return arrived
    import cupy

    return cupy.asarray(arrived)


def _sum(columns: np.ndarray) -> np.ndarray:
    """The one sum over columns (..., nx), C-contiguous, that all results rest on."""
    total: np.ndarray = columns.astype(np.float64, copy=False).sum(axis=-1)
    return total
