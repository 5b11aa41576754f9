"""Which colour has an element, in every figure, and which a mixture of elements?"""

import zlib
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb

from fusedtomo.elements import ATOMIC_NUMBERS, HAADF

RGB = tuple[float, float, float]

# One colour a symbol. Chosen by a search over hue families so that the elements of a specimen, and their compounds,
# stay apart in normal vision and in simulated protanopia, deuteranopia and tritanopia (test_elements.py measures it):
# a dichromat tells blue from yellow and dark from bright, so partners differ in these. None is darker than carbon,
# for they lie on black. Elements that no specimen holds together may look alike (Si and Ti, Co and Zn).
ELEMENT_COLORS = {
    "C": "#7e8084",
    "O": "#e3b0cc",
    "Mg": "#c8e63c",
    "Si": "#1f93e8",
    "S": "#eef2a8",
    "Ti": "#2f7cf0",
    "Mn": "#7bb23c",
    "Fe": "#df7a12",
    "Co": "#6f6cf2",
    "Ni": "#0fbf72",
    "Cu": "#f4501e",
    "Zn": "#7f8ff0",
    "Au": "#ffe11a",
}
_GOLDEN_ANGLE_DEG = 137.50776405003785


def element_color(symbol: str) -> RGB:
    """The RGB colour, 0..1, of an element; one without a chosen colour gets its own by atomic number."""
    if symbol == HAADF:
        return 1.0, 1.0, 1.0
    if symbol in ELEMENT_COLORS:
        return to_rgb(ELEMENT_COLORS[symbol])
    number = ATOMIC_NUMBERS.get(symbol) or zlib.crc32(symbol.encode())
    # neighbours in the periodic table, which are mapped together, lie far apart in hue and differ in lightness
    return _from_oklch((0.66, 0.9, 0.78)[number % 3], 0.12, number * _GOLDEN_ANGLE_DEG % 360)


def color_text(symbol: str) -> str:
    """The same as HTML writes it, such as "#ffe11a"."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in element_color(symbol))


def mixed(images: np.ndarray, colors: Sequence[RGB]) -> np.ndarray:
    """The composite (..., down, across, rgb) float32 of images (..., element, down, across), both 0..1.

    Its hue is the mean of the elements' colours, weighted by the images, in linear light; its brightness is that of
    the brightest element. So a mixture never turns white, as a sum of colours does, and an element alone looks as in
    its own image.
    """
    weights = images / np.maximum(images.sum(axis=-3, keepdims=True), np.finfo(np.float32).tiny)
    hue = _encoded(np.einsum("...eij,ec->...ijc", weights, _linear(np.array(colors))))
    # brightness scales the encoded colour, as in the images of single elements, where it looks even to the eye
    composite: np.ndarray = hue * images.max(axis=-3)[..., None]
    return composite.astype(np.float32)


def _linear(encoded: np.ndarray) -> np.ndarray:
    """Linear light of sRGB values (IEC 61966-2-1)."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(linear: np.ndarray) -> np.ndarray:
    """SRGB values of linear light."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _from_oklch(lightness: float, chroma: float, hue_deg: float) -> RGB:
    """The sRGB colour of lightness, chroma and hue (Ottosson 2020, Oklab), cut to what a screen shows."""
    hue = np.radians(hue_deg)
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    to_lms = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    red, green, blue = _encoded(to_linear @ (to_lms @ (lightness, a, b)) ** 3).tolist()
    return red, green, blue
