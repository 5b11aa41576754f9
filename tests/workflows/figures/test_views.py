"""Views: which isosurfaces, which cuts, and what the figure shows with PyVista and without."""

import numpy as np
import pytest

from fusedtomo.plot.drawing import DOUBLE_COLUMN_IN, to_figure
from fusedtomo.plot.elements import element_color
from fusedtomo.volume import ChemicalVolume
from workflows.figures import views
from workflows.figures.rendering import CannotRender, Scene
from workflows.figures.views import draw_views, views_info

VOXEL_NM = 2.0


def volume(data):
    return ChemicalVolume(np.asarray(data, np.float32), ("Co", "Au"), VOXEL_NM)


def truth():
    data = np.zeros((2, 20, 20, 20))
    data[0, 4:10, 4:12, 6:14] = 0.5
    data[1, 12:15, 14:17, 2:5] = 1.0
    return volume(data)


class Renderer:
    """Stands in for PyVista: an image a volume and column, of a colour of its own."""

    def __init__(self):
        self.scenes = []

    def __call__(self, scene: Scene) -> np.ndarray:
        self.scenes.append(scene)
        rows, elements = scene.volumes.shape[:2]
        numbers = np.arange(rows * (1 + elements), dtype=np.uint8).reshape(rows, 1 + elements, 1, 1, 1)
        return np.broadcast_to(numbers, (rows, 1 + elements, 8, 8, 3))


@pytest.fixture
def renderer(monkeypatch):
    there = Renderer()
    monkeypatch.setattr(views, "render", there)
    return there


@pytest.fixture
def info(renderer):
    dim = truth().data * 0.3
    shifted = np.roll(truth().data, 2, axis=3)
    return views_info({"Truth": truth(), "fused": volume(dim), "Poisson": volume(shifted)}, "a specimen, 20³")


def test_isosurfaces_enclose_as_much_as_the_truth_s_whatever_the_gain(info, renderer):
    np.testing.assert_allclose(info.levels, [[0.25, 0.5], [0.15, 0.3], [0.5, 1.0]])
    np.testing.assert_allclose(info.overlap, [[1, 1], [1, 1], [6 / 8, 1 / 3]])
    (scene,) = renderer.scenes
    np.testing.assert_array_equal(scene.levels, info.levels)
    for data, levels in zip(scene.volumes, scene.levels, strict=True):
        assert [(one >= level).sum() for one, level in zip(data, levels, strict=True)] == [6 * 8 * 8, 27]
    assert scene.colors == (element_color("Co"), element_color("Au"))


def test_an_element_that_a_volume_does_not_hold_has_no_isosurface(renderer):
    empty = truth().data.copy()
    empty[1] = 0
    info = views_info({"Truth": truth(), "fused": volume(empty)})
    assert np.isnan(info.levels).tolist() == [[False, False], [False, True]]
    assert info.told(1) == "fused (Co 100 % in place)"
    without = views_info({"Truth": volume(empty), "fused": truth()})
    assert np.isnan(without.levels[:, 1]).all()


def test_fine_volumes_are_averaged_for_their_isosurfaces_and_cut_as_they_are(renderer, monkeypatch):
    monkeypatch.setattr(views, "_MOST_VOXELS", 10)
    info = views_info({"Truth": truth()})
    assert renderer.scenes[0].volumes.shape == (1, 2, 10, 10, 10)
    assert info.cuts["yz"].shape == (1, 20, 20, 3)
    assert info.image_nm == pytest.approx(2 * 0.76 * 10 * 2 * VOXEL_NM)


def test_cuts_go_through_the_fullest_slice_along_each_axis_in_the_truth_s_brightness(renderer):
    data = np.zeros((2, 6, 7, 8))
    data[0, 2, 3:5, 4] = 1.0
    data[1, 2, 3, 4] = 1.0
    info = views_info({"Truth": volume(data), "fused": volume(0.25 * data)})
    assert info.places == {"yz": 4, "xz": 3, "xy": 2}
    assert {plane: cut.shape for plane, cut in info.cuts.items()} == {
        "yz": (2, 6, 7, 3),  # z upwards, y across
        "xz": (2, 6, 8, 3),
        "xy": (2, 7, 8, 3),
    }
    np.testing.assert_allclose(info.cuts["yz"][0][2, 4], element_color("Co"), atol=1e-3)
    np.testing.assert_allclose(info.cuts["yz"][1], 0.25 * info.cuts["yz"][0], atol=1e-3)


def test_the_figure_has_a_row_a_volume_and_scale_bars_in_nanometres(info):
    figure = to_figure(draw_views, info)
    assert figure.get_size_inches()[0] == DOUBLE_COLUMN_IN
    axes = np.array(figure.axes).reshape(3, 6)
    assert [ax.get_title() for ax in axes[0]] == ["all", "Co", "Au", "yz", "xz", "xy"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["Truth", "fused", "Poisson"]
    shown = [[ax.images[0].get_array() for ax in row] for row in axes]
    assert [[image.flat[0] for image in row[:3]] for row in shown] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    np.testing.assert_array_equal(shown[2][4], info.cuts["xz"][2])
    for ax, whole_nm in ((axes[2, 0], info.image_nm), (axes[2, 3], 20 * VOXEL_NM)):
        (bar,), (words,) = ax.patches, ax.texts
        assert f"{bar.get_width() * whole_nm:g} nm" == words.get_text()


def test_without_a_renderer_the_figure_says_what_is_missing_and_has_the_cuts(monkeypatch):
    def missing(_scene):
        raise CannotRender("PyVista is not installed: pip install 'fusedtomo[views]'")

    monkeypatch.setattr(views, "render", missing)
    info = views_info({"Truth": truth(), "fused": truth()})
    assert info.images is None
    assert info.alt_text.startswith(
        "No isosurfaces (PyVista is not installed: pip install 'fusedtomo[views]'), and cuts"
    )
    figure = to_figure(draw_views, info)
    said = " ".join(text.get_text() for text in figure.texts)
    assert "".join(said.split()) == "".join(f"No views in three dimensions. {info.reason}".split())
    axes = np.array(figure.axes).reshape(2, 6)
    assert [[len(ax.images) for ax in row] for row in axes] == [[0, 0, 0, 1, 1, 1]] * 2
