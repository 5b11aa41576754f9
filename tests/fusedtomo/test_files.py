"""A name stands for a whole file or for the one before it, and a full disk has one error."""

import pytest

from fusedtomo.errors import NoRoom
from fusedtomo.files import check_room, replacing
from tests.disks import file_size_limit


def test_a_full_disk_is_an_error_with_the_file_s_own_name_and_leaves_the_old_one(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    told = r"/a\.txt: cannot be written \(File too large\); make room, then"
    with pytest.raises(NoRoom, match=told), file_size_limit(10), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("x" * 11)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_an_error_of_the_temporary_file_has_the_name_that_was_given(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"/no/a\.txt'$"), replacing(tmp_path / "no" / "a.txt") as temporary:
        temporary.write_text("x")


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"other\.txt"), replacing(tmp_path / "a.txt"):
        (tmp_path / "other.txt").read_text()


def test_a_folder_on_a_full_disk_is_told_and_is_left_as_it_was(tmp_path):
    check_room(tmp_path)
    with pytest.raises(NoRoom, match="make room"), file_size_limit(4096):
        check_room(tmp_path)
    check_room(tmp_path / "missing")  # not full
    assert list(tmp_path.iterdir()) == []
