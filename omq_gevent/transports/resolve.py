"""Host names, interfaces and wildcards to addresses.

Loopback (``localhost``, or no host) is 127.0.0.1 and ::1, whatever a resolver would say, and the
wildcard is both families, so that a peer is met whichever of them it knows. An interface is
looked for before a host of that name. Names go to gevent's resolver and hold up this greenlet
only; all the rest is known at once.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from gevent import socket as cooperative

from omq_gevent.errors import EndpointError

_IPV6_ADDRESSES = "/proc/net/if_inet6"
_SIOCGIFADDR = 0xC0206921 if sys.platform == "darwin" else 0x8915


class Address(NamedTuple):
    """An address of ours or of a peer's, without a port."""

    family: int
    host: str
    scope: int = 0

    def with_port(self, port: int) -> Any:
        """The address as socket calls take it."""
        if self.family == socket.AF_INET6:
            return (self.host, port, 0, self.scope)
        return (self.host, port)


_LOOPBACK = Address(socket.AF_INET, "127.0.0.1")
_LOOPBACK6 = Address(socket.AF_INET6, "::1")
_ANY = Address(socket.AF_INET, "0.0.0.0")
_ANY6 = Address(socket.AF_INET6, "::")

# A program that says [::] means the machine; see the wildcard's two sockets in `tcp`.
_TO_BIND = {
    "*": [_ANY, _ANY6],
    "::": [_ANY6, _ANY],
    "": [_LOOPBACK, _LOOPBACK6],
    "localhost": [_LOOPBACK, _LOOPBACK6],
}
# To connect to a wildcard is to connect to this machine: bound endpoints print like that.
_TO_CONNECT = {
    "0.0.0.0": [_LOOPBACK],
    "::": [_LOOPBACK6, _LOOPBACK],
    "": [_LOOPBACK, _LOOPBACK6],
    "localhost": [_LOOPBACK, _LOOPBACK6],
}


def to_bind(host: str, ipv6: bool) -> list[Address]:
    """The addresses of this machine that *host* stands for.

    :raises EndpointError: ENODEV when there is neither an interface nor a host of that name.
    """
    known = _TO_BIND.get(host.lower()) or _literal(host) or _of_interface(host)
    return _allowed(host, known or _look_up(host, ipv6), ipv6)


def to_connect(host: str, ipv6: bool) -> list[Address]:
    """The addresses of *host*, in the order in which they should be tried.

    :raises EndpointError: ENODEV when there is no host of that name.
    """
    known = _TO_CONNECT.get(host.lower()) or _literal(host)
    return _allowed(host, known or _alternating(_look_up(host, ipv6)), ipv6)


def names_a_host(host: str) -> bool:
    """Whether *host* is something that a peer, too, can look up."""
    return host not in ("", "*") and (bool(_literal(host)) or not _interface_index(host))


def _allowed(host: str, addresses: list[Address], ipv6: bool) -> list[Address]:
    allowed = [a for a in addresses if ipv6 or a.family != socket.AF_INET6]
    if not allowed:
        raise EndpointError(errno.ENODEV, f"{host!r} is IPv6 only, and the option ipv6 is off")
    return allowed


def _literal(host: str) -> list[Address]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return []
    if isinstance(address, ipaddress.IPv4Address):
        return [Address(socket.AF_INET, host)]
    text, _, scope = host.partition("%")
    if not scope:
        return [Address(socket.AF_INET6, text)]
    index = int(scope) if scope.isdigit() else _interface_index(scope)
    if not index:
        raise EndpointError(errno.ENODEV, f"there is no interface {scope!r}, the scope of {host!r}")
    return [Address(socket.AF_INET6, text, index)]


def _look_up(host: str, ipv6: bool) -> list[Address]:
    family = socket.AF_UNSPEC if ipv6 else socket.AF_INET
    try:
        found = cooperative.getaddrinfo(host, 0, family, socket.SOCK_STREAM)
    except socket.gaierror as error:  # no other OSError: it may be the caller's own time limit
        problem = error.strerror or str(error)
        raise EndpointError(errno.ENODEV, f"there is no host {host!r}: {problem}") from error
    except UnicodeError as error:
        raise EndpointError(errno.ENODEV, f"{host!r} cannot be a host's name: {error}") from error
    addresses = []
    for of_family, _type, _protocol, _name, sockaddr in found:
        name: Any = sockaddr
        if of_family == socket.AF_INET:
            addresses.append(Address(of_family, name[0]))
        elif of_family == socket.AF_INET6:
            addresses.append(Address(of_family, name[0], name[3]))
    return list(dict.fromkeys(addresses))


def _alternating(addresses: list[Address]) -> list[Address]:
    """First the family that the resolver prefers, then the families by turns (RFC 8305)."""
    preferred = [a for a in addresses if a.family == addresses[0].family]
    others = [a for a in addresses if a.family != addresses[0].family]
    pairs = chain.from_iterable(zip_longest(preferred, others))
    return [address for address in pairs if address is not None]


def _interface_index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except (OSError, UnicodeError):
        return 0


def _of_interface(name: str) -> list[Address]:
    """The addresses of an interface; none when there is no interface of that name.

    :raises EndpointError: ENODEV when it has no address.
    """
    index = _interface_index(name)
    if not index:
        return []
    addresses = [*_ipv4_of_interface(name), *_ipv6_of_interface(index)]
    if not addresses:
        raise EndpointError(errno.ENODEV, f"the interface {name!r} has no address")
    return addresses


def _ipv4_of_interface(name: str) -> Iterator[Address]:
    request = struct.pack("256s", name.encode()[:15])
    with cooperative.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            reply = fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, request)
        except OSError:  # it has no IPv4 address
            return
    yield Address(socket.AF_INET, socket.inet_ntoa(reply[20:24]))


def _ipv6_of_interface(index: int) -> Iterator[Address]:
    try:
        with open(_IPV6_ADDRESSES) as lines:
            entries = [line.split() for line in lines]
    except OSError:  # IPv6 is off
        return
    for digits, of_interface, _prefix_length, scope, *_ in entries:
        if int(of_interface, 16) == index:
            text = str(ipaddress.IPv6Address(bytes.fromhex(digits)))
            is_link_local = int(scope, 16) == 0x20
            yield Address(socket.AF_INET6, text, index if is_link_local else 0)
