"""A network that breaks: passes TCP connections on, and cuts some at any byte.

``python -m tools.soak.relay JSON``: its own directory and incarnation, and from which port to
which it passes on.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import socket as constants
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from tools.soak.commands import die_with_parent, obey
from tools.soak.journal import Journal

RECEIVE_BUFFER = 16 * 1024

_ABORT = struct.pack("ii", 1, 0)


class Link:
    """One connection and its continuation to the target."""

    def __init__(self, network: Network, near: Any, far: Any) -> None:
        self._network = network
        self._near = near
        self._far = far
        self.ports = [near.getpeername()[1], far.getsockname()[1]]
        self._left: int | None = None  # bytes until the cut
        self._abort = False
        self.flowing = Event()
        self.flowing.set()

    def cut_after(self, size: int, abort: bool) -> None:
        """Cut this link when *size* more bytes have passed, at once if it is 0."""
        self._left = size
        self._abort = abort
        if not size:
            self._cut()

    def run(self) -> None:
        ways = [(self._near, self._far), (self._far, self._near)]
        gevent.joinall([gevent.spawn(self._pass_on, *way) for way in ways])
        for end in (self._near, self._far):
            end.close()

    def _pass_on(self, source: Any, sink: Any) -> None:
        try:
            while data := source.recv(65536):
                self.flowing.wait()
                left = self._left
                if left is not None and left <= len(data):
                    sink.sendall(data[:left])
                    self._cut()
                    return
                if left is not None:
                    self._left = left - len(data)
                sink.sendall(data)
            sink.shutdown(constants.SHUT_WR)
        except OSError:  # one side was reset, so the other is
            self._reset()

    def _cut(self) -> None:
        self._network.journal.fact("cut", ports=self.ports, abort=self._abort)
        if self._abort:
            self._reset()
            return
        for end in (self._near, self._far):
            with suppress(OSError):
                end.shutdown(constants.SHUT_RDWR)

    def _reset(self) -> None:
        for end in (self._near, self._far):
            with suppress(OSError):
                end.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, _ABORT)
            end.close()


class Network:
    """All links, and what may be done to them."""

    def __init__(self, directory: Path, incarnation: int, seed: int, ways: dict[str, int]) -> None:
        self.journal = Journal(directory, incarnation)
        self._rng = random.Random(seed)
        self._links: dict[int, Link] = {}
        self._numbers = itertools.count()
        for port, target in ways.items():
            self._serve(int(port), target)

    def _serve(self, port: int, target: int) -> None:
        def handle(near: Any, _address: Any) -> None:
            try:
                far = socket.create_connection(("127.0.0.1", target))
            except OSError:
                near.setsockopt(constants.SOL_SOCKET, constants.SO_LINGER, _ABORT)
                near.close()
                return
            number = next(self._numbers)
            try:
                link = self._links[number] = Link(self, near, far)
                link.run()
            except OSError:  # it was gone before it began
                near.close()
                far.close()
            finally:
                self._links.pop(number, None)

        listener = socket.socket()
        listener.setsockopt(constants.SOL_SOCKET, constants.SO_REUSEADDR, 1)
        # Small, so that a stalled link soon holds up its sender in the middle of a batch.
        listener.setsockopt(constants.SOL_SOCKET, constants.SO_RCVBUF, RECEIVE_BUFFER)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        StreamServer(listener, handle).start()

    def ready(self) -> bool:
        return True

    def cut(self) -> bool:
        """Cut one link, at once or within the next bytes."""
        if not self._links:
            return False
        link = self._rng.choice(list(self._links.values()))
        link.cut_after(self._rng.choice((0, self._rng.randrange(20_000))), self._rng.random() < 0.5)
        return True

    def stall(self, length: float) -> bool:
        """Let nothing pass for *length* seconds on one link, and cut some of those thereafter."""
        if not self._links:
            return False
        link = self._rng.choice(list(self._links.values()))
        link.flowing.clear()
        if self._rng.random() < 0.5:
            gevent.spawn_later(length, link.cut_after, 0, self._rng.random() < 0.5)
        gevent.spawn_later(length, link.flowing.set)
        return True


def main() -> None:
    die_with_parent()
    specification = json.loads(sys.argv[1])
    os.nice(specification.pop("niceness"))
    specification["directory"] = Path(specification["directory"])
    obey(Network(**specification))
    os._exit(0)


if __name__ == "__main__":
    main()
