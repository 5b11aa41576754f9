"""Commands on several ranks: the files and lines of one rank, one voice, and an end to every error."""

import json
import sys
import time
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest

from fusedtomo.io import read_dataset, write_dataset, write_volume
from fusedtomo.settings import Acquisition
from fusedtomo.simulate import simulate
from fusedtomo.volume import ChemicalVolume
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from tests.mpi import needs_mpi, run_ranks, run_script
from tests.workflows.running import scores
from tests.workflows.tiny import baseline, config, fused, write_toml
from workflows.campaign import Trial
from workflows.record.journal import TrialResult
from workflows.trial.evaluate import evaluate

NX = 17
POINT = {"haadf": 0.05, "tv": 0.7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Data with and without its truth inside, a mask, an initial volume, and data that is spoilt at one end."""
    made = tmp_path_factory.mktemp("ranks")
    spec = PhantomSpec(name="conio_nanotube", size=NX, seed=1)
    truth = make_phantom(spec, phantom_rng(spec))
    noise = {"tilts": {"count": 4}, "snr": 5.0}
    dataset = simulate(truth, Acquisition.model_validate({"haadf": noise, "chemical": noise}))
    write_dataset(dataset, made / "data.h5", truth)
    write_dataset(dataset, made / "measured.h5")
    write_dataset(read_dataset(made / "data.h5", slice(0, 2)), made / "narrow.h5")
    write_dataset(dataset, made / "spoilt.h5")
    with h5py.File(made / "spoilt.h5", "r+") as file:
        file["haadf/counts"][0, 0, NX - 1] = np.nan
    inside = np.ones((3, 6, NX, NX), np.float32)
    inside[..., :9] = 0  # nothing on the first of two ranks
    write_volume(ChemicalVolume(inside, truth.elements, 1.0), made / "mask.h5")
    write_volume(ChemicalVolume(inside + 0.5, truth.elements, 1.0), made / "initial.h5")
    return made


def command(n, *arguments):
    """Run the command on ranks; paths as arguments."""
    return run_ranks(n, "-m", "workflows.command.cli", *map(str, arguments))


def reconstructed(n, data, out, *options):
    """The bytes of the file and both pictures that `reconstruct` writes on n ranks, and what it said."""
    ended = command(n, "reconstruct", data, "--out", out, "--iterations", 4, *options)
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stderr.splitlines() if " ranks with " not in line]
    assert ended.stderr.count(f"{n} ranks with ") == (n > 1)  # the slabs are named once
    return [path.read_bytes() for path in (out, out.with_suffix(".slices.png"), out.with_suffix(".cost.png"))], said


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "options", "n"),
    [
        pytest.param("data.h5", ["--compare"], 3, marks=pytest.mark.nightly),
        ("measured.h5", ["--depth", "6", "--mask", "mask.h5", "--initial", "initial.h5"], 2),
    ],
)
def test_files_and_pictures_are_those_of_one_rank_byte_by_byte(folder, tmp_path, data, options, n):
    options = [folder / word if word.endswith(".h5") else word for word in options]
    found = {}
    for ranks in (1, n):
        (tmp_path / str(ranks)).mkdir()
        found[ranks] = reconstructed(ranks, folder / data, tmp_path / str(ranks) / "out.h5", *options)
    assert found[n][0] == found[1][0]
    assert len(found[n][1]) == len(found[1][1])  # every line once, but for times and paths the same
    assert [line for line in found[n][1] if "out" not in line] == [line for line in found[1][1] if "out" not in line]


@needs_mpi
@pytest.mark.parametrize(
    ("n", "words", "told"),
    [
        (2, ["reconstruct", "spoilt.h5"], "spoilt.h5: data set '/haadf/counts' holds NaN"),  # the last rank's columns
        pytest.param(
            2,
            ["reconstruct", "data.h5", "--out", "data.h5"],
            "data.h5 exists; pass --overwrite",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            2,
            ["reconstruct", "data.h5", "--method", "fusd"],
            "there is no method 'fusd'; did you mean",
            marks=pytest.mark.nightly,
        ),
        pytest.param(2, ["reconstruct", "data.h5", "--bad"], "No such option: --bad", marks=pytest.mark.nightly),
        pytest.param(
            2,
            ["phantom", "list"],
            "2 ranks were started, but only `reconstruct` uses more than one",
            marks=pytest.mark.nightly,
        ),
        (3, ["reconstruct", "narrow.h5"], "narrow.h5: 3 ranks but the volume has 2 columns (x); start at most 2 ranks"),
    ],
    ids=["spoilt", "exists", "method", "option", "command", "columns"],
)
def test_bad_input_ends_all_ranks_with_one_message_and_code_2(folder, tmp_path, n, words, told):
    words = [folder / word if word.endswith(".h5") else word for word in words]
    target = [] if "--out" in words or words[0] == "phantom" else ["--out", tmp_path / "out.h5"]
    ended = command(n, *words, *target)
    assert ended.returncode == 2
    assert " ".join(ended.stderr.split()).count(told) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    by_itself = not {"--method", "--bad"} & set(words)  # those that no rank waits for end by an abort, with its noise
    assert (ended.stderr.startswith(("error: ", "weights: ")) and f"of {n}:" not in ended.stderr) or not by_itself
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []


_OUT_OF_MEMORY = """
import sys
from fusedtomo.parallel import world
from workflows.command import cli, reconstruction
run = reconstruction.run_method
def broken(*arguments, **more):
    if world().rank == 1:
        raise MemoryError("no room")
    return run(*arguments, **more)
reconstruction.run_method = broken
sys.argv = ["fusedtomo", "reconstruct", *sys.argv[1:]]
cli.main()
"""


@needs_mpi
def test_an_error_that_one_rank_has_alone_ends_all(folder, tmp_path):
    began = time.perf_counter()
    ended = run_ranks(2, "-c", _OUT_OF_MEMORY, str(folder / "data.h5"), "--out", str(tmp_path / "out.h5"))
    assert ended.returncode == 75
    assert time.perf_counter() - began < 120  # it would hang else, and a busy machine is slow
    assert ended.stderr.count("rank 1 of 2: memory ran out (no room)") == 1  # although that rank is mute
    assert list(tmp_path.iterdir()) == []


_FULL_DISK = """
import resource
import sys
from fusedtomo.parallel import world
from workflows.command import cli
if world().rank == 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.argv = ["fusedtomo", "reconstruct", *sys.argv[1:]]
cli.main()
"""


@needs_mpi
def test_a_full_disk_that_all_ranks_hear_of_is_exit_code_75(folder, tmp_path):
    arguments = [str(folder / "data.h5"), "--iterations", "1", "--no-picture", "--out", str(tmp_path / "out.h5")]
    ended = run_ranks(2, "-c", _FULL_DISK, *arguments)
    assert ended.returncode == 75
    assert "make room, then run the same command again" in " ".join(ended.stderr.split())
    assert "of 2:" not in ended.stderr  # each left by itself
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------- trials


def trial_file(folder: Path, condition: str, start=None, keep="", **changes) -> Path:
    """A trial as JSON, and its campaign beside it."""
    more = {"start": start, "keep": str(keep), "point": POINT}
    campaign = write_toml(folder / "tiny.toml", **changes)
    path = folder / "trial.json"
    path.write_text(json.dumps({"campaign": str(campaign), "condition": condition, "trial": 5, **more}))
    return path


@needs_mpi
@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        (fused(4, 3), {"acquisition__grid": "fine", "phantom__size": 18, "start": {"haadf": 0.1, "tv": 1.0}}),
        pytest.param(baseline("poisson-tv", 3), {}, marks=pytest.mark.nightly),
    ],
    ids=["fine and warm", "baseline"],
)
def test_a_trial_has_the_scores_and_the_volume_of_one_rank_bit_by_bit(tmp_path, condition, changes):
    path = trial_file(tmp_path, condition.key, keep=tmp_path / "of-ranks.h5", **changes)
    ended = run_ranks(3, "-m", "workflows.trial.evaluate", str(path))
    assert ended.stdout.count("\n") == 1, ended.stderr
    three, start = TrialResult.from_line(ended.stdout), changes.pop("start", None)
    alone = Trial(config(**changes), condition, 5, POINT, start, keep=str(tmp_path / "alone.h5"))
    one = evaluate(alone)
    assert one.ok, one.reason
    assert (one.ranks, three.ranks) == (1, 3)
    assert scores(three) == scores(one)
    assert (tmp_path / "of-ranks.h5").read_bytes() == (tmp_path / "alone.h5").read_bytes()


@needs_mpi
def test_ranks_have_no_slab_in_the_middle_and_say_so(tmp_path):
    path = trial_file(tmp_path, "fused-h4-c3")
    path.write_text(json.dumps({**json.loads(path.read_text()), "fidelity": 0.5}))
    ended = run_ranks(2, "-m", "workflows.trial.evaluate", str(path))
    result = TrialResult.from_line(ended.stdout.splitlines()[0])
    assert (ended.returncode, result.status, result.fidelity) == (1, "failed", 0.5)
    assert "fidelity 0.5 on 2 ranks" in result.reason


_BROKEN = """
from workflows.trial import evaluate
def broken(*_, **__):
    raise MemoryError("no room")
if {failing}:
    evaluate.score = broken
evaluate.main(sys.argv[1])
"""


@needs_mpi
@pytest.mark.parametrize("failing", ["comm.rank == 1", pytest.param("True", marks=pytest.mark.nightly)])
def test_a_trial_that_fails_on_a_rank_is_one_failed_line(tmp_path, failing):
    began = time.perf_counter()
    ended = run_script(3, _BROKEN.format(failing=failing), str(trial_file(tmp_path, "fused-h4-c3")))
    assert ended.returncode == 1
    assert time.perf_counter() - began < 120  # it would hang else, and a busy machine is slow
    (line,) = ended.stdout.splitlines()
    result = TrialResult.from_line(line)
    assert (result.status, result.condition, result.trial, result.point) == ("failed", "fused-h4-c3", 5, POINT)
    assert result.reason.startswith("MemoryError: no room")
    assert ended.stderr.count("of 3: MemoryError: no room") == 1


@needs_mpi
def test_a_bad_trial_is_told_once(tmp_path):
    path = trial_file(tmp_path, "fused-h4-c99")
    ended = run_ranks(3, "-m", "workflows.trial.evaluate", str(path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {path}: the campaign has no condition 'fused-h4-c99'; it has ")
    assert ended.stderr.count("\n") == 1


_TOO_NARROW = """
from mpi4py import MPI
from workflows.trial import evaluate
evaluate.world = lambda: MPIComm(MPI.COMM_WORLD, (1, 1))
evaluate.main(sys.argv[1])
"""


@needs_mpi
def test_slabs_that_do_not_suit_the_phantom_are_told_once_and_before_it_is_made(tmp_path):
    ended = run_script(2, _TOO_NARROW, str(trial_file(tmp_path, "fused-h4-c3")))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("slab widths (1, 1) make 2 columns but the volume has 16") == 1


@cache
def _alone() -> TrialResult:
    return evaluate(Trial(config(), fused(4, 3), 5, POINT))


def test_a_worker_that_a_launcher_started_evaluates_alone(monkeypatch):
    """Parsl's workers inherit the variables of mpiexec or srun; they must not take one another for ranks."""
    assert _alone().ok
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    again = evaluate(Trial(config(seed=3, name="again"), fused(4, 3), 5, POINT))
    assert again.nrmse == _alone().nrmse
