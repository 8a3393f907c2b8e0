"""Connect to the first address that answers (RFC 8305, "Happy Eyeballs")."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Callable

from gevent import get_hub
from gevent.event import Event

from omq_gevent.flow import abandon
from omq_gevent.transports.resolve import Address

STAGGER = 0.25
"""Seconds that an address has before the next one is tried beside it."""

MakeSocket = Callable[[Address], socket.socket]

_WRITE = 2
_ABORT = struct.pack("ii", 1, 0)


def connect(
    addresses: Sequence[Address], port: int, make_socket: MakeSocket
) -> tuple[socket.socket, Address]:
    """Try *addresses*, the next one when `STAGGER` seconds are over or one has failed.

    *make_socket* gives a socket to connect, or raises OSError. The winner and its address are
    returned, the others are closed; all of them when this greenlet is killed.

    :raises OSError: with the errno of the first failure when no address can be connected.
    """
    race = _Race()
    waiting = deque(addresses)
    try:
        while waiting or race.attempts:
            if waiting:
                race.enter(waiting.popleft(), port, make_socket)
            winner = race.wait(STAGGER if waiting else None)
            if winner is not None:
                return winner
    finally:
        race.stop()
    raise race.failure()


class _Race:
    def __init__(self) -> None:
        self.attempts: list[_Attempt] = []
        self._errors: list[OSError] = []
        self._news = Event()

    def enter(self, address: Address, port: int, make_socket: MakeSocket) -> None:
        try:
            sock = make_socket(address)
        except OSError as error:
            self._errors.append(_failure(error.errno, error.strerror, address, port))
            return
        self.attempts.append(_Attempt(sock, address, port, self._news.set))

    def wait(self, timeout: float | None) -> tuple[socket.socket, Address] | None:
        """Wait until an attempt is over; the connected socket, None if there is none yet."""
        if not self.attempts:
            return None
        self._news.wait(timeout)
        self._news.clear()
        for attempt in list(self.attempts):
            if not attempt.over:
                continue
            self.attempts.remove(attempt)
            try:
                return attempt.finish(), attempt.address
            except OSError as error:
                self._errors.append(error)
        return None

    def stop(self) -> None:
        for attempt in self.attempts:
            attempt.abandon()

    def failure(self) -> OSError:
        reasons = "; ".join(str(error.strerror) for error in self._errors)
        return OSError(self._errors[0].errno, reasons)


class _Attempt:
    """One socket on its way; *tell* is called, in the hub or at once, when it is over."""

    def __init__(
        self, sock: socket.socket, address: Address, port: int, tell: Callable[[], object]
    ) -> None:
        self.address = address
        self.over = False
        self._socket = sock
        self._port = port
        self._tell = tell
        sock.setblocking(False)
        self.hub = get_hub()
        self._writable = self.hub.loop.io(sock.fileno(), _WRITE)
        self._errno = sock.connect_ex(address.with_port(port))
        if self._errno in (errno.EINPROGRESS, errno.EINTR):
            self._writable.start(self._on_writable)
        else:
            self._end()
        abandon.watch(self)

    def _on_writable(self) -> None:
        self._writable.stop()
        self._errno = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._end()

    def _end(self) -> None:
        self.over = True
        self._tell()

    def finish(self) -> socket.socket:
        """The connected socket.

        :raises OSError: when it is not connected; it is closed then.
        """
        try:
            if self._errno:
                raise _failure(self._errno, os.strerror(self._errno), self.address, self._port)
            self._refuse_self()
        except OSError:
            self.abandon()
            raise
        self._writable.close()
        return self._socket

    def _refuse_self(self) -> None:
        """A port of the ephemeral range on which nobody listens may be given to the very socket
        that connects to it: TCP then connects it to itself."""
        if self._socket.getsockname() == self._socket.getpeername():
            # Without a trace: who should listen on that port must be able to bind it.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            reason = "Connection refused: it met itself, nobody listens"
            raise _failure(errno.ECONNREFUSED, reason, self.address, self._port)

    def abandon(self) -> None:
        if self.hub.loop is not None:  # else it was destroyed, and the watcher with it
            self._writable.stop()
            self._writable.close()
        self._socket.close()


def _failure(number: int | None, reason: str | None, address: Address, port: int) -> OSError:
    return OSError(number or errno.EIO, f"{reason} ({address.host} port {port})")
