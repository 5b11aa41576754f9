"""Is the campaign of docs/howto-dose.md one whose dose can be split, and do its prices follow from the paper?"""

import re

import pytest

from tests import pages
from tests.workflows.values import everything
from workflows.campaign import load_campaign
from workflows.maps.advice import cells_of
from workflows.maps.sampling_map import sampling_map

PAGE = pages.page("howto-dose.md")


def test_the_example_is_a_campaign_whose_axes_are_all_chosen_for_a_dose(tmp_path):
    ((name, text),) = pages.examples(PAGE).items()
    (tmp_path / name).write_text(text)
    config = load_campaign(tmp_path / name)
    cells = cells_of(config, sampling_map(config, everything(config)))
    assert len({cell.dose for cell in cells if cell.condition.method == "fused"}) == 18
    assert config.name == name.removesuffix(".toml")


def test_the_prices_follow_from_the_doses_beside_them():
    haadf, chemical = (float(text) for text in re.search(r"--haadf-count (\S+) --chemical-count (\S+)", PAGE).groups())
    doses = re.search(r"\((\S+) e/Å² in (\d+) images, (\S+) e/Å² in (\d+) maps", PAGE).groups()
    of_images, images, of_maps, maps = map(float, doses)
    counts = [float(text) for text in re.findall(r"(?:image|map) of ([\d.]+) counts", PAGE)]
    assert haadf == pytest.approx(of_images / images / counts[0], rel=0.03)
    assert chemical == pytest.approx(of_maps / maps / counts[1], rel=0.03)
