"""What the tests of the messaging patterns share: peers of other makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent.socket
import pytest

from omq_gevent.mechanisms.null import NULL
from omq_gevent.zmtp.frame import encode_message
from omq_gevent.zmtp.handshake import Handshake
from omq_gevent.zmtp.socket_type import COMPATIBLE

zmq = pytest.importorskip("zmq.green")


class LibzmqPeers:
    """Makes libzmq sockets that do not linger, as greenlets see them."""

    def __init__(self) -> None:
        self.context = zmq.Context()

    def __call__(self, kind: str, endpoint: str | None = None, **options: object) -> zmq.Socket:
        peer = self.context.socket(getattr(zmq, kind))
        peer.linger = 0
        for name, value in options.items():
            setattr(peer, name, value)
        if endpoint is None:
            peer.bind("tcp://127.0.0.1:0")
        else:
            peer.connect(endpoint)
        return peer


@pytest.fixture
def libzmq() -> Iterator[LibzmqPeers]:
    peers = LibzmqPeers()
    yield peers
    peers.context.destroy(linger=0)


@pytest.fixture
def await_event() -> Callable[[Any, str], Any]:
    """Return a function that skips a monitor's events up to one of a kind, and returns it."""

    def find(events: Any, kind: str) -> Any:
        while True:
            event = events.get(timeout=2)
            if event.kind == kind:
                return event

    return find


class RawPeer:
    """A TCP client that has gone through the handshake and then writes what it is told."""

    def __init__(self, endpoint: str, socket_type: str, identity: bytes) -> None:
        host, port = endpoint[len("tcp://") :].rsplit(":", 1)
        self._socket = gevent.socket.create_connection((host, int(port)), timeout=2)
        handshake = Handshake(
            socket_type=socket_type,
            compatible=frozenset(COMPATIBLE),
            identity=identity,
            mechanism=NULL,
            as_server=False,
        )
        self._socket.sendall(handshake.start())
        while not handshake.done:
            data = self._socket.recv(4096)
            if not data:
                break  # refused
            self._socket.sendall(handshake.receive(data))

    def send(self, *frames: bytes) -> None:
        self._socket.sendall(encode_message(frames))

    def ended(self) -> bool:
        """Wait for the other side to hang up."""
        try:
            while self._socket.recv(4096):
                pass
        except gevent.socket.timeout:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def raw_peer() -> Iterator[Callable[..., RawPeer]]:
    """Return a function that connects a `RawPeer` to an endpoint."""
    peers: list[RawPeer] = []

    def connect(endpoint: str, socket_type: str, identity: bytes = b"") -> RawPeer:
        peers.append(RawPeer(endpoint, socket_type, identity))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()
