"""When a peer counts as alive: the two clocks, without a socket."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest

from omq_gevent.engine.heartbeat import TimeToLive, ping_loop
from omq_gevent.errors import HeartbeatTimeout


class Reader:
    """What the clocks see of a receive pump."""

    def __init__(self) -> None:
        self.last_read_at = time.monotonic()
        self.paused = False


@pytest.fixture
def reader() -> Any:
    return Reader()


class Pings(list):
    """What was sent, and when."""

    def __call__(self, body: bytes) -> None:
        self.append((time.monotonic(), body))


def test_pings_keep_their_interval_while_they_are_answered(reader) -> None:
    sent = Pings()

    def answer(body: bytes) -> None:
        sent(body)
        gevent.spawn_later(0.005, setattr_now, reader)

    started = time.monotonic()
    loop = gevent.spawn(ping_loop, reader, answer, 0.04, None, 0.03)
    assert not gevent.joinall([loop], timeout=0.3)
    loop.kill()
    assert 4 <= len(sent) <= 7
    assert sent[0][0] - started >= 0.039
    assert {body for _, body in sent} == {b"\x04PING\0\x01"}


def setattr_now(reader: Reader) -> None:
    reader.last_read_at = time.monotonic()


@pytest.mark.parametrize(
    ("interval", "timeout", "pings"), [(0.05, None, 1), (0.05, 0.02, 1), (0.03, 0.1, 4)]
)
def test_silence_for_the_timeout_after_the_first_ping_is_the_end(
    reader, interval: float, timeout: float | None, pings: int
) -> None:
    sent = Pings()
    started = time.monotonic()
    loop = gevent.spawn(ping_loop, reader, sent, interval, 0, timeout)
    with pytest.raises(HeartbeatTimeout, match=str(timeout or interval)):
        loop.get(timeout=2)
    assert time.monotonic() - started >= interval + (timeout or interval) - 0.001
    assert 1 <= len(sent) <= pings


def test_what_came_before_the_ping_is_no_answer_to_it(reader) -> None:
    loop = gevent.spawn(ping_loop, reader, Pings(), 0.05, None, 0.05)
    gevent.sleep(0.02)
    setattr_now(reader)
    with pytest.raises(HeartbeatTimeout):
        loop.get(timeout=2)


def test_no_answer_is_expected_while_nobody_reads(reader) -> None:
    reader.paused = True
    loop = gevent.spawn(ping_loop, reader, Pings(), 0.02, None, 0.02)
    assert not gevent.joinall([loop], timeout=0.15)
    reader.paused = False
    with pytest.raises(HeartbeatTimeout):
        loop.get(timeout=2)


def test_a_ttl_counts_from_the_latest_traffic(reader) -> None:
    ttl = TimeToLive(reader)
    ttl.renew(0.1)
    watch = gevent.spawn(ttl.watch)
    for _ in range(3):
        gevent.sleep(0.06)
        setattr_now(reader)
    assert not watch.dead
    last = reader.last_read_at
    with pytest.raises(HeartbeatTimeout, match="0.1 s"):
        watch.get(timeout=2)
    assert time.monotonic() - last >= 0.099


def test_a_shorter_ttl_counts_at_once_and_none_ends_the_watch(reader) -> None:
    ttl = TimeToLive(reader)
    ttl.renew(6000.0)
    watch = gevent.spawn(ttl.watch)
    gevent.sleep(0)
    ttl.renew(0.05)
    ttl.renew(0.0)
    assert not gevent.joinall([watch], timeout=0.1)
    ttl.renew(0.01)
    with pytest.raises(HeartbeatTimeout):
        watch.get(timeout=2)


def test_a_ttl_stands_still_while_nobody_reads(reader) -> None:
    ttl = TimeToLive(reader)
    ttl.renew(0.03)
    reader.paused = True
    watch = gevent.spawn(ttl.watch)
    assert not gevent.joinall([watch], timeout=0.15)
    reader.paused = False
    with pytest.raises(HeartbeatTimeout):
        watch.get(timeout=2)
