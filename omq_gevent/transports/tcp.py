"""tcp: ZMTP over TCP, IPv4 and IPv6.

A bound endpoint may have several listening sockets, one for each address of its host, all on the
same port: ``*`` both families, ``localhost`` 127.0.0.1 and ::1, an interface all its addresses.
It prints with the host that was asked for, or where no peer could look that up (``*``, no host,
an interface) with its first address: ``tcp://0.0.0.0:5555``. Connecting to a wildcard address
connects to this machine.
"""

from __future__ import annotations

import errno
import socket
from functools import partial
from typing import Any

from zope.interface import implementer

from omq_gevent.endpoint import Endpoint
from omq_gevent.interfaces import IDialer, IListener, ITransport
from omq_gevent.transports import happy_eyeballs, resolve
from omq_gevent.transports.listening_socket import ListeningSocket, adopt
from omq_gevent.transports.resolve import Address
from omq_gevent.transports.socket_options import SocketOptions
from omq_gevent.transports.stream import PlainSocket, SocketStream

PORT_ATTEMPTS = 16
"""How many ports are tried until one is free on all addresses of the host."""

# Of several addresses those are left out that this machine turns out not to have.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@implementer(IListener)
class TcpListener:
    """The listening sockets of one endpoint."""

    def __init__(self, endpoint: Endpoint, sockets: list[socket.socket], options: Any) -> None:
        port = sockets[0].getsockname()[1]
        host = endpoint.host or ""
        if not resolve.names_a_host(host):
            host = sockets[0].getsockname()[0]
        self.endpoint = str(Endpoint.tcp(host, port))
        self._listening = [ListeningSocket(sock) for sock in sockets]
        self.acceptors = [
            partial(self._accept, listening, SocketOptions(options, sock.family))
            for listening, sock in zip(self._listening, sockets)
        ]

    def _accept(self, listening: ListeningSocket, options: SocketOptions) -> SocketStream:
        sock, address = listening.accept()
        try:
            options.apply_to_accepted(sock)
        except BaseException:
            sock.close()
            raise
        return SocketStream(sock, self.endpoint, _text(address))

    def wrap(self, connection: Any) -> Any:
        return connection

    def close(self) -> None:
        for listening in self._listening:
            listening.close()


@implementer(IDialer)
class TcpDialer:
    """The way to one endpoint; each ``dial`` looks the host up anew."""

    def __init__(self, endpoint: Endpoint, options: Any) -> None:
        self.endpoint = str(endpoint)
        self._endpoint = endpoint
        self._ipv6 = options.ipv6 is not False
        self._options: dict[int, SocketOptions] = {
            family: SocketOptions(options, family) for family in (socket.AF_INET, socket.AF_INET6)
        }

    def dial(self) -> SocketStream:
        """Connect to whichever of the host's addresses answers first.

        :raises EndpointError: ENODEV when the host cannot be found.
        :raises OSError: when no address could be connected.
        """
        host, port = self._endpoint.host or "", self._endpoint.port or 0
        targets = resolve.to_connect(host, self._ipv6)
        make_socket = partial(self._make_socket, self._sources())
        sock, address = happy_eyeballs.connect(targets, port, make_socket)
        return SocketStream(sock, "", Endpoint.tcp(address.host, port).address)

    def _sources(self) -> dict[int, Address] | None:
        """The address to connect from, by family; None where that is the system's choice."""
        host = self._endpoint.source_host
        if host is None:
            return None
        found = resolve.to_bind(host, self._ipv6)
        return {address.family: address for address in reversed(found)}

    def _make_socket(self, sources: dict[int, Address] | None, target: Address) -> socket.socket:
        sock: socket.socket = PlainSocket(target.family, socket.SOCK_STREAM)
        try:
            self._options[target.family].apply(sock)
            if sources is not None:
                self._bind_source(sock, sources)
        except BaseException:
            sock.close()
            raise
        return sock

    def _bind_source(self, sock: socket.socket, sources: dict[int, Address]) -> None:
        source = sources.get(sock.family)
        if source is None:
            raise OSError(
                errno.EADDRNOTAVAIL,
                f"{self._endpoint.source_host!r} has no address of the same family",
            )
        # The port may still wait for the last packets of the connection that was lost.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(source.with_port(self._endpoint.source_port or 0))

    def wrap(self, connection: Any) -> Any:
        return connection


@implementer(ITransport)
class TcpTransport:
    """``tcp://``."""

    def listen(self, endpoint: Endpoint, host: Any) -> TcpListener:
        """Listen on every address of the endpoint's host, or on the descriptor in ``use_fd``.

        Switches only to look up a host's name.

        :raises OSError: such as EADDRINUSE, EADDRNOTAVAIL, EACCES; names the endpoint.
        """
        options = host.options
        if options.use_fd is not None:
            sock = adopt(options, socket.AF_INET, socket.AF_INET6)
            return TcpListener(Endpoint.tcp(*sock.getsockname()[:2]), [sock], options)
        addresses = resolve.to_bind(endpoint.host or "", options.ipv6 is not False)
        try:
            sockets = _listen_on_all(addresses, endpoint.port or 0, options)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(endpoint)) from None
        return TcpListener(endpoint, sockets, options)

    def dialer(self, endpoint: Endpoint, host: Any) -> TcpDialer:
        return TcpDialer(endpoint, host.options)


def _listen_on_all(addresses: list[Address], port: int, options: Any) -> list[socket.socket]:
    """Sockets on one port of all *addresses*; with port 0 on one that is free on all of them."""
    for attempts_left in reversed(range(PORT_ATTEMPTS)):
        try:
            return _try_port(addresses, port, options)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port or not attempts_left:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _try_port(addresses: list[Address], port: int, options: Any) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for address in addresses:
            try:
                sockets.append(_listen_on(address, port, options))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = missing or error
                continue
            port = sockets[0].getsockname()[1]
        if not sockets and missing is not None:
            raise missing
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen_on(address: Address, port: int, options: Any) -> socket.socket:
    sock: socket.socket = PlainSocket(address.family, socket.SOCK_STREAM)
    try:
        if address.family == socket.AF_INET6:
            # IPv4 has a socket of its own, which sees its peers' addresses as they are.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        SocketOptions(options, address.family).apply(sock)
        sock.bind(address.with_port(port))
        sock.listen(options.backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _text(address: Any) -> str:
    host, port = address[:2]
    # A descriptor of use_fd may be a socket for both families.
    if host.startswith("::ffff:"):
        host = host[len("::ffff:") :]
    return Endpoint.tcp(host, port).address


tcp = TcpTransport()
