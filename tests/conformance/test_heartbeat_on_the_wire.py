"""PING and PONG with peers that answer, that do not, and that overdo it."""

from __future__ import annotations

import time

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.errors import CommandError, HeartbeatTimeout

TCP = "tcp://127.0.0.1:0"


def link_of(socket):
    """The one connection of *socket*."""
    (connection,) = socket._engine.connections
    return connection


# -- PINGs that come -------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("context", [b"", b"x", b"\0\xff\r\n", b"ABCDEFGHIJKLMNOP"])
def test_a_ping_is_answered_with_its_very_context(scene, dial, minor: int, context) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH", minor=minor)
    peer.command(b"PING", b"\0\0" + context)
    assert peer.read_command(b"PONG") == context


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0" + b"x" * 17, b"\xff\xff" + b"x" * 300])
def test_a_malformed_ping_costs_the_connection_and_is_not_echoed(scene, dial, data) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.command(b"PING", data)
    assert peer.read_to_end() == b""
    assert isinstance(on.failure("disconnected"), CommandError)


@pytest.mark.parametrize("data", [b"", b"nobody asked", b"x" * 300])
def test_a_pong_that_nobody_asked_for_is_ignored(scene, dial, data: bytes) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.command(b"PONG", data)
    peer.send(b"hello")
    assert on.socket.receive(timeout=2) == [b"hello"]


def test_every_ping_of_a_peer_that_reads_is_answered_in_order(scene, dial, wire) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    for number in range(200):
        peer.command(b"PING", b"\0\0%d" % number)
        assert peer.read_command(b"PONG") == b"%d" % number


def test_a_flood_of_pings_is_answered_within_bounds_and_holds_up_nobody(
    scene, dial, wire, others_run
) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    link = list(on.socket._engine.connections)[-1]
    flood = wire.command(b"PING", b"\0\0" + b"c" * 16) * 2000
    backlogs = []
    with others_run(0.5):
        for _ in range(100):
            peer.write(flood)
            backlogs.append(link._send_pump.control_backlog)
        peer.send(b"at last")
        assert on.socket.receive(timeout=5) == [b"at last"]
    assert max(backlogs) <= 16
    while peer.hears_nothing(0.05) is False:
        answers = peer._unread
        assert len(answers) <= 200_000 * 23
        peer._unread = b""


def test_a_peer_is_held_to_the_ttl_that_it_announces(scene, dial) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    started = time.monotonic()
    peer.command(b"PING", b"\0\x02")
    assert peer.read_command(b"PONG") == b""
    assert peer.read_to_end() == b""
    assert time.monotonic() - started >= 0.19
    error = on.failure("disconnected")
    assert isinstance(error, HeartbeatTimeout)
    assert "0.2 s" in str(error)


@pytest.mark.parametrize("life", ["message", "half a frame", "PONG", "PING"])
def test_any_traffic_within_the_ttl_is_a_sign_of_life(scene, dial, wire, life: str) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.command(b"PING", b"\0\x02")
    drips = iter(wire.message(b"drop by drop"))
    for _ in range(4):
        gevent.sleep(0.08)
        if life == "message":
            peer.send(b"x")
            on.socket.receive(timeout=2)
        elif life == "half a frame":
            peer.write(bytes((next(drips),)))
        elif life == "PONG":
            peer.command(b"PONG")
        else:
            peer.command(b"PING", b"\0\x02")
    if life == "half a frame":
        peer.write(bytes(drips))
        assert on.socket.receive(timeout=2) == [b"drop by drop"]
    assert len(on.socket.peers) == 2


def test_the_latest_ttl_counts_and_none_lifts_it(scene, dial) -> None:
    on = scene()
    patient, hasty = (dial(on.endpoint).join("PUSH") for _ in range(2))
    patient.command(b"PING", b"\0\x01")
    patient.command(b"PING", b"\0\0")
    hasty.command(b"PING", b"\xff\xff")
    hasty.read_command(b"PONG")
    hasty.command(b"PING", b"\0\x01")
    hasty.read_command(b"PONG")
    assert hasty.read_to_end() == b""
    assert isinstance(on.failure("disconnected"), HeartbeatTimeout)
    for _ in range(2):
        patient.read_command(b"PONG")
    assert patient.hears_nothing(0.15)


# -- PINGs that we send ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "ttl"),
    [
        ({"heartbeat_interval": 0.1, "heartbeat_timeout": 5}, b"\x00\x03"),
        ({"heartbeat_interval": 0.03, "heartbeat_ttl": 3.0}, b"\x00\x1e"),
        ({"heartbeat_interval": 0.03, "heartbeat_ttl": 6000}, b"\x02\x8f"),
        ({"heartbeat_interval": 0.03, "heartbeat_ttl": 0}, b"\x00\x00"),
    ],
)
@pytest.mark.parametrize("minor", [0, 1])
def test_our_ping_carries_a_ttl_that_no_libzmq_misreads(dial, minor, options, ttl) -> None:
    with omq.PULL.bind(TCP, **options) as pull:
        peer = dial(pull.last_endpoint).join("PUSH", minor=minor)
        for _ in range(2):
            assert peer.read_command(b"PING") == ttl
            peer.command(b"PONG")


def test_without_heartbeats_no_ping_is_sent(dial) -> None:
    with omq.PULL.bind(TCP) as pull:
        assert dial(pull.last_endpoint).join("PUSH").hears_nothing(0.1)


def test_silence_after_a_ping_ends_the_connection_and_it_is_dialed_again(
    quiet, listener, await_event
) -> None:
    with omq.PUSH.connect(
        listener.endpoint, heartbeat_interval=0.05, heartbeat_timeout=0.1, reconnect_interval=0.01
    ) as push:
        events = push.monitor()
        for _ in range(2):
            peer = listener.accept().join("PULL")
            started = time.monotonic()
            peer.read_command(b"PING")
            peer.read_to_end()
            assert time.monotonic() - started >= 0.09
            assert isinstance(await_event(events, "disconnected").error, HeartbeatTimeout)
            assert isinstance(await_event(events, "connect_retried").error, HeartbeatTimeout)
        peer = listener.accept().join("PULL")
        push.send(b"patience")
        assert peer.read_message() == [b"patience"]


@pytest.mark.parametrize("life", ["PONG", "message", "half a frame", "unknown command"])
def test_any_traffic_answers_a_ping(dial, wire, life: str) -> None:
    with omq.PULL.bind(TCP, heartbeat_interval=0.05, heartbeat_timeout=0.15) as pull:
        peer = dial(pull.last_endpoint).join("PUSH")
        drips = iter(wire.message(b"drop by drop"))
        for _ in range(5):
            peer.read_command(b"PING")
            if life == "PONG":
                peer.command(b"PONG")
            elif life == "message":
                peer.send(b"x")
            elif life == "unknown command":
                peer.command(b"FROB")
            else:
                peer.write(bytes((next(drips),)))
        assert len(pull.peers) == 1


def test_no_peer_is_given_up_while_it_is_we_who_do_not_read(dial, wire) -> None:
    """A full receive queue stops the reading, and with it the PONGs that have come."""
    with omq.PULL.bind(TCP, heartbeat_interval=0.03, heartbeat_timeout=0.06, recv_hwm=2) as pull:
        events = pull.monitor()
        peer = dial(pull.last_endpoint).join("PUSH")
        peer.command(b"PING", b"\0\x01")  # holds the peer to a TTL as well
        sent = [b"%d" % number for number in range(100)]
        for body in sent[:50]:
            peer.send(body)
        gevent.sleep(0.3)
        peer.write(b"".join(map(wire.message, sent[50:])))
        assert [pull.receive(timeout=2) for _ in sent] == [[body] for body in sent]
        assert "disconnected" not in [events.get(timeout=0).kind for _ in range(len(events))]


@pytest.mark.parametrize("who", ["we ask", "the peer announces a TTL"])
def test_no_peer_is_given_up_because_this_process_was_busy(dial, who: str) -> None:
    """Its answer is there, but the hub gets no chance to read it before the time is over."""
    options = {"heartbeat_interval": 0.05, "heartbeat_timeout": 0.1} if who == "we ask" else {}
    with omq.PULL.bind(TCP, **options) as pull:
        peer = dial(pull.last_endpoint).join("PUSH")
        pull.wait_connected(timeout=2)
        link = link_of(pull)
        if who != "we ask":
            peer.command(b"PING", b"\0\x01")
            peer.read_command(b"PONG")
        for _ in range(3):
            if who == "we ask":
                while not peer.hears_nothing(0.005):
                    peer._unread = b""
                peer.read_command(b"PING")
            peer.command(b"PONG")
            time.sleep(0.2)
            gevent.sleep(0.02)
            assert link_of(pull) is link


def test_pings_do_not_pile_up_behind_a_peer_that_does_not_read(dial) -> None:
    with omq.DEALER.bind(TCP, heartbeat_interval=0.005, heartbeat_timeout=5, linger=0) as dealer:
        peer = dial(dealer.last_endpoint).join("DEALER")
        dealer.wait_connected(timeout=2)
        dealer.send(b"x" * 20_000_000)
        gevent.sleep(0.15)
        assert link_of(dealer)._send_pump.control_backlog <= 1
        peer.close()


def test_a_publisher_that_has_nothing_to_say_keeps_its_subscribers(dial) -> None:
    with (
        omq.PUB.bind(TCP, heartbeat_interval=0.03, heartbeat_timeout=0.15) as pub,
        omq.SUB.connect(pub.last_endpoint, reconnect_interval=None) as sub,
    ):
        sub.subscribe(b"")
        silent = dial(pub.last_endpoint).join("SUB")
        pub.wait_connected(2, timeout=2)
        silent.read_to_end()
        gevent.sleep(0.3)
        assert len(pub.peers) == 1
        pub.send(b"at last")
        assert sub.receive(timeout=2) == [b"at last"]


@pytest.mark.parametrize("kinds", [("PUB", "SUB"), ("PULL", "PUSH")])
def test_two_of_us_that_both_send_heartbeats_stay_together(kinds) -> None:
    options = {"heartbeat_interval": 0.03, "heartbeat_timeout": 0.15, "reconnect_interval": None}
    with (
        getattr(omq, kinds[0]).bind(TCP, **options) as one,
        getattr(omq, kinds[1]).connect(one.last_endpoint, **options) as other,
    ):
        one.wait_connected(timeout=2)
        gevent.sleep(0.3)
        assert len(one.peers) == len(other.peers) == 1


@pytest.mark.interop
@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (True, True)])
def test_libzmq_stays_connected_whoever_sends_the_heartbeats(libzmq, ours, theirs) -> None:
    options = {"heartbeat_interval": 0.05, "heartbeat_timeout": 0.2} if ours else {}
    with omq.PULL.bind(TCP, **options) as pull:
        events = pull.monitor()
        their_options = {"heartbeat_ivl": 50, "heartbeat_timeout": 200, "heartbeat_ttl": 200}
        push = libzmq("PUSH", pull.last_endpoint, **(their_options if theirs else {}))
        pull.wait_connected(timeout=2)
        gevent.sleep(0.35)
        push.send(b"still here")
        assert pull.receive(timeout=2) == [b"still here"]
        assert "disconnected" not in [events.get(timeout=0).kind for _ in range(len(events))]


@pytest.mark.interop
def test_a_long_ttl_does_not_wrap_in_libzmq(libzmq) -> None:
    with omq.PUSH.bind(
        TCP, heartbeat_interval=0.02, heartbeat_ttl=70.0, heartbeat_timeout=5.0
    ) as push:
        pull = libzmq("PULL", push.last_endpoint)
        push.wait_connected(timeout=2)
        link = link_of(push)
        gevent.sleep(0.3)
        push.send(b"still here")
        assert pull.recv() == b"still here"
        assert link_of(push) is link
