"""Which columns does a cheap trial compute, and which of them does it score?

With one tilt axis along x, columns across it share nothing but total variation and a few totals. A slab is cut out of
the simulated data of the whole, so that pixels, noise and rays stay the same. Total variation ends at the cuts: a
margin on each side is computed and not scored. fusedtomo/slabs.py cuts them.
"""

from dataclasses import dataclass

import numpy as np

from workflows.campaign.fidelity import Fidelity

_PLAIN = Fidelity(slab=1, margin=0)  # of strategies that ask for a share and say no more


@dataclass(frozen=True)
class Columns:
    """Columns along x of a trial.

    Attributes:
        computed: their places in the whole, rising.
        scored: (computed,) bool.
    """

    computed: np.ndarray
    scored: np.ndarray


def columns_of(width: int, share: float, layout: Fidelity | None = None) -> Columns:
    """The columns of a trial that computes a share of a volume: at least one, evenly spread where there are slabs."""
    layout = layout or _PLAIN
    n = max(1, round(share * width))
    blocks = min(layout.slabs, n)
    sizes = [n // blocks + (block < n % blocks) for block in range(blocks)]
    starts = [int((block + 0.5) * width / blocks - size / 2) for block, size in enumerate(sizes)]
    places = [np.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return Columns(np.concatenate(places), np.concatenate([_inner(each, layout.margin) for each in places]))


def _inner(places: np.ndarray, margin: int) -> np.ndarray:
    """The columns of a slab without its margins, (places,) bool; at least one."""
    margin = min(margin, (len(places) - 1) // 2)
    inner = np.zeros(len(places), bool)
    inner[margin : len(places) - margin] = True
    return inner
