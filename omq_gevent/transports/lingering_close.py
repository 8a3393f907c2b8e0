"""Close a TCP socket without destroying what is on its way to the peer.

A system that closes a socket with unread input, or that gets input for a closed one, answers
with a reset; with it goes all that the peer has not acknowledged. A peer that keeps talking would
so destroy the last of what it was sent. The cure is the one of HTTP servers: say that no more
will be sent (FIN), then throw away what comes until the peer closes too.

The cost is a descriptor that lives on for a moment, and only if there was something to lose when
it was closed: input unread or output unacknowledged. It is closed when the peer closes; when all
is acknowledged and nothing came for `QUIET` seconds; after `LONGEST` seconds in any case. What
remains: a process that ends meanwhile takes the descriptor with it, and the reset may follow.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
import time
from typing import Any

from omq_gevent.flow import abandon

QUIET = 0.2
LONGEST = 10.0

_READ_SIZE = 64 * 1024
_READS = 16  # at a time, so that a flood does not hold up the hub
_SO_NWRITE = 0x1024  # macOS; the socket module has no name for it

_closing: set[_Lingering] = set()


def close_lingering(sock: socket.socket, hub: Any) -> None:
    """Close *sock*, a non-blocking socket, now or when the peer has what it was sent.

    Never switches.
    """
    # Between Unix domain sockets nothing is on its way: the peer's input has it already.
    if sock.family == socket.AF_UNIX or hub.loop is None:
        sock.close()
        return
    try:
        unacknowledged = _unacknowledged(sock)
        sock.shutdown(socket.SHUT_WR)
        was_unread = _discard_input(sock)
    except OSError:  # the peer is gone
        sock.close()
        return
    if was_unread is None or not (was_unread or unacknowledged):
        sock.close()
        return
    _Lingering(sock, hub)


class _Lingering:
    """Discards a socket's input, in the hub, until closing it does no harm."""

    def __init__(self, sock: socket.socket, hub: Any) -> None:
        self.hub = hub
        self._socket = sock
        self._until = time.monotonic() + LONGEST
        self._quiet = True
        self._readable = hub.loop.io(sock.fileno(), 1)
        self._timer = hub.loop.timer(QUIET, repeat=QUIET)
        _closing.add(self)
        abandon.watch(self)
        self._readable.start(self._on_input)
        self._timer.start(self._on_timer)

    def _on_input(self) -> None:
        self._quiet = False
        try:
            if _discard_input(self._socket) is None:
                self._close()
        except OSError:
            self._close()

    def _on_timer(self) -> None:
        try:
            safe = self._quiet and not _unacknowledged(self._socket)
        except OSError:
            safe = True
        self._quiet = True
        if safe or time.monotonic() > self._until:
            self._close()

    def abandon(self) -> None:
        """End without waiting: the process is a fork and its parent waits, or the thread ends."""
        if self.hub.loop is None:  # it was destroyed, and the watchers with it
            self._socket.close()
            _closing.discard(self)
        else:
            self._close()

    def _close(self) -> None:
        for watcher in (self._readable, self._timer):
            watcher.stop()
            watcher.close()
        self._socket.close()
        _closing.discard(self)


def _discard_input(sock: socket.socket) -> bool | None:
    """Throw away what there is to read; whether there was any, None at the end of the stream."""
    found = False
    for _ in range(_READS):
        try:
            if not sock.recv(_READ_SIZE):
                return None
        except BlockingIOError:
            break
        found = True
    return found


def _unacknowledged(sock: socket.socket) -> int:
    """How many bytes the kernel has taken and the peer's kernel has not acknowledged."""
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    (size,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(size)
