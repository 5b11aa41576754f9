"""Mutated files of every kind: each is used or refused with one message, and never a traceback.

What is read of a mutated file is what was written, where the format has checksums (volumes, data sets, numbers of an
atlas). A journal is text without checksums: each of its trials is one that was written, or is legal by docs/formats.md.
"""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.io import read_dataset, read_truth, read_volume, write_dataset, write_volume
from fusedtomo.volume import ChemicalVolume
from tests.workflows.tiny import config, content, write_toml
from tests.workflows.values import PROVENANCE, campaign, filled, trial
from workflows.command import cli
from workflows.maps.atlas import build_atlas, read_atlas, write_atlas
from workflows.maps.sampling_map import sampling_map
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.trial import evaluate

SEED = 9
HOSTILE = [
    b"NaN",
    b"-1",
    b"1e300",
    b"Infinity",
    b"null",
    b"[]",
    b"{}",
    b"\0",
    b"[/x]",
    b"\x1b[2J",
    b"9" * 400,
    b"[" * 999,
]
NUMBERS = b"0123456789.-"
RECIPE = """
file = "maps.npz"
haadf = "haadf"
elements = { Fe = "fe" }
angles_deg = [-40, -7.5, 25]
pixel_nm = 2
tilt_axis = "y"
haadf_background = 0
chemical_background = 0
chemical_gain = 1
[shifts]
file = "shifts.json"
first_angle_deg = -40
step_deg = 32.5
order = "xy"
"""
MACHINE = """
name = "mine"
provider = "slurm"
cpus_per_node = 2
workers = 2
walltime_min = 30
account = "me"
scheduler_options = ["--comment=a b"]
worker_init = "module load x"
"""


def _byte(rng, content):
    place = int(rng.integers(len(content)))
    return content[:place] + bytes([rng.integers(256)]) + content[place + 1 :]


def _cut(rng, content):
    return content[: int(rng.integers(len(content)))]


def _word(rng, content):
    place = int(rng.integers(len(content)))
    return content[:place] + HOSTILE[rng.integers(len(HOSTILE))] + content[place:]


def _number(rng, content):
    """Another number in the place of one."""
    places = [i for i, letter in enumerate(content) if letter in b"0123456789"]
    start = int(rng.choice(places)) if places else 0
    end = start
    while end < len(content) and content[end] in NUMBERS:
        end += 1
    return content[:start] + HOSTILE[rng.integers(len(HOSTILE))] + content[end:]


def _twice(rng, content):
    lines = content.splitlines(keepends=True)
    place = int(rng.integers(len(lines)))
    return b"".join([*lines[: place + 1], *lines[place:]])


MUTATIONS = (_byte, _cut, _word, _number, _twice)


@pytest.fixture(scope="module")
def valid(tmp_path_factory, tiny_dataset):
    """A file of each kind, and the command that reads it."""
    folder = tmp_path_factory.mktemp("valid")
    images = np.random.default_rng(0).poisson(4, (3, 9, 9)).astype(float)
    np.savez(folder / "maps.npz", haadf=images, fe=images)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "machine.toml").write_text(MACHINE)
    (folder / "shifts.json").write_text(json.dumps([[1, -1], [0, 2], [-2, 0]]))
    write_dataset(tiny_dataset, folder / "data.h5")
    write_atlas(build_atlas(sampling_map(campaign(), list(filled())), PROVENANCE), folder / "atlas.h5")
    out = ["--out", folder / "out.h5", "--overwrite"]
    write_toml(folder / "campaign.toml")
    with RunFolder(folder / "run", config()) as run, Journal(run.journal) as journal:
        for number in range(3):
            scored = trial("fused-h2-c2", number, 0.5, haadf=0.01, tv=0.2)
            by_element = dict.fromkeys(("Co", "Ni", "O"), 0.5)
            journal.append(replace(scored, nrmse_by_element=by_element, snr={"HAADF": 9.0}))
    cubes = np.random.default_rng(0).random((2, 6, 6, 6), np.float32)
    write_volume(ChemicalVolume(cubes, ("Co", "O"), 1.0), folder / "volume.h5")
    bad = {"campaign": content(), "condition": "none", "point": {"tv": 1.0}}  # refused, so that nothing is computed
    (folder / "trial.json").write_text(json.dumps(bad))
    return {
        folder / "campaign.toml": ["check", folder / "campaign.toml"],
        folder / "run" / "trials.jsonl": ["trials", folder / "run"],
        folder / "run" / "campaign.json": ["trials", folder / "run"],
        folder / "volume.h5": ["score", folder / "volume.h5", folder / "volume.h5"],
        folder / "trial.json": ["trial", folder / "trial.json"],
        folder / "recipe.toml": ["import", folder / "recipe.toml", *out],
        folder / "shifts.json": ["import", folder / "recipe.toml", *out],
        folder / "machine.toml": [
            "submit",
            folder / "campaign.toml",
            "--machine",
            folder / "machine.toml",
            "--dry-run",
        ],
        folder / "data.h5": ["reconstruct", folder / "data.h5", "--iterations", 1, "--no-picture", *out],
        folder / "atlas.h5": ["atlas", "show", folder / "atlas.h5"],
    }


def _command(monkeypatch, command):
    monkeypatch.setattr(sys, "argv", ["fusedtomo", *map(str, command)])
    try:
        if command[0] == "trial":
            evaluate.main(str(command[1]))
        return cli._main() if command[0] != "trial" else 0
    except SystemExit as ended:
        return ended.code or 0


def _attack(valid, monkeypatch, capfd, number):
    rng = np.random.default_rng([SEED, number])
    path, command = list(valid.items())[number % len(valid)]
    whole = path.read_bytes()
    mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
    try:
        path.write_bytes(mutation(rng, whole))
        code = _command(monkeypatch, command)
    finally:
        path.write_bytes(whole)
    said = "".join(capfd.readouterr())
    assert code in (0, 2, 75), (number, mutation.__name__, said)
    assert "Traceback" not in said, (number, mutation.__name__)
    assert command[0] == "check" or said.count("error:") <= 1  # `check` tells all that is wrong
    assert (code == 0) == ("error:" not in said), (number, mutation.__name__, said)


def test_what_is_mutated_is_valid(valid, monkeypatch, capfd):
    for path, command in valid.items():
        expected = 2 if command[0] == "trial" else 0
        assert _command(monkeypatch, command) == expected, (path, capfd.readouterr())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("first", range(0, 100, 10))
def test_a_mutated_file_is_used_or_refused(valid, monkeypatch, capfd, first):
    for number in range(first, first + 10):
        _attack(valid, monkeypatch, capfd, number)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(100, 2200, 50))
def test_a_mutated_file_is_used_or_refused_at_length(valid, monkeypatch, capfd, first):
    print(f"seed {SEED}, inputs {first} to {first + 49}")
    for number in range(first, first + 50):
        _attack(valid, monkeypatch, capfd, number)


# ---------------------------------------------------------------- nothing is silently other than it was written


def _of_volume(path):
    volume = read_volume(path)
    return volume.data.tobytes(), volume.elements, volume.voxel_nm


def _of_dataset(path):
    dataset, truth = read_dataset(path), read_truth(path)
    series = [
        (one.name, one.counts.tobytes(), one.scheme, one.gain, one.background, one.snr)
        for one in (dataset.haadf, *dataset.chemical)
    ]
    return series, dataset.pixel_nm, dataset.gamma, truth


def _of_atlas(path):
    return {
        name: (one.dims, one.values.tobytes() if one.dtype.kind in "fiub" else one.values.tolist())
        for name, one in read_atlas(path).variables.items()
    }


def _of_journal(path):
    return RunFolder.read(path.parent).trials()


def _is_same(before, now):
    return now == before


def _is_legal(before, now):
    """Each value of a trial that was not written is in the range that docs/formats.md and the campaign give it."""
    keys, space = {one.key for one in config().conditions()}, config().search.space
    others = [one for one in now if one not in before]
    return len({(one.condition, one.trial) for one in now}) == len(now) and all(
        one.status in ("ok", "failed")
        and 0 <= one.trial < config().search.evaluations
        and 0 < one.fidelity <= 1
        and (one.nrmse is None or 0 <= one.nrmse <= 2.001)
        and all(0 <= value <= 2.001 for value in one.nrmse_by_element.values())
        and all(value >= 0 for value in (*one.snr.values(), *one.weights.values(), one.seconds, one.started))
        and set(one.nrmse_by_element) <= {"Co", "Ni", "O"}
        and set(one.snr) <= {"HAADF", "Co", "Ni", "O"}
        and all(space[name].low <= value <= space[name].high for name, value in one.point.items() if name in space)
        for one in others
        if one.condition in keys  # nothing is made of others
    )


MEANINGS = {
    "volume.h5": (_of_volume, _is_same),
    "data.h5": (_of_dataset, _is_same),
    "atlas.h5": (_of_atlas, _is_same),
    "trials.jsonl": (_of_journal, _is_legal),
}


def _silent(path, seed, numbers):
    """The mutated files that are read as something else, and how many are read at all."""
    read, agrees = MEANINGS[path.name]
    whole, before, n_read, found = path.read_bytes(), read(path), 0, []
    try:
        for number in numbers:
            rng = np.random.default_rng([seed, number])
            mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
            path.write_bytes(mutation(rng, whole))
            try:
                now = read(path)
            except InputError:
                continue
            n_read += 1
            if not agrees(before, now):
                found.append((number, mutation.__name__))
    finally:
        path.write_bytes(whole)
    return found, n_read


def _of_kind(valid, kind):
    return next(path for path in valid if path.name == kind)


@pytest.mark.timeout(60, method="thread")  # a signal does not end HDF5
@pytest.mark.parametrize("kind", MEANINGS)
def test_what_is_read_of_a_mutated_file_is_what_was_written(valid, kind):
    found, n_read = _silent(_of_kind(valid, kind), SEED, range(20 if kind == "atlas.h5" else 150))
    assert not found
    assert n_read  # or nothing was compared


@pytest.mark.nightly
@pytest.mark.timeout(1800, method="thread")
@pytest.mark.parametrize("kind", MEANINGS)
def test_what_is_read_of_a_mutated_file_is_what_was_written_at_length(valid, kind):
    found, n_read = _silent(_of_kind(valid, kind), SEED, range(150, 2150))
    print(f"seed {SEED}, {kind}: {n_read} of 2000 read, {len(found)} as something else")
    assert not found
