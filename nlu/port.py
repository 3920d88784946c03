"""Ports of this machine: of one server, or shared by several (SO_REUSEPORT)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from skills.errors import InputError


def listen(address: str, *, field: str = "address", shared: bool = False) -> socket.socket:
    """Listen on HOST:PORT; the kernel shares new connections out among those that listen on a shared port.

    Raises:
        InputError: that cannot be done; says why, and names the field.
    """
    listener = _bound(address, field, shared)
    listener.listen()
    # Head and body of an answer are written apart: together with the callers' delayed ACKs, Nagle's algorithm
    # would hold the body back for 40 ms. (asyncio does not see that this is a socket of TCP.)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextmanager
def reserved(address: str, *, field: str) -> Iterator[str]:
    """Keep a port for those who will share it; yields HOST:PORT, with a free port in the place of 0.

    Raises:
        InputError: somebody listens there already, or nobody could.
    """
    _bound(address, field, shared=False).close()  # with another group, it would be shared in silence
    with closing(_bound(address, field, shared=True)) as holder:
        yield with_port(address, holder)


def with_port(address: str, bound: socket.socket) -> str:
    """Return HOST:PORT with the port that a socket has."""
    return f"{address.rpartition(':')[0]}:{bound.getsockname()[1]}"


def _bound(address: str, field: str, shared: bool) -> socket.socket:
    host, _, written = address.rpartition(":")
    host = host.strip("[]")
    ipv6 = ":" in host
    bound = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if ipv6:  # IPv4 as well, as gRPC listens on [::]
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not socket.has_dualstack_ipv6())
        bound.bind((host, int(written)))
    except (OSError, ValueError, OverflowError) as error:
        bound.close()
        raise InputError(
            f"cannot listen on {address} ({error}): give HOST:PORT of this machine, with a port "
            "that no other program has (0 takes a free one)",
            field=field,
        ) from error
    return bound
