"""What takes long is told: lines at most every 30 s where there is no terminal, a bar where there is one."""

import io
import time

import numpy as np
import pytest
from rich.console import Console

from workflows.command.progress import told
from workflows.saying import KERNELS, doing


def console(terminal=False):
    return Console(file=io.StringIO(), width=200, force_terminal=terminal, soft_wrap=True, highlight=False)


def lines(times, total=200):
    """What is printed when the iterations end at these times; the volume doubles at each."""
    say, clock = console(), iter(times)
    with told(say, "fused", total, clock=lambda: next(clock)) as advance:
        for iteration in range(len(times)):
            assert advance(iteration, np.full((2, 8, 8, 8), 2.0**iteration, np.float32)) == {}
    return say.file.getvalue().splitlines()


def test_the_first_line_says_what_comes_before_any_iteration():
    assert lines([]) == [f"fused: at most 200 iterations, a line every 30 s; {KERNELS}"]


def test_a_line_at_most_every_30_s_with_iteration_time_and_change():
    said = lines([100, 110, 129.9, 130, 131, 159.9, 175])[1:]
    assert said == [
        "fused: iteration 3 of 200 after 30 s, moved by 5.0e-01",
        "fused: iteration 6 of 200 after 75 s, moved by 5.0e-01",
    ]


def test_a_volume_that_is_used_again_by_the_solver_is_no_matter():
    say, clock, volume = console(), iter([0.0, 40.0]), np.ones((1, 4, 4, 4), np.float32)
    with told(say, "fused", 9, clock=lambda: next(clock)) as advance:
        advance(0, volume)
        volume *= 4
        advance(1, volume)
    assert "moved by 7.5e-01" in say.file.getvalue()


def test_an_empty_volume_has_not_moved():
    say, clock = console(), iter([0.0, 40.0])
    with told(say, "fused", 9, clock=lambda: next(clock)) as advance:
        advance(0, np.zeros((1, 4, 4, 4), np.float32))
        advance(1, np.zeros((1, 4, 4, 4), np.float32))
    assert "moved by 0.0e+00" in say.file.getvalue()


def test_a_terminal_shows_a_bar_that_names_the_kernels_until_the_first_iteration(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    say = console(terminal=True)
    with told(say, "fused", 9) as advance:
        time.sleep(0.3)  # a spinner's first picture
        before = say.file.getvalue()
        for iteration in range(10):
            advance(iteration, None)
    assert KERNELS in before
    assert "0/9" not in before
    assert "9/9" in say.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_what_is_done_is_said_before_it_is_done(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    say = console(terminal)
    with doing(say, "measuring small trials"):
        time.sleep(0.3 * terminal)  # a spinner's first picture
        assert "measuring small trials" in say.file.getvalue()
