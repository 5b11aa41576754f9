"""Pictures in three dimensions: what PyVista draws, in a process of its own, and what is said where it cannot."""

from importlib.util import find_spec

import numpy as np
import pytest

from workflows.figures import rendering
from workflows.figures.rendering import CannotRender, Scene, render

RED, BLUE, WHITE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), 255


def scene(**changes):
    """A cube of one element low and at the near end of x and y, and one of another high at the far end."""
    volumes = np.zeros((2, 2, 24, 24, 24), np.float32)
    volumes[0, 0, 2:10, 2:10, 2:10] = 1.0
    volumes[0, 1, 14:22, 14:22, 14:22] = 1.0
    volumes[1, 0] = 0.5 * volumes[0, 0]
    levels = np.array([[0.5, 0.5], [0.25, np.nan]])
    return Scene(volumes, levels, (RED, BLUE), **{"pixels": 120, **changes})


def colored(image, channel):
    """Where an image is of one colour, (row, column)."""
    others = [c for c in range(3) if c != channel]
    return np.argwhere((image[..., channel] > 60) & (image[..., others].max(axis=-1) < 0.5 * image[..., channel]))


@pytest.fixture(scope="module")
def images():
    if find_spec("pyvista") is None:
        pytest.skip("PyVista is not installed")
    try:
        return render(scene())
    except CannotRender as missing:
        pytest.skip(str(missing))


def test_all_elements_then_each_alone_with_one_camera(images):
    assert (images.shape, images.dtype) == ((2, 3, 120, 120, 3), np.uint8)
    together, red, blue = images[0]
    assert len(colored(red, 0)) > 50
    assert len(colored(red, 2)) == 0 == len(colored(blue, 0))
    assert len(colored(together, 2)) > 50
    np.testing.assert_allclose(colored(together, 2).mean(axis=0), colored(blue, 2).mean(axis=0), atol=2)


def test_z_points_up_and_the_background_is_white(images):
    _, red, blue = images[0]
    assert colored(blue, 2)[:, 0].mean() < colored(red, 0)[:, 0].mean() - 10  # rows count downwards
    assert (images[:, :, 0] == WHITE).all()


def test_a_level_that_is_none_has_no_surface_and_the_gain_does_not_matter(images):
    assert len(colored(images[1, 2], 2)) == 0
    np.testing.assert_array_equal(images[1, 1], images[0, 1])


def test_without_pyvista_the_cure_is_told(monkeypatch):
    monkeypatch.setattr(rendering, "find_spec", lambda _name: None)
    with pytest.raises(CannotRender, match=r"PyVista is not installed: pip install 'fusedtomo\[views\]'"):
        render(scene())


ENDINGS = {
    "dies": "import os; os.abort()",
    "fails": "raise SystemExit(1)",
    "says nothing": "",
    "dies while it writes": "import os, sys; open(sys.argv[1] + '/images.npy', 'w').close(); os.abort()",
}


@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS)
def test_a_process_that_draws_nothing_costs_the_pictures_alone(monkeypatch, code):
    monkeypatch.setattr(rendering, "find_spec", lambda _name: True)
    run = rendering.subprocess.run
    monkeypatch.setattr(
        rendering.subprocess, "run", lambda command, **more: run([command[0], "-c", code, command[-1]], **more)
    )
    with pytest.raises(CannotRender, match=r"for want of a graphics library; on Debian: apt install libegl1"):
        render(scene())


def test_one_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(rendering, "find_spec", lambda _name: True)
    monkeypatch.setattr(rendering, "_LONGEST_S", 0.01)
    with pytest.raises(CannotRender, match="has not drawn within"):
        render(scene())
