"""Trials that cannot be of a campaign are named by their line; those of an earlier, wider campaign are not."""

from dataclasses import replace

import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import config
from tests.workflows.values import trial
from workflows.record.belonging import check_trials

FIRST = replace(trial("fused-h2-c2", 0, 0.5, haadf=0.01, tv=0.2), nrmse_by_element={"Co": 0.5}, snr={"HAADF": 9.0})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"point": {"haadf": 0.01, "tv": 50.0}}, "point has tv = 50, outside 0.1 to 5"),
        ({"start": {"haadf": -0.01, "tv": 0.2}}, "start has haadf = -0.01, outside 0.001 to 1"),
        ({"nrmse_by_element": {"Au": 0.1}}, "Au: the specimen has Co, Ni, O"),
        ({"trial": 900}, "trial 900 is beyond the budget"),
    ],
    ids=["point", "start", "element", "number"],
)
def test_a_line_of_another_campaign_is_named(changes, told):
    with pytest.raises(InputError, match=rf"^journal:2: not of this campaign \({told}.*restore the line or remove it"):
        check_trials(config(), [FIRST, replace(FIRST, **{"trial": 1} | changes)], "journal")


def test_what_an_earlier_campaign_left_is_fine():
    longer = [replace(FIRST, trial=number) for number in range(9) if number != 7]  # 4 are wanted now, 7 was under way
    others = [replace(FIRST, condition="fused-h99-c2", point={"tv": 50.0})]
    check_trials(config(), longer + others, "journal")
