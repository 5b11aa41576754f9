"""Every method on the ranks that mpiexec started: prints digests that must not depend on their number, as JSON.

python every_method.py [width of each slab ...]
"""

import hashlib
import json
import sys

import numpy as np

from fusedtomo.parallel import SERIAL, MPIComm, guarded, world
from fusedtomo.placement import Placement
from fusedtomo.reconstruct import METHODS, reconstruct
from fusedtomo.score import score
from fusedtomo.settings import Acquisition, SolverSettings, Weights
from fusedtomo.simulate import simulate
from fusedtomo.volume import ChemicalVolume

NX = 37  # two SIMD vectors and a rest; slabs have one or none
ACQUISITION = {
    "haadf": {"tilts": {"count": 7}, "snr": 500.0},
    "chemical": {"tilts": {"count": 4}, "snr": 4.0},
    "gamma": 1.7,
}
SETTINGS = {
    "gap-steered": {},
    "fixed": {"tv_iterations": 3, "mask": "cylinder"},
    "anisotropic": {
        "tv": "anisotropic",
        "chemical_term": "least-squares",
        "pace": "fast",
        "tv_by_element": {"O": 0.5, "Au": 0.0},
    },
}
ITERATIONS = 5


def specimen(width: int) -> ChemicalVolume:
    """Blocks of three elements, with empty columns at one end."""
    coarse = np.random.default_rng(3).random((3, 4, 4, -(-width // 3))) > 0.6
    data = 0.5 * coarse.repeat(3, axis=1).repeat(3, axis=2).repeat(3, axis=3)[..., :width]
    data[..., :5] = 0
    return ChemicalVolume(data.astype(np.float32), ("Co", "O", "Au"), 2.0)


def columns_of(volume: ChemicalVolume, columns: slice) -> ChemicalVolume:
    """Some columns, as a rank has them."""
    return ChemicalVolume(np.ascontiguousarray(volume.data[..., columns]), volume.elements, volume.voxel_nm)


def digest(*values) -> str:
    """A short hash of arrays and numbers, bit by bit."""
    content = b"".join(v.tobytes() if isinstance(v, np.ndarray) else json.dumps(v).encode() for v in values)
    return hashlib.sha256(content).hexdigest()[:12]


def series_digest(dataset, comm) -> str:
    """Of all that was simulated."""
    series = (dataset.haadf, *dataset.chemical)
    return digest(*(comm.gather(one.counts) for one in series), [[one.gain, one.background, one.snr] for one in series])


def digests(comm) -> dict[str, str]:
    """Of simulations on both grids, and of the volume, history and score of every method."""
    columns, mask = comm.columns(NX), np.ones((12, 12, NX), bool)
    mask[..., :8] = mask[:2] = False  # the first rank's columns may all be empty
    truth, mask = columns_of(specimen(NX), columns), np.ascontiguousarray(mask[..., columns])
    dataset = simulate(truth, Acquisition.model_validate(ACQUISITION), comm=comm)
    fine = columns_of(specimen(2 * NX), slice(2 * columns.start, 2 * columns.stop))
    binned = simulate(fine, Acquisition.model_validate({**ACQUISITION, "grid": "fine"}), comm=comm)
    found = {"same grid": series_digest(dataset, comm), "fine grid": series_digest(binned, comm)}
    for method in METHODS:
        for name, settings in SETTINGS.items():
            few = {"tv_iterations": 3} if method == "gradient-descent" else {}  # else forty, one like the other
            chosen = SolverSettings(max_iterations=ITERATIONS, tolerance=0, **few | settings)
            own_mask = mask if name == "anisotropic" else None
            weights = Weights(tv=0.01) if method == "gradient-descent" else Weights()
            known = truth if METHODS[method].uses("chemical") else None
            one = reconstruct(dataset, method, weights, chosen, truth=known, mask=own_mask, place=Placement(comm))
            errors = vars(score(one.volume, truth, comm=comm)) if known else {}
            found[f"{method}, {name}"] = digest(comm.gather(one.volume.data), one.history, one.stopped, errors)
    return found


def main(widths: list[int]) -> None:
    """Print the digests on the first rank."""
    comm = world()
    with guarded(comm):
        if widths and comm is not SERIAL:
            from mpi4py import MPI

            comm = MPIComm(MPI.COMM_WORLD, widths)
        found = digests(comm)
        if comm.rank == 0:
            print(json.dumps(found))


if __name__ == "__main__":
    main([int(width) for width in sys.argv[1:]])
