"""All products of a run folder: atlas.h5, every registered figure and table, report.html. Nothing is computed here."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import xarray as xr

from workflows.campaign import Condition, Trial
from workflows.maps.atlas import build_atlas, write_atlas
from workflows.maps.carried import with_trials
from workflows.record.runfolder import RunFolder
from workflows.record.sessions import codes
from workflows.report.again import judged
from workflows.report.findings import Findings
from workflows.report.page import write_report
from workflows.report.product import Product, Subject, made, products_of
from workflows.report.single_cells import USUAL, Chosen

ATLAS = "atlas.h5"
Say = Callable[[str], None]


def write_products(
    folder: RunFolder, facts: Mapping[str, str], say: Say = lambda _: None, chosen: Chosen = USUAL
) -> Path:
    """Write every product into the run folder; return the path of the report.

    Args:
        folder: the run.
        facts: provenance.
        say: told what is being made, for a progress line.
        chosen: which cells the report holds more of than their trials.
    """
    findings = Findings(folder)
    atlas = _atlas(findings, facts)
    exhibits = []
    for product, subject in _all(findings):
        say(f"drawing: {product.name}{f' of {subject.key}' if subject else ''}")
        if exhibit := made(product, findings, subject):
            exhibits.append(exhibit)
    report = folder.path / "report.html"
    say("writing report.html")
    write_report(report, findings, exhibits, atlas.attrs, _left_out(findings), chosen)
    return report


def write_atlas_alone(folder: RunFolder, facts: Mapping[str, str], _say: Say) -> Path:
    """Write atlas.h5 and return its path: for who draws by other means."""
    _atlas(Findings(folder), facts)
    return folder.path / ATLAS


def _atlas(findings: Findings, facts: Mapping[str, str]) -> xr.Dataset:
    carrying = with_trials(judged(findings), findings.config, findings.trials)
    atlas = build_atlas(carrying, {**facts, "sessions": codes(findings.path) or "not recorded"})
    write_atlas(atlas, findings.path / ATLAS)
    return atlas


def volumes_to_make(folder: RunFolder) -> list[Trial]:
    """The trials whose reconstructions products need and the run folder does not hold yet."""
    findings = Findings(folder)
    needed: dict[Condition, None] = {}
    for product, subject in _all(findings):
        needed |= dict.fromkeys(product.volumes(findings, subject))
    return [findings.to_keep(condition) for condition in needed if not findings.is_kept(condition)]


def _all(findings: Findings) -> Iterator[tuple[Product, Subject]]:
    return ((product, subject) for product in products_of(findings) for subject in product.subjects(findings))


def _left_out(findings: Findings) -> list[str]:
    """What reconstructions are missing, for the report."""
    needed = dict.fromkeys(one for product, subject in _all(findings) for one in product.volumes(findings, subject))
    return [condition.key for condition in needed if not findings.is_kept(condition)]
