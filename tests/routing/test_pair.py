"""PAIR: one peer at a time, and a queue that waits for the next."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://pair"])


@pytest.mark.interop
def test_bounces_messages_off_a_libzmq_pair(libzmq) -> None:
    with omq.PAIR.bind(TCP) as pair:
        theirs = libzmq("PAIR", pair.last_endpoint)
        for message in ([b"one"], [b"two", b"", b"parts"], [b""]):
            pair.send(message)
            assert theirs.recv_multipart() == message
            theirs.send_multipart(message)
            assert pair.receive(timeout=2) == message


def test_a_second_peer_is_refused_and_the_first_stays(await_event) -> None:
    with omq.PAIR.bind(TCP) as pair, omq.PAIR.connect(pair.last_endpoint) as first:
        pair.wait_connected(timeout=2)
        events = pair.monitor()
        with omq.PAIR.connect(pair.last_endpoint, reconnect_interval=None, linger=0) as second:
            second.send(b"intruder")
            assert isinstance(await_event(events, "disconnected").error, omq.PeerRefused)
            second.wait_disconnected(timeout=2)
        first.send(b"hello")
        assert pair.receive(timeout=2) == [b"hello"]
        pair.send(b"for the first")
        assert first.receive(timeout=2) == [b"for the first"]


def test_over_inproc_a_second_peer_is_not_half_registered() -> None:
    with omq.PAIR.bind("inproc://pair") as pair, omq.PAIR.connect("inproc://pair") as first:
        with omq.PAIR.connect("inproc://pair", linger=0) as second:
            assert len(pair.peers) == 1
            assert not second.peers
            second.send(b"intruder")
            pair.send(b"for the first")
            assert first.receive(timeout=2) == [b"for the first"]
        first.send(b"still here")
        assert pair.receive(timeout=2) == [b"still here"]


def test_a_refused_peer_gets_in_when_the_place_is_free() -> None:
    with omq.PAIR.bind(TCP) as pair:
        first = omq.PAIR.connect(pair.last_endpoint)
        pair.wait_connected(timeout=2)
        with omq.PAIR.connect(pair.last_endpoint, reconnect_interval=0.01) as second:
            second.wait_connected(timeout=2)
            second.wait_disconnected(timeout=2)
            first.close()
            second.send(b"at last")
            assert pair.receive(timeout=5) == [b"at last"]


@ENDPOINTS
def test_the_queue_outlives_the_peer(endpoint: str) -> None:
    with omq.PAIR.bind(endpoint) as pair:
        with omq.PAIR.connect(pair.last_endpoint) as first:
            pair.send(b"one")
            assert first.receive(timeout=2) == [b"one"]
        pair.wait_disconnected(timeout=2)
        pair.send(b"two")
        pair.send(b"three")
        with omq.PAIR.connect(pair.last_endpoint) as second:
            assert second.receive(timeout=2) == [b"two"]
            assert second.receive(timeout=2) == [b"three"]


@ENDPOINTS
def test_a_dialing_pair_reconnects_and_goes_on(endpoint: str) -> None:
    with omq.PAIR(reconnect_interval=0.01) as dialing:
        with omq.PAIR.bind(endpoint) as first:
            resolved = dialing.connect(first.last_endpoint)
            dialing.wait_connected(timeout=2)
        dialing.wait_disconnected(timeout=2)
        dialing.send(b"kept")
        with omq.PAIR.bind(resolved) as second:
            assert second.receive(timeout=2) == [b"kept"]


def test_blocks_at_the_high_water_mark() -> None:
    with omq.PAIR.bind(TCP, send_hwm=2, linger=0) as pair:
        pair.send(b"1", timeout=0)
        pair.send(b"2", timeout=0)
        with pytest.raises(omq.SendTimeout):
            pair.send(b"3", timeout=0.01)


@ENDPOINTS
def test_any_number_of_greenlets_may_send_and_receive(endpoint: str) -> None:
    with omq.PAIR.bind(endpoint, send_hwm=5) as one, omq.PAIR.connect(one.last_endpoint) as two:
        received: list[bytes] = []

        def send(first: int) -> None:
            for number in range(first, first + 100):
                one.send(b"%d" % number)

        def receive() -> None:
            for _ in range(100):
                received.append(two.receive(timeout=2)[0])

        workers = [gevent.spawn(send, first) for first in range(0, 500, 100)]
        workers += [gevent.spawn(receive) for _ in range(5)]
        gevent.joinall(workers, timeout=5, raise_error=True)
        assert sorted(received, key=int) == [b"%d" % number for number in range(500)]
