"""Lost links are dialed again, with back-off and jitter, for as long as they are wanted."""

from __future__ import annotations

import socket
import time

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.engine.backoff import BRIEF_CEILING, REFUSAL_CEILING, Backoff


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_fixed_interval_stays_with_jitter_around_it() -> None:
    backoff = Backoff(0.1, jitter=True)
    delays = [backoff.next_delay() for _ in range(50)]
    assert all(delay is not None and 0.05 <= delay <= 0.15 for delay in delays)
    assert len(set(delays)) > 40


def test_a_range_doubles_from_its_low_end_to_its_high_end() -> None:
    backoff = Backoff((0.1, 1.0), jitter=False)
    assert [backoff.next_delay() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_a_link_that_lasted_starts_the_back_off_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("omq_gevent.engine.backoff.time.monotonic", lambda: clock[0])
    backoff = Backoff((0.1, 1.0), jitter=False)
    for _ in range(4):
        backoff.next_delay()
    backoff.link_ready()
    clock[0] = 2.0
    assert backoff.next_delay() == pytest.approx(0.1)


def test_a_peer_that_lets_us_in_and_closes_is_not_hammered() -> None:
    backoff = Backoff(0.1, jitter=False)
    delays = []
    for _ in range(8):
        backoff.link_ready()
        delays.append(backoff.next_delay() or 0)
    assert delays[0] == pytest.approx(0.1)
    assert delays == sorted(delays)
    assert delays[-1] == BRIEF_CEILING


def test_jitter_stays_within_a_range() -> None:
    backoff = Backoff((0.1, 1.0), jitter=True)
    delays = [backoff.next_delay() or 0 for _ in range(50)]
    assert all(0.05 <= delay <= 1.0 for delay in delays)
    assert len(set(delays)) > 40


def test_no_interval_means_no_other_attempt() -> None:
    assert Backoff(None, jitter=True).next_delay() is None


def test_a_peer_that_refuses_us_is_asked_ever_less_often() -> None:
    backoff = Backoff(0.1, jitter=False)
    delays = [backoff.next_delay(refused=True) or 0 for _ in range(12)]
    assert delays == sorted(delays)
    assert delays[-1] == REFUSAL_CEILING


def test_connect_before_bind_meets_the_peer_when_it_comes() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with omq.PUSH.connect(endpoint, reconnect_interval=0.02) as push:
        push.send(b"early")
        gevent.sleep(0.05)
        with omq.PULL.bind(endpoint) as pull:
            assert pull.receive(timeout=5) == [b"early"]


def test_a_peer_that_restarts_is_met_again() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with omq.PUSH.connect(endpoint, reconnect_interval=0.02) as push:
        for generation in range(3):
            with omq.PULL.bind(endpoint) as pull:
                pull.wait_connected(timeout=5)
                push.wait_connected(timeout=5)
                push.send(b"%d" % generation)
                assert pull.receive(timeout=5) == [b"%d" % generation]
            push.wait_disconnected(timeout=5)


def test_disconnect_cancels_an_attempt_under_way() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with omq.PUSH.connect(endpoint, reconnect_interval=0.01) as push:
        gevent.sleep(0.03)
        push.disconnect(endpoint)
        with omq.PULL.bind(endpoint) as pull, pytest.raises(omq.WaitTimeout):
            pull.wait_connected(timeout=0.1)


def test_disconnect_of_an_unknown_endpoint_is_an_error() -> None:
    with omq.PUSH.bind("tcp://127.0.0.1:0") as push:
        with pytest.raises(omq.EndpointError, match="not connected"):
            push.disconnect("tcp://127.0.0.1:5")
        with pytest.raises(omq.EndpointError, match="not bound"):
            push.unbind("tcp://127.0.0.1:5")


def test_closing_ends_every_attempt_at_once() -> None:
    push = omq.PUSH.connect(f"tcp://127.0.0.1:{free_port()}", reconnect_interval=30)
    gevent.sleep(0.02)
    before = time.monotonic()
    push.close()
    assert time.monotonic() - before < 1


def test_reconnect_can_be_switched_off() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with omq.PUSH.connect(endpoint, reconnect_interval=0.01) as push:
        with omq.PULL.bind(endpoint):
            push.wait_connected(timeout=5)
            push.reconnect_enabled = False
        push.wait_disconnected(timeout=5)
        with omq.PULL.bind(endpoint) as pull, pytest.raises(omq.WaitTimeout):
            pull.wait_connected(timeout=0.1)
