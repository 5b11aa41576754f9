"""A run on a disk that is too small ends with "make room"; with room the same command ends with the same map."""

import pytest

from tests.disks import SmallDisk
from tests.workflows.running import COMMAND, WHOLE_COMMAND, facts, finish, start, write_machine


def assert_goes_on_with_room(disk, campaign, machine, expected, command=COMMAND):
    """Return the exit code of the run on the small disk."""
    out = disk.folder / "run"
    code, said = finish(start(campaign, out, "--machine", machine, command=command))
    assert code in (0, 75), said
    assert "Traceback" not in said
    assert "Logging error" not in said
    assert ("make room" in said) == (code == 75), said
    disk.grow(64 * 1024)
    again, said = finish(start(campaign, out, "--machine", machine, command=command))
    assert again == 0, said
    assert facts(out) == expected
    return code


@pytest.mark.parametrize("size_kb", [4, 24])
def test_a_run_on_a_full_disk_asks_for_room(tmp_path, campaign, size_kb):
    with SmallDisk(tmp_path / "disk", size_kb) as disk:
        code, said = finish(start(campaign, disk.folder / "run", "--workers", 1))
    assert code == 75, said
    assert "make room, then run the same command again" in said
    assert "Traceback" not in said


@pytest.mark.timeout(900)
@pytest.mark.nightly
@pytest.mark.parametrize("size_kb", [4, 32, 64, 96, 128, 160, 256, 400, 800, 1600])
def test_a_run_on_a_disk_of_any_size_ends_with_its_map_once_there_is_room(
    tmp_path, campaign, undisturbed_facts, size_kb, capsys
):
    machine = write_machine(tmp_path / "machine.toml")
    with SmallDisk(tmp_path / "disk", size_kb) as disk:
        code = assert_goes_on_with_room(disk, campaign, machine, undisturbed_facts, command=WHOLE_COMMAND)
    with capsys.disabled():
        print(f"{size_kb} kB: exit code {code}")
