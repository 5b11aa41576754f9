"""The command: the way of the data from phantom to atlas, and one message for every bad input."""

import base64
import json
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr

from fusedtomo import memory
from fusedtomo.io import read_attributes, read_dataset, read_history, read_truth, read_volume, write_volume
from fusedtomo.volume import ChemicalVolume
from tests.workflows.tiny import REMOVED, config, content, toml_value, write_toml
from workflows.command import cli, reconstruction
from workflows.maps.atlas import build_atlas, read_atlas, write_atlas
from workflows.maps.lookup import weights_for
from workflows.record.journal import TrialResult, best, by_condition, replay
from workflows.record.runfolder import RunFolder
from workflows.report.findings import Findings
from workflows.shipped import shipped
from workflows.trial import evaluate

COMMANDS = [
    "phantom",
    "simulate",
    "import",
    "reconstruct",
    "score",
    "resolution",
    "check",
    "plan",
    "run",
    "status",
    "trials",
    "merge",
    "report",
    "view",
    "reproduce",
    "atlas",
    "submit",
    "doctor",
]


@pytest.fixture
def fusedtomo(monkeypatch, capfd):
    """Call the command; return its exit code and all it printed, on one line."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fusedtomo", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capfd.readouterr()
        return code, re.sub(r"\s+", " ", captured.out + captured.err)

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder with a journal made by hand: every trial of the tiny campaign but one failure."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    small = config(report={"slices": [], "landscapes": []})
    with RunFolder(folder, small) as made:
        lines = []
        for condition in small.conditions():
            for number in range(small.evaluations(condition)):
                lines.append(_trial(condition.key, number, 1 / (dict(condition.at)["chemical_tilts"] + number)).line())
        made.journal.write_text("\n".join(lines) + "\n")
    return folder


def _trial(key, number, nrmse):
    point = {"tv": 0.1 * (number + 1)} | ({"haadf": 0.01} if key.startswith("fused") else {})
    common = {"condition": key, "trial": number, "point": point, "weights": {"haadf": 0.01, "chemical": 1.0, **point}}
    if (key, number) == ("fused-h2-c2", 0):
        return TrialResult(**common, status="failed", reason="MemoryError: [too] much")
    snr = {"HAADF": 100.0, "Co": 3.0, "Ni": 3.0, "O": 3.0}
    return TrialResult(
        **common, status="ok", nrmse=nrmse, nrmse_by_element=dict.fromkeys(("Co", "Ni", "O"), nrmse), snr=snr
    )


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


# --- the way of the data


@pytest.mark.slow
def test_from_phantom_to_the_reconstruction_by_the_atlas(fusedtomo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _make_data(fusedtomo)
    _reconstruct_and_score(fusedtomo, tmp_path)
    _reconstruct_with_every_option(fusedtomo, tmp_path)
    _run_and_report(fusedtomo, tmp_path)
    _reconstruct_by_atlas(fusedtomo, tmp_path)
    assert not list(tmp_path.rglob("*.tmp*"))


def _make_data(fusedtomo):
    assert fusedtomo("phantom", "conio_nanotube", "--size", 16, "--out", "phantom.h5")[0] == 0
    assert read_volume("phantom.h5").data.shape == (3, 16, 16, 16)
    tilts = ["--haadf-tilts", 4, "--chemical-tilts", 3, "--haadf-snr", 100, "--chemical-snr", "Co=3,Ni=3,O=3"]
    code, said = fusedtomo("simulate", "phantom.h5", *tilts, "--out", "data.h5")
    assert code == 0
    assert "4 HAADF and 3 chemical tilts of Co, Ni, O; 16 x 16 pixels" in said
    assert read_dataset("data.h5").chemical_counts.shape == (3, 3, 16, 16)
    np.testing.assert_array_equal(read_truth("data.h5").data, read_volume("phantom.h5").data)


def _reconstruct_and_score(fusedtomo, folder):
    code, said = fusedtomo("reconstruct", "data.h5", "--tv", 0.5, "--iterations", 3, "--out", "fused.h5", "--compare")
    assert code == 0
    assert "weights: haadf 0.1, chemical 1, tv 0.5" in said
    assert read_attributes("fused.h5")["method"] == "fused"
    assert len(read_history("fused.h5")["total"]) == 4
    assert is_png(folder / "fused.slices.png")
    assert is_png(folder / "fused.cost.png")
    code, said = fusedtomo("score", "fused.h5", "data.h5")
    assert code == 0
    final = read_history("fused.h5")["nrmse"][-1]
    assert f"mean {final:.3f}" in said
    assert said == fusedtomo("score", "fused.h5", "phantom.h5")[1]


def _reconstruct_with_every_option(fusedtomo, folder):
    options = [
        "--tv-kind",
        "anisotropic",
        "--tv-iterations",
        2,
        "--chemical-term",
        "least-squares",
        "--mask",
        "cylinder",
    ]
    factors = ["--factor", "Co.tv=2", "--factor", "O.chemical=0.5", "--initial", "fused.h5", "--no-picture"]
    code, said = fusedtomo("reconstruct", "data.h5", "--iterations", 2, *options, *factors, "--out", "options.h5")
    assert code == 0, said
    settings = json.loads(read_attributes("options.h5")["settings"])
    assert settings["tv_by_element"] == {"Co": 2.0}
    assert settings["chemical_by_element"] == {"O": 0.5}
    found = (settings["tv"], settings["tv_iterations"], settings["chemical_term"], settings["mask"])
    assert found == ("anisotropic", 2, "least-squares", "cylinder")
    code, said = fusedtomo("reconstruct", "data.h5", "--iterations", 1, "--mask", "phantom.h5", "--out", "mask.h5")
    assert code == 0, said
    assert not read_volume("mask.h5").data[:, ~read_volume("phantom.h5").data.any(axis=0)].any()


def _run_and_report(fusedtomo, folder):
    write_toml(folder / "tiny.toml", axes={"haadf_tilts": [2, 4], "chemical_tilts": [3]}, search__strategy="sobol")
    code, said = fusedtomo("check", "tiny.toml")
    assert code == 0
    assert "2 HAADF tilts x 1 chemical tilts; fused, Poisson + TV, Poisson: 4 conditions" in said
    assert "12 trials by sobol over haadf, tv" in said
    # a process of its own: Parsl leaves its log file open in this one
    command = [sys.executable, "-m", "workflows.command.cli", "run", "tiny.toml", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert "report: runs/tiny/report.html" in done.stderr
    run = folder / "runs" / "tiny"
    assert len(replay(run / "trials.jsonl")) == 12
    for name in ("sampling_map.png", "atlas.png"):
        assert is_png(run / name)
    assert list(run.glob("slices-*.png"))
    assert list(run.glob("landscape-*.png"))
    images = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", (run / "report.html").read_text())
    assert len(images) >= 4
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images)
    code, said = fusedtomo("status", run)
    assert code == 0
    assert "12/12, 0 failed" in said


def _reconstruct_by_atlas(fusedtomo, folder):
    atlas = folder / "runs" / "tiny" / "atlas.h5"
    winner = best(by_condition(replay(atlas.parent / "trials.jsonl"))["fused-h4-c3"])
    with xr.open_dataset(atlas, engine="h5netcdf") as found:
        assert (found.sizes["haadf_tilts"], found.sizes["chemical_tilts"]) == (2, 1)
        assert set(found.method_name.values) == {"fused", "poisson-tv", "poisson"}
        cell = found.sel(method_name="fused", haadf_tilts=4, chemical_tilts=3)
        assert cell.nrmse == winner.nrmse
        assert {name: cell[name].item() for name in winner.weights} == winner.weights
    command = ["reconstruct", "data.h5", "--atlas", atlas, "--iterations", 3, "--no-picture"]
    code, said = fusedtomo(*command, "--out", "by-atlas.h5")
    assert code == 0
    looked_up = weights_for(read_atlas(atlas), {"haadf_tilts": 4, "chemical_tilts": 3})  # eight trials make a model
    weights = ", ".join(f"{name} {looked_up.weights[name]:.3g}" for name in winner.weights)
    assert f"weights: {weights} (from {atlas})" in said
    assert f"expected loss by these weights: {looked_up.loss:.1%} of the NRMSE" in said
    assert not (folder / "by-atlas.slices.png").exists()
    code, said = fusedtomo(*command, "--tv", 0.25, "--out", "mixed.h5")
    assert "tv 0.25 (from" in said  # what is given wins


def test_an_atlas_is_read_by_tilt_counts_and_warns_of_another_snr(fusedtomo, tmp_path, finished, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atlas(build_atlas(Findings(RunFolder.read(finished)).map, {}), "atlas.h5")
    fusedtomo("phantom", "conio_nanotube", "--size", 16)
    for snr, outside, words in ((3, 4, ()), (30, 9, ("chemical SNR", "outside the atlas: 9 HAADF tilts"))):
        tilts = ["--haadf-tilts", outside, "--chemical-tilts", 2, "--chemical-snr", snr]
        assert fusedtomo("simulate", "phantom.h5", *tilts, "--overwrite")[0] == 0
        command = ["reconstruct", "data.h5", "--atlas", "atlas.h5", "--iterations", 1, "--no-picture"]
        code, said = fusedtomo(*command, "--overwrite")
        assert code == 0
        assert ("outside the atlas" in said) == bool(words)  # one iteration leaves a misfit, which is told as well
        assert all(word in said for word in words)
        # the best trial of (4, 2) is its last
        assert "haadf 0.01, chemical 1, tv 0.4" in said


def test_status_shows_the_map_and_the_reasons_of_failures(fusedtomo, finished):
    code, said = fusedtomo("status", finished)
    assert code == 0
    assert "24/24, 1 failed" in said
    assert "MemoryError: [too] much" in said


def test_report_is_the_same_again_and_needs_the_journal_alone(fusedtomo, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    journal = (run / "trials.jsonl").read_bytes()
    assert fusedtomo("report", run)[0] == 0
    assert (run / "report.html").stat().st_size > 10_000
    assert is_png(run / "sampling_map.png")
    assert (run / "trials.jsonl").read_bytes() == journal


@pytest.mark.parametrize("journal", ["", _trial("fused-h2-c2", 0, None).line() + "\n"], ids=["empty", "all failed"])
def test_status_and_report_of_a_run_without_a_result(fusedtomo, tmp_path, journal):
    with RunFolder(tmp_path / "run", config()) as made:
        made.journal.write_text(journal)
    for command in ("status", "report"):
        code, said = fusedtomo(command, tmp_path / "run")
        assert code == 0, said


def test_phantom_list_names_every_family(fusedtomo):
    code, said = fusedtomo("phantom", "list")
    assert code == 0
    assert "cuo_coo_nanocubes" in said
    assert "conio_nanotube" in said


def test_plan_counts_trials_and_predicts_a_time(fusedtomo, tmp_path):
    code, said = fusedtomo("plan", write_toml(tmp_path / "tiny.toml"), "--workers", 2)
    assert code == 0
    for words in ("4 of fused, 4 of other methods", "trials 24", "2 on laptop", "predicted time", "s to "):
        assert words in said


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_begins_like_the_command(fusedtomo, command):
    code, said = fusedtomo(command, "--help")
    assert code == 0
    assert re.search(rf"Example.*fusedtomo {command}", said)
    assert fusedtomo(command, "-h") == (code, said)


def test_help_lists_every_command(fusedtomo):
    said = fusedtomo("--help")[1]
    assert all(re.search(rf"\b{command}\b", said) for command in COMMANDS)
    assert "--install-completion" in said


def test_check_tells_everything_that_is_wrong_at_once(fusedtomo, work):
    changes = {"sedd": 3, "phantom__size": 8, "search__evaluations": 0, "acquisition__haadf": {"snr": 0.5}}
    write_toml(work / "bad.toml", **changes)
    code, said = fusedtomo("check", "bad.toml")
    assert code == 2
    assert said.count("error: bad.toml: ") == 4
    assert "4 errors; " in said
    for words in ("'sedd' = 3", "'phantom.size' = 8", "'search.evaluations' = 0", "snr 0.5 is not above 1"):
        assert words in said
    code, said = fusedtomo("run", "bad.toml")  # the others name the first alone
    assert (code, said.count("error:")) == (2, 1)


def test_check_counts_no_single_error(fusedtomo, work):
    write_toml(work / "bad.toml", sedd=3)
    said = fusedtomo("check", "bad.toml")[1].strip()
    assert said == "error: bad.toml: unknown key 'sedd' = 3; did you mean 'seed'?"


def test_check_makes_a_trial_of_each_method_and_says_which_fails(fusedtomo, work, monkeypatch):
    solve = evaluate.solve

    def broken(dataset, method, *rest, **more):
        if method == "poisson-tv":
            raise FloatingPointError("no number")
        return solve(dataset, method, *rest, **more)

    monkeypatch.setattr(evaluate, "solve", broken)
    write_toml(work / "fine.toml", phantom__size=64)
    code, said = fusedtomo("check", "fine.toml")
    assert code == 2
    assert "error: fine.toml: a trial of poisson-tv fails at 16^3 already: FloatingPointError: no number" in said
    assert said.count("error:") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "thing"),
    [
        (["phantom", "conio_nanotube", "--out", "new.h5"], "conio_nanotube at 64^3"),
        (
            ["simulate", "volume.h5", "--haadf-tilts", 1000, "--chemical-tilts", 3, "--out", "new.h5"],
            "simulating 1000 HAADF",
        ),
        (["reconstruct", "data.h5", "--out", "new.h5"], "data.h5: the reconstruction of 16 x 16 x 16 voxels"),
    ],
    ids=["phantom", "simulate", "reconstruct"],
)
def test_what_memory_cannot_hold_is_refused_before_work(fusedtomo, work, monkeypatch, arguments, thing):
    monkeypatch.setattr(memory, "available_gb", lambda: 1e-4)
    monkeypatch.setattr(reconstruction, "available_gb", lambda: 1e-4)
    code, said = fusedtomo(*arguments)
    assert code == 2
    assert re.search(rf"error: {re.escape(thing)}.* needs about \S+ GB, but 0.0001 GB of memory are free; \w+", said)
    assert not (work / "new.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "volume.h5", "--haadf-tilts", 100000000, "--chemical-tilts", 3], "less than or equal to 1000"),
        (["simulate", "volume.h5", "--haadf-increment", 1e-6, "--chemical-tilts", 3], "makes more than 1000 tilts"),
        (["reconstruct", "data.h5", "--depth", 100000], "'depth' = 100000: input should be less than or equal to 8192"),
        (["phantom", "conio_nanotube", "--size", 100000], "less than or equal to 1024"),
    ],
    ids=["tilts", "increment", "depth", "size"],
)
def test_sizes_beyond_reason_are_refused_with_their_range(fusedtomo, work, arguments, words):
    code, said = fusedtomo(*arguments, "--out", "new.h5")
    assert code == 2
    assert words in said


def test_a_shipped_campaign_is_known_by_its_name(fusedtomo, work):
    code, said = fusedtomo("check", "quickstart")
    assert code == 0
    assert re.search(r"/configs/campaigns/quickstart.toml: valid. 'quickstart'", said)
    code, said = fusedtomo("submit", "quickstart", "--machine", "slurm", "--dry-run")
    assert code == 0
    assert re.search(r" quickstart: \S+/configs/campaigns/quickstart.toml ", said)  # which one is meant
    assert re.search(r"fusedtomo run /\S+/configs/campaigns/quickstart.toml --machine slurm", said)
    shutil.copy("tiny.toml", "quickstart.toml")
    assert "quickstart.toml: valid. 'tiny'" in fusedtomo("check", "quickstart")[1]


@pytest.mark.parametrize("command", ["check", "plan", "run", "submit"])
def test_an_unknown_campaign_is_told_what_is_shipped(fusedtomo, work, command):
    more = ["--machine", "slurm"] if command == "submit" else []
    words = [
        "no 'quikstart' among the shipped campaigns",
        "did you mean 'quickstart'?",
        f"Shipped: {', '.join(shipped('campaigns'))}",
    ]
    refused(fusedtomo, work, [command, "quikstart", *more], words)


@pytest.mark.parametrize(
    ("method", "shown"),
    [("fused", ["haadf 0.1, chemical 1, tv 1"]), ("poisson-tv", ["weights: chemical 1, tv 1"]), ("sirt", [])],
)
def test_weights_are_shown_of_the_terms_that_the_method_has(fusedtomo, work, method, shown):
    code, said = fusedtomo("reconstruct", "data.h5", "--method", method, "--iterations", 1, "--no-picture")
    assert code == 0, said
    assert all(words in said for words in shown)
    assert ("weights:" in said) == bool(shown)
    assert "warning" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--iterations", 2],
            r"not converged: in the last 10 iterations .* moved by \d+\.\d+ % of it at most; raise --iter",
        ),
        (["--tolerance", 0.5, "--iterations", 9], r"not converged: .*; lower --tolerance"),
        (["--method", "poisson", "--iterations", 300], r"tolerance converged: .* moved by 0\.00 % of it at most"),
        (
            ["--method", "gradient-descent", "--haadf", 100, "--chemical", 100],
            r"warning: diverging: the cost rose; this is the best iterate\. Lower the weights",
        ),
    ],
    ids=["cut short", "stopped early", "done", "lost"],
)
def test_a_reconstruction_says_whether_it_converged(fusedtomo, work, options, words):
    code, said = fusedtomo("reconstruct", "data.h5", *options, "--no-picture")
    assert code == 0, said
    assert re.search(words, said), said


def test_a_weight_that_the_method_does_not_have_is_said_to_be_in_vain(fusedtomo, work):
    command = ["reconstruct", "data.h5", "--method", "sirt", "--tv", 2, "--haadf", 1, "--iterations", 1]
    said = fusedtomo(*command, "--no-picture")[1]
    assert re.search(r"warning: --haadf, --tv: not used, sirt has no such weight", said)


@pytest.mark.parametrize(
    "command",
    [
        ["reconstruct", "data.h5", "--iterations", "1", "--no-picture"],
        ["simulate", "volume.h5", "--haadf-tilts", "3", "--chemical-tilts", "3", "--out", "new.h5"],
        ["score", "volume.h5", "data.h5"],
        ["plan", "tiny.toml"],
    ],
    ids=lambda command: command[0],
)
def test_the_first_minute_is_not_mute(fusedtomo, work, command):
    code, said = fusedtomo(*command)
    assert code == 0
    assert said.count("the first time on a machine, preparing the kernels takes up to a minute") == 1


def test_trials_are_sorted_by_a_column(fusedtomo, work):
    lines = fusedtomo("trials", "run", "--sort", "nrmse", "--json")[1]
    found = [float(value) for value in re.findall(r'"nrmse": ([0-9.]+)', lines)]
    assert len(found) == 23
    assert found == sorted(found)
    refused(fusedtomo, work, ["trials", "run", "--sort", "nmrse"], ["--sort nmrse", "did you mean 'nrmse'?"])


# --- bad input


@pytest.fixture(scope="module")
def originals(tmp_path_factory, finished):
    """Good files, for each bad case to copy and spoil."""
    folder = tmp_path_factory.mktemp("originals")
    data = np.zeros((3, 16, 16, 16), np.float32)
    data[:, 5:11, 5:11, 5:11] = 1 / 3
    write_volume(ChemicalVolume(data, ("Co", "Ni", "O"), 1.0), folder / "volume.h5")
    from fusedtomo.settings import Acquisition
    from fusedtomo.simulate import simulate

    modality = {"tilts": {"count": 3}, "snr": 5.0}
    dataset = simulate(read_volume(folder / "volume.h5"), Acquisition(haadf=modality, chemical=modality))
    from fusedtomo.io import write_dataset

    write_dataset(dataset, folder / "data.h5", read_volume(folder / "volume.h5"))
    write_dataset(dataset, folder / "no-truth.h5")
    write_dataset(dataset, folder / "other-voxels.h5", ChemicalVolume(data, ("Co", "Ni", "O"), 2.0))
    write_toml(folder / "tiny.toml")
    shutil.copytree(finished, folder / "run")
    return folder


@pytest.fixture
def work(tmp_path, originals, monkeypatch):
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(folder):
    """Every file and its content."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(fusedtomo, folder, command, fragments, expected=2):
    """The command ends with 2 (or `expected`) and one message with the fragments in it, and harms no file."""
    before = snapshot(folder)
    code, said = fusedtomo(*command)
    assert "Traceback" not in said
    assert code == expected, said
    for fragment in fragments:
        assert fragment in said
    after = snapshot(folder)
    assert {path: after.get(path) for path in before} == before
    new = {path.name for path in set(after) - set(before)}
    assert new <= {"lock", "campaign.json", "state.json", "trials.jsonl"}, new  # nothing half made is left


def test_a_good_campaign_and_data_set_are_accepted(fusedtomo, work):
    assert fusedtomo("check", "tiny.toml")[0] == 0
    assert fusedtomo("score", "volume.h5", "data.h5")[0] == 0


BAD_CAMPAIGNS = {
    "unknown key": ({"sedd": 3}, ["'sedd' = 3", "did you mean 'seed'?"]),
    "unknown key inside": ({"search__evaluation": 3}, ["'search.evaluation' = 3", "did you mean 'evaluations'?"]),
    "unknown weight": ({"search__space": {"hadf": {"low": 1, "high": 2}}}, ["search.space", "'hadf'", "haadf"]),
    "unknown strategy": ({"search__strategy": "gp"}, ["'search.strategy' = 'gp'", "gp_hedge", "sobol", "grid"]),
    "missing": ({"phantom": REMOVED}, ["'phantom' is missing; add it"]),
    "negative seed": ({"seed": -1}, ["'seed' = -1", "greater than or equal to 0"]),
    "no evaluations": ({"search__evaluations": 0}, ["'search.evaluations' = 0", "greater than or equal to 1"]),
    "nan": ({"search__space__tv__low": float("nan")}, ["'search.space.tv.low' = nan", "finite"]),
    "range upside down": ({"search__space__tv__low": 9.0}, ["'search.space.tv'", "low 9 is not below high 5"]),
    "log of zero": ({"search__space__tv__low": 0.0}, ["'search.space.tv.low' = 0.0", "greater than 0"]),
    "gamma": ({"search__space__gamma": {"low": 0.5, "high": 2.0}}, ["space.gamma", "0.5", "or equal to 1"]),
    "one tilt": ({"axes__haadf_tilts": [1, 4]}, ["'axes'", "haadf_tilts = 1", "greater than or equal to 2"]),
    "too many tilts": ({"axes__haadf_tilts": [10**9]}, ["'axes'", "haadf_tilts = 1000000000", "or equal to 1000"]),
    "tilts unsorted": ({"axes__chemical_tilts": [4, 2]}, ["'axes'", "[4, 2]", "sort them"]),
    "angle": ({"acquisition__max_deg": 120.0}, ["'acquisition.max_deg' = 120.0", "less than or equal to 90"]),
    "angles upside down": ({"acquisition__min_deg": 80.0}, ["'acquisition'", "min_deg 80 is not below max_deg 70"]),
    "snr": ({"acquisition__chemical": {"snr": 0.5}}, ["'acquisition.chemical'", "snr 0.5 is not above 1"]),
    "snr and dose": (
        {"acquisition__haadf": {"snr": 5.0, "dose_counts": 5.0}},
        ["'acquisition.haadf'", "give one of snr, dose_counts and total_dose_counts"],
    ),
    "no element": ({"acquisition__chemical": {"snr": {"Co": 2.0, "Xx": 2.0}}}, ["chemical.snr", "Xx", "Co, Ni, O"]),
    "phantom": ({"phantom__name": "conio_tube"}, ["'phantom.name' = 'conio_tube'", "did you mean 'conio_nanotube'?"]),
    "phantom's size": ({"phantom__size": 8}, ["'phantom.size' = 8", "greater than or equal to 16"]),
    "field of view": ({"phantom__field_of_view_nm": 1.0}, ["field of view of 1 nm", "give field_of_view_nm"]),
    "report": ({"report": {"slices": [[9, 9]]}}, ["report names the cell [9, 9]"]),
    "name": ({"name": "../x"}, ["'name' = '../x'", "pattern"]),
}


@pytest.mark.parametrize("command", ["check", "plan", "run"])
@pytest.mark.parametrize("case", BAD_CAMPAIGNS)
def test_a_bad_campaign_is_refused_by_every_command_that_takes_one(fusedtomo, work, command, case):
    change, fragments = BAD_CAMPAIGNS[case]
    write_toml(work / "bad.toml", **change)
    refused(fusedtomo, work, [command, "bad.toml"], ["bad.toml: ", *fragments])


@pytest.mark.parametrize("command", ["check", "plan", "run"])
@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("none.toml", ["none.toml: cannot be read", "give the path of a TOML file"]),
        ("run", ["run: cannot be read", "folder"]),
        ("data.h5", ["data.h5: cannot be read"]),
        ("torn.toml", ["torn.toml: not valid TOML", "mend that line"]),
    ],
)
def test_a_file_that_is_no_campaign_is_refused(fusedtomo, work, command, name, fragments):
    whole = f"name = 'tiny'\nsearch = {toml_value(content()['search'])}"
    (work / "torn.toml").write_text(whole[:-3])
    refused(fusedtomo, work, [command, name], fragments)


def edit(path, **changes):
    """Replace data sets or attributes (``group@name``) of an HDF5 file; None removes."""
    with h5py.File(path, "r+") as file:
        for name, value in changes.items():
            group, at, attribute = name.replace("__", "/").partition("@")
            if at:
                file[group or "/"].attrs[attribute] = value
                continue
            if callable(value):
                value = value(file[group][()])
            attributes = dict(file[group].attrs)
            del file[group]
            if value is not None:
                file.create_dataset(group, data=value)
                file[group].attrs.update(attributes)


def spoiled(array, value):
    array = np.array(array)
    array.flat[7] = value
    return array


BAD_DATA = {
    "no chemistry": ({"chemical__counts": None}, ["/chemical/counts", "is missing"]),
    "NaN": ({"haadf__counts": lambda a: spoiled(a, np.nan)}, ["/haadf/counts", "NaN"]),
    "infinity": ({"chemical__counts": lambda a: spoiled(a, np.inf)}, ["/chemical/counts", "infinity"]),
    "negative": ({"chemical__counts": lambda a: spoiled(a, -3)}, ["'Co' has negative counts", "-3", "raw counts"]),
    "dimensions": ({"chemical__counts": lambda a: a[0]}, ["/chemical/counts", "(3, 16, 16)", "4 dimensions"]),
    "other pixels": ({"haadf__counts": lambda a: a[:, :8]}, ["HAADF images are (8, 16)", "(16, 16)", "crop"]),
    "fewer images": ({"haadf__counts": lambda a: a[:2]}, ["2 projections", "3 angles"]),
    "one angle": (
        {"haadf__angles_deg": [0.0], "haadf__counts": lambda a: a[:1]},
        ["/haadf/angles_deg", "at least two angles, but 1 given", "add angles"],
    ),
    "angle out of range": ({"chemical__angles_deg": [0.0, 9.0, 95.0]}, ["/chemical/angles_deg", "95", "+-90"]),
    "NaN angle": ({"chemical__angles_deg": [0.0, 9.0, np.nan]}, ["/chemical/angles_deg", "NaN"]),
    "angle twice": ({"chemical__angles_deg": [0.0, 9.0, 9.0]}, ["/chemical/angles_deg", "given twice"]),
    "no element": ({"chemical__elements": [b"Co", b"Xx", b"O"]}, ["element 'Xx' has no atomic number"]),
    "an element twice": ({"chemical__elements": [b"Co", b"Co", b"O"]}, ["/chemical/elements", "each element once"]),
    "text": ({"haadf__counts": [b"a", b"b"]}, ["/haadf/counts", "numbers"]),
    "no pixel size": ({"@pixel_nm": -1.0}, ["pixel_nm is -1", "above 0"]),
    "other kind": ({"@fusedtomo_kind": "volume"}, ["fusedtomo_kind", "'volume'", "dataset"]),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_a_bad_data_set_is_refused(fusedtomo, work, case):
    changes, fragments = BAD_DATA[case]
    edit(work / "data.h5", **changes)
    refused(fusedtomo, work, ["reconstruct", "data.h5", "--iterations", 1], ["data.h5: ", *fragments])


BAD_VOLUMES = {
    "NaN": ({"volume__data": lambda a: spoiled(a, np.nan)}, ["/volume/data", "NaN"]),
    "negative": ({"volume__data": lambda a: spoiled(a, -5)}, ["Co", "-5", "0 or more"]),
    "dimensions": ({"volume__data": lambda a: a[0]}, ["/volume/data", "4 dimensions"]),
    "no element": ({"volume__elements": [b"Co", b"Xx", b"O"]}, ["element 'Xx' has no atomic number"]),
    "fewer elements": ({"volume__elements": [b"Co", b"O"]}, ["3 channels but 2 elements"]),
}


@pytest.mark.parametrize("case", BAD_VOLUMES)
def test_a_bad_volume_is_refused(fusedtomo, work, case):
    changes, fragments = BAD_VOLUMES[case]
    edit(work / "volume.h5", **changes)
    tilts = ["--haadf-tilts", 3, "--chemical-tilts", 3]
    command = ["simulate", "volume.h5", *tilts, "--out", "new.h5"]
    refused(fusedtomo, work, command, ["volume.h5: ", *fragments])


TILTS = ["--haadf-tilts", "3", "--chemical-tilts", "3"]
BAD_COMMANDS = {
    "phantom unknown": (["phantom", "nanotub"], ["'nanotub'", "did you mean"]),
    "phantom too small": (["phantom", "conio_nanotube", "--size", "8"], ["'size' = 8", "or equal to 16"]),
    "phantom too large": (["phantom", "conio_nanotube", "--size", "99999"], ["'size' = 99999", "or equal to 1024"]),
    "phantom's seed": (["phantom", "conio_nanotube", "--seed", "-1"], ["'seed' = -1"]),
    "target exists": (["phantom", "conio_nanotube", "--out", "data.h5"], ["data.h5 exists", "--overwrite"]),
    "target is a folder": (["phantom", "conio_nanotube", "--out", "run", "--overwrite"], ["run: is a folder"]),
    "no folder": (["phantom", "conio_nanotube", "--out", "no/x.h5"], ["no/x.h5", "no folder 'no'", "make it"]),
    "long name": (["phantom", "conio_nanotube", "--out", "x" * 300], ["xxx", "cannot be written"]),
    "unwritable": (["phantom", "conio_nanotube", "--size", "16", "--out", "/proc/x.h5"], ["/proc/x.h5", "cannot be"]),
    "no tilts": (["simulate", "volume.h5", "--chemical-tilts", "3"], ["how many haadf tilts?", "--haadf-tilts"]),
    "one tilt": (["simulate", "volume.h5", "--haadf-tilts", "1", "--chemical-tilts", "3"], ["'haadf.tilts.count' = 1"]),
    "tilts and angles": (
        ["simulate", "volume.h5", *TILTS, "--haadf-angles", "1,2"],
        ["'haadf.tilts'", "exactly one of"],
    ),
    "one angle": (
        ["simulate", "volume.h5", "--haadf-angles", "3", "--chemical-tilts", "3"],
        ["haadf.tilts.angles_deg"],
    ),
    "angle out of range": (
        ["simulate", "volume.h5", "--haadf-angles", "3,97", "--chemical-tilts", "3"],
        ["'haadf.tilts.angles_deg.1' = 97.0", "or equal to 90"],
    ),
    "angle twice": (
        ["simulate", "volume.h5", "--haadf-angles", "3,3", "--chemical-tilts", "3"],
        ["--haadf-angles: 3 is given twice", "each angle once"],
    ),
    "angle nan": (
        ["simulate", "volume.h5", "--haadf-angles", "3,nan", "--chemical-tilts", "3"],
        ["angles_deg.1' = nan"],
    ),
    "angle text": (
        ["simulate", "volume.h5", "--haadf-angles", "3,x", "--chemical-tilts", "3"],
        ["--haadf-angles: 'x'"],
    ),
    "range": (["simulate", "volume.h5", *TILTS, "--min-deg", "80"], ["min_deg 80 is not below max_deg 70"]),
    "snr": (["simulate", "volume.h5", *TILTS, "--chemical-snr", "1"], ["'chemical'", "snr 1 is not above 1"]),
    "snr nan": (["simulate", "volume.h5", *TILTS, "--haadf-snr", "nan"], ["'haadf.snr' = nan"]),
    "snr text": (["simulate", "volume.h5", *TILTS, "--chemical-snr", "Co=x"], ["--chemical-snr: 'x' is not a number"]),
    "snr of some": (
        ["simulate", "volume.h5", *TILTS, "--chemical-snr", "Co=3", "--out", "n.h5"],
        ["not for Ni; add 'Ni"],
    ),
    "snr and dose": (
        ["simulate", "volume.h5", *TILTS, "--haadf-snr", "3", "--haadf-dose", "9"],
        ["'haadf'", "give one of snr, dose_counts and total_dose_counts"],
    ),
    "gamma": (["simulate", "volume.h5", *TILTS, "--gamma", "3"], ["'gamma' = 3.0", "or equal to 2"]),
    "simulate nothing": (["simulate", "none.h5", *TILTS, "--out", "n.h5"], ["none.h5: cannot be read"]),
    "simulate data": (["simulate", "data.h5", *TILTS, "--out", "n.h5"], ["data.h5", "'dataset'", "volume"]),
    "reconstruct nothing": (["reconstruct", "none.h5"], ["none.h5: cannot be read", "give the path"]),
    "reconstruct a folder": (["reconstruct", "run"], ["run: cannot be read (it is a folder)"]),
    "reconstruct text": (["reconstruct", "tiny.toml"], ["tiny.toml: is not an HDF5 file"]),
    "method": (["reconstruct", "data.h5", "--method", "fusd"], ["no method 'fusd'", "did you mean 'fused'?"]),
    "weight": (["reconstruct", "data.h5", "--tv", "-1"], ["'tv' = -1", "or equal to 0"]),
    "weight nan": (["reconstruct", "data.h5", "--haadf", "nan"], ["'haadf' = nan"]),
    "iterations": (["reconstruct", "data.h5", "--iterations", "0"], ["'max_iterations' = 0"]),
    "eps": (["reconstruct", "data.h5", "--eps", "0"], ["'eps' = 0.0", "or equal to 0.000000000001"]),
    "no atlas": (["reconstruct", "data.h5", "--atlas", "none.h5"], ["none.h5: cannot be read", "atlas.h5"]),
    "atlas of other kind": (["reconstruct", "data.h5", "--atlas", "volume.h5"], ["volume.h5: not a fusedtomo atlas"]),
    "atlas is text": (["reconstruct", "data.h5", "--atlas", "tiny.toml"], ["tiny.toml: cannot be read as HDF5"]),
    "other voxels": (["reconstruct", "other-voxels.h5"], ["voxels of 1 nm but the truth 2 nm"]),
    "markup": (["check", "m[/x].toml"], ["m[/x].toml: cannot be read"]),
    "no name": (["phantom", "conio_nanotube", "--size", "16", "--out", ""], [".: is a folder"]),
    "long name of a file": (["phantom", "conio_nanotube", "--size", "16", "--out", "v" * 300], ["cannot be written"]),
    "long folder": (["run", "tiny.toml", "--out", "r" * 300], ["File name too long"]),
    "score nothing": (["score", "none.h5", "data.h5"], ["none.h5: cannot be read"]),
    "score without truth": (["score", "volume.h5", "no-truth.h5"], ["no-truth.h5", "no truth", "give the phantom"]),
    "score text": (["score", "volume.h5", "tiny.toml"], ["tiny.toml: is not an HDF5 file"]),
    "machine": (["run", "tiny.toml", "--machine", "laptpo"], ["no machine 'laptpo'", "did you mean 'laptop'?"]),
    "machine's file": (["plan", "tiny.toml", "--machine", "none.toml"], ["none.toml: cannot be read"]),
    "doctor's machine": (["doctor", "--machine", "laptpo"], ["no machine 'laptpo'"]),
    "no workers": (["run", "tiny.toml", "--workers", "0"], ["--workers = 0", "give 1 or more"]),
    "too many workers": (["run", "tiny.toml", "--workers", "99999"], ["--workers", "99999", "or equal to 4096"]),
    "run folder is a file": (["run", "tiny.toml", "--out", "data.h5"], ["data.h5: cannot be written", "another --out"]),
    "run folder below a file": (["run", "tiny.toml", "--out", "data.h5/x"], ["data.h5/x: cannot be written"]),
    "run folder in /proc": (["run", "tiny.toml", "--out", "/proc/x"], ["/proc/x: cannot be written", "another --out"]),
    "status of nothing": (["status", "none"], ["none: not a run folder (no campaign.json)", "--out folder"]),
    "trials of nothing": (["trials", "none"], ["none: not a run folder", "--out folder"]),
    "trials of no condition": (["trials", "run", "--condition", "fused"], ["no condition 'fused'", "did you mean"]),
    "report of nothing": (["report", "."], ["not a run folder (no campaign.json)", "--out folder"]),
    "status of a file": (["status", "data.h5"], ["data.h5: not a run folder"]),
    "recipe": (["import", "none.toml", "--out", "n.h5"], ["none.toml: cannot be read"]),
    "unknown command": (["reconstuct", "data.h5"], ["No such command 'reconstuct'"]),
    "unknown option": (["run", "tiny.toml", "--worker", "2"], ["--worker"]),
}


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_a_bad_command_is_refused(fusedtomo, work, case):
    command, fragments = BAD_COMMANDS[case]
    refused(fusedtomo, work, command, fragments)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("data.h5", ["reconstruct", "data.h5"]),
        ("volume.h5", ["simulate", "volume.h5", *TILTS, "--out", "new.h5"]),
        ("volume.h5", ["score", "volume.h5", "data.h5"]),
    ],
    ids=["reconstruct", "simulate", "score"],
)
def test_a_file_that_was_cut_short_is_refused(fusedtomo, work, name, command, share):
    whole = (work / name).read_bytes()
    (work / name).write_bytes(whole[: int(len(whole) * share)])
    refused(fusedtomo, work, command, [f"{name}: "])


def test_a_score_of_other_elements_or_shapes_is_refused(fusedtomo, work):
    small = np.ones((3, 8, 8, 8), np.float32)
    write_volume(ChemicalVolume(small, ("Co", "Ni", "O"), 1.0), "small.h5")
    write_volume(ChemicalVolume(np.ones((3, 16, 16, 16), np.float32), ("Co", "Ni", "S"), 1.0), "other.h5")
    refused(fusedtomo, work, ["score", "small.h5", "volume.h5"], ["(8, 8, 8)", "(16, 16, 16)", "bin or crop"])
    refused(fusedtomo, work, ["score", "other.h5", "volume.h5"], ["Co, Ni, S", "Co, Ni, O", "same elements"])


def test_an_odd_volume_is_no_fine_grid(fusedtomo, work):
    write_volume(ChemicalVolume(np.ones((1, 9, 9, 8), np.float32), ("Co",), 1.0), "odd.h5")
    refused(fusedtomo, work, ["simulate", "odd.h5", *TILTS, "--fine", "--out", "n.h5"], ["(9, 9, 8)"])


ON_A_RUN = [
    ["status", "run"],
    ["status", "run", "--watch"],
    ["trials", "run"],
    ["report", "run"],
    ["run", "tiny.toml", "--out", "run"],
]


def test_a_run_folder_of_another_campaign_is_refused(fusedtomo, work):
    write_toml(work / "other.toml", seed=4)
    command = ["run", "other.toml", "--out", "run"]
    refused(fusedtomo, work, command, ["run: holds another campaign", "seed was 3 and is now 4", "another --out"])


def test_two_runs_in_one_folder_at_once_are_refused(fusedtomo, work):
    with RunFolder(work / "run", config()):
        command = ["run", "tiny.toml", "--out", "run"]
        refused(fusedtomo, work, command, ["run: another run is working", "wait for it"], expected=75)


@pytest.mark.parametrize("command", ON_A_RUN, ids=" ".join)
def test_a_broken_journal_is_refused_and_kept(fusedtomo, work, command):
    journal = work / "run" / "trials.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([lines[0], "broken\n", *lines[2:]]))
    refused(fusedtomo, work, command, ["trials.jsonl:2: not a trial", "restore the line or remove it"])


@pytest.mark.parametrize("command", ON_A_RUN, ids=" ".join)
def test_a_damaged_run_folder_is_refused_and_kept(fusedtomo, work, command):
    stored = work / "run" / "campaign.json"
    stored.write_text(stored.read_text()[:-20])
    refused(fusedtomo, work, command, ["campaign.json: not valid JSON", "mend it"])
