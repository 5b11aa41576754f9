"""The command starts soon: what is heavy is imported by the commands that need it, when they run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fusedtomo
from tests.workflows.tiny import config, write_toml
from workflows.record.runfolder import RunFolder

ROOT = Path(__file__).parents[3]
HEAVY = ("numba", "parsl", "matplotlib", "skopt", "sklearn", "scipy", "h5py", "mpi4py")
_PROGRAM = """
import sys
from workflows.command.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print(code, [name for name in {heavy!r} if name in sys.modules])
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    with RunFolder(tmp_path / "run", config()) as made:
        made.journal.write_text("")
    write_toml(tmp_path / "tiny.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def started(*command, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["run", "-h"], ["status", "run"], ["trials", "run"]],
    ids=" ".join,
)
def test_commands_that_compute_nothing_import_nothing_heavy(files, words):
    done = started(sys.executable, "-c", _PROGRAM.format(heavy=HEAVY), *words)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


_LIBRARIES = "import numpy, rich.table, typer, pydantic"


def seconds(*command):
    """Of a processor, not of a clock: others may use the cores meanwhile."""
    before = os.times()
    assert started(*command).returncode == 0
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def times_the_libraries(*words):
    """The least of five pairs, one beside the other: what others do to a core's caches meanwhile, they do to both."""
    command, libraries = (sys.executable, "-m", "workflows.command.cli", *words), (sys.executable, "-c", _LIBRARIES)
    return min(seconds(*command) / seconds(*libraries) for _ in range(5))


def test_help_and_status_take_little_more_than_their_libraries(files):
    """A bar in seconds would measure the machine; numba alone would double the time."""
    for words, times in ((["--help"], 1.6), (["status", "run"], 2.3)):
        assert times_the_libraries(*words) < times, words


def test_python_m_fusedtomo_is_the_installed_command(tmp_path):
    """What is installed is stood for by a folder of metadata as pip writes it, with the entry point of pyproject."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = tmp_path / "fusedtomo-0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fusedtomo\nVersion: 0.0\n")
    (info / "entry_points.txt").write_text(f"[console_scripts]\nfusedtomo = {project['scripts']['fusedtomo']}\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = started(sys.executable, "-m", "fusedtomo", "--version", PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (0, f"fusedtomo {project['version']}\n"), done.stderr
    bad = started(sys.executable, "-m", "fusedtomo", "check", "none.toml", PYTHONPATH=path)
    assert bad.returncode == 2
    assert "none.toml: cannot be read" in bad.stderr
    (info / "entry_points.txt").write_text("[console_scripts]\nfusedtomo = workflows.gone:main\n")
    stale = started(sys.executable, "-m", "fusedtomo", "--version", PYTHONPATH=path)
    assert stale.returncode == 2
    assert "was installed from other files (No module named 'workflows.gone')" in stale.stderr
    assert "pip install" in stale.stderr


def test_the_version_is_that_of_the_package():
    done = started(sys.executable, "-m", "workflows.command.cli", "--version")
    assert done.stdout == f"fusedtomo {fusedtomo.__version__}\n"


def test_a_shell_is_told_the_commands(files):
    asked = {"_FUSEDTOMO_COMPLETE": "complete_bash", "COMP_WORDS": "fusedtomo re", "COMP_CWORD": "1"}
    program = "import sys; sys.argv[0] = 'fusedtomo'; from workflows.command.cli import main; main()"
    done = started(sys.executable, "-c", program, **asked)
    assert done.stdout.split() == ["reconstruct", "resolution", "report", "reproduce"], done.stderr


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("target", ["quickstart", "test", "bench"])
def test_make_says_what_pip_does_before_it_is_mute(target):
    done = subprocess.run(
        ["make", "-n", "-B", target], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    said, pip = (done.stdout.index(words) for words in ("prints nothing meanwhile: a minute or more", "-m pip install"))
    assert said < pip
