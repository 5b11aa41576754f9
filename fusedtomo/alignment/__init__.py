"""Alignment: how far was every image moved, and how does the tilt axis lie in them?

`align` finds it on the HAADF images of a data set, which are sharp, and `aligned` moves HAADF and maps alike.

1. **Coarse**: each image against its neighbour by phase correlation, from the middle of the series outwards; across the
   axis by centres of mass, where the specimen ends within the images.
2. **Axis**: of five rotations, each with a round of matching, that at which SIRT explains the images best; a parabola
   through the best three. It is looked for within 8 degrees, and four times closer at every larger size.
3. **Fine**: projection matching (Odstrcil et al. 2019): reconstruct from one half of the tilts as they are moved now (a
   few SIRT iterations), project at the other half, register each image on that to 1/25 of a pixel, move on. An image
   that took part would pull its own projection along. First on binned images, then on whole ones.

A shift of the whole specimen shows in no image: y a cos(theta) + b sin(theta), and a constant along x. These are left
out, so that the images move by as little as possible.
"""

from fusedtomo.alignment.moves import Moves, aligned
from fusedtomo.alignment.quality import Quality, neighbour_correlation, quality_of, reprojection_error
from fusedtomo.alignment.search import Aligned, align

__all__ = [
    "Aligned",
    "Moves",
    "Quality",
    "align",
    "aligned",
    "neighbour_correlation",
    "quality_of",
    "reprojection_error",
]
