"""Communicators: the same sums on any number of ranks, edges that arrive, and no program that waits for ever."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL, agreed, guarded, local_rank, world
from tests.mpi import check_script, needs_mpi, run_script

LAUNCHER_PREFIXES = ("PMI", "OMPI", "PALS", "SLURM", "MPI_LOCAL")
FOUR = pytest.param(4, marks=pytest.mark.nightly)  # on two cores they mostly wait for each other, busily
JOB_SCRIPT = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NPROCS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}


@pytest.fixture
def environment(monkeypatch):
    """Sets the variables of a launcher, and no others."""
    for name in list(os.environ):
        if name.startswith(LAUNCHER_PREFIXES):
            monkeypatch.delenv(name)
    return lambda **values: [monkeypatch.setenv(name, value) for name, value in values.items()]


# -------------------------------------------------------------------------------- one rank


def test_serial_methods_keep_everything(rng):
    columns = rng.normal(size=(2, 3, 7))
    assert (SERIAL.rank, SERIAL.size, SERIAL.columns(7), SERIAL.widths(7)) == (0, 1, slice(0, 7), (7,))
    assert np.array_equal(SERIAL.total(columns), columns.sum(axis=-1))
    assert np.array_equal(SERIAL.gather(columns), columns)
    assert SERIAL.neighbours(columns, columns) == (None, None)
    assert (SERIAL.any(True), SERIAL.any(False), SERIAL.bcast_text("é")) == (True, False, "é")


def test_serial_total_does_not_depend_on_the_memory_layout(rng):
    columns = rng.normal(size=(5, 1001)) * 10.0 ** rng.integers(-9, 9, (5, 1001))
    assert SERIAL.total(np.asfortranarray(columns)).tobytes() == SERIAL.total(columns).tobytes()
    assert SERIAL.total(columns[:, ::-1]).tobytes() == SERIAL.total(columns[:, ::-1].copy()).tobytes()


def test_serial_collect_hands_out_the_blocks(rng):
    array, found = rng.normal(size=(2, 5, 7)), np.zeros((2, 5, 7))

    def write(blocks):
        for cut, block in blocks:
            found[cut] = block

    SERIAL.collect(array, [(e, slice(y, y + 2)) for e in range(2) for y in range(0, 5, 2)], write)
    assert np.array_equal(found, array)


def test_serial_errors_are_plain_python(capsys):
    with pytest.raises(KeyError), guarded(SERIAL):
        raise KeyError
    with pytest.raises(InputError, match="told"):
        SERIAL.agree(InputError("told"))
    SERIAL.agree(None)
    with pytest.raises(SystemExit) as ended:
        SERIAL.abort("the end")
    assert (ended.value.code, capsys.readouterr().err) == (1, "the end\n")


# -------------------------------------------------------------------------------- who was launched


@pytest.mark.parametrize(
    "variables",
    [
        {},
        JOB_SCRIPT,
        {**JOB_SCRIPT, "SLURM_STEP_NUM_TASKS": "4"},  # srun --mpi=none: as many programs of one rank
        {**JOB_SCRIPT, "SLURM_STEP_NUM_TASKS": "1", "PMIX_RANK": "0"},  # an interactive shell made by srun
        {"PBS_JOBID": "7", "PBS_NP": "4", "NCPUS": "4"},
        {"PMI_SIZE": "1", "PMI_RANK": "0"},  # mpiexec -n 1
        {"PMI_SIZE": ""},
    ],
)
def test_a_program_of_one_rank_does_not_initialise_mpi(variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_PREFIXES)}
    script = (
        "import sys; from fusedtomo.parallel import *; print(world() is SERIAL, local_rank(), 'mpi4py' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], env={**clean, **variables}, capture_output=True, text=True)
    assert ran.stdout.split() == ["True", "0", "False"], ran.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"PMI_SIZE": "4", "PMI_RANK": "2"},
        {"OMPI_COMM_WORLD_SIZE": "4"},
        {**JOB_SCRIPT, "PMIX_RANK": "2", "SLURM_STEP_NUM_TASKS": "4"},
        {**JOB_SCRIPT, "PALS_RANKID": "2", "SLURM_STEP_NUM_TASKS": "4"},
    ],
)
def test_missing_mpi4py_under_a_launcher_is_told(environment, monkeypatch, variables):
    environment(**variables)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(InputError, match=r"started 4 ranks but mpi4py .* install fusedtomo\[mpi\]"):
        world()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MPI_LOCALRANKID": "3", "SLURM_LOCALID": "0"}, 3),  # MPICH's mpiexec inside a Slurm job
        ({"OMPI_COMM_WORLD_LOCAL_RANK": "2"}, 2),
        ({"PMI_LOCAL_RANK": "1"}, 1),
        ({"PALS_LOCAL_RANKID": "1", "SLURM_LOCALID": "0"}, 1),
        ({"SLURM_LOCALID": "5"}, 5),
    ],
)
def test_local_rank_is_the_launchers(environment, variables, expected):
    environment(**variables)
    assert local_rank() == 0  # nobody launched ranks
    environment(PMI_SIZE="8")
    assert local_rank() == expected


@needs_mpi
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OMPI_COMM_WORLD_SIZE": "3", "PMI_SIZE": "3"}, "the launcher started 3 ranks but mpi4py's"),
        ({"PMI_SIZE": "3", "MPI4PY_LIBMPI": "/none/libmpi.so"}, "3 ranks but mpi4py cannot be used (cannot load MPI"),
    ],
)
def test_an_mpi_that_is_not_the_launchers_is_told(variables, told):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_PREFIXES)}
    script = "from fusedtomo.parallel import world; world()"
    ran = subprocess.run([sys.executable, "-c", script], env={**clean, **variables}, capture_output=True, text=True)
    assert told in ran.stderr
    assert ran.returncode == 1


# -------------------------------------------------------------------------------- several ranks


@needs_mpi
@pytest.mark.parametrize("n", [1, 3, FOUR])
def test_totals_are_those_of_one_rank_bit_by_bit(n):
    check_script(
        n,
        """
rng = np.random.default_rng(5)
for shape in [(11,), (3, 1001), (2, 4, 3001), (9, 5)]:
    full = rng.normal(size=shape) * 10.0 ** rng.integers(-9, 9, shape)
    mine = full[..., comm.columns(shape[-1])]
    for layout in (mine, mine.copy(), np.asfortranarray(mine)):
        assert np.asarray(comm.total(layout)).tobytes() == np.asarray(SERIAL.total(full)).tobytes()
""",
    )


@needs_mpi
@pytest.mark.parametrize("n", [3, FOUR])
def test_columns_are_even_in_order_and_complete(n):
    check_script(
        n,
        """
for nx in (comm.size, 7, 9, 10):
    mine = comm.columns(nx)
    widths = comm.widths(mine.stop - mine.start)
    assert np.array_equal(comm.gather(np.arange(nx)[mine]), np.arange(nx))
    assert widths == tuple(sorted(widths, reverse=True)) and max(widths) - min(widths) <= 1
""",
    )


@needs_mpi
def test_gather_takes_any_dtype_and_shape():
    check_script(
        3,
        """
for dtype in ("f2", "f4", "f8", "i4", "u1", "?", "c8", "M8[s]", "S3"):
    full = np.arange(2 * 3 * 8).reshape(2, 3, 8).astype(dtype)
    joined = comm.gather(full[..., comm.columns(8)])
    assert joined.dtype == full.dtype and joined.flags.c_contiguous and np.array_equal(joined, full)
""",
    )


@needs_mpi
@pytest.mark.parametrize("n", [3, FOUR])
def test_widths_that_change_from_array_to_array_are_noticed(n):
    # some ranks have the width that they had before, others have not: no rank may take another way than the rest
    check_script(
        n,
        """
rng = np.random.default_rng(7)
for nx in (9, 9, 10, comm.size, 5, 9, 4, 4, 11, 5):
    for dtype in ("f8", "f4", "i2"):
        full = (100 * rng.normal(size=(2, nx))).astype(dtype)
        assert np.array_equal(comm.gather(full[:, comm.columns(nx)]), full), nx
    one = comm.gather(np.array([[comm.rank]]))  # one column each
    assert one.tolist() == [list(range(comm.size))]
    alone = comm.gather(np.full((3, int(comm.rank == 1)), 7.0))  # one column on one rank
    assert alone.tolist() == [[7.0]] * 3
""",
    )


@needs_mpi
def test_a_sum_takes_one_message_where_widths_stay():
    check_script(
        3,
        """
from mpi4py import MPI
class Counting:
    calls = []
    def __getattr__(self, name):
        self.calls.append(name)
        return getattr(MPI.COMM_WORLD, name)
counting = Counting()
mine = MPIComm(counting)
mine.total(np.ones((2, 5)))
counting.calls.clear()
for _ in range(10):
    assert mine.total(np.ones((2, 5))).tolist() == [15, 15]
assert counting.calls == ["Allgatherv"] * 10
""",
    )


@needs_mpi
def test_given_widths_are_kept_and_checked():
    check_script(
        3,
        """
from mpi4py import MPI
given = MPIComm(MPI.COMM_WORLD, (1, 5, 2))
assert given.columns(8) == (slice(0, 1), slice(1, 6), slice(6, 8))[comm.rank]
for widths, nx, told in [((1, 5, 2), 9, "make 8 columns but the volume has 9"), ((4, 4), 8, "do not suit 3 ranks"),
                         ((8, 0, 0), 8, "one column or more")]:
    try:
        MPIComm(MPI.COMM_WORLD, widths).columns(nx)
        raise AssertionError(widths)
    except ValueError as error:
        assert told in str(error), error
""",
    )


@needs_mpi
@pytest.mark.parametrize("n", [1, 3, FOUR])
def test_neighbours_exchange_large_planes(n):
    # 4 MiB: no MPI buffers that, so ranks that all send first would wait for each other
    check_script(
        n,
        """
plane = np.full((1024, 1024), comm.rank, np.float32)
left, right = comm.neighbours(plane, plane + 0.5)
assert (left is None) == (comm.rank == 0) and (right is None) == (comm.rank == comm.size - 1)
assert left is None or (left == comm.rank - 0.5).all()
assert right is None or (right == comm.rank + 1).all()
assert all(a is None or (a.dtype == np.float32 and a.flags.c_contiguous) for a in (left, right))
""",
    )


@needs_mpi
def test_neighbours_of_strided_half_precision_planes_and_of_one_direction():
    check_script(
        3,
        """
full = np.random.default_rng(1).normal(size=(2, 4, 5, 8)).astype(np.float16)
mine = comm.columns(8)
left, right = comm.neighbours(None, full[..., mine.stop - 1])
assert right is None and (comm.rank == 0 or np.array_equal(left, full[..., mine.start - 1]))
left, right = comm.neighbours(full[..., mine.start], None)
assert left is None and (comm.rank == 2 or np.array_equal(right, full[..., mine.stop]))
""",
    )


@needs_mpi
def test_arrays_of_a_gpu_are_staged_through_the_host():
    # a stand-in for CuPy: MPI must only ever see what get() returned
    check_script(
        2,
        """
from types import SimpleNamespace
class OnDevice:
    def __init__(self, values): self.values = values
    def get(self): return self.values
sys.modules["cupy"] = SimpleNamespace(asarray=OnDevice)
plane = OnDevice(np.full((3, 4), comm.rank, np.float32))
left, right = comm.neighbours(plane, plane)
arrived = left if comm.rank else right
assert not comm.device_aware and type(arrived) is OnDevice and (arrived.values == 1 - comm.rank).all()
assert comm.total(OnDevice(np.ones((2, 5)))).tolist() == [10, 10]
""",
    )


@needs_mpi
@pytest.mark.parametrize("n", [1, 3, FOUR])
def test_collect_brings_blocks_to_the_first_rank_in_turn(n):
    check_script(
        n,
        """
full = np.random.default_rng(2).normal(size=(2, 5, 3, 10)).astype(np.float32)
found, shapes = np.zeros_like(full), []
def write(blocks):
    for cut, block in blocks:
        found[cut] = block
        shapes.append(block.shape)
comm.collect(full[..., comm.columns(10)], [(e, slice(z, z + 2)) for e in range(2) for z in (0, 2, 4)], write)
assert np.array_equal(found, full if comm.rank == 0 else 0 * full)
assert shapes == ([(2, 3, 10), (2, 3, 10), (1, 3, 10)] * 2 if comm.rank == 0 else [])
""",
    )


@needs_mpi
@pytest.mark.parametrize(
    "taken", [pytest.param(0, marks=pytest.mark.nightly), 2, pytest.param(5, marks=pytest.mark.nightly)]
)
def test_an_error_while_collecting_reaches_all_ranks(taken):
    check_script(
        3,
        f"""
def write(blocks):
    for _, _ in zip(range({taken}), blocks):
        pass
    raise InputError("disk full, é")
try:
    comm.collect(np.zeros((5, 1000, 100)), range(5), write)
    raise AssertionError("no error")
except InputError as error:
    assert str(error) == "disk full, é"
""",
    )


@needs_mpi
def test_flags_and_texts_are_shared():
    check_script(
        3,
        """
assert comm.any(comm.rank == 2) and not comm.any(False)
for text in ("", "é\\udcff" + "x" * 100_000):  # a path may hold bytes that are no text
    assert comm.bcast_text(text if comm.rank == 0 else "of no use") == text
""",
    )


@needs_mpi
def test_local_rank_without_a_launchers_word():
    check_script(
        3,
        """
import os
for name in ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "PMI_LOCAL_RANK", "PALS_LOCAL_RANKID", "SLURM_LOCALID"):
    os.environ.pop(name, None)
assert local_rank() == comm.rank
""",
    )


# -------------------------------------------------------------------------------- ranks that fail


def test_alone_an_agreed_error_is_the_error_itself():
    with pytest.raises(InputError, match="told"), agreed(SERIAL):
        raise InputError("told")
    with agreed(SERIAL):
        pass


@needs_mpi
@pytest.mark.parametrize("failing", ["comm.rank == 1", "comm.rank >= 1", "True"])
def test_all_ranks_raise_the_error_of_the_first_that_has_one(failing):
    first = 0 if failing == "True" else 1
    check_script(
        3,
        f"""
with agreed(comm):
    pass
try:
    with agreed(comm):
        if {failing}:
            raise InputError(f"no file, é {{comm.rank}}")
    raise AssertionError("no error")
except AgreedError as error:
    assert str(error) == "no file, é {first}", error
""",
    )


@needs_mpi
def test_an_agreed_error_lets_every_rank_leave_by_itself():
    body = "try:\n    with guarded(comm), agreed(comm):\n        if comm.rank == 1: raise InputError('bad')\n"
    ended = run_script(3, body + "except InputError as error:\n    sys.stderr.write(f'{error}\\n')\n    sys.exit(0)")
    assert (ended.returncode, ended.stderr) == (0, "bad\n" * 3)  # and not a word of the launcher's


@needs_mpi
@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (
            "if comm.rank == 1: raise RuntimeError('boom')\ncomm.any(False)",
            70,
            "rank 1 of 3: unexpected RuntimeError: boom",
        ),
        ("if comm.rank == 2: raise InputError('no such file')\ncomm.any(False)", 2, "rank 2 of 3: no such file"),
        ("if comm.rank == 2: raise KeyboardInterrupt\ncomm.any(False)", 130, "rank 2 of 3: interrupted"),
        ("if comm.rank == 1: sys.exit(3)\ncomm.any(False)", 3, "rank 1 of 3: ended with 3"),
        ("raise InputError('all alike')", 2, "of 3: all alike"),
        ("comm.columns(2)", 2, "of 3: 3 ranks but the volume has 2 columns (x); start at most 2 ranks"),
    ],
)
def test_a_rank_that_fails_ends_all_with_one_message(body, code, told):
    ended = run_script(3, body)
    assert ended.returncode == code
    assert told in ended.stderr
    # on a busy machine a second rank may speak before the first has ended it: then it says the same
    assert len(set(re.findall(r"rank \d of 3: (.*)", ended.stderr))) == 1


@needs_mpi
def test_a_killed_rank_ends_all():
    ended = run_script(3, "import os, signal\nif comm.rank == 1: os.kill(os.getpid(), signal.SIGKILL)\ncomm.any(False)")
    assert ended.returncode != 0


@needs_mpi
def test_a_rank_may_leave_with_success():
    ended = run_script(2, "sys.exit(0)")
    assert (ended.returncode, ended.stderr) == (0, "")
