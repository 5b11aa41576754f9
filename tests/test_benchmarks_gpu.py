"""Does the GPU benchmark hold together, does ASTRA get our geometry? On stand-ins: no number here means anything."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from benchmarks import astra_cuda, gpu, gpu_solver
from fusedtomo.operators.projector import Projector
from fusedtomo.settings import SolverSettings, Weights
from fusedtomo.solvers.fused import fused
from fusedtomo.solvers.problem import Problem
from tests.devices import device
from tests.fusedtomo.kernels import fake_cupy

ANGLES = (-70.0, -20.0, 0.0, 35.0, 45.0, 90.0)


@pytest.fixture
def fake_gpu():
    """The fake CuPy as `place.xp`."""
    with device("fake gpu") as place:
        yield place


class _FakeAstra(ModuleType):
    """ASTRA's `cuda3d` projectors for "parallel3d_vec", on fake CuPy arrays: ours, once the geometry is told apart.

    Arrays must be contiguous, of the geometry's shape: (slice, row, column) or (detector row, angle, detector column).
    """

    def __init__(self):
        super().__init__("astra")
        self.made, self.calls, self.experimental = [], [], SimpleNamespace(direct_FPBP3D=self._run)

    def use_cuda(self):
        return True

    def create_vol_geom(self, rows, columns, slices):
        return slices, rows, columns

    def create_proj_geom(self, kind, rows, columns, vectors):
        assert kind == "parallel3d_vec"
        return rows, columns, vectors

    def create_projector(self, kind, rays, volume):
        assert kind == "cuda3d"
        self.made.append((rays, volume))
        return len(self.made) - 1

    def _run(self, projector, volume, stack, mode, way):
        (rows, columns, vectors), shape = self.made[projector]
        for array, expected in ((volume, shape), (stack, (rows, len(vectors), columns))):
            assert (array.shape, array.dtype, array.flags.c_contiguous) == (expected, np.float32, True)
        ours = Projector(np.rad2deg(np.arctan2(vectors[:, 11], vectors[:, 10])), *shape[:2])
        source, target = (volume, stack) if way == "FP" else (stack, volume)
        found = ours.forward(source._host) if way == "FP" else ours.adjoint(source._host.transpose(1, 0, 2))
        found = found.transpose(1, 0, 2) if way == "FP" else found
        target._host[...] = found if mode == 1 else target._host + found
        self.calls.append(way)


@pytest.fixture
def fake_astra(monkeypatch):
    """The stand-in as `import astra`."""
    astra = _FakeAstra()
    monkeypatch.setitem(sys.modules, "astra", astra)
    return astra


@pytest.mark.astra
def test_astra_s_own_rays_meet_the_detector_where_ours_do():
    """ASTRA's projectPoint, which needs no GPU, gives the detector column and row of a point (x, y, z)."""
    experimental = pytest.importorskip("astra.experimental", reason="astra-toolbox is not installed")
    width, length = 9, 5
    rays = astra_cuda.geometry(ANGLES, width, length)
    for x, y, z in ((0.0, 0.0, 0.0), (1.0, 2.0, -1.5), (-2.0, -3.25, 4.0)):
        for tilt, angle in enumerate(np.deg2rad(ANGLES)):
            column, row = experimental.projectPoint(rays, x, y, z, tilt)
            assert column == pytest.approx(x + (length - 1) / 2)
            assert row == pytest.approx(y * np.cos(angle) + z * np.sin(angle) + (width - 1) / 2)
        along = rays["Vectors"][:, :3]
        np.testing.assert_allclose(along @ rays["Vectors"][0, 6:9], 0)  # rays stay in their slice
        np.testing.assert_allclose((along * rays["Vectors"][:, 9:]).sum(axis=1), 0, atol=1e-15)


def test_the_loop_with_astra_s_projectors_is_the_same_loop(fake_gpu, fake_astra, tiny_dataset):
    """With a stand-in that computes what our kernels do, it gives what ours gives, axes in another order and all."""
    settings, weights = SolverSettings(max_iterations=6, tolerance=0.0, tv_iterations=2), Weights()
    ours = fused(Problem(tiny_dataset, weights, settings, fake_gpu))
    turned = astra_cuda.in_astra_s_order(tiny_dataset)
    theirs = fused(astra_cuda.AstraProblem(turned, weights, settings, fake_gpu))
    assert {"FP", "BP"} == set(fake_astra.calls)
    np.testing.assert_allclose(theirs.volume.get(), ours.volume.get(), atol=1e-5)
    assert theirs.history["total"] == pytest.approx(ours.history["total"], rel=1e-5)


def test_astra_s_projections_replace_or_are_added(fake_gpu, fake_astra, rng):
    projector = astra_cuda.AstraProjector(ANGLES, 4, 9, 5)
    stack, out = (fake_gpu.put(rng.random((2, *shape))) for shape in ((len(ANGLES), 9, 5), (4, 9, 5)))
    back = projector.adjoint(stack).get()
    before = out.get()
    projector.adjoint(stack, out, add=True)
    np.testing.assert_allclose(out.get(), before + back, rtol=1e-6)
    projector.adjoint(stack, out)
    np.testing.assert_array_equal(out.get(), back)


def test_the_benchmark_runs_from_end_to_end(fake_gpu, fake_astra, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_solver, "ITERATIONS", 2)
    monkeypatch.setattr(gpu_solver, "BARS", {16: 1e9})
    monkeypatch.setattr(gpu, "copy_rate", lambda cupy, repeats: 1e12)  # 2 GiB here
    monkeypatch.setattr(gpu, "_SMALL", 6)
    monkeypatch.setattr(gpu, "TESTS", ("-c", "print('5 passed')"))
    monkeypatch.setattr(gpu, "SIZES", (16,))
    results = gpu.run(full=False, repeats=1)
    assert [row["kernel"] for row in results.rows] == list(gpu.CASES)
    (whole,) = results.more.values()
    assert [row["solver"] for row in whole] == list(gpu_solver.SOLVERS)
    costs = [row["cost"] for row in whole]
    assert costs[2] == pytest.approx(costs[0], rel=1e-5)
    assert costs[1] == pytest.approx(costs[0], rel=1e-2)
    report = results.write(tmp_path)
    assert "gpu-fake-device" in report.name
    for expected in ("passed, 5 passed", "16^3 within 1e+09 s", "times our time", "| 16 | ASTRA's projectors |"):
        assert expected in report.read_text()


def test_without_astra_its_rows_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "astra", None)
    kept, notes = gpu_solver.usable(gpu_solver.SOLVERS)
    assert list(kept) == ["fusedtomo", "fusedtomo, half"]
    assert notes[0].startswith("ASTRA's projectors left out: ")


def test_without_a_gpu_it_ends_with_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SystemExit, match="needs a CUDA GPU and CuPy"):
        gpu.run()


def test_kernels_that_disagree_void_the_times(fake_gpu, monkeypatch):
    from fusedtomo.kernels.cuda import sums

    monkeypatch.setattr(gpu, "_SMALL", 6)
    gpu.check_agreement(fake_gpu.xp)
    monkeypatch.setattr(
        sums, "totals", lambda a: 1.001 * np.asarray(sums.column_sums("sums", "totals", (a,), a.shape, (4,), groups=4))
    )
    with pytest.raises(RuntimeError, match=r"sums\.totals on the GPU and on the CPU differ"):
        gpu.check_agreement(fake_gpu.xp)
    assert fake_cupy.record.of("launch")
