"""Addresses as gRPC writes them; used by the server and by the client, so the standard library only."""

from __future__ import annotations

import ipaddress


def is_loopback(address: str) -> bool:
    """Whether everything that `address` names stays on this machine.

    Known are `host:port`, `[::1]:port`, `unix:path`, and lists with commas after `ipv4:` or `ipv6:`.
    """
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    targets = address.rpartition("/")[2]
    for scheme in ("dns:", "ipv4:", "ipv6:"):
        targets = targets[len(scheme) :] if targets.startswith(scheme) else targets  # Python 3.8
    return all(_is_loopback_host(target) for target in targets.split(","))


def _is_loopback_host(target: str) -> bool:
    host = target.rpartition(":")[0] if target.count(":") == 1 or "]" in target else target
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name, and who knows where it leads
        return False
