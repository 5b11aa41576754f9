"""Does the scaling benchmark hold together, and do ranks send what the model in docs/howto-mpi.md says they do?"""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import mpi
from tests.mpi import needs_mpi, run_ranks

ROOT = Path(__file__).parents[1]
_WORK = "import sys; sys.path.insert(0, sys.argv[1]); from benchmarks import mpi; mpi.work(mpi.Case(**{}))"


@needs_mpi
def test_a_rank_between_two_sends_what_the_model_says():
    case = mpi.Case("strong", 16, 24, 3)
    ended = run_ranks(3, "-c", _WORK.format(asdict(case)), str(ROOT))
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert (found["messages"], found["bytes"]) == mpi.traffic(4, 16 * 16, 8, mpi.INNER)
    assert 0 < found["MPI share"] < 1
    assert 0 < found["least ms"] <= found["ms"]


def test_efficiency_compares_like_with_like():
    alone = {"ms": 100.0, "least ms": 90.0, "MPI share": 0.0, "messages": 0.0, "bytes": 0.0}
    found = {"ms": 50.0, "least ms": 45.0, "MPI share": 0.25, "messages": 17.0, "bytes": 2e6}
    strong = mpi.row(mpi.Case("strong", 96, 96, 4), found, alone)
    assert (strong["speed-up"], strong["efficiency"], strong["in MPI"]) == (2.0, "50 %", "25 %")
    weak = mpi.row(mpi.Case("weak", 96, 192, 4), alone, alone)
    assert (weak["speed-up"], weak["efficiency"]) == (4.0, "100 %")
    threads = mpi.row(mpi.Case("one rank, 2 threads", 96, 96, 1, 2), found, alone)
    assert (threads["efficiency"], threads["in MPI"], threads["MB sent"]) == ("100 %", None, None)


def test_every_scaling_starts_from_one_rank_of_one_thread():
    scalings = {case.scaling: case for case in reversed(mpi.cases(96)) if case.threads == 1}
    assert {name: case.ranks for name, case in scalings.items()} == {"strong": 1, "weak": 1}


def test_without_a_launcher_it_is_left_out_with_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(mpi.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(mpi, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"no mpiexec; pip install 'fusedtomo\[mpi\]'"):
        mpi.launched(mpi.Case("strong", 16, 16, 2))
