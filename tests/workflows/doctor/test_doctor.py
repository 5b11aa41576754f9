"""The doctor: every fault is one line with a cure, nothing hangs, and a fit machine is called ready."""

import io
import os
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.mpi import needs_mpi
from workflows.doctor import check as checking
from workflows.doctor import compare, examination, here, there
from workflows.doctor.check import Check, Unfit
from workflows.doctor.here import Disk
from workflows.doctor.there import Assignment, Seen, hello_ranks, look_around
from workflows.machines import Machine

FIT = Seen("n1", 1, platform.python_version(), here.versions(), 4, "", (), True, "/tmp", Disk(50.0, 200.0), "")
CPU = Machine(name="m", workers=2)
GPUS = Machine(name="m", device="gpu", accelerators=2)


def on_gpu(host, pid, uuid):
    return replace(FIT, host=host, pid=pid, gpus=((uuid, "A100"),), visible=f"CUDA_VISIBLE_DEVICES={pid}")


# --- how a check is run


def answer(check):
    console = Console(file=io.StringIO(), width=30)
    fit = checking.run(console, check)
    return fit, console.file.getvalue()


def test_a_check_says_one_line_however_narrow_the_terminal():
    fit, said = answer(Check("disk", lambda: "[red] words" * 20))
    assert fit
    assert said == f"  ok       disk: {'[red] words' * 20}\n"


@pytest.mark.parametrize(
    ("error", "said"), [(Unfit("no; do this"), "no; do this"), (KeyError("x"), "KeyError: 'x'")], ids=str
)
def test_a_check_that_fails_is_a_line_too(error, said):
    def fail():
        raise error

    assert answer(Check("disk", fail)) == (False, f"  failed   disk: {said}\n")
    assert answer(Check("disk", fail, matters=False)) == (True, f"  optional disk: {said}\n")


def test_a_check_that_never_answers_ends():
    fit, said = answer(Check("disk", lambda: time.sleep(60), limit_s=0.05))
    assert (fit, said) == (False, "  failed   disk: no answer within 0.05 s\n")


# --- what workers saw


def test_fit_workers():
    other = replace(FIT, host="n2", pid=2, disk=Disk(20.0, 900.0))
    both = [FIT, other]
    assert compare.answered(both, CPU) == "2 of at most 2 workers of 'm' answer, on n1, n2"
    assert compare.interpreter(both) == f"Python {platform.python_version()} on every worker"
    assert compare.packages(both).startswith("the same ")
    assert compare.run_folder(both) == "every worker sees this folder"
    assert compare.scratch(both) == "/tmp: 20 GB free, 200 MB/s flushed to disk, at the least"
    assert compare.devices(both, CPU) == "CPU only; each worker may use 4 cores"
    assert compare.devices([on_gpu("n1", 0, "GPU-a"), on_gpu("n1", 1, "GPU-b")], GPUS).count("A100") == 2
    assert compare.ranks(["0/2", "1/2"], "", "mpiexec -n 2", 2) == "`mpiexec -n 2` starts 2 ranks of one world"


OLD = replace(FIT, host="n2", versions=FIT.versions | {"numpy": "1.0"})
UNFIT = {
    "missing worker": (lambda: compare.answered([FIT], CPU), r"1 of 2 workers of 'm' answer, on n1; give it fewer"),
    "no worker": (lambda: compare.answered([], CPU), r"0 of 2 workers of 'm' answer, on no host"),
    "python": (
        lambda: compare.interpreter([FIT, replace(FIT, host="n2", python="3.1.2")]),
        r"here but 3\.1\.2 on n2; activate the same environment in worker_init",
    ),
    "version": (lambda: compare.packages([FIT, OLD]), r"^numpy \S+ here, 1\.0 on n2: install the same"),
    "package": (
        lambda: compare.packages([replace(FIT, versions={**FIT.versions, "cupy-cuda12x": "14"})]),
        r"^cupy-cuda12x none here, 14 on n1",
    ),
    "folder": (lambda: compare.run_folder([FIT, replace(FIT, host="n2", sees_run_folder=False)]), r"^n2 cannot see"),
    "scratch": (
        lambda: compare.scratch([replace(FIT, disk=None, why="/x is full")]),
        r"/x is full on n1; set `scratch",
    ),
    "no GPU": (lambda: compare.devices([FIT], GPUS), r"no GPU for a worker on n1 \(no variable shows one\); install"),
    "shared GPU": (
        lambda: compare.devices([on_gpu("n1", 0, "GPU-a"), on_gpu("n1", 1, "GPU-a")], GPUS),
        r"workers share GPU GPU-a of n1; set `accelerators`",
    ),
    "singletons": (lambda: compare.ranks(["0/1", "0/1"], "", "srun -n 2", 2), r"starts 2 singletons, .*--mpi=pmi2"),
    "one rank": (
        lambda: compare.ranks(["0/2"], "", "srun -n 2", 2),
        r"does not start 2 ranks \(0/2\); set `mpi_launch`",
    ),
    "no rank": (lambda: compare.ranks([], "not found", "srun -n 2", 2), r"does not start 2 ranks \(not found\)"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_is_not_fit_has_a_cure(case):
    ask, message = UNFIT[case]
    with pytest.raises(Unfit, match=message):
        ask()


def test_the_same_gpu_on_two_hosts_is_two_and_a_name_given_twice_may_be_shared():
    compare.devices([on_gpu("n1", 0, "GPU-a"), on_gpu("n2", 0, "GPU-a")], GPUS)
    twice = Machine(name="m", device="gpu", accelerators=("0", "0"))
    compare.devices([on_gpu("n1", 0, "GPU-a"), on_gpu("n1", 1, "GPU-a")], twice)


def test_a_batch_machine_may_have_fewer_workers_than_it_may_get():
    batch = Machine(name="m", provider="slurm", walltime_min=60, workers=4, max_blocks=8)
    assert compare.answered([FIT], batch).startswith("1 of at most 32 workers")


# --- what a worker sees


def test_a_worker_looks_around(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    began = time.monotonic()
    seen = look_around(Assignment(str(tmp_path / "token"), str(tmp_path / "a" / "b"), "cpu", 0.2))
    assert time.monotonic() - began >= 0.2
    assert (seen.python, seen.versions) == (platform.python_version(), here.versions())
    assert (seen.visible, seen.gpus, seen.sees_run_folder) == ("CUDA_VISIBLE_DEVICES=3", (), False)
    assert seen.disk.mb_per_s > 0
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "token").touch()
    assert look_around(Assignment(str(tmp_path / "token"), str(tmp_path), "cpu", 0.0)).sees_run_folder


def test_a_scratch_that_cannot_be_used_is_seen():
    seen = look_around(Assignment("none", "/proc/none", "cpu", 0.0))
    assert seen.disk is None
    assert seen.why.startswith("/proc/none cannot be")


def test_gpus_are_those_that_the_process_may_use(tmp_path, monkeypatch):
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho '0, GPU-aa, A100-SXM4'\necho '1, GPU-bb, A100-SXM4'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setitem(sys.modules, "cupy.cuda", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert there.gpus() == (("GPU-aa", "A100-SXM4"), ("GPU-bb", "A100-SXM4"))
    for visible, found in (("1", "GPU-bb"), ("GPU-aa", "GPU-aa")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert there.gpus() == ((found, "A100-SXM4"),)
    monkeypatch.setenv("PATH", "/none")
    assert there.gpus() == ()


def test_gpus_by_cupy(monkeypatch):
    devices = [
        {"name": b"A100", "uuid": bytes(range(16)), "pciBusID": 7},
        {"name": b"MI250", "pciDomainID": 0, "pciBusID": 8, "pciDeviceID": 1},
    ]
    runtime = SimpleNamespace(getDeviceCount=lambda: 2, getDeviceProperties=devices.__getitem__)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupy.cuda", SimpleNamespace(runtime=runtime))
    assert there.gpus() == (("000102030405060708090a0b0c0d0e0f", "A100"), ("bus 0:8:1", "MI250"))


def launcher(folder, *lines):
    """A command in place of mpiexec."""
    path = folder / "launch"
    path.write_text("#!/bin/sh\nn=$1; shift\n" + "\n".join(lines) + "\n")
    path.chmod(0o755)
    return f"{path} {{ranks}}"


def test_a_launcher_of_singletons_is_found_out(tmp_path):
    launch = launcher(tmp_path, 'for i in $(seq $n); do env -u PMI_RANK -u PMI_SIZE "$@" & done; wait')
    said, words = hello_ranks(launch, 2, 60)
    if "No module named" in words:
        pytest.skip("mpi4py is not installed")
    with pytest.raises(Unfit, match="2 singletons"):
        compare.ranks(said, words, launch, 2)


def test_a_launcher_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    launch = launcher(tmp_path, f"sleep 987 & echo $! > {tmp_path}/child", "wait")
    assert hello_ranks(launch, 2, 1.0) == ([], "no answer within 1 s")
    child = int((tmp_path / "child").read_text())
    end = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it runs on"
        time.sleep(0.01)


def test_a_launcher_that_is_not_there(tmp_path):
    assert hello_ranks("no-such-launcher {ranks}", 2, 5) == ([], "no-such-launcher: No such file or directory")
    assert hello_ranks(launcher(tmp_path, "echo out of nodes >&2; exit 3"), 2, 5) == ([], "out of nodes")


@needs_mpi
def test_the_launcher_of_the_profile_starts_its_ranks(monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # as a worker has it
    said, words = hello_ranks(Machine(name="m").mpi_launch, 2, 60)
    assert said == ["0/2", "1/2"], words


# --- here


def test_a_disk_that_is_full_or_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(Unfit, match=r"/proc cannot be written \(.*\); choose another folder"):
        here.disk(Path("/proc"))
    monkeypatch.setattr(here, "_LEAST_GB", 1e9)
    with pytest.raises(Unfit, match="GB left; make room"):
        here.disk(tmp_path)


def test_a_network_that_is_not_this_host_s():
    assert here._network(CPU) == "workers on this host, by loopback"
    with pytest.raises(InputError, match="no network interface 'bond9'"):
        here._network(Machine(name="m", interface="bond9"))
    with pytest.raises(Unfit, match=r"203\.0\.113\.1 cannot be listened on .*set `interface` of machine 'm'"):
        here._network(Machine(name="m", address="203.0.113.1"))  # of documentation: nobody has it


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(here, "versions", lambda: {"numpy": "2"})
    with pytest.raises(Unfit, match=r"scipy, .* not installed; pip install"):
        here._packages()


# --- the whole


def examined(folder, profile, before=""):
    (folder / "mine.toml").write_text(profile)
    program = f"{before}\nfrom workflows.command.cli import main\nmain()"
    command = [sys.executable, "-c", program, "doctor", "--machine", "mine.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)


def test_workers_that_hang_are_interrupted_and_cleaned_up(tmp_path, monkeypatch):
    cleaned = []

    @contextmanager
    def hanging(*_):
        try:
            time.sleep(60)
            yield
        finally:
            cleaned.append(True)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examination, "workers", hanging)
    monkeypatch.setattr(here, "checks", lambda machine: [])
    monkeypatch.setattr(examination, "LIMIT_S", 0.05)
    (tmp_path / "mine.toml").write_text('name = "mine"\nworkers = 1\nstart_timeout_s = 0.1\n')
    console = Console(file=io.StringIO(), width=80)
    monkeypatch.setattr(examination.os, "_exit", lambda code: None)
    assert not examination.examine(console, "mine.toml")
    assert "failed   workers: no end after" in console.file.getvalue()
    assert cleaned == [True]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.slow
def test_a_fit_machine_is_ready_and_nothing_is_left(tmp_path):
    done = examined(tmp_path, 'name = "mine"\nworkers = 1\nscratch = "scratch"\n')
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    names = ["python", "host", "packages", "kernels", "run folder's disk", "journal", "network", "workers"]
    names += ["interpreters", "versions on workers", "shared folder", "scratch", "devices", "MPI", "trial"]
    assert [line[11:].partition(":")[0] for line in lines[:-1]] == names
    assert lines[-1] == "ready"
    assert "1 of at most 1 workers of 'mine'" in done.stdout
    assert "the quickstart's 189 trials in about" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml", "scratch"]


def test_the_last_words_of_workers_that_cannot_be_started_are_a_line(tmp_path, monkeypatch):
    @contextmanager
    def refused(*_):
        raise InputError("no worker joined within 9 s (machine 'mine'); its last words: no module")
        yield

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examination, "workers", refused)
    monkeypatch.setattr(here, "checks", lambda machine: [])
    (tmp_path / "mine.toml").write_text('name = "mine"\nworkers = 1\n')
    console = Console(file=io.StringIO(), width=200)
    assert not examination.examine(console, "mine.toml")
    assert "failed   workers: no worker joined within 9 s" in console.file.getvalue()
    assert "its last words: no module" in console.file.getvalue()
    assert console.file.getvalue().splitlines()[-1] == "not ready: see above"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.nightly
def test_workers_that_never_join_are_a_line_with_their_last_words(tmp_path):
    done = examined(
        tmp_path, 'name = "mine"\nworkers = 1\nstart_timeout_s = 9\nworker_init = "echo no module >&2; exit 3"\n'
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed   workers: no worker joined" in done.stdout
    assert "no module" in done.stdout
    assert done.stdout.splitlines()[-1] == "not ready: see above"
    assert "Traceback" not in done.stdout + done.stderr
