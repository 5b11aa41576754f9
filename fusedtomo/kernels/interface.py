"""What do both packages of kernels offer? mypy holds each of their modules against the protocols here.

Arrays are float32 and C-contiguous, on the host for `fusedtomo.kernels.numba` and on the device for
`fusedtomo.kernels.cuda`; a volume is (channel, z, y, x), a stack (channel, tilt, t, x). Tables with one value a channel
or tilt lie on the host, and so do all results: column sums, float64, one value for every x. A GPU's may still be on
their way there; whoever reads them waits.
"""

from typing import Any, Protocol

import numpy as np

Array = Any  # numpy.ndarray or cupy.ndarray, which has no types
Columns = Any  # numpy.ndarray, or fusedtomo.kernels.cuda.launch.Pending, which is read like one

RELAXATION = 1.75  # of the dual step of total variation; a projected gradient may take up to twice the safe one


class Projection(Protocol):
    """The projector, whoever computes it."""

    def forward(self, volume: Array, cos: np.ndarray, sin: np.ndarray, out: Array) -> None:
        """Line integrals of a volume, in voxels, into out, a stack."""

    def adjoint(self, stack: Array, cos: np.ndarray, sin: np.ndarray, out: Array, add: bool) -> None:
        """The transpose: a stack into out, a volume, or added to it."""


class Joseph(Projection, Protocol):
    """Our own projector."""

    def adjoint_pullback(
        self,
        stack: Array,
        cos: np.ndarray,
        sin: np.ndarray,
        volume: Array,
        zeta: np.ndarray,
        gamma: float,
        floor: float,
        scratch: Array,
        out: Array,
        add: bool,
    ) -> None:
        """`adjoint` of a stack (tilt, t, x), and `ZContrast.add_pullback` of that into out; scratch (z, y, x)."""


class Poisson(Protocol):
    """The Poisson term of stacks."""

    def divergence(self, projected: Array, counts: Array, gain: np.ndarray, eps: np.ndarray) -> Columns:
        """Kullback-Leibler divergence of counts from gain * projected + eps: (channel, x)."""

    def residual(
        self, projected: Array, counts: Array, gain: np.ndarray, eps: np.ndarray, weight: np.ndarray, out: Array
    ) -> None:
        """out = weight gain (1 - counts / (gain * projected + eps))."""


class Sums(Protocol):
    """Column sums of arrays (..., x), and the solver's elementwise steps."""

    def dot(self, a: Array, b: Array) -> Columns:
        """Sums of a b: (x,)."""

    def products(self, a: Array, b: Array) -> Columns:
        """Sums of a^2 and of a b: (2, x)."""

    def totals(self, a: Array) -> Columns:
        """Sums of every channel: (channel, x)."""

    def squared_change(self, new: Array, old: Array) -> Columns:
        """Sums of (new - old)^2 and of new^2: (2, x)."""

    def distance(self, a: Array, b: Array, inverse: Array) -> Columns:
        """Sums of (a - b)^2 / inverse: (x,)."""

    def descend(self, volume: Array, gradient: Array, inverse: Array, step: float, out: Array) -> Columns:
        """out = volume - step inverse gradient; returns sums of inverse gradient^2, (x,)."""

    def extrapolate(self, new: Array, old: Array, step: float, out: Array) -> Columns:
        """out = max(new + step (new - old), 0); returns what `squared_change` does."""


class TV(Protocol):
    """Total variation of volumes; a dual field is (channel, 3, z, y, x).

    Local weights, if any, are a volume of numbers > 0, on GPUs of the dual field's type: |grad x| counts as often.
    """

    def total_variation(self, volume: Array, anisotropic: bool, local: Array = None) -> Columns:
        """Total variation: (channel, x)."""

    def spare(self, dual: Array) -> Array:
        """Room that `ascend` needs beside a dual field."""

    def ascend(
        self,
        noisy: Array,
        inverse: Array,
        weight: np.ndarray,
        dual: Array,
        spare: Array,
        anisotropic: bool,
        local: Array = None,
        relaxation: float = RELAXATION,
    ) -> tuple[Array, Array]:
        """One inner iteration of the prox, its dual step so many times the safe one.

        Returns dual and spare, which may have changed places.
        """

    def finish(
        self,
        noisy: Array,
        inverse: Array,
        weight: np.ndarray,
        dual: Array,
        out: Array,
        anisotropic: bool,
        local: Array = None,
    ) -> Columns:
        """The prox that a dual stands for, into out; its variation, pairing and squared distance: (3, channel, x)."""

    def prox(
        self,
        noisy: Array,
        inverse: Array,
        weight: np.ndarray,
        dual: Array,
        spare: Array,
        out: Array,
        iterations: int,
        anisotropic: bool,
        local: Array = None,
    ) -> tuple[Array, Array, Columns]:
        """`ascend`, so many times, then `finish`; returns dual and spare as `ascend` does, and what `finish` does."""


class ZContrast(Protocol):
    """The HAADF contrast model; channels are elements."""

    def density(self, volume: Array, zeta: np.ndarray, gamma: float, out: Array) -> None:
        """out (z, y, x) = sum_i (zeta_i x_i)^gamma."""

    def add_pullback(
        self, volume: Array, zeta: np.ndarray, gamma: float, cotangent: Array, floor: float, out: Array, add: bool
    ) -> None:
        """The transposed derivative at a volume of a cotangent (z, y, x), into out, a volume, or added to it."""


class Kernels(Protocol):
    """A package of kernels."""

    joseph: Joseph
    poisson: Poisson
    sums: Sums
    tv: TV
    zcontrast: ZContrast


Modules = tuple[Joseph, Poisson, Sums, TV, ZContrast]
