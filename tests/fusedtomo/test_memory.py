"""What a problem takes follows from its shapes; what is free is what the system and its limits leave."""

import pytest

from fusedtomo import memory
from fusedtomo.errors import InputError
from fusedtomo.memory import available_gb, check_fits, series_gb, solver_gb, volume_gb


def test_a_volume_is_its_voxels():
    assert volume_gb(4, (256, 256, 256)) == pytest.approx(4 * 4 * 256**3 / 1e9)


def test_a_reconstruction_at_256_takes_what_was_counted():
    """docs/gpu.md: 3.9 GB for the volumes of four elements, stacks aside."""
    whole, series = solver_gb(4, (256, 256, 256), 47, 9), series_gb(4, 47, 9, (256, 256))
    assert whole - series == pytest.approx(3.9, abs=0.1)
    assert series == pytest.approx(8 * 4 * (47 + 4 * 9) * 256**2 / 1e9)
    weighted = solver_gb(4, (256, 256, 256), 47, 9, weighted=True)
    assert weighted - whole == pytest.approx(volume_gb(4, (256, 256, 256)))


def test_what_fits_passes_and_what_does_not_is_told_with_its_cure(monkeypatch):
    monkeypatch.setattr(memory, "available_gb", lambda: 2.0)
    check_fits("this", 1.9, "take less")
    with pytest.raises(InputError, match=r"that needs about 2.1 GB, but 2 GB of memory are free; take less"):
        check_fits("that", 2.1, "take less")


@pytest.mark.parametrize(
    ("controllers", "limit", "used"),
    [("", "memory.max", "memory.current"), ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes")],
    ids=["version 2", "version 1"],
)
def test_a_limit_of_a_group_above_counts_and_its_caches_are_free(tmp_path, monkeypatch, controllers, limit, used):
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "own")
    (tmp_path / "own").write_text(f"3:{controllers}:/job/step\n9:cpu:/elsewhere\n")
    job = tmp_path / controllers / "job"
    (job / "step").mkdir(parents=True)
    for folder, most in ((job, "5000000"), (job / "step", "max")):
        (folder / limit).write_text(most)
        (folder / used).write_text("4000000")
        (folder / "memory.stat").write_text("anon 3000000\ninactive_file 1000000\n")
    assert available_gb() == pytest.approx(0.002)
    (tmp_path / "own").unlink()
    assert available_gb() > 0.002
