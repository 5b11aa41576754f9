"""A name means the file here, else the shipped one; also where the program is installed from a wheel."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fusedtomo.errors import InputError
from workflows.machines import load_machine
from workflows.shipped import CONFIGS, named_file, shipped

ROOT = Path(__file__).parents[2]
SHIPPED = CONFIGS / "campaigns" / "quickstart.toml"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_is_that_of_a_shipped_campaign():
    assert named_file("campaigns", "quickstart") == SHIPPED
    assert SHIPPED.is_file()


def test_a_file_or_a_toml_of_that_name_in_the_current_folder_wins(here):
    (here / "quickstart.toml").touch()
    assert named_file("campaigns", "quickstart") == Path("quickstart.toml")
    (here / "quickstart").touch()
    assert named_file("campaigns", "quickstart") == Path("quickstart")


def test_a_folder_of_that_name_does_not_win(here):
    (here / "quickstart").mkdir()
    assert named_file("campaigns", "quickstart") == SHIPPED


@pytest.mark.parametrize("path", ["other.toml", "sub/quickstart", "/nowhere/x", "", ".", "run.json"])
def test_a_path_is_left_to_its_reader(path):
    assert named_file("campaigns", path) == Path(path)


def test_an_unknown_name_is_told_the_nearest_and_all_that_are_shipped():
    with pytest.raises(InputError, match=r"no 'quikstart' .* did you mean 'quickstart'\? Shipped: .*quickstart"):
        named_file("campaigns", "quikstart")
    with pytest.raises(InputError, match=r"'slrm'.* did you mean 'slurm'\? Shipped: aurora, frontier, laptop"):
        named_file("machines", "slrm")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["long", "NUL"])
def test_what_can_be_no_file_is_an_unknown_name(name):
    with pytest.raises(InputError, match="there is neither a file"):
        named_file("campaigns", name)


def test_machines_are_found_in_the_same_folder():
    for name in shipped("machines"):
        assert load_machine(name).name


def test_an_installed_wheel_has_them(here):
    """The folders of a wheel, as pyproject.toml lays them: the packages, and configs inside of workflows."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in wheel["packages"]:
        shutil.copytree(ROOT / package, here / "site" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for source, target in wheel["force-include"].items():
        shutil.copytree(ROOT / source, here / "site" / target)
    command = [sys.executable, "-m", "workflows.command.cli", "submit", "quickstart", "--machine", "slurm", "--dry-run"]
    environment = {**os.environ, "PYTHONPATH": str(here / "site"), "COLUMNS": "400"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"fusedtomo run {here}/site/workflows/configs/campaigns/quickstart.toml --machine slurm" in done.stdout
