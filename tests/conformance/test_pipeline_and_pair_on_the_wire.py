"""PUSH, PULL and PAIR: whose turn it is, and who does not count (RFC 30, RFC 31)."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.errors import PeerRefused

TCP = "tcp://127.0.0.1:0"


def half_open(dial, wire, endpoint: str) -> None:
    """Connect peers that have come to every point before the end of the handshake."""
    whole = wire.greeting() + wire.ready("PULL")
    for size in (0, 1, 10, 64, 66, len(whole) - 1):
        dial(endpoint).write(whole[:size])


@pytest.mark.parametrize("kind", ["PUSH", "DEALER"])
def test_a_connection_without_handshake_has_no_turn_and_no_queue(dial, wire, kind: str) -> None:
    with getattr(omq, kind).bind(TCP, send_hwm=4) as socket:
        half_open(dial, wire, socket.last_endpoint)
        peer = dial(socket.last_endpoint).join("PULL" if kind == "PUSH" else "DEALER")
        for number in range(100):
            socket.send(b"%d" % number, timeout=2)
        assert [peer.read_message() for _ in range(100)] == [[b"%d" % n] for n in range(100)]


def test_connections_without_handshake_do_not_make_a_socket_writable(dial, wire) -> None:
    with omq.PUSH.bind(TCP, immediate=True) as push:
        half_open(dial, wire, push.last_endpoint)
        gevent.sleep(0.02)
        assert push.peers == []
        with pytest.raises(omq.SendTimeout):
            push.send(b"x", timeout=0)
        peer = dial(push.last_endpoint).join("PULL")
        push.send(b"y", timeout=2)
        assert peer.read_message() == [b"y"]


def test_connections_without_handshake_are_not_asked(dial, wire) -> None:
    with omq.REQ.bind(TCP) as req:
        half_open(dial, wire, req.last_endpoint)
        peer = dial(req.last_endpoint).join("REP")
        for number in range(5):
            req.send(b"%d" % number)
            assert peer.read_message() == [b"", b"%d" % number]
            peer.send(b"", b"re")
            assert req.receive(timeout=2) == [b"re"]


def test_a_connection_without_handshake_does_not_take_the_place_of_a_pairs_peer(dial, wire) -> None:
    with omq.PAIR.bind(TCP) as pair:
        half_open(dial, wire, pair.last_endpoint)
        peer = dial(pair.last_endpoint).join("PAIR")
        pair.send(b"hello")
        assert peer.read_message() == [b"hello"]


def test_a_second_peer_of_a_pair_is_closed_and_gets_nothing(quiet, dial, await_event) -> None:
    with omq.PAIR.bind(TCP) as pair:
        events = pair.monitor()
        first = dial(pair.last_endpoint).join("PAIR")
        pair.wait_connected(timeout=2)
        second = dial(pair.last_endpoint).join("PAIR")
        second.send(b"intruder")
        assert second.read_to_end() == b""
        assert isinstance(await_event(events, "disconnected").error, PeerRefused)
        pair.send(b"hello")
        assert first.read_message() == [b"hello"]
        first.send(b"back")
        assert pair.receive(timeout=2) == [b"back"]
        with pytest.raises(omq.ReceiveTimeout):
            pair.receive(timeout=0)
        first.reset()
        pair.wait_disconnected(timeout=2)
        third = dial(pair.last_endpoint).join("PAIR")
        pair.send(b"next")
        assert third.read_message() == [b"next"]


def test_peers_take_turns_and_one_that_does_not_read_is_passed_over(dial) -> None:
    body = b"x" * 200_000
    with omq.PUSH.bind(TCP, send_hwm=10, linger=0) as push:
        stuck, *good = (dial(push.last_endpoint).join("PULL") for _ in range(3))
        push.wait_connected(3, timeout=2)
        readers = [
            gevent.spawn(lambda peer=peer: [peer.read_message() for _ in range(100)])
            for peer in good
        ]
        sent = 0
        while not all(reader.dead for reader in readers):
            push.send([b"%d" % sent, body], timeout=5)
            sent += 1
        numbers = [int(number) for reader in readers for number, _ in reader.get()]
        assert len(set(numbers)) == 200
        assert sent < 400, "what the stuck peer holds back is bounded"
        stuck.close()


def test_what_is_sent_to_a_push_is_read_and_forgotten(quiet, dial, wire) -> None:
    with omq.PUSH.bind(TCP) as push:
        peer = dial(push.last_endpoint).join("PULL")
        for _ in range(20):
            peer.write(wire.message(b"x" * 500_000))
        push.send(b"hello")
        assert peer.read_message() == [b"hello"]


def test_a_full_pull_stops_reading_and_takes_bounded_memory(dial, wire) -> None:
    with omq.PULL.bind(TCP, recv_hwm=5, rcvbuf=32_768) as pull:
        flooding = dial(pull.last_endpoint).join("PUSH")
        written = flooding.write_until_stuck(wire.message(b"x" * 100_000))
        good = dial(pull.last_endpoint).join("PUSH")
        good.send(b"me too")
        assert len(pull._engine.routing.received.items) < 20
        seen = [pull.receive(timeout=2) for _ in range(written + 1)]
        assert [b"me too"] in seen


def test_a_send_to_a_peer_that_never_reads_blocks_at_the_high_water_mark(dial) -> None:
    with omq.PUSH.bind(TCP, send_hwm=3, linger=0) as push:
        peer = dial(push.last_endpoint).join("PULL")
        push.wait_connected(timeout=2)
        accepted = 0
        try:
            while accepted < 100:
                push.send(b"x" * 8_000_000, timeout=0.1)
                accepted += 1
        except omq.SendTimeout:
            assert 3 <= accepted < 10
        else:
            pytest.fail("no send was refused")
        peer.close()
