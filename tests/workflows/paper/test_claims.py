"""What the paper says is held against the map of a run, whatever the map holds."""

import numpy as np
import pytest

from tests.workflows.paper.stub import Stub, said
from tests.workflows.tiny import config
from workflows.paper.claims import (
    Claim,
    Found,
    Judged,
    always_lower,
    error_is,
    errors_are,
    gain,
    judged,
    most_cells_below,
)

FUSED = np.array([[0.3, 0.2], [0.5, np.nan]])
POISSON = np.array([[1.2, 1.0], [1.2, 1.0]])


CONFIG = config(methods=["fused", "poisson"])


def found(find, fused=FUSED, poisson=POISSON):
    return find({"mine": Stub(CONFIG, {"fused": fused, "poisson": poisson})})


def test_most_of_a_map_is_more_than_half_of_its_cells():
    assert said(found(most_cells_below("mine", "fused", 0.4))) == Found("in 67% of 3 cells; median 0.30", True)
    assert said(found(most_cells_below("mine", "fused", 0.3))) == Found("in 33% of 3 cells; median 0.30", False)


@pytest.mark.parametrize(("paper", "holds"), [(0.30, True), (0.32, True), (0.34, False), (0.27, False)])
def test_a_number_of_the_paper_holds_within_a_tenth_of_it(paper, holds):
    assert said(found(error_is("mine", "fused", (2, 2), paper))) == Found("0.30", holds)
    assert said(found(errors_are("mine", "fused", paper))) == Found("0.30 (cells: 0.20 to 0.50)", holds)


def test_a_gain_is_the_median_over_the_cells_that_both_have():
    assert said(found(gain("mine", "fused", "poisson", 3, 5))) == Found(
        "4.0 (cells: 2.4 to 5.0) of Poisson over fused", True
    )
    assert found(gain("mine", "fused", "poisson", 4.5, 5)).holds is False
    assert found(gain("mine", "fused", "poisson", 2, 3)).holds is False


def test_always_is_in_every_cell():
    assert said(found(always_lower("mine", "fused", "poisson"))) == Found("in 3 of 3 cells", True)
    assert said(found(always_lower("mine", "fused", "poisson"), poisson=np.full((2, 2), 0.4))) == Found(
        "in 2 of 3 cells", False
    )


@pytest.mark.parametrize(
    "find",
    [
        most_cells_below("mine", "fused", 0.4),
        error_is("mine", "fused", (4, 3), 0.3),
        errors_are("mine", "fused", 0.3),
        gain("mine", "fused", "poisson", 3, 5),
        always_lower("mine", "fused", "poisson"),
    ],
)
def test_without_a_result_nothing_is_said(find):
    nothing = np.full((2, 2), np.nan)
    assert found(find, fused=nothing) is None
    assert Judged(Claim("something", find), None).verdict == "not measured"


def test_a_verdict_is_a_word():
    verdicts = [Judged(Claim("", lambda _: None), Found("", holds)).verdict for holds in (True, False, None)]
    assert verdicts == ["holds", "does not hold", "beside it"]


def on_other_noise(*errors):
    """A claim judged where fusion reaches these errors, each on other noise."""
    claim = Claim("", error_is("mine", "fused", (2, 2), 0.3))
    runs = [{"mine": Stub(CONFIG, {"fused": FUSED * error / FUSED[0, 0], "poisson": POISSON})} for error in errors]
    return judged(claim, runs[0], runs[1:])


@pytest.mark.parametrize(
    ("again", "text", "verdict"),
    [
        ((0.30, 0.32), "0.31 ± 0.01", "holds"),
        ((0.32, 0.36), "0.34 ± 0.03", "within noise"),
        ((0.35, 0.37), "0.36 ± 0.01", "does not hold"),
        ((0.50,), "0.30", "holds"),  # one seed tells no deviation
        ((0.50, np.nan), "0.30", "holds"),
    ],
)
def test_other_noise_gives_numbers_a_deviation_and_judges(again, text, verdict):
    found = on_other_noise(0.30, *again)
    assert (found.text, found.verdict) == (text, verdict)
