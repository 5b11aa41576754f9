"""Where cells stand on paper and on a terminal, for one to three axes."""

from tests.workflows.tiny import baseline, config, fused
from workflows.campaign.layout import layout_of

TILTS = {"acquisition__haadf": {"tilts": 4, "snr": 9.0}, "acquisition__chemical": {"tilts": 3, "snr": 3.0}}


def labels(block):
    return [row.label for row in block.rows]


def test_two_axes_are_rows_upwards_and_columns_with_blind_methods_below():
    layout = layout_of(config())
    assert (layout.across.name, layout.columns, layout.upwards.name) == ("chemical_tilts", (2, 3), "haadf_tilts")
    ((fused_block, tv, alone),) = (panel.blocks for panel in layout.panels)
    assert (labels(fused_block), fused_block.is_map) == (["2", "4"], True)
    assert fused_block.rows[1].cells == (fused(4, 2), fused(4, 3))
    assert (labels(tv), labels(alone), tv.is_map) == (["Poisson + TV"], ["Poisson"], False)
    assert tv.rows[0].cells == (baseline("poisson-tv", 2), baseline("poisson-tv", 3))


def test_a_method_that_sees_the_axis_upwards_has_a_map_of_its_own():
    layout = layout_of(config(axes={"chemical_snr": [2.0, 4.0], "haadf_tilts": [2, 4]}, **TILTS))
    (panel,) = layout.panels
    assert [block.is_map for block in panel.blocks] == [True, True, True]
    tv = panel.blocks[1]
    assert labels(tv) == ["2", "4"]
    assert [cell.key for cell in tv.rows[0].cells] == ["poisson-tv-cs2", "poisson-tv-cs2"]  # blind to the axis across


def test_one_axis_makes_a_row_of_every_method():
    layout = layout_of(config(axes={"chemical_snr": [2.0, 4.0]}, **TILTS))
    assert layout.upwards is None
    (panel,) = layout.panels
    assert [(labels(block), block.is_map) for block in panel.blocks] == [
        (["fused"], False),
        (["Poisson + TV"], False),
        (["Poisson"], False),
    ]


def test_a_third_axis_makes_panels():
    axes = {"haadf_tilts": [2, 4], "chemical_tilts": [2, 3], "unmapped": ["none", "O"]}
    layout = layout_of(config(axes=axes))
    assert [panel.title for panel in layout.panels] == ["without maps: none", "without maps: O"]
    keys = [panel.blocks[0].rows[0].cells[0].key for panel in layout.panels]
    assert keys == ["fused-h2-c2-unone", "fused-h2-c2-uO"]
