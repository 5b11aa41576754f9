"""Run folders for the tests of products and of the page."""

import json

import pytest

from fusedtomo.io import write_reconstruction
from tests.workflows.values import campaign
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.report.findings import Findings


@pytest.fixture
def folder_of(tmp_path):
    """Makes a run folder that holds trials."""

    def make(trials, config=None):
        with RunFolder(tmp_path / "run", config or campaign()) as folder, Journal(folder.journal) as journal:
            journal.append(*trials)
        return folder

    return make


@pytest.fixture
def findings_of(folder_of):
    """What was found in such a folder."""
    return lambda trials, config=None: Findings(folder_of(trials, config))


@pytest.fixture
def keep():
    """Puts a volume where the workers keep the reconstruction of a condition's best trial."""

    def put(findings, condition, volume, history=None):
        best = findings.best(condition)
        facts = {"condition": condition.key, "trial": best.trial, "point": json.dumps(best.point)}
        path = findings.reconstruction_of(condition)
        path.parent.mkdir(exist_ok=True)
        facts |= {"fingerprint": findings.config.fingerprint()}
        write_reconstruction(path, volume, history or {"total": [2.0, 1.0]}, facts)
        assert findings.is_kept(condition)

    return put
