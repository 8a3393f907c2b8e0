"""Subscriptions as bytes: both forms, floods, monsters, and data where none belongs (RFC 29)."""

from __future__ import annotations

import os
import sys
import time
import tracemalloc

import pytest

import omq_gevent as omq
from omq_gevent.errors import CommandError, MessageTooLarge

TCP = "tcp://127.0.0.1:0"


def in_step(peer, name: bytes = b"sync") -> None:
    """Return when the other side has taken everything that was sent to it."""
    peer.command(b"PING", b"\0\0" + name)
    assert peer.read_command(b"PONG") == name


# -- publishers ------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("kind", ["PUB", "XPUB"])
def test_both_forms_of_a_subscription_are_taken_from_any_version(dial, kind, minor) -> None:
    with getattr(omq, kind).bind(TCP) as pub:
        peer = dial(pub.last_endpoint).join("SUB", minor=minor)
        peer.write(b"\x04\x0d\x09SUBSCRIBEabc", b"\x00\x04\x01xyz")
        in_step(peer)
        for topic in (b"abc 1", b"xyz 2", b"other"):
            pub.send(topic)
        assert peer.read_message() == [b"abc 1"]
        assert peer.read_message() == [b"xyz 2"]
        peer.write(b"\x04\x0a\x06CANCELxyz", b"\x00\x04\x00abc")
        in_step(peer)
        for topic in (b"abc 3", b"xyz 4"):
            pub.send(topic)
        in_step(peer)


def test_one_cancel_ends_any_number_of_equal_subscriptions(dial) -> None:
    """libzmq tells of each subscription, but of one cancellation only."""
    with omq.PUB.bind(TCP) as pub:
        peer = dial(pub.last_endpoint).join("SUB")
        for _ in range(3):
            peer.command(b"SUBSCRIBE", b"A")
        peer.command(b"CANCEL", b"A")
        in_step(peer)
        pub.send(b"A")
        in_step(peer)


def test_subscriptions_of_one_peer_are_not_those_of_another(dial) -> None:
    with omq.PUB.bind(TCP) as pub:
        one, two = (dial(pub.last_endpoint).join("SUB") for _ in range(2))
        one.command(b"SUBSCRIBE", b"A")
        two.command(b"CANCEL", b"A")
        two.command(b"SUBSCRIBE", b"")
        in_step(one)
        in_step(two)
        pub.send(b"A")
        pub.send([b"", b"A"])
        assert one.read_message() == [b"A"]
        in_step(one)
        assert [two.read_message() for _ in range(2)] == [[b"A"], [b"", b"A"]]


@pytest.mark.parametrize("size", [0, 244, 245, 246, 247, 253, 254, 255, 256, 65_536])
@pytest.mark.parametrize("as_command", [True, False])
def test_topics_of_any_length_are_subscribed_to_and_cancelled(dial, size, as_command) -> None:
    topic = os.urandom(size)
    with omq.PUB.bind(TCP) as pub:
        peer = dial(pub.last_endpoint).join("SUB")
        for wanted in (True, False, True):
            if as_command:
                peer.command(b"SUBSCRIBE" if wanted else b"CANCEL", topic)
            else:
                peer.send((b"\x01" if wanted else b"\x00") + topic)
            in_step(peer)
            pub.send(topic + b"!")
            if wanted:
                assert peer.read_message() == [topic + b"!"]
            in_step(peer)


@pytest.mark.parametrize(
    ("monster", "error"),
    [
        (lambda wire: wire.command(b"SUBSCRIBE", b"x" * 65_537), CommandError),
        (lambda wire: wire.message(b"\x01" + b"x" * 5_000_000), CommandError),
        (lambda wire: wire.command(b"SUBSCRIBE", b"x" * 5_000_000), MessageTooLarge),
        (lambda wire: wire.command(b"CANCEL", b"x" * 5_000_000), MessageTooLarge),
    ],
)
def test_a_monstrous_topic_costs_the_subscriber_its_connection(
    quiet, dial, wire, await_event, monster, error
) -> None:
    with omq.PUB.bind(TCP) as pub:
        events = pub.monitor()
        good = dial(pub.last_endpoint).join("SUB")
        good.command(b"SUBSCRIBE", b"")
        in_step(good)
        bad = dial(pub.last_endpoint).join("SUB")
        bad.write(monster(wire))
        bad.read_to_end()
        assert isinstance(await_event(events, "disconnected").error, error)
        pub.send(b"on with it")
        assert good.read_message() == [b"on with it"]


def test_the_length_of_a_topic_is_not_the_depth_of_a_stack(quiet, dial) -> None:
    """A recursive tree of subscriptions could be brought down with one topic."""
    topic = b"x" * 65_536
    assert len(topic) > sys.getrecursionlimit()
    with omq.XPUB.bind(TCP) as xpub:
        for farewell in (b"CANCEL", None):
            peer = dial(xpub.last_endpoint).join("SUB")
            peer.command(b"SUBSCRIBE", topic)
            for size in range(0, 65_536, 8192):
                peer.command(b"SUBSCRIBE", topic[:size])
            in_step(peer)
            xpub.send(topic)
            assert peer.read_message() == [topic]
            if farewell:
                peer.command(farewell, topic)
                in_step(peer)
            peer.close()
            xpub.wait_disconnected(timeout=5)
        notes = []
        while xpub.poll(timeout=0):
            notes.append(xpub.receive()[0])
        assert notes.count(b"\x01" + topic) == notes.count(b"\x00" + topic) == 2


def test_a_flood_of_subscriptions_takes_bounded_memory_and_holds_up_nobody(
    quiet, dial, wire, others_run
) -> None:
    quiet.set_level("INFO", "omq_gevent")
    topics = [os.urandom(16) for _ in range(20_000)]
    with omq.PUB.bind(TCP) as pub:
        good = dial(pub.last_endpoint).join("SUB")
        good.command(b"SUBSCRIBE", b"good")
        flooding = dial(pub.last_endpoint).join("SUB")
        flood = b"".join(wire.command(b"SUBSCRIBE", topic) for topic in topics)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            with others_run(1.0):
                flooding.write(flood)
                in_step(flooding)
            assert tracemalloc.get_traced_memory()[0] - before < 20_000 * 1024
        finally:
            tracemalloc.stop()
        started = time.process_time()
        for _ in range(1000):
            pub.send(b"good morning, this matches one topic of many")
        assert time.process_time() - started < 0.5
        assert good.read_message() == [b"good morning, this matches one topic of many"]
        flooding.reset()
        pub.wait_disconnected(1, timeout=5)
        assert len(pub._engine.routing._index) == 1


def test_a_flood_of_cancellations_never_reaches_the_user_of_an_xpub(quiet, dial, wire) -> None:
    with omq.XPUB.bind(TCP) as xpub:
        peer = dial(xpub.last_endpoint).join("XSUB")
        peer.write(b"".join(wire.command(b"CANCEL", b"%d" % number) for number in range(5000)))
        peer.write(b"".join(wire.message(b"\x00%d" % number) for number in range(5000)))
        in_step(peer)
        assert not xpub.poll(timeout=0)
        peer.command(b"SUBSCRIBE", b"real")
        assert xpub.receive(timeout=2) == [b"\x01real"]


def test_the_user_of_an_xpub_is_told_when_a_subscriber_vanishes(dial) -> None:
    with omq.XPUB.bind(TCP) as xpub:
        one, two = (dial(xpub.last_endpoint).join("SUB") for _ in range(2))
        one.command(b"SUBSCRIBE", b"both")
        one.command(b"SUBSCRIBE", b"mine")
        in_step(one)
        two.command(b"SUBSCRIBE", b"both")
        in_step(two)
        assert [xpub.receive(timeout=2) for _ in range(2)] == [[b"\x01both"], [b"\x01mine"]]
        one.reset()
        assert xpub.receive(timeout=2) == [b"\x00mine"]
        two.reset()
        assert xpub.receive(timeout=2) == [b"\x00both"]


def test_data_sent_to_a_publisher_does_not_accumulate(quiet, dial, wire) -> None:
    with omq.PUB.bind(TCP) as pub:
        peer = dial(pub.last_endpoint).join("SUB")
        peer.command(b"SUBSCRIBE", b"A")
        in_step(peer)
        tracemalloc.start()
        try:
            for _ in range(20):
                peer.write(wire.message(b"data", b"x" * 500_000))
            in_step(peer)
            assert tracemalloc.get_traced_memory()[0] < 2_000_000
        finally:
            tracemalloc.stop()
        pub.send(b"A")
        assert peer.read_message() == [b"A"]


def test_a_subscriber_that_stops_reading_costs_the_others_nothing(dial) -> None:
    with omq.PUB.bind(TCP, send_hwm=10, linger=0) as pub:
        stuck, good = (dial(pub.last_endpoint).join("SUB") for _ in range(2))
        for peer in (stuck, good):
            peer.command(b"SUBSCRIBE", b"")
            in_step(peer)
        body = b"x" * 500_000
        for number in range(40):
            pub.send([b"%d" % number, body])
            assert good.read_message() == [b"%d" % number, body]
        stuck.close()


# -- subscribers -----------------------------------------------------------------------------


def test_a_subscriber_says_subscribe_each_time_and_cancel_once(listener) -> None:
    with omq.SUB.connect(listener.endpoint) as sub:
        peer = listener.accept().join("PUB")
        for _ in range(3):
            sub.subscribe(b"abc")
            assert peer.read(15) == b"\x04\x0d\x09SUBSCRIBEabc"
        sub.unsubscribe(b"never")
        for _ in range(3):
            assert peer.hears_nothing(0.01)
            sub.unsubscribe(b"abc")
        assert peer.read(12) == b"\x04\x0a\x06CANCELabc"


@pytest.mark.parametrize("size", [0, 253, 254, 255, 256])
def test_a_peer_of_version_3_0_gets_messages_instead(listener, size: int) -> None:
    topic = b"t" * size
    with omq.SUB.connect(listener.endpoint) as sub:
        peer = listener.accept().join("PUB", minor=0)
        sub.subscribe(topic)
        assert peer.read_message() == [b"\x01" + topic]
        sub.unsubscribe(topic)
        assert peer.read_message() == [b"\x00" + topic]


def test_all_subscriptions_are_told_again_on_every_new_connection(listener) -> None:
    with omq.SUB.connect(listener.endpoint, reconnect_interval=0.01) as sub:
        sub.subscribe(b"one")
        sub.subscribe(b"two")
        sub.subscribe(b"gone")
        sub.unsubscribe(b"gone")
        for _ in range(3):
            peer = listener.accept().join("PUB")
            assert {peer.read_command(b"SUBSCRIBE") for _ in range(2)} == {b"one", b"two"}
            assert peer.hears_nothing(0.01)
            peer.reset()


def test_an_xsub_sends_upstream_what_is_no_subscription(listener) -> None:
    with omq.XSUB.connect(listener.endpoint) as xsub:
        peer = listener.accept().join("XPUB")
        xsub.wait_connected(timeout=2)
        xsub.send(b"\x01topic")
        assert peer.read_command(b"SUBSCRIBE") == b"topic"
        xsub.send([b"\x02user", b"data"])
        assert peer.read_message() == [b"\x02user", b"data"]


def test_a_publisher_that_sends_what_was_not_asked_for_is_filtered(dial) -> None:
    with omq.SUB.bind(TCP) as sub:
        sub.subscribe(b"A")
        peer = dial(sub.last_endpoint).join("PUB")
        for topic in (b"B", b"", b"A1", b"a", b"A2"):
            peer.send(topic, b"A")
        assert sub.receive(timeout=2) == [b"A1", b"A"]
        assert sub.receive(timeout=2) == [b"A2", b"A"]


def test_a_full_subscriber_stops_reading_and_the_publisher_notices(dial, wire) -> None:
    with omq.SUB.bind(TCP, recv_hwm=5, rcvbuf=32_768) as sub:
        sub.subscribe(b"")
        peer = dial(sub.last_endpoint).join("PUB")
        sub.wait_connected(timeout=2)
        peer.write_until_stuck(wire.message(b"x" * 100_000))
        assert len(sub._engine.routing.received.items) < 50
