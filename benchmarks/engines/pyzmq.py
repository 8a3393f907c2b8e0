"""pyzmq with blocking sockets, which is libzmq with as little Python as there can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

from benchmarks.engines.zmq_sockets import ZmqSockets


class Engine(ZmqSockets):
    version = f"{zmq.__version__}, libzmq {zmq.zmq_version()}"
    zmq = zmq

    def receive_from_all(self, sockets: Sequence[Any], count: int) -> None:
        """In one thread: a poller tells which of several sockets has something."""
        if len(sockets) == 1:
            sockets[0].receive_many(count)
            return
        poller = zmq.Poller()
        left = {socket.native: count for socket in sockets}
        for native in left:
            poller.register(native, zmq.POLLIN)
        while left:
            for native, _events in poller.poll():
                left[native] -= _receive_ready(native, left[native])
                if not left[native]:
                    poller.unregister(native)
                    del left[native]


def _receive_ready(native: Any, most: int) -> int:
    receive = native.recv
    for received in range(most):
        try:
            receive(zmq.DONTWAIT)
        except zmq.Again:
            return received
    return most
