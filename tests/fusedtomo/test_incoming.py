"""What comes in: regular files of bounded size alone, and one message for all others."""

import os

import pytest

from fusedtomo.errors import InputError
from fusedtomo.incoming import MOST_BYTES, read_json, read_text


@pytest.fixture
def pipe(tmp_path):
    """A pipe into which nobody writes: who opens it waits for ever."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_and_not_waited_for(pipe):
    with pytest.raises(InputError, match=r"pipe: cannot be read \(it is no regular file\); give the path of a poem"):
        read_text(pipe, "a poem")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty", ".", "a\0b", "x" * 300, ""])
def test_what_is_no_readable_file_is_named(path):
    with pytest.raises(InputError, match=r": cannot be read \(.+\); give the path of a poem"):
        read_text(path, "a poem")


def test_a_file_may_have_so_many_bytes_and_none_more(tmp_path):
    path = tmp_path / "long"
    path.write_text("x" * MOST_BYTES)
    assert len(read_text(path, "a poem")) == MOST_BYTES
    path.write_text("x" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="more than 250 kB, the most that is read; give the path of a poem"):
        read_text(path, "a poem")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[" * 10**5, "nested too deeply"),
        ("9" * 10**4, "not valid JSON"),
        ("[NaN]", "NaN is no number of JSON"),
        ("[-Infinity]", "-Infinity is no number of JSON"),
        ('{"a": {"b": 1, "b": 1}}', "'b' is given twice"),
    ],
    ids=["torn", "empty", "deep", "long", "nan", "infinite", "twice"],
)
def test_faults_of_json_are_named(tmp_path, text, told):
    (tmp_path / "my.json").write_text(text)
    with pytest.raises(InputError, match=rf"my\.json: .*{told}.* give the path of a poem"):
        read_json(tmp_path / "my.json", "a poem")


def test_json_is_read(tmp_path):
    (tmp_path / "my.json").write_text('{"a": [1, 2.5, null, "é"]}', encoding="utf-8")
    assert read_json(tmp_path / "my.json", "a poem") == {"a": [1, 2.5, None, "é"]}
