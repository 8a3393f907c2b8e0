"""pyomq with blocking sockets, which is a ZeroMQ written in Rust."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyomq

from benchmarks.engines import base
from benchmarks.engines.zmq_sockets import ZmqSockets

UNREACHED = 10_000_000
"""Messages; no measurement fills such a queue."""


class Engine(ZmqSockets):
    version = pyomq.pyomq_version()
    zmq = pyomq

    def never_drop(self, socket: Any, pattern: str) -> None:
        # Its publishers drop at their high-water mark even with OMQ_ON_MUTE_BLOCK.
        socket.set_hwm(UNREACHED)

    def receive_from_all(self, sockets: Sequence[base.Socket], count: int) -> None:
        """In one thread per socket: its poller does not see what has come before it was asked."""
        if len(sockets) == 1:
            sockets[0].receive_many(count)
            return
        with ThreadPoolExecutor(len(sockets)) as threads:
            for done in [threads.submit(socket.receive_many, count) for socket in sockets]:
                done.result()
