"""A listening descriptor, and where it comes from."""

from __future__ import annotations

import errno
import socket
from typing import Any

import gevent
from gevent import get_hub

from omq_gevent.errors import EndpointError
from omq_gevent.transports.stream import PlainSocket

_READ = 1
_IN_A_ROW = 64
"""So many peers are accepted before others get a turn."""

# Errors of the peer that was about to be accepted (accept(2) on Linux), not of the listener.
_PEER_GONE = {
    getattr(errno, name)
    for name in (
        "ECONNABORTED",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EINTR",
        "ENETDOWN",
        "ENETUNREACH",
        "ENONET",
        "ENOPROTOOPT",
        "EOPNOTSUPP",
        "EPROTO",
    )
    if hasattr(errno, name)
}


class ListeningSocket:
    """Owns one listening descriptor; one greenlet accepts on it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._kind = (sock.family, sock.type, sock.proto)  # slow to ask for
        self._hub = get_hub()
        self._readable = self._hub.loop.io(sock.fileno(), _READ)
        self._in_a_row = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Wait for a peer; its socket and its address.

        :raises OSError: such as EMFILE; what waits in the backlog stays there.
        """
        while True:
            if self._in_a_row >= _IN_A_ROW:
                self._in_a_row = 0
                gevent.sleep(0)
            try:
                # Not accept(): where the socket module is patched it makes gevent's sockets.
                descriptor, address = self._socket._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                self._in_a_row = 0
                self._hub.wait(self._readable)
                continue
            except OSError as error:
                if error.errno not in _PEER_GONE:
                    raise
                self._in_a_row += 1
                continue
            self._in_a_row += 1
            return PlainSocket(*self._kind, fileno=descriptor), address

    def name(self) -> Any:
        """The address it is bound to."""
        return self._socket.getsockname()

    def close(self) -> None:
        """Close; never switches. Whoever waits in ``accept`` must be killed by the caller."""
        self._readable.stop()
        self._readable.close()
        self._socket.close()


def adopt(options: Any, *families: int) -> socket.socket:
    """Take over the listening descriptor in the option ``use_fd``, which is then off again.

    From now on the descriptor is ours to close. When it is refused it stays the caller's.

    :raises EndpointError: when it is no listening stream socket of one of *families*.
    :raises OSError: EBADF when there is no such descriptor.
    """
    descriptor = options.use_fd
    sock: socket.socket = PlainSocket(fileno=descriptor)
    listening = sock.type == socket.SOCK_STREAM and sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    )
    if not listening or sock.family not in families:
        sock.detach()
        raise EndpointError(
            errno.EINVAL,
            f"use_fd={descriptor} is not a listening stream socket of the endpoint's kind",
        )
    options.use_fd = None
    sock.set_inheritable(False)  # as all that is ours; whoever starts a program may pass it on
    return sock
