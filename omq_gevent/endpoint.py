"""Parse, check and print endpoints: where to bind and where to connect.

::

    tcp://HOST:PORT                 HOST: name, IPv4, [IPv6], interface, * (all), empty (loopback)
    tcp://SOURCE:PORT;HOST:PORT     connect from this address of ours
    ipc://PATH                      a Unix domain socket, absolute or relative path
    ipc://@NAME                     the same in Linux's abstract name space
    ipc://*                         bind to a path of its own making
    inproc://NAME                   within this process
    other://ADDRESS                 kept as it is: the transport of that scheme reads it

PORT is a number up to 65535; ``*`` or 0 lets the operating system choose. Host names are not
looked up here.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from errno import EINVAL, ENAMETOOLONG

from omq_gevent.errors import EndpointError

__all__ = ["Endpoint", "check_bind", "check_connect", "parse"]

IPC_PATH_MAX = 107
"""Bytes that fit into ``sockaddr_un.sun_path`` beside its NUL."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_NOT_IN_HOST = re.compile(r"[\s\x00-\x1f\x7f/\\\[\]@;?#*]")


@dataclass(frozen=True)
class Endpoint:
    """An endpoint taken apart; ``str()`` gives its canonical text.

    ``address`` is what follows ``://``. The other fields belong to one scheme each: ``host``,
    ``port`` (0: any), ``source_host`` and ``source_port`` to tcp, ``path`` to ipc (``"@name"`` in
    the abstract name space, ``"*"`` for any). They are None for the other schemes, and the source
    is None if none was given. Equal endpoints are spelt alike: hosts and ports in one way only.
    """

    scheme: str
    address: str
    host: str | None = None
    port: int | None = None
    source_host: str | None = None
    source_port: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"

    @classmethod
    def tcp(
        cls,
        host: str,
        port: int,
        source_host: str | None = None,
        source_port: int | None = None,
    ) -> Endpoint:
        """Make a tcp endpoint of a host (IPv6 without brackets) and a port, as sockets have them.

        Nothing is checked.
        """
        address = _host_and_port(host, port)
        if source_host is not None and source_port is not None:
            address = f"{_host_and_port(source_host, source_port)};{address}"
        return cls("tcp", address, host, port, source_host, source_port)

    @classmethod
    def ipc(cls, path: str) -> Endpoint:
        """Make an ipc endpoint of a path, ``"@name"`` for an abstract one. Nothing is checked."""
        return cls("ipc", path, path=path)

    def with_port(self, port: int) -> Endpoint:
        """Return the tcp endpoint on this port: what a bind to any port came to."""
        return Endpoint.tcp(self.host or "", port, self.source_host, self.source_port)

    @property
    def is_abstract(self) -> bool:
        """Whether this is an ipc endpoint in Linux's abstract name space, which has no file."""
        return self.path is not None and self.path.startswith("@")

    @property
    def unix_address(self) -> bytes:
        """The address of an ipc endpoint as a Unix domain socket takes it."""
        encoded = os.fsencode(self.path or "")
        return b"\0" + encoded[1:] if self.is_abstract else encoded


def parse(text: str) -> Endpoint:
    """Take an endpoint's text apart.

    Raises `EndpointError` that says what is wrong with it (``errno`` EINVAL, or ENAMETOOLONG for
    an ipc path), TypeError if it is not a str.
    """
    if not isinstance(text, str):
        raise TypeError(f"an endpoint is a str such as 'tcp://host:5555', not {text!r}")
    scheme, separator, address = text.partition("://")
    if not separator:
        raise _invalid(text, "there is no '://': an endpoint looks like 'tcp://host:5555'")
    if not _SCHEME.fullmatch(scheme):
        raise _invalid(text, "what is before '://' is not the name of a transport")
    if not address:
        raise _invalid(text, "there is nothing after '://'")
    scheme = scheme.lower()
    if scheme == "tcp":
        return _parse_tcp(address, text)
    if scheme == "ipc":
        return _parse_ipc(address, text)
    return Endpoint(scheme, address)


def check_bind(endpoint: Endpoint) -> None:
    """Raise `EndpointError` (EINVAL) if one cannot bind to this endpoint."""
    if endpoint.source_host is not None:
        raise _invalid(str(endpoint), "a source address before ';' is for connect, not for bind")


def check_connect(endpoint: Endpoint) -> None:
    """Raise `EndpointError` (EINVAL) if one cannot connect to this endpoint."""
    if endpoint.host == "*":
        raise _invalid(str(endpoint), "connect needs the host to connect to, '*' is for bind")
    if endpoint.port == 0:
        raise _invalid(str(endpoint), "connect needs a port number, '*' and 0 are for bind")
    if endpoint.path == "*":
        raise _invalid(str(endpoint), "connect needs the path to connect to, '*' is for bind")


def _parse_tcp(address: str, text: str) -> Endpoint:
    source, separator, target = address.rpartition(";")
    host, port = _parse_host_and_port(target, text)
    if not separator:
        return Endpoint.tcp(host, port)
    source_host, source_port = _parse_host_and_port(source, text)
    if not source_host:
        raise _invalid(text, "the source address before ';' has no host")
    return Endpoint.tcp(host, port, source_host, source_port)


def _parse_host_and_port(address: str, text: str) -> tuple[str, int]:
    host, separator, port = address.rpartition(":")
    if not separator:
        raise _invalid(text, "there is no port: an address looks like 'host:5555' or 'host:*'")
    return _parse_host(host, text), _parse_port(port, text)


def _parse_host(host: str, text: str) -> str:
    if host in ("", "*"):
        return host
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if _NOT_IN_HOST.search(bare):
        raise _invalid(text, f"{host!r} is not a host name, an address or an interface")
    if not bracketed and ":" not in bare:
        return bare
    try:
        return str(ipaddress.IPv6Address(bare))
    except ValueError:
        raise _invalid(text, f"{host!r} is not an IPv6 address") from None


def _parse_port(port: str, text: str) -> int:
    if port == "*":
        return 0
    if not (port.isascii() and port.isdigit()):
        raise _invalid(text, f"the port {port!r} is neither a number nor '*'")
    # The length first: int() refuses thousands of digits in its own words.
    if len(port) > 5 or int(port) > 65535:
        raise _invalid(text, "the port is greater than 65535")
    return int(port)


def _parse_ipc(path: str, text: str) -> Endpoint:
    if path == "@":
        raise _invalid(text, "there is no name after '@'")
    if "\0" in path:
        raise _invalid(text, "a path cannot have a NUL in it")
    endpoint = Endpoint.ipc(path)
    try:
        # The leading NUL of an abstract name takes the place that the final one of a path has.
        size = len(endpoint.unix_address) - endpoint.is_abstract
    except UnicodeEncodeError:
        raise _invalid(text, "the path cannot be encoded for the file system") from None
    if size > IPC_PATH_MAX:
        raise EndpointError(
            ENAMETOOLONG,
            f"bad endpoint {text!r}: the path has {size} bytes, at most {IPC_PATH_MAX} fit",
        )
    return endpoint


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _invalid(text: str, problem: str) -> EndpointError:
    return EndpointError(EINVAL, f"bad endpoint {text!r}: {problem}")
