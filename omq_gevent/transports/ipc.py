"""ipc: ZMTP over Unix domain sockets.

``ipc://PATH`` is a file, ``ipc://@NAME`` a name without a file (Linux only), and ``ipc://*`` a
file of a fresh name in a directory of its own, which only this user may enter; file and directory
are removed at the end. See `ipc_path` for what happens to files that are there already.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import tempfile
from typing import Any

from zope.interface import implementer

from omq_gevent import endpoint as endpoints
from omq_gevent.endpoint import Endpoint
from omq_gevent.errors import EndpointError, PeerRefused
from omq_gevent.interfaces import IDialer, IListener, ITransport
from omq_gevent.transports import ipc_path
from omq_gevent.transports.ipc_path import SocketFile
from omq_gevent.transports.listening_socket import ListeningSocket, adopt
from omq_gevent.transports.peer_credentials import PeerCredentials
from omq_gevent.transports.socket_options import SocketOptions
from omq_gevent.transports.stream import PlainSocket, SocketStream


class PeerFilter:
    """Who may connect: any process that is in one of the sets; everyone when all are empty."""

    def __init__(self, options: Any) -> None:
        self._pids: frozenset[int] = options.ipc_filter_pid
        self._uids: frozenset[int] = options.ipc_filter_uid
        self._gids: frozenset[int] = options.ipc_filter_gid
        self._open = not (self._pids or self._uids or self._gids)

    def check(self, peer: PeerCredentials | None) -> None:
        """Raise `PeerRefused` when *peer* may not connect; None is a peer nobody knows."""
        if self._open:
            return
        if peer is None:
            raise PeerRefused("this system does not tell who the peer is (ipc_filter options)")
        if peer.pid in self._pids or peer.uid in self._uids or peer.groups & self._gids:
            return
        raise PeerRefused(f"{peer} gid {peer.gid} may not connect (ipc_filter options)")


@implementer(IListener)
class IpcListener:
    """The listening socket of one endpoint, and its file if it has one."""

    def __init__(
        self,
        endpoint: Endpoint,
        sock: socket.socket,
        options: Any,
        file: SocketFile | None = None,
        directory: str | None = None,
    ) -> None:
        self.endpoint = str(endpoint)
        self._file = file
        self._directory = directory
        self._options = SocketOptions(options, socket.AF_UNIX)
        self._filter = PeerFilter(options)
        self._listening = ListeningSocket(sock)
        self.acceptors = [self._accept]

    def _accept(self) -> SocketStream:
        sock, _ = self._listening.accept()
        try:
            peer = PeerCredentials.of(sock)
            self._filter.check(peer)
            self._options.apply_to_accepted(sock)
        except BaseException:
            sock.close()
            raise
        return SocketStream(sock, self.endpoint, _text(peer))

    def wrap(self, connection: Any) -> Any:
        return connection

    def close(self) -> None:
        if self._file is not None:
            self._file.remove()
            self._file = None
        if self._directory is not None:
            _remove_directory(self._directory)
            self._directory = None
        self._listening.close()


@implementer(IDialer)
class IpcDialer:
    """The way to one endpoint."""

    def __init__(self, endpoint: Endpoint, options: Any) -> None:
        _check_abstract(endpoint)
        self.endpoint = str(endpoint)
        self._address = endpoint.unix_address
        self._options = SocketOptions(options, socket.AF_UNIX)

    def dial(self) -> SocketStream:
        """Connect; at once or not at all, there is nothing to wait for.

        :raises OSError: such as ENOENT, ECONNREFUSED, EACCES, or EAGAIN when too many others wait
            to be accepted; names the endpoint.
        """
        sock: socket.socket = PlainSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            self._options.apply(sock)
            sock.connect(self._address)
            peer = PeerCredentials.of(sock)
        except OSError as error:
            sock.close()
            raise OSError(error.errno, error.strerror, self.endpoint) from None
        return SocketStream(sock, "", _text(peer))

    def wrap(self, connection: Any) -> Any:
        return connection


@implementer(ITransport)
class IpcTransport:
    """``ipc://``."""

    def listen(self, endpoint: Endpoint, host: Any) -> IpcListener:
        """Listen on the endpoint's path, or on the descriptor in ``use_fd``.

        Switches only while another process binds in the same directory.

        :raises OSError: such as EADDRINUSE, ENOENT, EACCES; names the path.
        """
        options = host.options
        if options.use_fd is not None:
            # Whoever bound the descriptor made its file, and removes it.
            sock = adopt(options, socket.AF_UNIX)
            return IpcListener(_endpoint_of(sock), sock, options)
        if endpoint.path == "*":
            return _listen_anywhere(options)
        return _listen_on(endpoint, options)

    def dialer(self, endpoint: Endpoint, host: Any) -> IpcDialer:
        return IpcDialer(endpoint, host.options)


def _listen_anywhere(options: Any) -> IpcListener:
    directory = tempfile.mkdtemp(prefix="omq-")
    try:
        # Parsed, as TMPDIR may be longer than a socket's path can be.
        endpoint = endpoints.parse(f"ipc://{directory}/socket")
        return _listen_on(endpoint, options, directory)
    except BaseException:
        _remove_directory(directory)
        raise


def _listen_on(endpoint: Endpoint, options: Any, directory: str | None = None) -> IpcListener:
    _check_abstract(endpoint)
    path = endpoint.path or ""
    sock: socket.socket = PlainSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    file: SocketFile | None = None
    try:
        SocketOptions(options, socket.AF_UNIX).apply(sock)
        if endpoint.is_abstract:
            sock.bind(endpoint.unix_address)
            sock.listen(options.backlog)
        else:
            file = ipc_path.listen(sock, path, options.backlog)
    except BaseException as error:
        sock.close()
        # One without a number is not the system's, but may be the caller's own time limit.
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, path) from None
        raise
    return IpcListener(endpoint, sock, options, file, directory)


def _check_abstract(endpoint: Endpoint) -> None:
    if endpoint.is_abstract and not sys.platform.startswith("linux"):
        raise EndpointError(errno.EINVAL, f"{endpoint}: only Linux has names without a file")


def _endpoint_of(sock: socket.socket) -> Endpoint:
    name = sock.getsockname()
    if isinstance(name, bytes):  # abstract
        return Endpoint.ipc("@" + os.fsdecode(name[1:]))
    return Endpoint.ipc(name)


def _remove_directory(directory: str) -> None:
    # Not in a fork's copy: there the socket file is still in it.
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _text(peer: PeerCredentials | None) -> str:
    return "" if peer is None else str(peer)


ipc = IpcTransport()
