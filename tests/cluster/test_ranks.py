"""Trials of several MPI ranks on the test cluster: spread over the nodes of a block, with the result of one process."""

import pytest

from tests.cluster.campaigns import CHANGES, facts, running, trials, write_machine
from tests.mpi import mpiexec, needs_mpi
from tests.workflows.tiny import write_toml
from workflows.machines import load_machine

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(900)]
LAUNCHERS = {"mpiexec": f"{mpiexec()} -n {{ranks}}", "the profile's srun": load_machine("slurm").mpi_launch}


@needs_mpi
@pytest.mark.parametrize("launcher", [pytest.param("mpiexec", marks=pytest.mark.nightly), "the profile's srun"])
def test_ranks_on_two_nodes_compute_what_one_process_does(cluster, fusedtomo, undisturbed, tmp_path, launcher):
    two_trials = {**CHANGES["search"], "evaluations": 2, "initial_points": 2}
    axes = {"haadf_tilts": [4], "chemical_tilts": [3]}
    campaign = write_toml(
        tmp_path / "tiny.toml", **{**CHANGES, "axes": axes, "methods": ["fused"], "search": two_trials}
    )
    seen = f"bash -c 'hostname >> {tmp_path}/hosts; exec \"$@\"' --"  # each rank's host, before the rank
    machine = write_machine(
        tmp_path, nodes_per_block=2, init_blocks=1, max_blocks=1, ranks=2, mpi_launch=f"{LAUNCHERS[launcher]} {seen}"
    )
    out = tmp_path / "run"
    with running(cluster, fusedtomo, "run", campaign, "--machine", machine, "--out", out, out=out) as controller:
        controller.finish()
    assert [trial.ranks for trial in trials(out)] == [2, 2]
    assert facts(out) == [fact for fact in undisturbed if fact[:2] in (("fused-h4-c3", 0), ("fused-h4-c3", 1))]
    # two trials, and the best one again for the report
    assert sorted((tmp_path / "hosts").read_text().split()) == 3 * ["n1"] + 3 * ["n2"]
