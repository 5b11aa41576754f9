"""Where a reconstruction runs: one rank a GPU, by its number on its node; a stand-in plays CuPy."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.parallel import SERIAL
from fusedtomo.placement import HERE, Placement, placed


class _NoGpu(RuntimeError):
    pass


class _Cupy:
    """As much of CuPy as placing needs: a number of GPUs, and a record of those that were chosen."""

    def __init__(self, n_gpus: int):
        self.chosen = []
        runtime = SimpleNamespace(getDeviceCount=lambda: self._count(n_gpus), CUDARuntimeError=_NoGpu)
        self.cuda = SimpleNamespace(
            runtime=runtime, Device=lambda i: SimpleNamespace(use=lambda: self.chosen.append(i))
        )

    @staticmethod
    def _count(n_gpus: int) -> int:
        if not n_gpus:
            raise _NoGpu("cudaErrorNoDevice: no CUDA-capable device is detected")
        return n_gpus


@pytest.fixture
def ranks(monkeypatch):
    """Rank 2 of 4, the last of two on its node; returns its communicator."""
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setenv("MPI_LOCALRANKID", "1")
    return lambda **more: SimpleNamespace(rank=2, size=4, **{"device_aware": False, **more})


@pytest.fixture
def cupy(monkeypatch):
    """Put a stand-in with so many GPUs in CuPy's place."""

    def install(n_gpus: int) -> _Cupy:
        fake = _Cupy(n_gpus)
        monkeypatch.setitem(sys.modules, "cupy", fake)
        return fake

    return install


@pytest.mark.parametrize(("n_gpus", "expected"), [(4, 1), (2, 1), (1, 0)])
def test_each_rank_takes_the_gpu_of_its_number_on_the_node(cupy, ranks, n_gpus, expected):
    fake = cupy(n_gpus)
    place = placed("gpu", ranks(), half=True)
    assert fake.chosen == [expected]
    assert (place.device, place.half, place.comm.rank, place.xp) == ("gpu", True, 2, fake)


@pytest.mark.parametrize(("device_aware", "way"), [(True, "directly"), (False, "through the host")])
def test_the_way_to_mpi_is_logged(cupy, ranks, caplog, device_aware, way):
    cupy(2)
    with caplog.at_level(logging.INFO, "fusedtomo"):
        placed("gpu", ranks(device_aware=device_aware))
    assert caplog.messages == [f"rank 2 computes on GPU 1 of 2; arrays go to MPI {way}"]


def test_a_program_alone_keeps_the_gpu_that_it_has(cupy):
    fake = cupy(4)
    assert placed("gpu", SERIAL).xp is fake
    assert fake.chosen == []


def test_on_the_cpu_nobody_asks_for_cupy(monkeypatch, ranks):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert placed("cpu", ranks()).xp is np
    assert placed() == HERE


def test_a_rank_without_a_gpu_says_so(cupy, ranks):
    cupy(0)
    with pytest.raises(InputError, match=r"rank 2 sees no GPU \(cudaErrorNoDevice.*choose device 'cpu'"):
        placed("gpu", ranks())


def test_missing_cupy_is_told_with_the_extra_to_install(monkeypatch, ranks):
    monkeypatch.setitem(sys.modules, "cupy", None)
    for comm in (ranks(), SERIAL):
        with pytest.raises(InputError, match=r"needs CuPy .*fusedtomo\[gpu12\]"):
            _ = placed("gpu", comm).xp


def test_half_precision_is_for_gpus():
    with pytest.raises(InputError, match="half precision is for GPUs"):
        Placement(half=True)
