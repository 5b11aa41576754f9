"""A trial that its host has no memory for is refused, with what would fit."""

import pytest

from fusedtomo import memory
from fusedtomo.errors import InputError
from tests.workflows.tiny import config, fused
from workflows.campaign import Trial
from workflows.trial import memory as of_trials
from workflows.trial.memory import check_memory, host_gb

LARGE = Trial(config(phantom__size=256), fused(4, 3), 0, {})  # 3.3 GB on one rank; to paint it, 0.4 GB on each


@pytest.mark.parametrize(
    ("free_gb", "device", "ranks", "told"),
    [
        (4.0, "cpu", 1, ""),
        (2.0, "cpu", 2, ""),
        (2.0, "cpu", 1, r"needs about 3\.\d* GB, but 2 GB .* lower phantom.size, or share it among 2 ranks on as many"),
        (1.0, "cpu", 3, r"needs about 1\.\d* GB, but 1 GB .* among 6 ranks on as many hosts \(mpiexec -n 6\)$"),
        (0.3, "cpu", 99, r"needs about 0.403 GB, but 0.3 GB of memory are free; lower phantom.size$"),
        (1.0, "gpu", 1, ""),  # the device has the rest
        (0.3, "gpu", 1, r"needs about 0.403 GB, but 0.3 GB of memory are free; lower phantom.size$"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(monkeypatch, free_gb, device, ranks, told):
    for module in (memory, of_trials):
        monkeypatch.setattr(module, "available_gb", lambda: free_gb)
    if not told:
        check_memory(LARGE, device, ranks)
        return
    with pytest.raises(InputError, match=rf"a trial of fused-h4-c3 at 256\^3 {told}"):
        check_memory(LARGE, device, ranks)


def test_a_specimen_twice_as_fine_is_kept_beside_the_trial():
    fine = config(phantom__size=64, acquisition__grid="fine")
    coarse = config(phantom__size=64)
    assert host_gb(fine, fused(4, 3)) - host_gb(coarse, fused(4, 3)) == pytest.approx(4e-9 * 3 * 128**3)
