"""Which trial does the trade-off between two terms suggest, when nobody knows the truth (paper, Supplement 13a)?"""

import numpy as np

_FEWEST = 3  # points of a front: two have no knee between them


def front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the points that no other point beats in one term without losing in the other, by rising x.

    Args:
        x: (point,) finite values of one term; lower is better.
        y: (point,) of the other.
    """
    order = np.lexsort((y, x))
    lowest_before = np.minimum.accumulate(np.concatenate([[np.inf], y[order][:-1]]))
    found: np.ndarray = order[y[order] < lowest_before]
    return found


def knee(x: np.ndarray, y: np.ndarray) -> int | None:
    """Index of the point of the front that lies furthest below the chord between the front's ends, in log-log.

    That is the corner of the L-curve (Hansen and O'Leary 1993), found as Kneedle does (Satopaa et al. 2011): both
    logarithms run from 0 to 1 between the ends of the front. Kneedle's smoothing and threshold are for many noisy
    points; a front of ten trials has none to spare, so that no library is asked.

    Args:
        x: (point,) values of one term, above 0; lower is better.
        y: (point,) of the other.

    Returns:
        None where the front has fewer than 3 points, or none below the chord.
    """
    on_front = front(x, y)
    if len(on_front) < _FEWEST:
        return None
    across, down = (_unit(np.log(values[on_front])) for values in (x, y))
    below = 1 - across - down
    furthest = int(below.argmax())
    return int(on_front[furthest]) if below[furthest] > 1e-9 else None


def _unit(values: np.ndarray) -> np.ndarray:
    """The values from 0 to 1; on a front they rise or fall strictly."""
    scaled: np.ndarray = (values - values.min()) / np.ptp(values)
    return scaled
