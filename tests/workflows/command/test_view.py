"""`fusedtomo view`: the page that it writes, and what it refuses."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from fusedtomo.errors import InputError
from fusedtomo.io import write_volume
from fusedtomo.volume import ChemicalVolume
from workflows.command.cli import app


def written(path, size=8, gain=1.0, **facts):
    """A volume file of one bright half."""
    data = np.zeros((1, size, size, size), np.float32)
    data[:, : size // 2] = gain
    write_volume(ChemicalVolume(data, ("Au",), 2.0), path, facts)
    return path


def call(*words):
    return CliRunner().invoke(app, ["view", *map(str, words)], catch_exceptions=False)


def test_a_page_of_a_volume_beside_truth_and_others(tmp_path):
    mine, truth = written(tmp_path / "mine.h5", gain=0.5, method="fused"), written(tmp_path / "truth.h5")
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other" / "mine.h5", gain=0.25)
    assert call(mine, "--truth", truth, "--compare", other).exit_code == 0
    text = (tmp_path / "mine.html").read_text(encoding="utf-8")
    numbers = json.loads(re.search(r'id="numbers">(.*?)</script>', text, re.DOTALL)[1])
    assert [row["label"] for row in numbers["rows"]] == ["truth", str(mine), str(other)]  # files of one name
    assert [numbers["volumes"][row["key"]]["peaks"] for row in numbers["rows"]] == [[1.0], [0.5], [0.25]]
    assert "<td>method</td><td>fused</td>" in text
    assert call(mine, "--out", tmp_path / "alone.html").exit_code == 0
    assert "NRMSE" not in json.dumps(
        json.loads(
            re.search(r'id="numbers">(.*?)</script>', (tmp_path / "alone.html").read_text(encoding="utf-8"), re.DOTALL)[
                1
            ]
        )["rows"]
    )


def test_what_cannot_be_looked_at_is_refused(tmp_path):
    mine = written(tmp_path / "mine.h5")
    before = mine.read_bytes()
    with pytest.raises(InputError, match=r"mine\.h5: a page's name ends in \.html"):
        call(mine, "--out", mine)
    with pytest.raises(InputError, match="give volumes of one grid"):
        call(mine, "--compare", written(tmp_path / "large.h5", size=16))
    with pytest.raises(InputError, match=r"gone\.h5"):
        call(tmp_path / "gone.h5")
    assert mine.read_bytes() == before
    assert not (tmp_path / "mine.html").exists()
