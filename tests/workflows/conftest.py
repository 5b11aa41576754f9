"""The run that nothing disturbs, made once: every disturbed one must end like it."""

import pytest

from tests.once import made_once
from tests.workflows.running import CHANGES, facts, finish, start
from tests.workflows.tiny import write_toml


@pytest.fixture(scope="session")
def campaign(tmp_path_factory):
    """The tiny campaign as a file."""
    return write_toml(tmp_path_factory.mktemp("campaign") / "tiny.toml", **CHANGES)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, campaign):
    """The folder of a run on one worker, to the end; all processes of the tests read the same."""

    def run(folder):
        code, said = finish(start(campaign, folder, "--workers", 1))
        assert code == 0, said

    return made_once(tmp_path_factory, "undisturbed", run)


@pytest.fixture(scope="session")
def undisturbed_facts(undisturbed):
    """What must not depend on workers and interruptions."""
    return facts(undisturbed)
