"""Peers that speak ZMTP byte by byte, and a socket whose other peers must not suffer from them."""

from __future__ import annotations

import logging
import socket as plain_socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable

import gevent
import gevent.socket
import pytest

import omq_gevent as omq

PATIENCE = 5.0
NULL = b"NULL"
MORE, LONG, COMMAND = 1, 2, 4


def greeting(major: int = 3, minor: int = 1, mechanism: bytes = NULL) -> bytes:
    return (
        b"\xff"
        + bytes(8)
        + b"\x7f"
        + bytes((major, minor))
        + mechanism.ljust(20, b"\0")
        + bytes(32)
    )


def frame(flags: int, body: bytes) -> bytes:
    if flags & LONG or len(body) > 255:
        return bytes((flags | LONG,)) + struct.pack(">Q", len(body)) + body
    return bytes((flags, len(body))) + body


def message(*frames: bytes) -> bytes:
    return b"".join(frame(MORE, body) for body in frames[:-1]) + frame(0, frames[-1])


def command(name: bytes, data: bytes = b"") -> bytes:
    return frame(COMMAND, bytes((len(name),)) + name + data)


def ready(socket_type: str, identity: bytes | None = None, **properties: bytes) -> bytes:
    pairs = [(b"Socket-Type", socket_type.encode())]
    if identity is not None:
        pairs.append((b"Identity", identity))
    pairs += [(name.encode(), value) for name, value in properties.items()]
    return command(
        b"READY",
        b"".join(
            bytes((len(name),)) + name + struct.pack(">I", len(value)) + value
            for name, value in pairs
        ),
    )


class RawPeer:
    """One end of a TCP connection. It sends nothing of itself and answers nothing."""

    def __init__(self, sock: Any) -> None:
        sock.settimeout(PATIENCE)
        sock.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        self.socket = sock
        self._unread = b""

    # -- writing ---------------------------------------------------------------------------

    def write(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def send(self, *frames: bytes) -> None:
        self.write(message(*frames))

    def command(self, name: bytes, data: bytes = b"") -> None:
        self.write(command(name, data))

    def join(self, socket_type: str, identity: bytes = b"", minor: int = 1) -> RawPeer:
        """Go through a NULL handshake as a socket of this type."""
        self.write(greeting(minor=minor), ready(socket_type, identity))
        self.read_greeting()
        self.read_command(b"READY")
        return self

    def finish(self) -> None:
        """Say that nothing more will come, but go on reading."""
        self.socket.shutdown(plain_socket.SHUT_WR)

    def reset(self) -> None:
        """Close without a farewell: the other side gets a RST."""
        self.socket.setsockopt(
            plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def write_until_stuck(self, piece: bytes, most: int = 1000) -> int:
        """Write *piece* again and again until no more is taken; how many were, at least."""
        self.socket.settimeout(0.1)
        written = 0
        with suppress(gevent.socket.timeout):
            while written < most:
                self.write(piece)
                written += 1
        self.socket.settimeout(PATIENCE)
        assert written < most
        return written

    # -- reading ---------------------------------------------------------------------------

    def read(self, size: int) -> bytes:
        pieces = [self._unread]
        missing = size - len(self._unread)
        while missing > 0:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f"the connection ended {missing} bytes early")
            pieces.append(data)
            missing -= len(data)
        whole = b"".join(pieces)
        self._unread = whole[size:]
        return whole[:size]

    def read_greeting(self) -> bytes:
        return self.read(64)

    def read_frame(self) -> tuple[int, bytes]:
        flags, size = self.read(2)
        if flags & LONG:
            (size,) = struct.unpack(">Q", bytes((size,)) + self.read(7))
        return flags & ~LONG, self.read(size)

    def read_message(self) -> list[bytes]:
        """The next message; there must be no command before it."""
        frames = []
        flags = MORE
        while flags & MORE:
            flags, body = self.read_frame()
            assert not flags & COMMAND, body
            frames.append(body)
        return frames

    def read_command(self, name: bytes) -> bytes:
        """The data of the next command, which must have this *name*."""
        flags, body = self.read_frame()
        assert flags == COMMAND, body
        assert body[: body[0] + 1] == bytes((len(name),)) + name
        return body[body[0] + 1 :]

    def read_to_end(self) -> bytes:
        """What is left until the other side hangs up; fails if it does not."""
        with suppress(ConnectionError):
            while data := self.socket.recv(65536):
                self._unread += data
        taken, self._unread = self._unread, b""
        return taken

    def hears_nothing(self, seconds: float) -> bool:
        """Whether for so long nothing comes, not even the end of the connection."""
        if self._unread:
            return False
        self.socket.settimeout(seconds)
        try:
            self._unread = self.socket.recv(65536)
        except gevent.socket.timeout:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False


class RawListener:
    """An endpoint to connect to; each connection is a `RawPeer`."""

    def __init__(self) -> None:
        self._listener = gevent.socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self._listener.settimeout(PATIENCE)
        self._peers: list[RawPeer] = []
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def accept(self) -> RawPeer:
        self._peers.append(RawPeer(self._listener.accept()[0]))
        return self._peers[-1]

    def close(self) -> None:
        for thing in [*self._peers, self._listener]:
            thing.close()


@pytest.fixture
def dial() -> Iterator[Callable[[str], RawPeer]]:
    """A function that connects to an endpoint and says nothing yet."""
    peers: list[RawPeer] = []

    def connect(endpoint: str) -> RawPeer:
        host, _, port = endpoint[len("tcp://") :].rpartition(":")
        peers.append(RawPeer(gevent.socket.create_connection((host, int(port)), PATIENCE)))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()


@pytest.fixture
def listener() -> Iterator[RawListener]:
    """Where our socket can connect to."""
    made = RawListener()
    yield made
    made.close()


def next_event(events: Any, *kinds: str) -> Any:
    """The next event of one of these kinds."""
    while True:
        event = events.get(timeout=PATIENCE)
        if event.kind in kinds:
            return event


@pytest.fixture
def await_event() -> Callable[..., Any]:
    return next_event


@pytest.fixture
def quiet(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[pytest.LogCaptureFixture]:
    """Whatever peers do: no traceback is printed or logged, and no log line holds raw bytes."""
    caplog.set_level(logging.DEBUG, "omq_gevent")
    yield caplog
    assert capfd.readouterr().err == ""
    for record in caplog.records:
        line = record.getMessage()
        assert record.exc_info is None, line
        assert line.isascii(), line
        assert line.isprintable(), line


class Scene:
    """A bound socket, one well-behaved peer of it, and what becomes of the others."""

    def __init__(self, socket: Any, good: RawPeer, log: pytest.LogCaptureFixture) -> None:
        self.socket = socket
        self.endpoint: str = socket.last_endpoint
        self.good = good
        self.events = socket.monitor()
        self._log = log

    def failure(self, kind: str = "handshake_failed") -> BaseException:
        """Why a peer was cut off: from the event, which must have a line in the log too."""
        event = next_event(self.events, kind)
        assert event.error is not None
        lines = [record.getMessage() for record in self._log.records]
        assert any(kind in line and event.reason in line for line in lines)
        error: BaseException = event.error
        return error


@pytest.fixture
def scene(quiet: pytest.LogCaptureFixture, dial: Any) -> Iterator[Callable[..., Scene]]:
    """A function that makes a `Scene` around a PULL socket with the options it is given.

    In the end the peer that behaved must still be served, a new one too, and the socket be whole.
    """
    made: list[Scene] = []

    def make(**options: Any) -> Scene:
        pull = omq.PULL.bind("tcp://127.0.0.1:0", **options)
        good = dial(pull.last_endpoint).join("PUSH")
        pull.wait_connected(timeout=PATIENCE)
        made.append(Scene(pull, good, quiet))
        return made[-1]

    yield make
    for one in made:
        with one.socket as pull:
            one.good.send(b"good")
            assert pull.receive(timeout=PATIENCE) == [b"good"]
            dial(one.endpoint).join("PUSH").send(b"new")
            assert pull.receive(timeout=PATIENCE) == [b"new"]
            with pytest.raises(omq.ReceiveTimeout):
                pull.receive(timeout=0)


@pytest.fixture
def wire() -> Any:
    """The functions that build bytes."""

    class Wire:
        greeting = staticmethod(greeting)
        frame = staticmethod(frame)
        message = staticmethod(message)
        command = staticmethod(command)
        ready = staticmethod(ready)

    return Wire


@contextmanager
def _ticking(longest_pause: float) -> Iterator[None]:
    def tick() -> None:
        # Not the time of day: what other processes take is nobody's fault here.
        last = time.process_time()
        while True:
            gevent.sleep(0.005)
            now = time.process_time()
            pauses.append(now - last)
            last = now

    pauses: list[float] = []
    ticker = gevent.spawn(tick)
    gevent.sleep(0.02)
    try:
        yield
        gevent.sleep(0.02)
    finally:
        ticker.kill()
    slowness = 1 if sys.gettrace() is None else 10  # of code whose coverage is measured
    assert max(pauses) < longest_pause * slowness


@pytest.fixture
def others_run() -> Callable[[float], Any]:
    """A context manager that fails when all other greenlets had to wait for so much CPU time."""
    return _ticking


@pytest.fixture
def libzmq() -> Iterator[Callable[..., Any]]:
    """A function that makes libzmq sockets: bound, or connected to an endpoint."""
    zmq = pytest.importorskip("zmq.green")
    context = zmq.Context()

    def make(kind: str, endpoint: str | None = None, **options: object) -> Any:
        peer = context.socket(getattr(zmq, kind))
        peer.linger = 0
        for name, value in options.items():
            setattr(peer, name, value)
        if endpoint is None:
            peer.bind("tcp://127.0.0.1:0")
        else:
            peer.connect(endpoint)
        return peer

    yield make
    context.destroy(linger=0)
