"""Thousands of peers of one socket. The crowd is always ours, so that only the server differs."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent

import omq_gevent
from benchmarks.engines.base import Engine, Socket

RECONNECT = (0.1, 2.0)
"""Seconds between attempts of the crowd, doubling."""

LAST = b"\x7f the last"

_PAGE = resource.getpagesize()

# -- both sides ----------------------------------------------------------------------------


def raise_limit(_engine: Any, _sockets: Any) -> int:
    """Allow as many descriptors as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def memory(_engine: Any, _sockets: Any) -> int:
    """Resident bytes of this process."""
    gc.collect()
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def idle(_engine: Any, _sockets: Any, length: float) -> tuple[float, int]:
    """CPU seconds and voluntary context switches of all threads in *length* idle seconds."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    gevent.sleep(length)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, after.ru_nvcsw - before.ru_nvcsw


# -- the server ----------------------------------------------------------------------------


def start_echo(_engine: Engine, sockets: Sequence[Socket]) -> None:
    """Answer everything, from now on."""
    gevent.spawn(_echo, sockets[0])


def _echo(socket: Socket) -> None:
    while True:
        socket.send_frames(socket.receive_frames())


def publish(_engine: Engine, sockets: Sequence[Socket], count: int, body: str) -> float:
    """Seconds that sending *count* messages took."""
    message = body.encode()
    start = time.perf_counter()
    sockets[0].send_many(message, count)
    return time.perf_counter() - start


def publish_last(_engine: Engine, sockets: Sequence[Socket]) -> None:
    sockets[0].send(LAST)


# -- the crowd -----------------------------------------------------------------------------

_crowd: list[omq_gevent.Socket] = []


def connect(_engine: Any, _sockets: Any, pattern: str, count: int, endpoint: str) -> None:
    """Connect *count* sockets, and wait until all are connected."""
    options: dict[str, Any] = {"subscribe": b""} if pattern == "SUB" else {}
    make = getattr(omq_gevent, pattern).connect
    for _ in range(count):
        _crowd.append(make(endpoint, reconnect_interval=RECONNECT, linger=0, **options))
    wait_connected(None, None)


def wait_connected(_engine: Any, _sockets: Any) -> None:
    for sock in _crowd:
        sock.wait_connected()


def wait_disconnected(_engine: Any, _sockets: Any) -> None:
    for sock in _crowd:
        sock.wait_disconnected()


def ask_each(_engine: Any, _sockets: Any) -> None:
    """One round trip on every connection, all at once."""
    for sock in _crowd:
        sock.send(b"a question")
    for sock in _crowd:
        sock.receive()


def receive_all(_engine: Any, _sockets: Any) -> None:
    """Receive on every socket until it is the last message."""
    for sock in _crowd:
        while sock.receive() != [LAST]:
            pass


def discard(_engine: Any, _sockets: Any) -> None:
    """Throw away what has come, until nothing more comes."""
    for sock in _crowd:
        while sock.poll(0):
            sock.receive()


def unsubscribe_all(_engine: Any, _sockets: Any) -> None:
    for sock in _crowd:
        sock.unsubscribe(b"")  # type: ignore[attr-defined]


def subscribe(_engine: Any, _sockets: Any, count: int) -> None:
    """Have *count* subscriptions of three lengths, and one to the last message."""
    [sock] = _crowd
    for number in range(count):
        sock.subscribe(b"%0*d" % (8 + number % 3, number))  # type: ignore[attr-defined]
    sock.subscribe(LAST)  # type: ignore[attr-defined]


def probe(_engine: Any, _sockets: Any, length: float) -> list[float]:
    """Round trips of one client, one every 10 ms, for *length* seconds: the time of each."""
    [sock] = _crowd
    times = []
    end = time.perf_counter() + length
    while time.perf_counter() < end:
        start = time.perf_counter()
        sock.send(b"are you there")
        sock.receive()
        times.append(time.perf_counter() - start)
        gevent.sleep(0.01)
    return times
