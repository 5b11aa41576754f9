"""The map on a terminal: which way it runs, what its colours and marks say, and how it shrinks."""

from dataclasses import replace

import pytest

from tests.workflows.values import TRIALS, campaign, cheap, everything, over, trial
from tests.workflows.watch.rendering import shown, styled
from workflows.campaign.layout import layout_of
from workflows.record.journal import CAP
from workflows.record.tally import Tally
from workflows.watch.heatmap import heat_map, map_rows, other_lines

DARK, BRIGHT = "rgb(68,1,84)", "rgb(253,231,37)"  # the ends of viridis
LEGEND = "underlined: its best trial stopped at the cap of iterations or lies on a bound"


def lines_of(config, trials, width=80):
    return [" ".join(line.split()) for line in shown(heat_map(Tally(config, trials), width), width).splitlines()]


def cell(config, trials, number):
    """(text, style) of a number on the map."""
    pieces = [piece for line in styled(heat_map(Tally(config, trials), 80)) for piece in line]
    (found,) = (style for text, style in pieces if text.strip() == number)
    return found


def test_rows_run_upwards_with_baselines_below():
    assert lines_of(campaign(), TRIALS) == [
        "HAADF tilts lowest NRMSE of every cell",
        "20 · · ·",
        "5 0.342 ✗ ·",
        "",
        "Poisson + TV · · ·",
        "Poisson 1.600 · ·",
        "chemical tilts 3 9 27",
    ]


@pytest.mark.parametrize(("width", "text"), [(80, "0.342"), (30, "0.34"), (27, ".34"), (21, "")])
def test_cells_shrink_with_the_terminal(width, text):
    lines = shown(heat_map(Tally(campaign(), TRIALS), width)).splitlines()
    assert lines[2].split()[1:][:1] == ([text] if text else ["✗"])


def test_two_rows_share_a_line_where_there_is_no_room():
    tally = Tally(campaign(haadf=(5, 20, 40)), [*TRIALS, trial("fused-h40-c27", 0, 1.0)])
    assert "0.342" in shown(heat_map(tally, 80, 3))
    lines = shown(heat_map(tally, 80, 2)).splitlines()
    assert lines[1].split() == ["40,", "20", 18 * "▀"]
    assert lines[2].split() == ["5", 18 * "▀"]
    assert lines[0].endswith("dark 0.342 to bright 1.000")
    assert lines[5].split() == ["Poisson", "1.600", "·", "·"]  # those below the map keep their numbers
    assert lines[6].split() == ["chemical", "tilts", "3", "9", "27"]
    halves = [[piece for piece in line if "▀" in piece[0]] for line in styled(heat_map(tally, 80, 2))]
    upper, lower = (line for line in halves if line)
    (text, both), *_ = upper
    assert (text, both.color.name, both.bgcolor.name) == (6 * "▀", "grey23", "grey23")
    assert upper[-1][1].color.name == BRIGHT  # the worst, on top of one that waits
    assert upper[-1][1].bgcolor.name == "grey23"
    assert [style.color.name for _, style in lower] == [DARK, "red", "grey23"]
    assert all(style.bgcolor is None for _, style in lower)


def test_rows_below_a_narrow_map_have_their_numbers_beside_them():
    trials = [trial("poisson-c3", 0, 1.6), trial("poisson-c27", 0, 1.25)]
    wide = campaign(chemical=(3, 5, 7, 9, 12, 15, 18, 21, 24, 27))
    lines = lines_of(wide, trials, width=50)
    assert lines[5] == "Poisson · · · · · · · · 1.25 to 1.60"
    assert lines_of(wide, trials, width=44)[5] == "Poisson · · · · · · · ·"


def test_rows_below_have_colours_of_their_own():
    trials = [
        *(trial("fused-h5-c3", 0, 0.31), trial("fused-h20-c3", 0, 0.33)),
        *(trial("poisson-c3", 0, 1.6), trial("poisson-tv-c3", 0, 0.98)),
    ]
    colors = {number: cell(campaign(), trials, number).bgcolor.name for number in ("0.310", "0.330", "0.980", "1.600")}
    assert colors == {"0.310": DARK, "0.330": BRIGHT, "0.980": DARK, "1.600": BRIGHT}


def test_a_cell_is_bold_once_it_is_done_and_never_shows_a_part_of_the_problem():
    config = campaign()
    begun = [trial("fused-h5-c3", 0, 0.5)]
    done = [*begun, *(cheap("fused-h5-c3", number, 0.1) for number in (1, 2, 3))]
    assert not cell(config, begun, "0.500").bold
    assert cell(config, done, "0.500").bold


def test_a_cell_is_underlined_when_its_best_trial_is_marked():
    fine = trial("fused-h5-c3", 0, 0.5, haadf=0.1, tv=1.0)
    at_cap = replace(trial("fused-h5-c9", 0, 0.6, haadf=0.1, tv=1.0), stopped=CAP)
    on_bound = trial("fused-h20-c9", 0, 0.7, haadf=10.0, tv=1.0)
    trials = [fine, at_cap, on_bound]
    assert [bool(cell(campaign(), trials, number).underline) for number in ("0.500", "0.600", "0.700")] == [
        False,
        True,
        True,
    ]
    assert shown(heat_map(Tally(campaign(), trials), 100), 100).splitlines()[-1] == LEGEND
    assert LEGEND not in shown(heat_map(Tally(campaign(), [fine]), 100), 100)


def test_cells_are_averaged_over_repeats():
    config = campaign(repeats={"noise_seed": [1, 2]})
    assert "0.400" in shown(
        heat_map(Tally(config, [trial("fused-h5-c3-s1", 0, 0.3), trial("fused-h5-c3-s2", 0, 0.5)]), 80)
    )


def test_one_axis_has_a_row_for_each_method():
    config = over({"chemical_dose": [1.0, 10.0, 40.0]})
    trials = [trial("fused-cd1", 0, 0.4), trial("fused-cd10", 0, 0.3), trial("poisson-cd40", 0, 1.5)]
    assert lines_of(config, trials) == [
        "lowest NRMSE of every cell",
        "fused 0.400 0.300 ·",
        "Poisson + TV · · ·",
        "Poisson · · 1.500",
        "chemical dose 1 10 40",
    ]
    assert cell(config, trials, "0.400").bgcolor.name == BRIGHT  # not dark beside the baselines


def test_three_axes_are_maps_one_below_the_other():
    config = over({"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "unmapped": ["none", "O"]})
    trials = [
        *(trial("fused-h5-c3-unone", 0, 0.3), trial("fused-h20-c9-uO", 0, 0.5)),
        *(trial("fused-h20-c3-uO", 0, 0.4), trial("poisson-c3-uO", 0, 1.5)),
    ]
    lines = lines_of(config, trials)
    assert lines[:4] == ["without maps: none", "HAADF tilts lowest NRMSE of every cell", "20 · ·", "5 0.300 ·"]
    assert lines[8:12] == ["without maps: O", "HAADF tilts lowest NRMSE of every cell", "20 0.400 0.500", "5 · ·"]
    assert lines[14:] == ["Poisson 1.500 ·", "chemical tilts 3 9"]
    assert cell(config, trials, "0.300").bgcolor.name == DARK  # one scale for all panels
    assert cell(config, trials, "0.500").bgcolor.name == BRIGHT


def test_categories_have_no_order_but_their_own():
    config = over({"unmapped": ["none", "O", "Co"], "grid": ["same", "fine"]})
    lines = lines_of(config, [trial("fused-uO-fine", 0, 0.3)])
    assert lines[:4] == ["element without maps lowest NRMSE of every cell", "fused", "Co · ·", "O · 0.300"]
    assert lines[-1] == "simulation grid same fine"


AXES = {
    "two": campaign(),
    "two methods": campaign(methods=["fused", "gradient-descent", "poisson"]),
    "no baseline": campaign(methods=["fused"]),
    "one": over({"chemical_dose": [1.0, 10.0]}),
    "three": over({"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "unmapped": ["none", "O"]}),
}


@pytest.mark.parametrize("name", AXES)
def test_lines_are_counted_before_they_are_drawn(name):
    config = AXES[name]
    marked = [replace(one, stopped=CAP) for one in everything(config)]
    drawn = shown(heat_map(Tally(config, marked), 100), 100).splitlines()
    assert drawn[-1] == LEGEND
    assert len(drawn) == map_rows(layout_of(config)) + other_lines(layout_of(config))
