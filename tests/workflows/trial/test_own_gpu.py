"""A worker's solver sees one GPU, by its vendor's variable alone."""

import pytest

from workflows.machines import load_machine
from workflows.machines.config import worker_init
from workflows.trial.own_gpu import VENDOR, own_gpu

PARSL_S = {"CUDA_VISIBLE_DEVICES": "3", "ROCR_VISIBLE_DEVICES": "3", "ZE_AFFINITY_MASK": "3"}


@pytest.mark.parametrize(
    ("vendor", "kept"),
    [("nvidia", "CUDA_VISIBLE_DEVICES"), ("amd", "ROCR_VISIBLE_DEVICES"), ("intel", "ZE_AFFINITY_MASK")],
)
def test_the_variables_of_other_vendors_go(vendor, kept):
    seen = own_gpu({**PARSL_S, VENDOR: vendor, "HOME": "/home/me"})
    assert seen == {kept: "3", VENDOR: vendor, "HOME": "/home/me"}


def test_without_a_vendor_nothing_changes():
    assert own_gpu(PARSL_S) == PARSL_S


@pytest.mark.parametrize(("name", "vendor"), [("frontier", "amd"), ("aurora", "intel"), ("polaris", "nvidia")])
def test_the_workers_of_a_machine_know_their_vendor(name, vendor, tmp_path):
    assert f"export {VENDOR}={vendor}" in worker_init(load_machine(name), tmp_path).splitlines()


def test_workers_without_accelerators_are_told_nothing(tmp_path):
    assert VENDOR not in worker_init(load_machine("laptop"), tmp_path)
