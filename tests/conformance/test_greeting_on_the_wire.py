"""The first 64 bytes: what we send, what we accept, what is refused and how."""

from __future__ import annotations

import os
import time

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.errors import GreetingError, HandshakeTimeout, MechanismMismatch

TCP = "tcp://127.0.0.1:0"
OURS = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL" + bytes(48)
SIGNATURE = OURS[:10]


def test_the_whole_greeting_is_sent_before_the_peer_says_a_word(dial, listener) -> None:
    with omq.PULL.bind(TCP) as pull, omq.PUSH.connect(listener.endpoint):
        bound = dial(pull.last_endpoint)
        assert bound.read_greeting() == OURS
        assert bound.hears_nothing(0.02)
        dialing = listener.accept()
        assert dialing.read_greeting() == OURS
        assert dialing.hears_nothing(0.02)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x01\x00", "ZMTP 1.0"),
        (b"\x04\x00ABC", "ZMTP 1.0"),
        (b"\xff\0\0\0\0\0\0\0\x04\x7eBOB", "ZMTP 1.0"),
        (SIGNATURE + b"\x00\x02", "ZMTP 1.0"),
        (SIGNATURE + b"\x01\x05\x00\x00", "ZMTP 2.0"),
        (SIGNATURE + b"\x02", "ZMTP 2.0"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "an HTTP request"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000, "an HTTP request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), "a TLS ClientHello"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
        (b"\x00", "x00"),
        (b"\n\x1b[31mWARNING forged line\nINFO another\r\n", "forged line"),
        ("ÄÖÜ %s %d {0}".encode(), "xc3"),
    ],
)
def test_what_is_not_zmtp_3_is_refused_at_once_and_named(
    scene, dial, sent: bytes, said: str
) -> None:
    on = scene(handshake_timeout=None)
    peer = dial(on.endpoint)
    peer.write(sent)
    assert peer.read_to_end() in (OURS, b""), "our greeting is all that such a peer hears"
    error = on.failure()
    assert isinstance(error, GreetingError)
    assert said in str(error)
    assert len(str(error)) < 200


@pytest.mark.parametrize("version", [(3, 0), (3, 1), (3, 2), (3, 255), (4, 0), (255, 255)])
def test_version_3_and_every_newer_one_is_accepted(scene, dial, wire, version) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(*version), wire.ready("PUSH"), wire.message(b"hello"))
    assert on.socket.receive(timeout=2) == [b"hello"]
    assert version in [(peer.facts.major, peer.facts.minor) for peer in on.socket.peers]


@pytest.mark.parametrize(
    "unusual",
    [
        pytest.param(b"\xff" + os.urandom(8) + OURS[9:], id="padding"),
        pytest.param(b"\xff\0\0\0\0\0\0\0\x04" + OURS[9:], id="length of an identity as padding"),
        pytest.param(OURS[:9] + b"\x01" + OURS[10:], id="only the last bit of the signature"),
        pytest.param(OURS[:32] + b"\x01" + OURS[33:], id="as-server"),
        pytest.param(OURS[:32] + b"\xff" + OURS[33:], id="as-server of all bits"),
        pytest.param(OURS[:33] + os.urandom(31), id="filler"),
    ],
)
def test_fields_without_a_meaning_are_not_judged(scene, dial, wire, unusual: bytes) -> None:
    on = scene()
    dial(on.endpoint).write(unusual, wire.ready("PUSH"), wire.message(b"hello"))
    assert on.socket.receive(timeout=2) == [b"hello"]


@pytest.mark.parametrize("mechanism", [b"PLAIN", b"CURVE", b"null", b"", b"NULL\0\0X", b"A" * 20])
def test_another_mechanism_is_refused_but_learns_ours(scene, dial, wire, mechanism: bytes) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(mechanism=mechanism), wire.ready("PUSH"), wire.message(b"smuggled"))
    assert peer.read_to_end() == OURS
    error = on.failure()
    assert isinstance(error, MechanismMismatch)
    assert "NULL" in str(error)


def test_an_octet_at_a_time_is_as_good_as_all_at_once(scene, dial, wire) -> None:
    on = scene()
    peer = dial(on.endpoint)
    for octet in wire.greeting() + wire.ready("PUSH") + wire.message(b"a", b"", b"b" * 20):
        peer.write(bytes((octet,)))
        gevent.sleep(0)
    assert on.socket.receive(timeout=2) == [b"a", b"", b"b" * 20]


def test_a_peer_that_waits_for_our_octets_before_it_goes_on(scene, dial, wire) -> None:
    """As libzmq does, which must find out how old its peer is."""
    on = scene()
    peer = dial(on.endpoint)
    peer.write(SIGNATURE)
    assert peer.read(10) == OURS[:10]
    peer.write(b"\x03")
    assert peer.read(1) == b"\x03"
    peer.write(wire.greeting()[11:])
    assert peer.read(53) == OURS[11:]
    peer.read_command(b"READY")
    peer.write(wire.ready("PUSH"), wire.message(b"hello"))
    assert on.socket.receive(timeout=2) == [b"hello"]


def test_silence_at_any_point_of_the_handshake_ends_with_its_time(scene, dial, wire) -> None:
    on = scene(handshake_timeout=0.2)
    whole = wire.greeting() + wire.ready("PUSH")
    peers = []
    for size in (0, 1, 2, 9, 10, 11, 12, 63, 64, 65, 66, 70, len(whole) - 1):
        peers.append(dial(on.endpoint))
        peers[-1].write(whole[:size])
    before = time.monotonic()
    for peer in peers:
        peer.read_to_end()
        error = on.failure()
        assert isinstance(error, HandshakeTimeout)
        assert "0.2 s" in str(error)
    assert time.monotonic() - before < 2


def test_the_time_of_a_handshake_is_not_prolonged_by_dripping(scene, dial, wire) -> None:
    on = scene(handshake_timeout=0.2)
    peer = dial(on.endpoint)
    started = time.monotonic()

    def drip() -> None:
        for octet in wire.greeting() + wire.ready("PUSH"):
            peer.write(bytes((octet,)))
            gevent.sleep(0.05)

    dripping = gevent.spawn(drip)
    assert isinstance(on.failure(), HandshakeTimeout)
    assert time.monotonic() - started < 2
    dripping.kill()


def test_the_time_of_the_handshake_is_over_when_the_handshake_is(scene, dial) -> None:
    on = scene(handshake_timeout=0.1)
    peer = dial(on.endpoint).join("PUSH")
    assert peer.hears_nothing(0.3)
    peer.send(b"later")
    assert on.socket.receive(timeout=2) == [b"later"]


@pytest.mark.parametrize("sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", SIGNATURE + b"\x01\x08"])
def test_a_server_of_another_protocol_is_asked_ever_less_often(
    quiet, listener, await_event, sent: bytes
) -> None:
    with omq.PUSH.connect(
        listener.endpoint, reconnect_interval=0.001, reconnect_jitter=False
    ) as push:
        events = push.monitor()
        waits = []
        for _ in range(4):
            listener.accept().write(sent)
            event = await_event(events, "connect_retried")
            assert isinstance(event.error, GreetingError)
            waits.append(event.interval)
        assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4])


def test_garbage_never_yields_more_than_a_failed_handshake(scene, dial) -> None:
    """Of all first octets, only FF may go on."""
    on = scene(handshake_timeout=0.3)
    for octet in range(256):
        peer = dial(on.endpoint)
        peer.write(bytes((octet,)) * 100)
        peer.finish()
        peer.read_to_end()
        assert isinstance(on.failure(), GreetingError if octet < 0xFF else MechanismMismatch)
