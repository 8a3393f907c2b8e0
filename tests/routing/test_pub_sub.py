"""PUB and SUB: who gets what, with our sockets, libzmq's and hand-made peers at the other end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import gevent
import pytest
from gevent import socket

import omq_gevent as omq
from omq_gevent.mechanisms.null import Null
from omq_gevent.zmtp import command, frame, greeting, metadata
from omq_gevent.zmtp.decoder import Command, Decoder

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://pub-sub"])


class RawPeer:
    """A peer that does on the wire exactly what a test tells it."""

    def __init__(self, sock: Any, socket_type: str, minor: int, mechanism: bytes = b"NULL") -> None:
        self._socket = sock
        self._decoder = Decoder()
        self._items: list[Any] = []
        sock.settimeout(5)
        mine = bytearray(greeting.encode(mechanism))
        mine[11] = minor
        sock.sendall(mine)
        theirs = b""
        while len(theirs) < greeting.SIZE:
            theirs += sock.recv(greeting.SIZE - len(theirs))
        ready = command.ready(metadata.encode({"Socket-Type": socket_type.encode()}))
        sock.sendall(frame.encode_command(ready))
        assert command.parse(self.next())[0] == b"READY"

    def send(self, *frames: bytes) -> None:
        self._socket.sendall(frame.encode_message(frames))

    def send_command(self, body: bytes) -> None:
        self._socket.sendall(frame.encode_command(body))

    def next(self) -> Any:
        while not self._items:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError("the other side closed the connection")
            self._items += self._decoder.feed(data)
        return self._items.pop(0)


@contextlib.contextmanager
def raw_client(endpoint: str, socket_type: str, minor: int = 1) -> Iterator[RawPeer]:
    host, _, port = endpoint[len("tcp://") :].rpartition(":")
    with contextlib.closing(socket.create_connection((host, int(port)))) as sock:
        yield RawPeer(sock, socket_type, minor)


@contextlib.contextmanager
def raw_server() -> Iterator[tuple[str, Any]]:
    """The endpoint, and a function that accepts a peer."""
    with contextlib.closing(socket.socket()) as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def accept(socket_type: str, minor: int = 1, mechanism: bytes = b"NULL") -> RawPeer:
            sock = stack.enter_context(contextlib.closing(listener.accept()[0]))
            return RawPeer(sock, socket_type, minor, mechanism)

        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", accept


@contextlib.contextmanager
def raw_server_and_sub(**options: Any) -> Iterator[tuple[Any, omq.SUB]]:
    """A function that accepts the subscriber's connection, and the subscriber."""
    with raw_server() as (endpoint, accept), omq.SUB.connect(endpoint, **options) as sub:
        yield accept, sub


@contextlib.contextmanager
def pub_and_sub(
    endpoint: str = TCP, pub: Mapping[str, Any] = MappingProxyType({}), **options: Any
) -> Iterator[tuple[omq.PUB, omq.SUB]]:
    """A publisher, and a subscriber of these *options* that is connected to it."""
    with (
        omq.PUB.bind(endpoint, **pub) as publisher,
        omq.SUB.connect(publisher.last_endpoint, **options) as sub,
    ):
        yield publisher, sub


def received(sub: Any, end: bytes = b"end") -> list[list[bytes]]:
    """What *sub* receives before the message whose last frame is *end*."""
    messages = []
    while (message := sub.receive(timeout=5))[-1] != end:
        messages.append(message)
    return messages


# -- who gets what -------------------------------------------------------------------------


@ENDPOINTS
def test_a_subscriber_gets_the_topics_that_begin_with_its_prefixes(endpoint: str) -> None:
    with pub_and_sub(endpoint, subscribe=[b"weather.", b"time"]) as (pub, sub):
        pub.wait_subscribed(b"weather.", timeout=5)
        pub.wait_subscribed(b"time", timeout=5)
        pub.send([b"weather.bonn", b"rain"])
        pub.send([b"weather", b"too short"])
        pub.send([b"sports", b"weather."])
        pub.send(b"time: 12:00")
        pub.send([b"time", b"end"])
        assert received(sub) == [[b"weather.bonn", b"rain"], [b"time: 12:00"]]


@ENDPOINTS
def test_each_of_many_subscribers_gets_its_own_copy_of_the_message(endpoint: str) -> None:
    with omq.PUB.bind(endpoint) as pub, contextlib.ExitStack() as stack:
        subs = [
            stack.enter_context(omq.SUB.connect(pub.last_endpoint, subscribe=b"")) for _ in range(5)
        ]
        pub.wait_subscribed(n=5, timeout=5)
        pub.send([b"a", b"b"])
        for sub in subs:
            message = sub.receive(timeout=5)
            assert message == [b"a", b"b"]
            message.append(b"changed by its receiver")


def test_an_overlapping_subscription_does_not_double_a_message() -> None:
    with pub_and_sub(subscribe=[b"", b"a", b"ab"]) as (pub, sub):
        pub.wait_subscribed(b"ab", timeout=5)
        gevent.sleep(0.01)
        pub.send(b"abc")
        pub.send(b"end")
        assert received(sub) == [[b"abc"]]


def test_an_empty_first_frame_matches_the_empty_subscription_only() -> None:
    with (
        omq.PUB.bind(TCP) as pub,
        omq.SUB.connect(pub.last_endpoint, subscribe=b"") as everything,
        omq.SUB.connect(pub.last_endpoint, subscribe=b"x") as some,
    ):
        pub.wait_subscribed(n=2, timeout=5)
        pub.send([b"", b"x"])
        pub.send([b"x", b"end"])
        assert received(everything) == [[b"", b"x"]]
        assert received(some) == []


def test_a_subscriber_without_subscriptions_gets_nothing() -> None:
    with omq.PUB.bind(TCP) as pub, omq.SUB.connect(pub.last_endpoint) as sub:
        pub.wait_connected(timeout=5)
        pub.send(b"for nobody")
        sub.subscribe()
        pub.wait_subscribed(timeout=5)
        pub.send(b"end")
        assert received(sub) == []


@ENDPOINTS
def test_many_subscriptions_are_ended_one_by_one(endpoint: str) -> None:
    with omq.PUB.bind(endpoint) as pub, omq.SUB.connect(pub.last_endpoint) as sub:
        for _ in range(2):
            sub.subscribe(b"a")
        sub.subscribe(b"end")
        pub.wait_subscribed(b"end", timeout=5)
        sub.unsubscribe(b"a")
        sub.unsubscribe(b"never subscribed to")
        sub.subscribe(b"b")  # comes after what the cancellation might have sent
        pub.wait_subscribed(b"b", timeout=5)
        pub.send(b"a1")
        pub.send(b"end")
        assert received(sub) == [[b"a1"]]
        sub.unsubscribe(b"a")
        sub.subscribe(b"c")
        pub.wait_subscribed(b"c", timeout=5)
        pub.send(b"a2")
        pub.send(b"end")
        assert received(sub) == []


@ENDPOINTS
def test_subscriptions_survive_any_order_of_connect_and_bind(endpoint: str) -> None:
    if endpoint == TCP:
        with omq.PUB.bind(endpoint) as probe:
            endpoint = probe.last_endpoint
    with omq.SUB(reconnect_interval=0.01, subscribe=b"early") as sub:
        sub.connect(endpoint)
        sub.subscribe(b"late")
        for _ in range(2):
            with omq.PUB.bind(endpoint) as pub:
                pub.wait_subscribed(b"early", timeout=5)
                pub.wait_subscribed(b"late", timeout=5)
                pub.send([b"early", b"1"])
                pub.send([b"late", b"end"])
                assert received(sub) == [[b"early", b"1"]]


def test_one_subscriber_hears_all_its_publishers() -> None:
    with omq.SUB.bind(TCP, subscribe=b"") as sub, contextlib.ExitStack() as stack:
        one = stack.enter_context(omq.PUB.connect(sub.last_endpoint))
        two = stack.enter_context(omq.PUB.connect(sub.last_endpoint))
        one.wait_subscribed(timeout=5)
        two.wait_subscribed(timeout=5)
        one.send(b"one")
        two.send(b"two")
        assert sorted([sub.receive(timeout=5), sub.receive(timeout=5)]) == [[b"one"], [b"two"]]


def test_what_was_received_but_is_no_longer_wanted_is_not_shown() -> None:
    with pub_and_sub(subscribe=[b"a", b"b"]) as (pub, sub):
        pub.wait_subscribed(b"b", timeout=5)
        pub.send(b"a")
        pub.send(b"b end")
        sub.poll(timeout=5)
        gevent.sleep(0.05)
        sub.unsubscribe(b"a")
        assert received(sub, b"b end") == []


@ENDPOINTS
def test_with_inverted_matching_subscriptions_say_what_is_not_wanted(endpoint: str) -> None:
    both = {"invert_matching": True}
    with pub_and_sub(endpoint, pub=both, **both, subscribe=b"noise") as (pub, sub):
        pub.wait_subscribed(timeout=5)
        pub.send(b"noise from next door")
        pub.send(b"music")
        pub.send(b"end")
        assert received(sub) == [[b"music"]]


def test_many_prefixes_are_filtered_like_few() -> None:
    wanted = [b"topic-%d." % number for number in range(100)]
    with raw_server_and_sub(subscribe=wanted) as (accept, sub):
        pub = accept("PUB")
        for number in range(0, 200, 9):
            pub.send(b"topic-%d." % number)
        pub.send(b"topic-1.", b"end")
        assert received(sub) == [[b"topic-%d." % number] for number in range(0, 100, 9)]


# -- on the wire ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "subscription", "cancellation"),
    [
        (0, [b"\x01A"], [b"\x00A"]),
        (1, Command(b"\x09SUBSCRIBEA"), Command(b"\x06CANCELA")),
        (7, Command(b"\x09SUBSCRIBEA"), Command(b"\x06CANCELA")),
    ],
)
def test_a_peer_is_told_subscriptions_in_the_form_of_its_version(
    minor: int, subscription: Any, cancellation: Any
) -> None:
    with raw_server_and_sub(subscribe=b"A") as (accept, sub):
        pub = accept("PUB", minor)
        assert pub.next() == subscription
        sub.unsubscribe(b"A")
        assert pub.next() == cancellation
        sub.subscribe(b"A")
        assert pub.next() == subscription


@pytest.mark.parametrize("minor", [0, 1])
def test_the_form_of_subscriptions_does_not_depend_on_the_mechanism(minor: int) -> None:
    class Renamed(Null):
        name = "OTHER"

    with raw_server_and_sub(subscribe=b"A", mechanism=Renamed()) as (accept, _):
        expected = [b"\x01A"] if minor == 0 else Command(b"\x09SUBSCRIBEA")
        assert accept("PUB", minor, b"OTHER").next() == expected


def test_a_topic_of_255_bytes_reaches_a_peer_of_version_3_0_whole() -> None:
    topic = bytes(range(255))
    with raw_server_and_sub(subscribe=topic) as (accept, _):
        assert accept("PUB", 0).next() == [b"\x01" + topic]


def test_every_subscribe_is_told_but_only_the_last_cancellation() -> None:
    with raw_server_and_sub() as (accept, sub):
        pub = accept("PUB")
        sub.wait_connected(timeout=5)
        sub.subscribe(b"A")
        sub.subscribe(b"A")
        sub.unsubscribe(b"unknown")
        sub.unsubscribe(b"A")
        sub.unsubscribe(b"A")
        sub.unsubscribe(b"A")
        sub.subscribe(b"B")
        told = [command.parse(pub.next()) for _ in range(4)]
        assert told == [
            (b"SUBSCRIBE", b"A"),
            (b"SUBSCRIBE", b"A"),
            (b"CANCEL", b"A"),
            (b"SUBSCRIBE", b"B"),
        ]


def test_a_new_publisher_is_told_each_prefix_once() -> None:
    with raw_server_and_sub(subscribe=[b"A", b"A", b"B"]) as (accept, sub):
        pub = accept("PUB")
        assert command.parse(pub.next()) == (b"SUBSCRIBE", b"A")
        assert command.parse(pub.next()) == (b"SUBSCRIBE", b"B")
        sub.subscribe(b"C")
        assert command.parse(pub.next()) == (b"SUBSCRIBE", b"C")


@pytest.mark.parametrize("minor", [0, 1])
def test_a_publisher_takes_both_forms_at_any_version(minor: int) -> None:
    with omq.PUB.bind(TCP) as pub, raw_client(pub.last_endpoint, "SUB", minor) as sub:
        sub.send(b"\x01as message")
        sub.send_command(command.subscribe(b"as command"))
        pub.wait_subscribed(b"as message", timeout=5)
        pub.wait_subscribed(b"as command", timeout=5)
        sub.send(b"\x00as command")
        sub.send_command(command.cancel(b"as message"))
        sub.send(b"\x01end")
        pub.wait_subscribed(b"end", timeout=5)
        for topic in (b"as message", b"as command", b"end"):
            pub.send(topic)
        assert sub.next() == [b"end"]


def test_one_cancellation_ends_equal_subscriptions_of_a_peer() -> None:
    with omq.PUB.bind(TCP) as pub, raw_client(pub.last_endpoint, "SUB") as sub:
        for _ in range(3):
            sub.send_command(command.subscribe(b"A"))
        sub.send_command(command.cancel(b"A"))
        sub.send_command(command.subscribe(b"end"))
        pub.wait_subscribed(b"end", timeout=5)
        pub.send(b"A")
        pub.send(b"end")
        assert sub.next() == [b"end"]


def test_requests_of_both_forms_are_obeyed_in_their_order() -> None:
    with omq.PUB.bind(TCP) as pub, raw_client(pub.last_endpoint, "SUB") as sub:
        wire = frame.encode_message([b"\x01A"]) + frame.encode_command(command.cancel(b"A"))
        sub._socket.sendall(wire + frame.encode_message([b"\x01end"]))
        pub.wait_subscribed(b"end", timeout=5)
        pub.send(b"A")
        pub.send(b"end")
        assert sub.next() == [b"end"]


def test_every_frame_of_a_multipart_may_be_a_subscription() -> None:
    with omq.PUB.bind(TCP) as pub, raw_client(pub.last_endpoint, "XSUB") as sub:
        sub.send(b"data", b"\x01A", b"", b"\x01B")
        pub.wait_subscribed(b"A", timeout=5)
        pub.wait_subscribed(b"B", timeout=5)


def test_a_flood_of_data_to_a_publisher_is_read_and_dropped() -> None:
    with omq.PUB.bind(TCP) as pub, raw_client(pub.last_endpoint, "SUB") as sub:
        for _ in range(100):
            sub.send(b"x" * 100_000)
        sub.send(b"\x01A")
        pub.wait_subscribed(b"A", timeout=5)
        pub.send(b"A")
        assert sub.next() == [b"A"]


def test_subscriptions_sent_to_a_subscriber_do_not_reach_its_user() -> None:
    with raw_server_and_sub(subscribe=b"") as (accept, sub):
        pub = accept("PUB")
        pub.send_command(command.subscribe(b"A"))
        pub.send_command(command.cancel(b"A"))
        pub.send(b"end")
        assert received(sub) == []


def test_topics_that_were_not_asked_for_do_not_reach_the_user() -> None:
    with raw_server_and_sub(subscribe=b"a") as (accept, sub):
        pub = accept("PUB")
        pub.send(b"b")
        pub.send(b"", b"a")
        pub.send(b"a")
        pub.send(b"a", b"end")
        assert received(sub) == [[b"a"]]


def test_a_topic_that_is_too_long_costs_the_peer_its_connection_only(await_event: Any) -> None:
    with omq.PUB.bind(TCP) as pub, omq.SUB.connect(pub.last_endpoint, subscribe=b"x") as good:
        events = pub.monitor()
        with raw_client(pub.last_endpoint, "SUB") as bad:
            bad.send(b"\x01" + b"x" * 5_000_000)
            with pytest.raises((EOFError, ConnectionError)):
                bad.next()
        assert "at most 65536" in await_event(events, "disconnected").reason
        pub.wait_subscribed(timeout=5)
        pub.send(b"x")
        assert good.receive(timeout=5) == [b"x"]


# -- libzmq at the other end ---------------------------------------------------------------


@pytest.mark.interop
def test_libzmq_subscribes_to_our_publisher(libzmq: Any) -> None:
    with omq.PUB.bind(TCP) as pub:
        sub = libzmq("SUB", pub.last_endpoint)
        for prefix in (b"a", b"a", b"b"):
            sub.subscribe(prefix)
        pub.wait_subscribed(b"b", timeout=5)
        sub.unsubscribe(b"a")
        sub.subscribe(b"c")
        pub.wait_subscribed(b"c", timeout=5)
        pub.send([b"a", b"still wanted"])
        pub.send([b"x", b"not wanted"])
        pub.send([b"b", b""])
        assert sub.recv_multipart() == [b"a", b"still wanted"]
        assert sub.recv_multipart() == [b"b", b""]
        sub.unsubscribe(b"a")
        sub.subscribe(b"d")
        pub.wait_subscribed(b"d", timeout=5)
        pub.send(b"a")
        pub.send(b"d")
        assert sub.recv_multipart() == [b"d"]


@pytest.mark.interop
def test_we_subscribe_to_a_libzmq_publisher(libzmq: Any) -> None:
    pub = libzmq("XPUB", xpub_verboser=1)
    with omq.SUB.connect(pub.last_endpoint.decode(), subscribe=[b"a", b"end"]) as sub:
        assert {pub.recv(), pub.recv()} == {b"\x01a", b"\x01end"}
        pub.send_multipart([b"abc", b"1"])
        pub.send_multipart([b"x", b"2"])
        pub.send_multipart([b"end"])
        assert received(sub) == [[b"abc", b"1"]]
        sub.subscribe(b"a")
        assert pub.recv() == b"\x01a"
        sub.unsubscribe(b"a")
        sub.unsubscribe(b"a")
        assert pub.recv() == b"\x00a"


@pytest.mark.interop
def test_libzmq_understands_inverted_matching_as_we_do(libzmq: Any) -> None:
    with omq.PUB.bind(TCP, invert_matching=True) as pub:
        sub = libzmq("SUB", pub.last_endpoint, invert_matching=1)
        sub.subscribe(b"noise")
        pub.wait_subscribed(timeout=5)
        pub.send(b"noise")
        pub.send(b"music")
        assert sub.recv() == b"music"


# -- the user's side -----------------------------------------------------------------------


def test_a_subscription_is_bytes_and_nothing_else() -> None:
    with omq.SUB() as sub:
        with pytest.raises(omq.MessageError, match=r"encode text first, as in text\.encode\(\)"):
            sub.subscribe("topic")
        with pytest.raises(TypeError, match="not int"):
            sub.unsubscribe(1)
        sub.subscribe(bytearray(b"x"))
        sub.unsubscribe(memoryview(b"x"))
    for wrong in ("topic", ["topic"], 5, None):
        with pytest.raises(omq.MessageError):
            omq.SUB(subscribe=wrong)


def test_publishers_do_not_receive_and_subscribers_do_not_send() -> None:
    with omq.PUB() as pub, omq.SUB() as sub:
        with pytest.raises(omq.WrongDirection):
            pub.receive(timeout=0)
        with pytest.raises(omq.WrongDirection):
            sub.send(b"x")


@pytest.mark.parametrize("kind", [omq.PUB, omq.SUB, omq.XPUB, omq.XSUB])
def test_closing_a_socket_that_was_never_used_returns_at_once(kind: Any) -> None:
    sock = kind()
    with gevent.Timeout(1):
        sock.close()
    assert sock.closed


def test_a_closed_subscriber_refuses_subscriptions() -> None:
    sub = omq.SUB.connect("tcp://127.0.0.1:9")
    sub.close()
    with pytest.raises(omq.SocketClosed):
        sub.subscribe(b"x")


def test_waiting_for_subscribers_counts_peers_that_would_be_reached() -> None:
    with pub_and_sub(subscribe=b"a") as (pub, sub):
        pub.wait_subscribed(timeout=5)
        pub.wait_subscribed(b"abc", timeout=5)
        with pytest.raises(omq.WaitTimeout, match="b'b'"):
            pub.wait_subscribed(b"b", timeout=0.01)
        with pytest.raises(omq.WaitTimeout, match="2 subscribed peers"):
            pub.wait_subscribed(n=2, timeout=0.01)
        waiting = gevent.spawn(pub.wait_subscribed, b"b", timeout=5)
        gevent.sleep(0)
        sub.subscribe(b"b")
        waiting.get(timeout=5)
        sub.close()
        pub.wait_disconnected(timeout=5)
        for topic in (None, b"a"):
            with pytest.raises(omq.WaitTimeout):
                pub.wait_subscribed(topic, timeout=0)


def test_monitors_are_told_of_subscriptions(await_event: Any) -> None:
    with omq.PUB.bind(TCP) as pub, omq.SUB.connect(pub.last_endpoint) as sub:
        events = pub.monitor()
        for change in (sub.subscribe, sub.subscribe, sub.unsubscribe, sub.unsubscribe):
            change(b"a\n")
        sub.wait_connected(timeout=5)
        sub.subscribe(b"b")
        sub.subscribe(b"b")
        sub.unsubscribe(b"b")
        sub.unsubscribe(b"b")
        assert await_event(events, "subscribed").detail == "b"
        told = events.get(timeout=5)
        assert (told.kind, told.detail) == ("unsubscribed", "b")
        sub.subscribe(b"a\n")
        assert await_event(events, "subscribed").detail == "a\\n"


def test_close_sends_everything_that_was_published() -> None:
    count = 20_000
    pub = omq.PUB.bind(TCP, send_hwm=None)
    with omq.SUB.connect(pub.last_endpoint, recv_hwm=None, subscribe=b"") as sub:
        pub.wait_subscribed(timeout=5)
        for number in range(count):
            pub.send([b"%d" % number, b"x" * 500])
        pub.close()
        numbers = [int(sub.receive(timeout=5)[0]) for _ in range(count)]
        assert numbers == list(range(count))


# -- full and conflated queues -------------------------------------------------------------


def test_a_slow_subscriber_loses_nothing_by_default() -> None:
    with raw_server_and_sub(subscribe=b"", recv_hwm=10) as (accept, sub):
        pub = accept("PUB")
        sending = gevent.spawn(lambda: [pub.send(b"%d" % n) for n in range(5000)])
        gevent.sleep(0.05)
        assert [sub.receive(timeout=5) for _ in range(5000)] == [[b"%d" % n] for n in range(5000)]
        sending.get()


@pytest.mark.parametrize(
    ("on_mute", "kept"), [("drop_newest", range(10)), ("drop_oldest", range(490, 500))]
)
@ENDPOINTS
def test_a_subscriber_can_drop_what_does_not_fit(
    endpoint: str, on_mute: str, kept: range, await_event: Any
) -> None:
    with (
        omq.PUB.bind(endpoint) as pub,
        omq.SUB.connect(
            pub.last_endpoint, subscribe=[b"m", b"end"], recv_hwm=10, on_mute=on_mute
        ) as sub,
    ):
        events = sub.monitor()
        pub.wait_subscribed(b"end", timeout=5)
        for number in range(500):
            pub.send([b"m", b"%d" % number])
        assert await_event(events, "message_dropped").count > 0
        while sub._engine.routing.drops.dropped < 490:
            gevent.sleep(0.01)
        assert [int(sub.receive(timeout=5)[1]) for _ in range(10)] == list(kept)
        with pytest.raises(omq.ReceiveTimeout):
            sub.receive(timeout=0)


@ENDPOINTS
def test_a_conflating_subscriber_keeps_the_newest_message_only(endpoint: str) -> None:
    with pub_and_sub(endpoint, subscribe=b"", conflate=True, recv_hwm=1) as (pub, sub):
        pub.wait_subscribed(timeout=5)
        for number in range(100):
            pub.send(b"%d" % number)
        gevent.sleep(0.1)
        assert sub.receive(timeout=5) == [b"99"]
        pub.send(b"next")
        assert sub.receive(timeout=5) == [b"next"]


def test_a_conflating_publisher_keeps_the_newest_message_for_each_peer() -> None:
    size = 1_000_000
    publisher = omq.PUB.bind(TCP, conflate=True, send_hwm=1)
    with publisher as pub, raw_client(pub.last_endpoint, "SUB") as sub:
        sub.send(b"\x01")
        pub.wait_subscribed(timeout=5)
        for number in range(100):
            pub.send(b"%03d" % number + bytes(size))
            gevent.sleep(0)
        numbers = [int(sub.next()[0][:3])]
        while numbers[-1] != 99:
            numbers.append(int(sub.next()[0][:3]))
        assert len(numbers) < 50
        assert numbers == sorted(numbers)


def test_the_queue_of_a_peer_that_went_away_is_told_as_dropped() -> None:
    with omq.PUB.bind(TCP) as pub:
        events = pub.monitor()
        with raw_client(pub.last_endpoint, "SUB") as sub:
            sub.send(b"\x01")
            pub.wait_subscribed(timeout=5)
            for _ in range(100):
                pub.send(bytes(1_000_000))
        pub.wait_disconnected(timeout=5)
        pub.send(b"for nobody")
        dropped = 0
        while (event := events.get(5)).kind != "disconnected":
            dropped += event.count or 0
        assert 50 < dropped <= 100
