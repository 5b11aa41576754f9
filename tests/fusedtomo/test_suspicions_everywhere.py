"""Is what docs/howto-real-data.md says of warnings true: no false alarm, and each failure found as often?"""

import re

import pytest

from benchmarks.suspicions import CLEAN, FAULTS, KINDS, MEASURED, false_alarms, rows
from tests import pages

PAGE = pages.page("howto-real-data.md")


def test_the_page_has_every_fault_and_every_kind_of_warning():
    lines = re.findall(r"^\| ([^|]+) \| \d / \d \|", PAGE, re.MULTILINE)
    assert lines == [case.words for case in FAULTS[::2]]
    for kind in KINDS:
        assert f"**{kind}**" in PAGE
    assert f"{len(CLEAN) * len(MEASURED)} data sets without fault" in PAGE


@pytest.mark.nightly
def test_clean_data_of_every_specimen_raise_no_alarm():
    assert len(CLEAN) * len(MEASURED) >= 50
    assert {words: count for words, count in false_alarms().items() if count} == {}


@pytest.mark.nightly
def test_failures_are_found_as_the_page_has_it():
    for row in rows():
        assert f"| {' | '.join(row)} |" in PAGE
