"""The batch script of a block of workers, of every profile, as it was when it was last looked at (golden/).

After a change that is meant, write them again and read the difference: python -m tests.cluster.test_golden
"""

import re
import sys
from pathlib import Path

import pytest

from workflows.machines import CONFIGS, load_machine
from workflows.machines.config import block_script

GOLDEN = Path(__file__).parent / "golden"
PROFILES = sorted(path.stem for path in (CONFIGS / "machines").glob("*.toml"))
BATCH = [name for name in PROFILES if load_machine(name).provider != "local"]


def rendered(name: str) -> str:
    """The script for two nodes, an account and mail, with names for what differs from one installation to the other."""
    machine = load_machine(name).changed("test", account="ACCOUNT", nodes_per_block=2, mail_user="YOU@EXAMPLE.ORG")
    text = block_script(machine, Path("/RUN/parsl"))
    text = text.replace(str(Path(sys.executable).parent), "/VENV/bin")
    text = re.sub(r"^export PYTHONPATH=.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(block-0)\.[0-9.]*[0-9]", r"\1.TIME", text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip() + "\n"


@pytest.mark.parametrize("name", BATCH)
def test_a_block_s_script_is_the_golden_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rendered(name) == (GOLDEN / f"{name}.sh").read_text()


def test_there_is_no_golden_file_without_its_profile():
    assert sorted(path.stem for path in GOLDEN.glob("*.sh")) == BATCH


if __name__ == "__main__":
    for each in BATCH:
        (GOLDEN / f"{each}.sh").write_text(rendered(each))
