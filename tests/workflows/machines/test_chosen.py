"""A machine that cannot start workers from here is refused before anything else is done."""

import pytest

from fusedtomo.errors import InputError
from workflows.machines import Wishes, machine_here, network


@pytest.fixture
def profile(tmp_path, monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_JOB_NODELIST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(network, "interfaces", lambda: {"hsn0": "10.2.0.7"})
    path = tmp_path / "mine.toml"
    text = 'name = "mine"\nprovider = "slurm"\nworkers = 1\nwalltime_min = 60\nrequired = ["account"]\n'
    path.write_text(text + 'interface = "ib0"\n')
    return str(path)


def test_first_the_account_then_the_network(profile):
    with pytest.raises(InputError, match="needs your account"):
        machine_here(profile, Wishes())
    with pytest.raises(InputError, match=r"no network interface 'ib0'; .* hsn0 \(10\.2\.0\.7\)"):
        machine_here(profile, Wishes(account="A1"))


def test_inside_a_job_the_account_is_paid_already(profile, monkeypatch):
    from workflows.machines.schedulers import slurm

    monkeypatch.setattr(slurm, "said", lambda command, *_: "n1\n" if command == "scontrol" else "30:00\n")
    monkeypatch.setattr(network, "interfaces", lambda: {"ib0": "10.3.0.7"})
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n1")
    machine = machine_here(profile, Wishes())
    assert (machine.provider, machine.walltime_min) == ("local", 30)
