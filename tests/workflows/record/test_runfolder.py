"""A run folder belongs to one campaign, and to one controller at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import config
from workflows.record.runfolder import RunFolder

_HOLD = """
import sys, time
from tests.workflows.tiny import config
from workflows.record.runfolder import RunFolder
with RunFolder(sys.argv[1], config()):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    with RunFolder(tmp_path / "run", config()) as made:
        pass
    return made.path


def test_a_new_folder_remembers_its_campaign(folder):
    found = RunFolder.read(folder)
    assert found.config == config()
    assert found.trials() == []
    assert {path.name for path in folder.iterdir()} == {"campaign.json", "lock"}


def test_a_second_controller_is_refused_a_reader_is_not_and_the_lock_ends_with_its_process(folder):
    """Whichever signal ends it: the kernel releases the lock."""
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline() == b"held\n"
        before = (folder / "campaign.json").read_bytes()
        with (
            pytest.raises(InputError, match=r"run: another run is working in this folder; wait.*or give another --out"),
            RunFolder(folder, config(report={"slices": [[2, 2]]})),
        ):
            pass
        assert (folder / "campaign.json").read_bytes() == before
        assert RunFolder.read(folder).config == config()
        process.kill()
    with RunFolder(folder, config()):
        pass


def test_a_second_controller_in_the_same_process_is_refused(folder):
    with (
        RunFolder(folder, config()),
        pytest.raises(InputError, match="another run is working"),
        RunFolder(folder, config()),
    ):
        pass


def test_another_campaign_is_refused_with_the_keys_that_decide(folder):
    other = config(
        seed=9, search__space__tv__high=7.0, axes__haadf_tilts=[8], name="other", report={"slices": [[8, 2]]}
    )
    before = (folder / "campaign.json").read_bytes()
    with pytest.raises(InputError) as refused, RunFolder(folder, other):
        pass
    message = str(refused.value)
    assert "search.space.tv.high was 5.0 and is now 7.0; seed was 3 and is now 9: results would mix" in message
    assert "give another --out" in message
    assert "axes" not in message  # may change: naming it would mislead
    assert (folder / "campaign.json").read_bytes() == before


def test_a_refused_campaign_leaves_the_lock_free(folder):
    with pytest.raises(InputError, match="holds another campaign"), RunFolder(folder, config(seed=9)):
        pass
    with RunFolder(folder, config()):
        pass


@pytest.mark.parametrize(
    "change",
    [{"axes__haadf_tilts": [2, 4, 8]}, {"search__evaluations": 9}, {"report": {"slices": [[2, 2]]}}, {"name": "new"}],
    ids=str,
)
def test_grid_budget_report_and_name_may_change(folder, change):
    with RunFolder(folder, config(**change)):
        pass
    assert RunFolder.read(folder).config == config(**change)


def test_a_folder_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with (
            pytest.raises(InputError, match=r"cannot be written \(.*\); give another --out"),
            RunFolder(path, config()),
        ):
            pass
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("path", ["/proc/fusedtomo", "/proc/self/fdinfo", "x" * 300], ids=["proc", "fdinfo", "long"])
def test_an_unwritable_folder_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be written"), RunFolder(path, config()):
        pass


def test_a_lock_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(InputError, match=r"lock: cannot be written"), RunFolder(tmp_path, config()):
        pass


@pytest.mark.parametrize("path", ["", "none", "x" * 300], ids=["empty", "missing", "long"])
def test_what_is_no_run_folder_is_refused_for_reading(tmp_path, path):
    with pytest.raises(InputError, match=r"not a run folder|cannot be read"):
        RunFolder.read(tmp_path / path)


@pytest.mark.parametrize("stored", ["{", "[]", "{}", '{"name": 3}', "\0"], ids=str)
def test_a_damaged_campaign_is_named_and_kept(folder, stored):
    (folder / "campaign.json").write_text(stored)
    for attempt in (lambda: RunFolder.read(folder), lambda: RunFolder(folder, config()).__enter__()):
        with pytest.raises(InputError, match=r"campaign\.json: "):
            attempt()
    assert (folder / "campaign.json").read_text() == stored


def test_a_journal_without_its_campaign_is_refused_and_kept(tmp_path):
    (tmp_path / "trials.jsonl").write_text("torn")
    with pytest.raises(InputError, match=r"holds a journal but no campaign\.json"), RunFolder(tmp_path, config()):
        pass
    assert (tmp_path / "trials.jsonl").read_text() == "torn"


def test_the_folder_may_be_given_as_text(tmp_path):
    with RunFolder(str(tmp_path / "a" / "b"), config()) as folder:
        assert folder.path == Path(tmp_path / "a" / "b")
