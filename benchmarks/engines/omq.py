"""omq_gevent, by its native interface."""

from __future__ import annotations

from typing import Any

import omq_gevent
from benchmarks.engines import base
from benchmarks.engines.greenlets import GreenletEngine


class Socket(base.Socket):
    def __init__(self, socket: omq_gevent.Socket) -> None:
        self._socket = socket
        self.endpoint = socket.last_endpoint
        self.send = self.send_frames = socket.send
        self.receive = self.receive_frames = socket.receive

    def body(self, message: Any) -> bytes:
        [body] = message
        return bytes(body)

    def close(self) -> None:
        self._socket.stop()


class Engine(GreenletEngine):
    version = omq_gevent.__version__

    def bind(self, pattern: str, endpoint: str) -> Socket:
        return Socket(self._socket_class(pattern).bind(endpoint, **self._options(pattern)))

    def connect(self, pattern: str, endpoint: str) -> Socket:
        return Socket(self._socket_class(pattern).connect(endpoint, **self._options(pattern)))

    @staticmethod
    def _socket_class(pattern: str) -> type[omq_gevent.Socket]:
        socket_class: type[omq_gevent.Socket] = getattr(omq_gevent, pattern)
        return socket_class

    @staticmethod
    def _options(pattern: str) -> dict[str, Any]:
        if pattern == "SUB":
            return {"subscribe": b""}
        # As in every other engine: deliveries can only be counted where none is dropped.
        return {"xpub_nodrop": True} if pattern == "PUB" else {}
