"""Seeds that are the same on every machine and for any number of workers."""

import hashlib
import json

import numpy as np


def seed_of(*parts: object) -> int:
    """A 64-bit seed from a stable hash of the parts, the same on every machine and worker."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "little")


def generator(*parts: object) -> np.random.Generator:
    """A random generator seeded by `seed_of`."""
    return np.random.default_rng(seed_of(*parts))
