"""The controller's address: of an interface, of the host, or refused with the interfaces that exist."""

import socket
from collections import namedtuple

import pytest

from fusedtomo.errors import InputError
from workflows.machines import Machine, network

Address = namedtuple("Address", "family address")
HOST = {
    "lo": [Address(socket.AF_INET, "127.0.0.1")],
    "bond0": [Address(socket.AF_INET6, "fe80::1"), Address(socket.AF_INET, "10.1.0.7")],
    "hsn0": [Address(socket.AF_INET, "10.2.0.7")],
}


@pytest.fixture(autouse=True)
def host(monkeypatch):
    monkeypatch.setattr(network.psutil, "net_if_addrs", lambda: HOST)
    monkeypatch.setattr(network.socket, "gethostbyname", lambda _: "127.0.1.1")


def of(**fields):
    return network.address_of(Machine(name="m", **fields))


def test_one_local_node_needs_no_network():
    assert of() == "127.0.0.1"


def test_the_first_interface_that_exists_is_taken():
    assert of(interface=["ib0", "hsn0", "bond0"]) == "10.2.0.7"


def test_an_address_wins_over_an_interface():
    assert of(address="10.9.9.9", interface="hsn0") == "10.9.9.9"


def test_an_unknown_interface_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match=r"no network interface 'ib0' or 'ib1'; .*bond0 \(10\.1\.0\.7\), hsn0"):
        of(interface=["ib0", "ib1"])


def test_what_is_no_address_is_refused():
    with pytest.raises(InputError, match="address = 'login1' is no IP address"):
        of(address="login1")


def test_several_nodes_are_reached_by_the_address_of_the_host_s_name(monkeypatch):
    with pytest.raises(InputError, match=r"which network .*bond0 \(10\.1\.0\.7\), hsn0"):
        of(launcher="srun")
    monkeypatch.setattr(network.socket, "gethostbyname", lambda _: "10.1.0.7")
    assert of(launcher="srun") == "10.1.0.7"


@pytest.mark.parametrize("launcher", ["simple", "single-node"])
def test_a_batch_job_is_on_another_host_whatever_starts_its_workers(monkeypatch, launcher):
    monkeypatch.setattr(network.socket, "gethostbyname", lambda _: "10.1.0.7")
    assert of(provider="slurm", workers=1, walltime_min=10, launcher=launcher) == "10.1.0.7"


def test_the_only_network_there_is_needs_no_name(monkeypatch):
    monkeypatch.setattr(network.psutil, "net_if_addrs", lambda: {name: HOST[name] for name in ("lo", "bond0")})
    assert of(launcher="srun") == "10.1.0.7"
