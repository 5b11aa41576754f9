"""How does a volume become a picture in three dimensions? PyVista draws isosurfaces, off-screen, in its own process.

Without a graphics library VTK ends the process that asks for a window, and no exception tells: so a process of its own
draws, ``python -m workflows.figures.rendering FOLDER``. It reads ``scene.npz`` of the folder and writes ``images.npy``.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fusedtomo.plot.elements import RGB

INSTALL = "pip install 'fusedtomo[views]'"
LIBRARIES = "on Debian: apt install libegl1, or libosmesa6"
_DIRECTION = (-1.0, -1.6, 0.9)  # from the specimen to the camera, (x, y, z): the beam at 0 degrees points up
_HALF_HEIGHT = 0.76  # of the longest edge: a cube turned like that fits
_FAINT = 0.25  # opacity of the element that fills most: others lie inside it
_LONGEST_S = 600.0
_SCENE, _IMAGES = "scene.npz", "images.npy"
_WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"  # what VTK would take first asks for an X server, and dies without its library


Surface = tuple[int, Any, float]  # of an element: its number, PyVista's mesh, its opacity


class CannotRender(Exception):
    """What is missing for pictures in three dimensions, and what helps."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Isosurfaces to draw.

    Attributes:
        volumes: (volume, element, z, y, x) float32.
        levels: (volume, element) of the isosurfaces; NaN for none.
        colors: of the elements.
        pixels: edge of an image.
    """

    volumes: np.ndarray
    levels: np.ndarray
    colors: tuple[RGB, ...]
    pixels: int = 400

    @property
    def height_voxels(self) -> float:
        """Height and width of an image in voxels: the projection is parallel, so that one scale bar serves all."""
        return 2 * _HALF_HEIGHT * float(max(self.volumes.shape[2:]))


def render(scene: Scene) -> np.ndarray:
    """Images (volume, 1 + element, row, column, rgb) uint8: all elements together, then each alone; one camera.

    Raises:
        CannotRender: PyVista or a graphics library is missing.
    """
    if find_spec("pyvista") is None:
        raise CannotRender(f"PyVista is not installed: {INSTALL}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        np.savez(path / _SCENE, volumes=scene.volumes, levels=scene.levels, colors=scene.colors, pixels=scene.pixels)
        _draw_elsewhere(path)
        images: np.ndarray = np.load(path / _IMAGES, allow_pickle=False)
        return images


def _draw_elsewhere(folder: Path) -> None:
    """Have a process of its own draw."""
    window = {_WINDOW: "vtkEGLRenderWindow"} if sys.platform == "linux" else {}
    command = [sys.executable, "-m", "workflows.figures.rendering", str(folder)]
    try:
        done = subprocess.run(
            command, env=window | dict(os.environ), capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotRender(f"PyVista has not drawn within {_LONGEST_S:.0f} s") from None
    if done.returncode or not (folder / _IMAGES).is_file():
        raise CannotRender(f"PyVista cannot draw here, most likely for want of a graphics library; {LIBRARIES}")


def draw(folder: Path) -> None:
    """Draw the scene of a folder."""
    import pyvista

    with np.load(folder / _SCENE, allow_pickle=False) as content:
        volumes, levels, colors = (content[name] for name in ("volumes", "levels", "colors"))
        pixels = int(content["pixels"])
    plotter = pyvista.Plotter(off_screen=True, window_size=(pixels, pixels))
    plotter.enable_anti_aliasing("ssaa")
    images = [
        [_image(plotter, meshes, colors, volumes.shape[2:]) for meshes in _columns(*pair)]
        for pair in zip(volumes, levels, strict=True)
    ]
    np.save(folder / _IMAGES, np.array(images, np.uint8))


def _columns(volume: np.ndarray, levels: np.ndarray) -> Iterator[list[Surface]]:
    """The isosurfaces of all elements, then of each alone, as (element, mesh, opacity)."""
    meshes = [None if np.isnan(level) else _mesh(data, level) for data, level in zip(volume, levels, strict=True)]
    there = [(element, mesh, 1.0) for element, mesh in enumerate(meshes) if mesh is not None and mesh.n_points]
    fullest = max(range(len(volume)), key=lambda element: (volume[element] >= levels[element]).sum())
    several = len(volume) > 1
    yield [(e, mesh, _FAINT if several and e == fullest else 1.0) for e, mesh, _ in there]
    for element in range(len(volume)):
        yield [one for one in there if one[0] == element]


def _mesh(data: np.ndarray, level: float) -> Any:
    """The isosurface of a volume (z, y, x), closed where the volume ends."""
    import pyvista

    padded = np.pad(data, 1)
    grid = pyvista.ImageData(dimensions=padded.shape[::-1], origin=(-1, -1, -1))
    grid.point_data["concentration"] = padded.ravel()  # x runs fastest, as in C order of (z, y, x)
    return grid.contour([float(level)], "concentration")


def _image(plotter: Any, surfaces: list[Surface], colors: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A picture of some isosurfaces in the box of a volume (z, y, x)."""
    import pyvista

    z, y, x = shape
    plotter.clear_actors()
    for element, mesh, opacity in surfaces:
        plotter.add_mesh(mesh, color=colors[element], opacity=opacity, smooth_shading=True, specular=0.2, render=False)
    plotter.add_mesh(pyvista.Box((0, x - 1, 0, y - 1, 0, z - 1)).outline(), color="silver", line_width=2, render=False)
    centre = np.array([x - 1, y - 1, z - 1]) / 2
    plotter.camera.parallel_projection = True
    plotter.camera.focal_point = centre
    plotter.camera.position = centre + 3 * max(shape) * np.array(_DIRECTION)
    plotter.camera.up = (0, 0, 1)
    plotter.camera.parallel_scale = _HALF_HEIGHT * max(shape)
    plotter.renderer.reset_camera_clipping_range()
    plotter.set_background("white")
    plotter.render()
    image: np.ndarray = plotter.screenshot(return_img=True)
    return image


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
