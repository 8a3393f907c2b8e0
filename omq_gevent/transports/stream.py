"""A connected stream socket as the pumps use it."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from gevent import get_hub, monkey
from zope.interface import implementer

from omq_gevent.interfaces import IStream
from omq_gevent.transports.lingering_close import close_lingering
from omq_gevent.transports.peer_credentials import PeerCredentials

_READ = 1
_WRITE = 2

# Not gevent's socket class: a writer must be able to try without ever switching, and the
# watchers live as long as the stream.
PlainSocket = monkey.get_original("socket", "socket")


@implementer(IStream)
class SocketStream:
    """Owns one descriptor and its two watchers; one greenlet reads, one writes."""

    def __init__(self, sock: Any, local: str = "", remote: str = "") -> None:
        if type(sock) is not PlainSocket:
            sock = PlainSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._socket: socket.socket = sock
        self._socket.setblocking(False)
        self.local = local
        self.remote = remote
        self._hub = get_hub()
        descriptor = self._socket.fileno()
        self._readable = self._hub.loop.io(descriptor, _READ)
        self._writable = self._hub.loop.io(descriptor, _WRITE)
        self._drained = False
        self._process = os.getpid()
        self.closed = False

    def read(self, size: int) -> bytes:
        """Wait for bytes and return at most *size* of them; b"" at the end of the stream.

        :raises OSError: when the connection broke.
        """
        if self._drained:
            # The last read took all there was: asking the kernel again would be one call wasted.
            self._wait(self._readable)
        while True:
            try:
                data = self._socket.recv(size)
            except BlockingIOError:
                self._wait(self._readable)
                continue
            self._drained = len(data) < size
            return data

    def write_now(self, buffers: list[Any]) -> int:
        """Give the kernel what it takes of *buffers* without waiting: the number of bytes.

        :raises OSError: when the connection broke.
        """
        try:
            if len(buffers) == 1:
                return self._socket.send(buffers[0])
            return self._socket.sendmsg(buffers)
        except BlockingIOError:
            return 0

    def wait_writable(self) -> None:
        """Switch away until the kernel takes bytes again.

        :raises OSError: when the stream was closed.
        """
        self._wait(self._writable)

    def _wait(self, watcher: Any) -> None:
        if self.closed:
            # A pump may get one more turn between the end of its stream and its own. A closed
            # watcher that is started makes the event loop abort the process.
            raise OSError(errno.EBADF, "the connection is closed")
        self._hub.wait(watcher)

    def peer_credentials(self) -> PeerCredentials | None:
        """Who is at the other end of a Unix domain socket; None for other sockets, and where the
        system does not tell."""
        return PeerCredentials.of(self._socket)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Close; whoever waits on the descriptor must be killed by the caller.

        Never switches. What the kernel has taken still goes to the peer: where closing now would
        destroy it, the descriptor stays open a little longer, see `lingering_close`.
        """
        if self.closed:
            return
        self.closed = True
        for watcher in (self._readable, self._writable):
            watcher.stop()
            watcher.close()
        if os.getpid() == self._process:
            close_lingering(self._socket, self._hub)
        else:
            # A fork's copy: anything more would end the connection that the parent still uses.
            self._socket.close()
