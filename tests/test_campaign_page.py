"""Are the examples of docs/campaigns.md campaigns, and do its tables name every field and value that there is?"""

import re
import tomllib

import pytest

from fusedtomo.io import write_volume
from fusedtomo.methods import METHODS
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from tests import pages
from workflows.campaign import AXES, CampaignConfig
from workflows.campaign.load import load_campaign, located
from workflows.campaign.measures import MEASURES
from workflows.campaign.products import PRODUCTS
from workflows.campaign.search import Search
from workflows.campaign.setup import AcquisitionConfig

PAGE = pages.page("campaigns.md")
EXAMPLES = pages.examples(PAGE)


def _names(heading: str) -> set[str]:
    """The names in the first column of a table; a row may have several."""
    return {name for cell in pages.table(PAGE, heading) for name in re.findall(r"\w[\w-]*", cell)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_valid_campaign(name, tmp_path):
    path = tmp_path / name
    path.write_text(EXAMPLES[name])
    spec = PhantomSpec(name="conio_nanotube", size=128, seed=1)
    write_volume(make_phantom(spec, phantom_rng(spec)), tmp_path / "mine.h5")
    config = load_campaign(path)  # with the specimen's elements
    assert config == located(CampaignConfig.model_validate(tomllib.loads(EXAMPLES[name])), tmp_path)
    assert f"{config.name}.toml" == name
    if name == "own.toml":
        assert config.phantom.size == 64


def test_there_is_an_example_for_each_number_of_axes():
    configs = [CampaignConfig.model_validate(tomllib.loads(text)) for text in EXAMPLES.values()]
    assert {len(config.axes) for config in configs} == {1, 2, 3}
    assert any(config.repeats for config in configs)


def test_the_tables_name_what_there_is():
    assert _names("field") == set(CampaignConfig.model_fields)
    assert _names("field of a search") == set(Search.model_fields)
    assert _names("axis") == set(AXES)
    assert set(pages.table(PAGE, "method")) == {name for name, one in METHODS.items() if one.uses("chemical")}


def test_the_page_names_the_products_that_are_asked_for():
    assert list(pages.table(PAGE, "product")) == [name for name, one in PRODUCTS.items() if not one.usual]


def test_the_methods_are_described_as_they_are():
    for name, (label, terms, searched) in pages.table(PAGE, "method").items():
        method = METHODS[name]
        assert label == method.label
        assert set(terms.lower().split(", ")) == method.terms
        assert tuple(searched.split(", ")) == (method.searched or ("nothing",))


def test_units_of_axes_are_those_of_the_axes():
    for cell, (unit, *_) in pages.table(PAGE, "axis").items():
        for name in re.findall(r"\w+", cell):
            assert unit == ("category" if AXES[name].scale == "category" else AXES[name].unit), name


def test_measures_and_fields_of_an_acquisition_are_named():
    for name in (*MEASURES, *set(AcquisitionConfig.model_fields) - {"seed"}):
        assert f"`{name}`" in PAGE, name
