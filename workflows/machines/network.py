"""Under which address do the workers reach the controller?"""

import ipaddress
import socket

import psutil

from fusedtomo.errors import InputError
from workflows.machines.profile import Machine

LOOPBACK = "127.0.0.1"


def address_of(machine: Machine) -> str:
    """The controller's IPv4 address for a machine's workers; wrong ones are refused before anything starts.

    Parsl would try all it can think of, with a question to a service on the internet among them.
    """
    if machine.address:
        return _checked(machine)
    if machine.interface:
        return _address_of_interface(machine)
    if machine.provider == "local" and machine.node_launcher in ("single-node", "simple"):  # started on this host
        return LOOPBACK
    return _own_address(machine)


def interfaces() -> dict[str, str]:
    """The IPv4 address of every network interface of this host, loopback left out."""
    found: dict[str, str] = {}
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if one.family == socket.AF_INET and not ipaddress.ip_address(one.address).is_loopback:
                found.setdefault(name, one.address)
    return found


def _checked(machine: Machine) -> str:
    try:
        return str(ipaddress.ip_address(machine.address))
    except ValueError:
        raise InputError(
            f"machine '{machine.name}': address = '{machine.address}' is no IP address; {_choice()}"
        ) from None


def _address_of_interface(machine: Machine) -> str:
    here = interfaces()
    known = [name for name in machine.interface if name in here]
    if not known:
        wanted = "' or '".join(machine.interface)
        raise InputError(f"machine '{machine.name}': this host has no network interface '{wanted}'; {_choice()}")
    return here[known[0]]


def _own_address(machine: Machine) -> str:
    """The address of this host's name, or its only one."""
    here = interfaces().values()
    try:
        named = socket.gethostbyname(socket.gethostname())
    except OSError:
        named = LOOPBACK
    if named in here:
        return named
    if len(here) == 1:
        return next(iter(here))
    raise InputError(f"machine '{machine.name}': which network do its nodes reach this host by? {_choice()}")


def _choice() -> str:
    names = ", ".join(f"{name} ({address})" for name, address in interfaces().items())
    return f"set `interface` to one of those that this host has: {names or 'none but loopback'}"
