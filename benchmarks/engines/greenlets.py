"""What the engines on gevent have in common."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import gevent.socket

from benchmarks.engines.base import Engine, Socket


class GreenletEngine(Engine):
    """One greenlet per receiving socket."""

    def receive_from_all(self, sockets: Sequence[Socket], count: int) -> None:
        greenlets = [gevent.spawn(socket.receive_many, count) for socket in sockets]
        gevent.joinall(greenlets, raise_error=True)

    @staticmethod
    def wait_readable(descriptor: int) -> None:
        gevent.socket.wait_read(descriptor)
