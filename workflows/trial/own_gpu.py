"""Which of a node's GPUs does a worker's solver see? Its own, by the variable of the GPU's vendor alone."""

from collections.abc import Mapping

VENDOR = "FUSEDTOMO_GPU_VENDOR"  # set where a profile names a vendor (workflows/machines/config.py)
_VISIBLE = {"nvidia": "CUDA_VISIBLE_DEVICES", "amd": "ROCR_VISIBLE_DEVICES", "intel": "ZE_AFFINITY_MASK"}


def own_gpu(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables of other vendors.

    Parsl sets all three. AMD's runtime heeds CUDA_VISIBLE_DEVICES too, among the devices that ROCR_VISIBLE_DEVICES has
    left it: worker 3 would look for the fourth of one.
    """
    mine = _VISIBLE.get(environ.get(VENDOR, ""))
    return {name: value for name, value in environ.items() if not mine or name == mine or name not in _VISIBLE.values()}
