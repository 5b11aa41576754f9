"""Slabs on several ranks of one machine: the same volume on more of them (strong), the same slab on each (weak).

    python -m benchmarks.mpi [--full]

Every rank has one thread, and every case is an mpiexec of its own. Iterations and inner TV iterations are fixed, so
that all cases do the same work per voxel; what is sent is counted (docs/howto-mpi.md has the model).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from shutil import which

import numpy as np

from benchmarks import machine
from benchmarks.reconstruct import ACQUISITION, DEFAULT_WEIGHTS, PHANTOM
from benchmarks.results import Results
from fusedtomo.parallel import Comm, MPIComm, guarded, world
from fusedtomo.placement import Placement
from fusedtomo.reconstruct import reconstruct
from fusedtomo.settings import SolverSettings
from fusedtomo.simulate import simulate
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import make_phantom, phantom_rng
from phantoms.spec import PhantomSpec

RANKS = (1, 2, 4)
ITERATIONS, INNER, RUNS = 12, 4, 3
_COUNTED = ("Allgather", "Allgatherv", "Allreduce", "Sendrecv")


@dataclass(frozen=True)
class Case:
    """A volume of size x size x nx voxels on some ranks of some threads."""

    scaling: str
    size: int
    nx: int
    ranks: int
    threads: int = 1


def cases(size: int) -> list[Case]:
    """Strong scaling at size^3, weak at size^2 x size / 2 a rank, and threads for comparison."""
    strong = [Case("strong", size, size, ranks) for ranks in RANKS]
    weak = [Case("weak", size, size // 2 * ranks, ranks) for ranks in RANKS]
    return [*strong, Case("one rank, 2 threads", size, size, 1, 2), *weak]


# ------------------------------------------------------------------------------------------------- what a rank does


class Clocked:
    """An MPI communicator that counts what this rank sends, and the seconds that it spends in MPI."""

    def __init__(self, comm):
        self._comm, self.messages, self.bytes, self.seconds = comm, Counter(), 0, 0.0

    def __getattr__(self, name):
        method = getattr(self._comm, name)
        return self._timed(name, method) if name in _COUNTED else method

    def _timed(self, name, method):
        def call(sent, *args, **more):
            if more.get("dest", 0) >= 0:  # beyond the ends there is nobody
                self.messages[name] += 1
                self.bytes += (sent[0] if isinstance(sent, list) else sent).nbytes
            began = time.perf_counter()
            result = method(sent, *args, **more)
            self.seconds += time.perf_counter() - began
            return result

        return call


def slab(size: int, nx: int, columns: slice) -> ChemicalVolume:
    """Some columns of the phantom, repeated along x to the width wanted."""
    spec = PhantomSpec(name=PHANTOM, size=size, seed=1)
    whole = make_phantom(spec, phantom_rng(spec))
    chosen = np.arange(nx)[columns] % size
    return ChemicalVolume(np.ascontiguousarray(whole.data[..., chosen]), whole.elements, whole.voxel_nm)


def measured(case: Case, comm: Comm, clocked: Clocked | None, runs: int = RUNS) -> dict:
    """Milliseconds of the middle and the quickest iteration, and what this rank sent in one."""
    columns = comm.columns(case.nx)
    dataset = simulate(slab(case.size, case.nx, columns), ACQUISITION, comm=comm)
    settings, marks = SolverSettings(max_iterations=ITERATIONS, tolerance=0, tv_iterations=INNER), []

    def mark(iteration, _volume):
        sent = (sum(clocked.messages.values()), clocked.bytes, clocked.seconds) if clocked else (0, 0, 0.0)
        marks.append((iteration, time.perf_counter(), *sent))
        return {}

    for _ in range(runs):
        reconstruct(dataset, "fused", DEFAULT_WEIGHTS, settings, place=Placement(comm), callback=mark)
    taken = np.array([np.subtract(b, a)[1:] for a, b in pairwise(marks) if b[0] > a[0] > 1])
    seconds, messages, sent, waited = taken.T
    return {
        "ms": 1e3 * float(np.median(seconds)),
        "least ms": 1e3 * float(seconds.min()),
        "MPI share": float(waited.sum() / seconds.sum()),
        "messages": float(np.median(messages)),  # more where a step fails the test, fewer after a restart
        "bytes": float(np.median(sent)),
    }


def work(case: Case) -> None:
    """Measure a case on all ranks and print it on the first."""
    comm, clocked = world(), None
    with guarded(comm):
        if comm.size > 1:
            from mpi4py import MPI

            clocked = Clocked(MPI.COMM_WORLD)
            comm = MPIComm(clocked)
        found = measured(case, comm, clocked)
        everywhere = comm.gather(np.array(list(found.values()))[:, None]).max(axis=1)
        if comm.rank == 0:
            print(json.dumps(dict(zip(found, everywhere, strict=True))))


# ------------------------------------------------------------------------------------------------- the model


def traffic(elements: int, plane: int, columns: int, inner: int, finishes: int = 1) -> tuple[int, int]:
    """Messages and bytes that a rank between two others sends in one outer iteration (docs/howto-mpi.md).

    Args:
        elements: channels of the volume.
        plane: voxels of a plane across x.
        columns: of this rank.
        inner: TV iterations.
        finishes: how often the prox looks at its duality gap.
    """
    at_a_point, finish, descent, step = [elements, 2], [3 * elements], [1], [2]  # numbers a column, sum by sum
    sums = [*at_a_point, *descent, *finishes * finish, *at_a_point, *step]
    halo = 4 * elements * plane * (2 + inner * (3 + 1))
    return len(sums) + 1 + 2 * inner, halo + sum(8 + 8 * numbers * columns for numbers in sums)


# ------------------------------------------------------------------------------------------------- the benchmark


def launched(case: Case) -> dict:
    """A case in processes of its own."""
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else which("mpiexec")
    if launcher is None:
        raise SystemExit("no mpiexec; pip install 'fusedtomo[mpi]'")
    command = [launcher, "-n", str(case.ranks)] if case.ranks > 1 else []
    threads = {name: str(case.threads) for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")}
    ended = subprocess.run(
        [*command, sys.executable, "-m", "benchmarks.mpi", "--case", json.dumps(asdict(case))],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{case}: {ended.stderr}")
    return json.loads(ended.stdout)


def row(case: Case, found: dict, alone: dict) -> dict:
    """A line of the table; `alone` is the same scaling on one rank."""
    weak, several = case.scaling == "weak", case.ranks > 1
    speed_up = alone["ms"] / found["ms"] * (case.ranks if weak else 1)
    return {
        "scaling": case.scaling,
        "ranks": case.ranks,
        "voxels": f"{case.size} x {case.size} x {case.nx}",
        "ms an iteration": found["ms"],
        "least ms": found["least ms"],
        "speed-up": speed_up,
        "efficiency": f"{100 * speed_up / (case.ranks * case.threads):.0f} %",
        "in MPI": f"{100 * found['MPI share']:.0f} %" if several else None,
        "messages": f"{found['messages']:.0f}" if several else None,
        "MB sent": found["bytes"] / 1e6 if several else None,
    }


def run(*, full: bool = False) -> Results:
    """Measure all cases; at 128 x 128 planes with `full`, else at 96 x 96."""
    host, others, size = machine.describe(), machine.OtherLoad(), 128 if full else 96
    found = {case: launched(case) for case in cases(size)}
    alone = {case.scaling: found[case] for case in found if case.ranks == case.threads == 1}
    rows = [row(case, each, alone.get(case.scaling, alone["strong"])) for case, each in found.items()]
    cores = len(os.sched_getaffinity(0))
    notes = [
        f"{PHANTOM}, four elements, 47 HAADF and 9 chemical tilts; `fused`, {INNER} inner TV iterations, one thread "
        f"a rank; median and least of {RUNS} x {ITERATIONS - 2} iterations",
        "in MPI: the largest share of its time that a rank spends sending and, mostly, waiting; messages and MB sent: "
        "by the busiest rank in the middle iteration",
        f"{cores} cores: more ranks than that share them, and while they wait for each other they keep a core busy",
        str(others),
        "several nodes were never measured",
    ]
    return Results("mpi", host, rows, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="planes of 128 x 128 voxels instead of 96 x 96")
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)  # one case, on the ranks of this program
    chosen = parser.parse_args()
    if chosen.case:
        work(Case(**chosen.case))
    else:
        print(run(full=chosen.full).body())
