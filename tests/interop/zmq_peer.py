"""The other end: pyzmq or pyomq in a process of its own, which does what it is told.

``python zmq_peer.py zmq`` reads one command a line from standard input, a JSON object whose
``"do"`` names a method below and whose other members are its arguments, and answers each with
``{"result": ...}`` or ``{"error": ...}``. Bytes travel as strings of Latin-1 characters.
"""

from __future__ import annotations

import importlib
import json
import select
import sys
import time
from collections.abc import Iterator
from typing import Any

zmq: Any = importlib.import_module(sys.argv[1])

LOOK_EVERY = 0.02  # seconds
DEFAULTS = {"LINGER": 1_000, "SNDTIMEO": 10_000}  # milliseconds


class Peer:
    def __init__(self) -> None:
        self.context = zmq.Context()
        self.sockets: dict[int, Any] = {}
        self.monitors: dict[int, Any] = {}

    def open(self, socket: int, type: str, options: dict[str, Any]) -> None:
        opened = self.sockets[socket] = self.context.socket(getattr(zmq, type))
        for name, value in {**DEFAULTS, **options}.items():
            opened.setsockopt(getattr(zmq, name), as_bytes(value))

    def set(self, socket: int, option: str, value: Any) -> None:
        self.sockets[socket].setsockopt(getattr(zmq, option), as_bytes(value))
        self.look()

    def bind(self, socket: int, endpoint: str) -> str:
        self.sockets[socket].bind(endpoint)
        bound = self.sockets[socket].getsockopt(zmq.LAST_ENDPOINT)
        return bound.rstrip(b"\0").decode()

    def connect(self, socket: int, endpoint: str) -> None:
        self.sockets[socket].connect(endpoint)

    def send(self, socket: int, messages: list[list[str]]) -> None:
        self.look()
        for message in messages:
            self.sockets[socket].send_multipart([as_bytes(frame) for frame in message])

    def receive(self, socket: int, count: int, timeout: float) -> list[list[str]]:
        """Up to *count* messages: fewer when *timeout* seconds are over."""
        deadline = time.monotonic() + timeout
        received: list[list[str]] = []
        while len(received) < count:
            message = self._next(socket, deadline - time.monotonic())
            if message is None:
                break
            received.append([frame.decode("latin-1") for frame in message])
        return received

    def echo(self, socket: int, timeout: float) -> list[int] | None:
        """Send the next message back and return the sizes of its frames; None without one."""
        message = self._next(socket, timeout)
        if message is None:
            return None
        self.sockets[socket].send_multipart(message)
        return [len(frame) for frame in message]

    def look(self) -> None:
        """Let every socket take note of peers that came or went: one of libzmq does so only when
        it is looked at, and until then tells new peers nothing of its subscriptions."""
        for socket in self.sockets.values():
            socket.poll(0)

    def _next(self, socket: int, timeout: float) -> list[bytes] | None:
        self.sockets[socket].setsockopt(zmq.RCVTIMEO, max(0, int(timeout * 1000)))
        try:
            message: list[bytes] = self.sockets[socket].recv_multipart()
        except zmq.Again:
            return None
        return message

    def watch(self, socket: int) -> None:
        """Note what happens to a socket, for ``wait_event``; libzmq only."""
        self.monitors[socket] = self.sockets[socket].get_monitor_socket()

    def wait_event(self, socket: int, event: str, timeout: float) -> bool:
        """Whether *event*, such as DISCONNECTED, happens within *timeout* seconds."""
        from zmq.utils.monitor import recv_monitor_message

        deadline = time.monotonic() + timeout
        monitor = self.monitors[socket]
        while monitor.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            if recv_monitor_message(monitor)["event"] == getattr(zmq, f"EVENT_{event}"):
                return True
        return False

    def close(self, socket: int) -> None:
        if socket in self.monitors:
            self.sockets[socket].disable_monitor()
            del self.monitors[socket]
        self.sockets.pop(socket).close()


def as_bytes(value: Any) -> Any:
    return value.encode("latin-1") if isinstance(value, str) else value


def commands(peer: Peer) -> Iterator[dict[str, Any]]:
    while True:
        while not select.select([sys.stdin], [], [], LOOK_EVERY)[0]:
            peer.look()
        line = sys.stdin.readline()
        if not line:
            return
        yield json.loads(line)


def main() -> None:
    peer = Peer()
    for command in commands(peer):
        answer: dict[str, Any]
        try:
            answer = {"result": getattr(peer, command.pop("do"))(**command)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    for socket in list(peer.sockets):
        peer.sockets[socket].setsockopt(zmq.LINGER, 0)
        peer.close(socket)
    peer.context.term()


if __name__ == "__main__":
    main()
