"""Trials that one process cannot hold run on several ranks, beside those that one can, with the same result."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest

from fusedtomo.errors import InputError
from tests.mpi import mpiexec, needs_mpi
from tests.workflows.running import CHANGES, ENDLESS, facts, finish, scores, start, write_machine
from tests.workflows.running import tiny_trial as trial
from tests.workflows.tiny import config, fused, write_toml
from workflows.machines import Machine
from workflows.record.journal import replay
from workflows.trial.evaluate import evaluate
from workflows.trial.memory import trial_gb
from workflows.trial.ranks import evaluate_on_ranks
from workflows.trial.solver_process import Handling, UnfitWorker
from workflows.workers.memory import ranks_by_condition

# of the tiny campaign only h4-c3 needs more than nine tenths of it
DEVICE_GB = 0.0009


def how(folder, **changes):
    return Handling(folder=str(folder), ranks=2, mpi_launch=f"{mpiexec()} -n {{ranks}}", **changes)


def tree():
    return psutil.Process().children(recursive=True)


@needs_mpi
def test_the_result_is_that_of_one_process(tmp_path):
    result = evaluate_on_ranks(trial(), how(tmp_path))
    assert result.ranks == 2
    assert scores(result) == scores(evaluate(trial()))
    assert os.listdir(tmp_path) == ["logs"]


@needs_mpi
def test_ranks_that_hang_are_ended_with_their_launcher(tmp_path):
    result = evaluate_on_ranks(trial(**ENDLESS), how(tmp_path, limit_s=4))
    assert (result.status, result.reason, result.ranks) == ("failed", "time limit of 4 s reached", 2)
    assert [process for process in tree() if "workflows.trial.evaluate" in " ".join(process.cmdline())] == []


@needs_mpi
def test_a_trial_that_fails_on_ranks_has_its_reason_and_what_they_said(tmp_path):
    result = evaluate_on_ranks(replace(trial(), fidelity=0.5), how(tmp_path))
    assert (result.status, result.ranks) == ("failed", 2)
    assert "Error: " in result.reason
    assert "File " in result.stderr  # the end of the traceback; mpiexec has the last word


def ranks_that_run(parent, timeout_s=60):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = [
            one for one in parent.children(recursive=True) if "workflows.trial.evaluate" in " ".join(one.cmdline()[:4])
        ]
        found = [one for one in found if "mpiexec" not in one.cmdline()[0]]
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("the ranks never ran")


@needs_mpi
def test_a_rank_that_is_killed_once_is_tried_again(tmp_path):
    killed = []

    def kill():
        killed.append(ranks_that_run(psutil.Process())[1])
        killed[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    result = evaluate_on_ranks(trial(solver__max_iterations=20), how(tmp_path))
    killer.join()
    assert killed
    assert result.ok


_WORKER = """
import sys
from tests.mpi import mpiexec
from tests.workflows.running import ENDLESS, tiny_trial
from workflows.trial.ranks import evaluate_on_ranks
from workflows.trial.solver_process import Handling
how = Handling(folder=sys.argv[1], ranks=2, mpi_launch=f"{mpiexec()} -n {{ranks}}")
evaluate_on_ranks(tiny_trial(**ENDLESS), how)
"""


@needs_mpi
def test_ranks_die_with_their_worker(tmp_path):
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)])
    ranks = ranks_that_run(psutil.Process(worker.pid))
    worker.kill()
    worker.wait()
    assert psutil.wait_procs(ranks, timeout=20)[1] == []


def test_a_host_without_a_launcher_is_no_failure_of_a_trial(tmp_path):
    with pytest.raises(UnfitWorker, match=r"'no-mpiexec' is not in PATH on .* 3 MPI ranks; load an MPI"):
        evaluate_on_ranks(trial(), Handling(folder=str(tmp_path), ranks=3, mpi_launch="no-mpiexec -n {ranks}"))


@needs_mpi
@pytest.mark.slow
@pytest.mark.timeout(900)  # beside other work on the machine
def test_a_campaign_runs_both_kinds_beside_each_other_and_ends_with_the_same_map(tmp_path, undisturbed_facts):
    """Two cells with two trials each, which are those of the whole map: starting ranks takes longer than they do."""
    few = {"axes": {"haadf_tilts": [4], "chemical_tilts": [2, 3]}, "methods": ["fused"]}
    campaign = write_toml(tmp_path / "few.toml", **{**CHANGES, **few}, search__evaluations=2)
    lines = [f"device_memory_gb = {DEVICE_GB}", f'mpi_launch = "{mpiexec()} -n {{ranks}}"']
    machine = write_machine(tmp_path / "machine.toml", *lines)
    code, said = finish(start(campaign, tmp_path / "run", "--machine", machine))
    assert code == 0, said
    same = [fact for fact in undisturbed_facts if fact[0] in ("fused-h4-c2", "fused-h4-c3") and fact[1] < 2]
    assert facts(tmp_path / "run") == same
    ranks = {trial.condition: trial.ranks for trial in replay(tmp_path / "run" / "trials.jsonl")}
    assert {key for key, n in ranks.items() if n == 2} == {"fused-h4-c3"}
    assert set(ranks.values()) == {1, 2}


def machine(**changes):
    return Machine(name="m", workers=2, **changes)


def test_a_trial_takes_as_many_volumes_as_were_counted_and_its_series():
    big = config(phantom__size=256)
    volumes = 14.4 * 3 * 4 * 256**3 / 1e9
    assert volumes < trial_gb(big, fused(4, 3)) < 1.02 * volumes


def test_memory_decides_how_many_ranks_a_condition_needs():
    assert set(ranks_by_condition(machine(), config()).values()) == {1}
    ranks = ranks_by_condition(machine(device_memory_gb=DEVICE_GB), config())
    assert {key for key, n in ranks.items() if n == 2} == {"fused-h4-c3"}
    assert set(ranks_by_condition(machine(device_memory_gb=DEVICE_GB / 3), config()).values()) == {3, 4}


def test_a_profile_may_ask_for_more_ranks_than_memory_does():
    assert set(ranks_by_condition(machine(ranks=3, device_memory_gb=DEVICE_GB), config()).values()) == {3}


def test_gpus_of_one_host_hold_one_kind_of_trials_and_batch_jobs_both():
    gpus = {"device": "gpu", "accelerators": 2, "device_memory_gb": DEVICE_GB}
    assert set(ranks_by_condition(machine(**gpus), config()).values()) == {2}
    batch = machine(**gpus, provider="slurm", walltime_min=60)
    assert set(ranks_by_condition(batch, config()).values()) == {1, 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranks": 17}, "shared by 17 ranks, but its volume has 16 columns; lower `ranks`"),
        ({"device": "gpu", "accelerators": 2, "ranks": 3}, "needs 3 GPUs, but a block has 2; raise nodes_per_block"),
    ],
)
def test_ranks_that_cannot_be_are_refused_at_the_door(changes, message):
    with pytest.raises(InputError, match=message):
        ranks_by_condition(machine(**changes), config())
