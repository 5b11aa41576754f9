"""What does a notebook show of a volume? Its words, and the fullest slice across each axis in the elements' colours."""

import base64
import io
from html import escape

import numpy as np

_HEIGHT_PX = 128


def html_of(words: str, data: np.ndarray, elements: tuple[str, ...]) -> str:
    """A line of words above a picture.

    Args:
        words: about the volume.
        data: (element, z, y, x) concentrations.
        elements: their symbols.
    """
    from fusedtomo.plot.elements import color_text

    png = base64.b64encode(_png(_composites(data, elements))).decode("ascii")
    swatches = " ".join(f'<span style="color:{color_text(one)}">■</span> {escape(one)}' for one in elements)
    picture = (
        f'<img alt="slices" height="{_HEIGHT_PX}" style="image-rendering:pixelated" src="data:image/png;base64,{png}">'
    )
    return f"<div>{escape(words)}<br>{swatches}; fullest slices in zy, zx, yx<br>{picture}</div>"


def _composites(data: np.ndarray, elements: tuple[str, ...]) -> np.ndarray:
    """The fullest slices across x, y and z side by side, (down, across, rgb) uint8; the first axis points up."""
    from fusedtomo.plot.elements import element_color, mixed

    limits = np.maximum(data.max(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny)
    scaled, colors = data / limits, [element_color(one) for one in elements]
    cuts = [np.take(scaled, _fullest(scaled, axis), axis=axis)[:, ::-1] for axis in (3, 2, 1)]
    high = max(cut.shape[1] for cut in cuts)
    even = [np.pad(cut, ((0, 0), (0, high - cut.shape[1]), (0, 2))) for cut in cuts]
    return np.round(255 * mixed(np.concatenate(even, axis=2), colors)).astype(np.uint8)


def _fullest(scaled: np.ndarray, axis: int) -> int:
    return int(scaled.sum(axis=tuple({0, 1, 2, 3} - {axis}), dtype=np.float64).argmax())


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
