"""The search: coarse shifts, the axis, then projection matching from binned images to whole ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from fusedtomo.alignment.moves import Moves
from fusedtomo.alignment.quality import reprojected, reprojection_error
from fusedtomo.errors import InputError
from fusedtomo.extras import check_installed

_BY = {True: "centres of mass", False: "neighbours"}
_BORDER = 0.03  # of the width
_VACUUM = 0.1  # of the brightest pixel: what is darker may be noise
_FREE = 0.02  # what stands free has less at the border, of its mean
_LEAST_WIDTH = 48  # pixels of the smallest images
_MOST_ROUNDS = 12
_SETTLED = 0.95  # images move by no less than so much of the round before: what is left is noise
_UPSAMPLED = 25  # images are registered to 1/25 of a pixel
_GRAIN_PX = 0.5 / _UPSAMPLED
_MOST_AXIS_DEG = 8.0
_PARTS = 2  # a series is split in so many; of each the others are reconstructed


@dataclass(frozen=True, eq=False)
class Aligned:
    """What was found.

    Attributes:
        moves: of every image.
        coarse: how the shifts across the axis were found first: by "centres of mass" or by "neighbours".
        rounds: of projection matching, over all sizes.
        settled: whether it ended because images moved no more.
    """

    moves: Moves
    coarse: str
    rounds: int
    settled: bool


def align(
    images: np.ndarray,
    angles_deg: tuple[float, ...],
    background: float = 0.0,
    say: Callable[[str], None] = lambda text: None,
) -> Aligned:
    """Find the moves of a HAADF series.

    Args:
        images: (tilt, y, x), the tilt axis roughly along x.
        angles_deg: of every image.
        background: level of vacuum.
        say: told of every step.

    Raises:
        InputError: there are fewer than five images, nothing but background in one, or no scikit-image.
    """
    check_installed("skimage", "scikit-image", "formats", "align")
    signal = np.asarray(images, np.float32) - np.float32(background)
    if len(signal) < 5:
        raise InputError(f"{len(signal)} images are too few to align; give five tilts or more")
    if (empty := signal.sum(axis=(1, 2)) <= 0).any():
        raise InputError(f"the image at {angles_deg[int(np.argmax(empty))]:g} degrees is dark; leave that tilt out")
    shifts, free = _chained(signal, angles_deg), _stands_free(signal)
    if free:
        shifts[:, 0] = _centres(signal)
    found = Aligned(Moves(shifts, 0.0, angles_deg), _BY[free], 0, False)
    say(f"shifts across the axis by {found.coarse}")
    for number, factor in enumerate(_factors(signal.shape[1:])):
        within_deg = _MOST_AXIS_DEG / 4**number
        found = _matched(found, _binned(signal, factor), factor, within_deg, say)
    return found


def _stands_free(signal: np.ndarray) -> bool:
    """Whether the specimen ends within most images across the axis; along it, it may go on."""
    edge = max(1, round(_BORDER * signal.shape[1]))
    levels = [np.abs(rows.mean(axis=(1, 2))) for rows in (signal[:, :edge], signal[:, -edge:])]
    return bool((np.median(levels / signal.max(axis=(1, 2)), axis=1) < _FREE).all())


def _centres(signal: np.ndarray) -> np.ndarray:
    """(tilt,): centres of mass across the axis, from the middle; what the specimen's place explains is left in."""
    weights = np.maximum(signal, 0) * (signal > _VACUUM * signal.max(axis=(1, 2), keepdims=True))
    centres = [ndimage.center_of_mass(image)[0] for image in weights]
    return np.array(centres, np.float64) - float(signal.shape[1] - 1) / 2.0


def _chained(signal: np.ndarray, angles_deg: tuple[float, ...]) -> np.ndarray:
    """(tilt, 2): each image against its neighbour, beginning at the tilt nearest to 0."""
    order = np.argsort(angles_deg)
    middle = int(np.argmin(np.abs(np.sort(angles_deg))))
    windowed = signal * _window(signal.shape[1:])
    shifts = np.zeros((len(signal), 2))
    for step, steps in ((1, range(middle + 1, len(order))), (-1, range(middle - 1, -1, -1))):
        for place in steps:
            here, before = order[place], order[place - step]
            shifts[here] = shifts[before] - registered(windowed[before], windowed[here])
    return shifts


def registered(reference: np.ndarray, image: np.ndarray) -> np.ndarray:
    """How far (y, x) an image must be moved to lie on the reference."""
    from skimage.registration import phase_cross_correlation

    found = phase_cross_correlation(reference, image, upsample_factor=_UPSAMPLED, normalization=None)  # type: ignore[no-untyped-call]
    return np.asarray(found[0], np.float64)


def _window(shape: tuple[int, ...]) -> np.ndarray:
    """Falls to 0 at the edges, over an eighth of the image: what leaves it must not pull."""
    along_y, along_x = (np.clip(np.minimum(np.arange(n) + 1, n - np.arange(n)) / (n / 8), 0, 1) for n in shape)
    return np.outer(along_y, along_x).astype(np.float32)


def _with_axis(images: np.ndarray, moves: Moves, tried_deg: Sequence[float]) -> Moves:
    """The axis about which the images contradict each other least, each tried with a round of matching."""
    found = [_round(images, moves.turned(axis))[0] for axis in tried_deg]
    errors = [reprojection_error(one.moved(images), one.angles_deg) for one in found]
    best = int(np.argmin(errors))
    return found[best].turned(_lowest(tried_deg[max(best - 1, 0) : best + 2], errors[max(best - 1, 0) : best + 2]))


def _lowest(at: Sequence[float], values: Sequence[float]) -> float:
    """Where the parabola through three points is lowest; of fewer, or at an end, the lowest of them."""
    if len(at) < 3 or min(values) != values[1]:
        return float(at[int(np.argmin(values))])
    square, slope, _ = np.polyfit(np.subtract(at, at[1]), values, 2)
    return float(at[1] - slope / (2 * square))


def _factors(shape: tuple[int, ...]) -> list[int]:
    """Bin by 4, by 2, not at all, as far as enough pixels are left."""
    return [factor for factor in (4, 2) if min(shape) // factor >= _LEAST_WIDTH] + [1]


def _binned(images: np.ndarray, factor: int) -> np.ndarray:
    y, x = (n // factor for n in images.shape[1:])
    cut = [(n - factor * m) // 2 for n, m in zip(images.shape[1:], (y, x), strict=True)]
    inner = images[:, cut[0] : cut[0] + factor * y, cut[1] : cut[1] + factor * x]
    binned: np.ndarray = inner.reshape(len(images), y, factor, x, factor).mean(axis=(2, 4))
    return binned


def _matched(found: Aligned, images: np.ndarray, factor: int, within_deg: float, say: Callable[[str], None]) -> Aligned:
    """The axis, then projection matching, on images of one size."""
    tried = found.moves.axis_deg + within_deg / 2 * np.arange(-2, 3)
    moves, before = _with_axis(images, found.moves.scaled(1 / factor), tried.tolist()), np.inf
    for number in range(1, _MOST_ROUNDS + 1):
        moves, moved = _round(images, moves)
        told = f"images moved by {moved * factor:.3f}, axis {moves.axis_deg:+.2f}"
        say(f"{images.shape[2]} pixels, round {number}: {told}")
        settled = moved < _GRAIN_PX or moved > _SETTLED * before
        if number > 2 and settled:
            break
        before = moved
    return replace(found, moves=moves.scaled(factor), rounds=found.rounds + number, settled=settled)


def _round(images: np.ndarray, moves: Moves) -> tuple[Moves, float]:
    """Move every image on what the others tell of it; by how much the median one moved, too."""
    window = _window(images.shape[1:])
    current = moves.moved(images)
    model = _predicted(current, moves.angles_deg)
    steps = np.array([registered(window * m, window * i) for m, i in zip(model, current, strict=True)])
    return moves.onwards(steps).observable(), float(np.median(np.linalg.norm(steps, axis=1)))


def _predicted(images: np.ndarray, angles_deg: tuple[float, ...]) -> np.ndarray:
    """Each image as the others tell it: one that took part would pull its own projection along."""
    angles, model = np.array(angles_deg), np.empty_like(images)
    part = np.argsort(np.argsort(angles)) % _PARTS
    for number in range(_PARTS):
        out = part == number
        model[out] = reprojected(images[~out], angles[~out].tolist(), angles[out].tolist())
    return model
