"""The map on a terminal: which way it runs, and how it shrinks."""

import io

import pytest
from rich.console import Console

from tests.workflows.test_live import TRIALS
from tests.workflows.values import campaign
from workflows.heatmap import heat_map
from workflows.tally import Tally


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
