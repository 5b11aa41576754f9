"""Does docs/targets.md name every target that a benchmark did not reach?"""

import re

from tests import pages

_MISSED = re.compile(r"^- bar: (.*): (.*), \*\*not met\*\*$", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def test_what_was_not_met_stands_on_the_page():
    latest = (pages.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    missed = [found for _, found in _MISSED.findall(latest)]
    rows = list(pages.table(pages.page("targets.md").split("## Met")[0], "target").values())
    assert len(missed) == latest.count("**not met**\n") == len(rows)
    told = set(_NUMBER.findall(" ".join(row[0] for row in rows)))
    assert {number for found in missed for number in _NUMBER.findall(found)} <= told
