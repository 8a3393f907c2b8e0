"""The interface that pyzmq has given to its own variant for gevent and to other libraries."""

from __future__ import annotations

from typing import Any

from benchmarks.engines import base


class Socket(base.Socket):
    def __init__(self, socket: Any, endpoint: str) -> None:
        self.native = socket
        self.endpoint = endpoint
        self.send = socket.send
        self.receive = socket.recv
        self.send_frames = socket.send_multipart
        self.receive_frames = socket.recv_multipart

    def close(self) -> None:
        self.native.close(linger=0)


class ZmqSockets(base.Engine):
    """``zmq`` is the module with ``Context`` and the constants."""

    zmq: Any

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._context = self.zmq.Context.instance()

    def bind(self, pattern: str, endpoint: str) -> Socket:
        socket = self._make(pattern)
        socket.bind(endpoint)
        resolved = socket.getsockopt(self.zmq.LAST_ENDPOINT)
        if isinstance(resolved, bytes):
            resolved = resolved.rstrip(b"\0").decode()
        return Socket(socket, resolved)

    def connect(self, pattern: str, endpoint: str) -> Socket:
        socket = self._make(pattern)
        socket.connect(endpoint)
        return Socket(socket, endpoint)

    def _make(self, pattern: str) -> Any:
        socket = self._context.socket(getattr(self.zmq, pattern))
        if pattern == "SUB":
            socket.setsockopt(self.zmq.SUBSCRIBE, b"")
        if pattern in ("PUB", "SUB"):
            self.never_drop(socket, pattern)
        return socket

    def never_drop(self, socket: Any, pattern: str) -> None:
        """Have a publisher wait for slow subscribers: deliveries can only be counted so."""
        if pattern == "PUB":
            socket.setsockopt(self.zmq.XPUB_NODROP, 1)

    @staticmethod
    def wait_readable(descriptor: int) -> None:
        """Return at once: the read that follows may block, the sockets have their own threads."""
