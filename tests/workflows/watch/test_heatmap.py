"""The map on a terminal: which way it runs, and how it shrinks."""

import io

import pytest
from rich.console import Console

from tests.workflows.values import campaign, trial
from tests.workflows.watch.test_live import TRIALS
from workflows.record.tally import Tally
from workflows.watch.heatmap import heat_map


def shown(renderable, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_rows_run_upwards_with_baselines_below():
    lines = shown(heat_map(Tally(campaign(), TRIALS), 80)).splitlines()
    assert lines[1].split() == ["20", "·", "·", "·"]
    assert lines[2].split() == ["5", "0.342", "✗", "·"]
    assert lines[4].split() == ["Poisson", "+", "TV", "·", "·", "·"]
    assert lines[5].split() == ["Poisson", "1.600", "·", "·"]
    assert lines[6].split() == ["chemical", "3", "9", "27"]


@pytest.mark.parametrize(("width", "text"), [(80, "0.342"), (30, "0.34"), (27, ".34"), (21, "")])
def test_cells_shrink_with_the_terminal(width, text):
    lines = shown(heat_map(Tally(campaign(), TRIALS), width)).splitlines()
    assert lines[2].split()[1:][:1] == ([text] if text else ["✗"])


def styles(renderable, width=80):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    return [[(one.text, one.style) for one in line if "▀" in one.text] for line in console.render_lines(renderable)]


def test_two_rows_share_a_line_where_there_is_no_room():
    tally = Tally(campaign(haadf=(5, 20, 40)), [*TRIALS, trial("fused-h40-c27", 0, 1.6)])
    assert "0.342" in shown(heat_map(tally, 80, 3))
    lines = shown(heat_map(tally, 80, 2)).splitlines()
    assert lines[1].split() == ["40,", "20", "▀▀▀▀▀▀"]
    assert lines[2].split() == ["5", "▀▀▀▀▀▀"]
    assert lines[0].endswith("dark 0.342 to bright 1.600")
    assert lines[6].split() == ["chemical", "3", "to", "27"]
    upper, lower = (line for line in styles(heat_map(tally, 80, 2)) if line)
    (text, both), *_ = upper
    assert (text, both.color.name, both.bgcolor.name) == ("▀▀", "grey23", "grey23")
    assert upper[-1][1].color.name == "rgb(253,231,37)"  # the worst, on top of one that waits
    assert upper[-1][1].bgcolor.name == "grey23"
    assert [style.color.name for _, style in lower] == ["rgb(68,1,84)", "red", "grey23"]
    assert all(style.bgcolor is None for _, style in lower)
