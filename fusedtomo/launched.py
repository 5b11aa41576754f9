"""Did an MPI launcher start this program? Decided by what launchers put into the environment, without importing MPI."""

import os

_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")  # Open MPI and IBM's jsrun; MPICH, Intel MPI, PALS, srun --mpi=pmi2
_RANKS_OF_SRUN = ("PMIX_RANK", "PALS_RANKID")  # srun --mpi=pmix and --mpi=cray_shasta name the rank, not the size


def launched_ranks() -> int:
    """The number of ranks that an MPI launcher started; 1 when none did.

    SLURM_NTASKS says nothing: a plain program in a job script sees it too. The size of a job step counts only
    together with what an MPI plugin of srun sets.
    """
    names = [*_SIZES, *(["SLURM_STEP_NUM_TASKS"] if any(name in os.environ for name in _RANKS_OF_SRUN) else [])]
    return max(int(os.environ.get(name) or 1) for name in names)
