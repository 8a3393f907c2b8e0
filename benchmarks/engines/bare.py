"""gevent's own sockets, with no protocol at all: what nothing on top of them can exceed.

Messages have one known size and travel end to end without headers; many are sent by one call and
are not taken apart on arrival.
"""

from __future__ import annotations

import gevent
from gevent import socket as gsocket

from benchmarks.engines import base
from benchmarks.engines.greenlets import GreenletEngine

BLOCK = 64 * 1024
"""Bytes of one call."""


class Socket(base.Socket):
    def __init__(self, size: int, listener: gsocket.socket | None, endpoint: str) -> None:
        self.endpoint = endpoint
        self._size = size
        self._listener = listener
        self._connections: list[gsocket.socket] = []
        self.send = self._send_one
        self.receive = self._receive_one

    def add(self, connection: gsocket.socket) -> None:
        connection.setsockopt(gsocket.IPPROTO_TCP, gsocket.TCP_NODELAY, 1)
        self._connections.append(connection)

    def wait_peers(self, count: int) -> None:
        assert self._listener is not None
        for _ in range(count):
            self.add(self._listener.accept()[0])

    def _send_one(self, message: bytes) -> None:
        for connection in self._connections:
            connection.sendall(message)

    def _receive_one(self) -> bytes:
        [connection] = self._connections
        message = connection.recv(self._size)
        while len(message) < self._size:
            message += self._some(connection, self._size - len(message))
        return message

    def send_many(self, message: bytes, count: int) -> None:
        in_block = max(1, BLOCK // len(message))
        block = message * in_block
        for _ in range(count // in_block):
            self._send_one(block)
        self._send_one(message * (count % in_block))

    def receive_many(self, count: int) -> None:
        [connection] = self._connections
        lacking = count * self._size
        while lacking:
            lacking -= len(self._some(connection, min(lacking, BLOCK)))

    @staticmethod
    def _some(connection: gsocket.socket, size: int) -> bytes:
        data: bytes = connection.recv(size)
        if not data:
            raise EOFError("the other process closed the connection")
        return data

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        if self._listener is not None:
            self._listener.close()


class Engine(GreenletEngine):
    version = f"gevent {gevent.__version__}"

    def bind(self, pattern: str, endpoint: str) -> Socket:
        listener = gsocket.socket()  # gevent's create_server would make a blocking one
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        host, port = listener.getsockname()
        return Socket(self.size, listener, f"tcp://{host}:{port}")

    def connect(self, pattern: str, endpoint: str) -> Socket:
        host, _, port = endpoint[len("tcp://") :].rpartition(":")
        socket = Socket(self.size, None, endpoint)
        socket.add(gsocket.create_connection((host, int(port))))
        return socket
