"""XPUB and XSUB: subscriptions as messages, in both directions, and messages upstream."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import gevent
import pytest

import omq_gevent as omq
from omq_gevent.options import Options
from omq_gevent.routing import pub as pub_module
from omq_gevent.routing.pub import Pub

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://xpub-xsub"])


@contextlib.contextmanager
def xpub_and_xsub(
    endpoint: str = TCP, xpub: Mapping[str, Any] = MappingProxyType({}), **options: Any
) -> Iterator[tuple[omq.XPUB, omq.XSUB]]:
    """An XPUB, and an XSUB of these *options* that dials it."""
    with (
        omq.XPUB.bind(endpoint, **xpub) as publisher,
        omq.XSUB.connect(publisher.last_endpoint, **options) as xsub,
    ):
        yield publisher, xsub


@contextlib.contextmanager
def xpub_and_subs(
    count: int, endpoint: str = TCP, **options: Any
) -> Iterator[tuple[omq.XPUB, list[omq.SUB]]]:
    """An XPUB of these *options*, and subscribers that are connected to it, one after another."""
    with omq.XPUB.bind(endpoint, **options) as xpub, contextlib.ExitStack() as stack:
        subs = []
        for number in range(count):
            subs.append(stack.enter_context(omq.SUB.connect(xpub.last_endpoint)))
            xpub.wait_connected(number + 1, timeout=5)
            subs[-1].wait_connected(timeout=5)
        yield xpub, subs


def nothing_more(sock: Any) -> bool:
    try:
        sock.receive(timeout=0.05)
    except omq.ReceiveTimeout:
        return True
    return False


def notified(xpub: omq.XPUB, *notifications: bytes) -> bool:
    """Whether these are the next notifications; fails when they do not come."""
    return [xpub.receive(timeout=5) for _ in notifications] == [[n] for n in notifications]


# -- notifications -------------------------------------------------------------------------


@ENDPOINTS
def test_the_first_subscription_and_the_last_cancellation_are_received(endpoint: str) -> None:
    with xpub_and_subs(2, endpoint) as (xpub, (one, two)):
        one.subscribe(b"A")
        assert notified(xpub, b"\x01A")
        two.subscribe(b"A")
        two.subscribe(b"B")
        assert notified(xpub, b"\x01B")
        one.unsubscribe(b"A")
        one.subscribe(b"C")
        assert notified(xpub, b"\x01C")
        two.unsubscribe(b"A")
        assert notified(xpub, b"\x00A")
        two.subscribe()
        assert notified(xpub, b"\x01")


def test_verbose_shows_every_subscription() -> None:
    with xpub_and_subs(2, xpub_verbose=True) as (xpub, (one, two)):
        one.subscribe(b"A")
        assert notified(xpub, b"\x01A")
        one.subscribe(b"A")
        assert notified(xpub, b"\x01A")
        two.subscribe(b"A")
        assert notified(xpub, b"\x01A")
        two.unsubscribe(b"A")
        two.subscribe(b"B")
        assert notified(xpub, b"\x01B")


def test_verboser_shows_every_cancellation_too() -> None:
    with xpub_and_subs(2, xpub_verboser=True) as (xpub, (one, two)):
        one.subscribe(b"A")
        two.subscribe(b"A")
        assert notified(xpub, b"\x01A", b"\x01A")
        two.unsubscribe(b"A")
        assert notified(xpub, b"\x00A")
        two.subscribe(b"A")
        assert notified(xpub, b"\x01A")
        one.close()
        assert notified(xpub, b"\x00A")


@ENDPOINTS
def test_the_topics_of_a_peer_that_vanished_are_received_as_cancelled(endpoint: str) -> None:
    with xpub_and_subs(2, endpoint) as (xpub, (one, two)):
        one.subscribe(b"A")
        one.subscribe(b"B")
        assert notified(xpub, b"\x01A", b"\x01B")
        two.subscribe(b"B")
        xpub.wait_subscribed(b"B", 2, timeout=5)
        one.close()
        assert notified(xpub, b"\x00A")
        two.close()
        assert notified(xpub, b"\x00B")
        assert nothing_more(xpub)


@pytest.mark.interop
@pytest.mark.parametrize("options", [{}, {"xpub_verboser": True}, {"xpub_manual": True}])
def test_the_cancellation_of_an_unknown_topic_is_not_received(options: Any, libzmq: Any) -> None:
    with omq.XPUB.bind(TCP, **options) as xpub:
        xsub = libzmq("XSUB", xpub.last_endpoint)
        xsub.send(b"\x00never")
        xsub.send(b"\x01A")
        assert notified(xpub, b"\x01A")


def test_subscriptions_apply_although_nobody_receives_the_notifications() -> None:
    with omq.XPUB.bind(TCP, recv_hwm=2) as xpub:
        prefixes = [b"%d." % number for number in range(1000)]
        with omq.SUB.connect(xpub.last_endpoint, subscribe=prefixes) as sub:
            xpub.wait_subscribed(b"999.", timeout=5)
            xpub.send(b"999.")
            assert sub.receive(timeout=5) == [b"999."]
            assert [xpub.receive(timeout=5) for _ in prefixes] == [[b"\x01" + p] for p in prefixes]


def test_notifications_that_nobody_will_ever_read_are_bounded(
    monkeypatch: pytest.MonkeyPatch, await_event: Any
) -> None:
    monkeypatch.setattr("omq_gevent.routing.xpub.MAX_NOTIFICATIONS", 10)
    with xpub_and_subs(1) as (xpub, (sub,)):
        events = xpub.monitor()
        for _ in range(20):
            sub.subscribe(b"A")
            sub.unsubscribe(b"A")
        sub.subscribe(b"end")
        xpub.wait_subscribed(b"end", timeout=5)
        assert await_event(events, "message_dropped").detail == "nobody receives the notifications"
        assert notified(xpub, *[b"\x01A", b"\x00A"] * 5)


# -- upstream ------------------------------------------------------------------------------


@ENDPOINTS
def test_messages_go_upstream_to_all_publishers_as_they_are(endpoint: str) -> None:
    with omq.XSUB() as xsub, contextlib.ExitStack() as stack:
        names = [endpoint, endpoint if endpoint == TCP else endpoint + "-2"]
        xpubs = [stack.enter_context(omq.XPUB.bind(name)) for name in names]
        for xpub in xpubs:
            xsub.connect(xpub.last_endpoint)
        xsub.wait_connected(2, timeout=5)
        xsub.send([b"hello", b"", b"\x02world"])
        for xpub in xpubs:
            assert xpub.receive(timeout=5) == [b"hello", b"", b"\x02world"]


@pytest.mark.parametrize("only_first", [False, True])
def test_subscriptions_among_the_frames_of_a_message(only_first: bool) -> None:
    with xpub_and_xsub(xpub={"only_first_subscribe": only_first}) as (xpub, xsub):
        xsub.wait_connected(timeout=5)
        xsub.send([b"data", b"\x01A"])
        xsub.send(b"end")
        if not only_first:
            assert notified(xpub, b"\x01A")
            assert xpub.receive(timeout=5) == [b"data"]
        else:
            assert xpub.receive(timeout=5) == [b"data", b"\x01A"]
        assert xpub.receive(timeout=5) == [b"end"]


def test_messages_that_an_xpub_does_not_receive_are_dropped_and_told(await_event: Any) -> None:
    with omq.XPUB.bind(TCP, recv_hwm=5) as xpub, omq.XSUB.connect(xpub.last_endpoint) as xsub:
        events = xpub.monitor()
        xsub.wait_connected(timeout=5)
        for number in range(20):
            xsub.send(b"message %d" % number)
        await_event(events, "message_dropped")
        xsub.subscribe(b"A")
        xpub.wait_subscribed(b"A", timeout=5)
        xpub.send(b"A")
        assert xsub.receive(timeout=5) == [b"A"]
        assert [xpub.receive(timeout=5) for _ in range(5)] == [
            [b"message %d" % number] for number in range(5)
        ]


def test_an_xsub_without_publishers_drops_its_messages_at_once() -> None:
    with omq.XSUB.connect("tcp://127.0.0.1:9") as xsub, gevent.Timeout(1):
        for _ in range(1000):
            xsub.send(b"for nobody")


# -- XSUB's subscriptions ------------------------------------------------------------------


@ENDPOINTS
def test_subscriptions_sent_before_there_is_a_publisher_reach_all_later_ones(
    endpoint: str,
) -> None:
    with omq.XSUB.bind(endpoint) as xsub:
        xsub.send(b"\x01A")
        xsub.subscribe(b"B")
        xsub.send(b"\x01gone")
        xsub.send(b"\x00gone")
        for _ in range(2):
            with omq.XPUB.connect(xsub.last_endpoint) as xpub:
                assert notified(xpub, b"\x01A", b"\x01B")
                assert nothing_more(xpub)
                xpub.send(b"Abc")
                assert xsub.receive(timeout=5) == [b"Abc"]


def test_subscriptions_survive_a_reconnect() -> None:
    with omq.XSUB(reconnect_interval=0.01) as xsub:
        with omq.XPUB.bind(TCP) as xpub:
            endpoint = xpub.last_endpoint
            xsub.connect(endpoint)
            xsub.wait_connected(timeout=5)
            xsub.send(b"\x01A")
            assert notified(xpub, b"\x01A")
        xsub.wait_disconnected(timeout=5)
        with omq.XPUB.bind(endpoint) as xpub:
            assert notified(xpub, b"\x01A")


def test_xsub_counts_its_subscriptions() -> None:
    with xpub_and_xsub(xpub={"xpub_verboser": True}) as (xpub, xsub):
        xsub.wait_connected(timeout=5)
        for request in (b"\x01A", b"\x01A", b"\x00A", b"\x00A", b"\x00A", b"\x01B"):
            xsub.send(request)
        assert notified(xpub, b"\x01A", b"\x01A", b"\x00A", b"\x01B")


def test_one_message_may_carry_several_subscriptions() -> None:
    with omq.XPUB.bind(TCP) as xpub, omq.XSUB.connect(xpub.last_endpoint) as xsub:
        xsub.send([b"\x01A", b"\x01B", b"\x00A"])
        xpub.wait_subscribed(b"B", timeout=5)
        with pytest.raises(omq.WaitTimeout):
            xpub.wait_subscribed(b"A", timeout=0)


@ENDPOINTS
def test_xsub_receives_what_it_did_not_subscribe_to_when_a_publisher_sends_it(
    endpoint: str,
) -> None:
    with xpub_and_xsub(endpoint, {"xpub_welcome_message": b"welcome"}) as (_, xsub):
        assert xsub.receive(timeout=5) == [b"welcome"]


@pytest.mark.parametrize(
    ("on_mute", "kept"), [("drop_newest", range(10)), ("drop_oldest", range(90, 100))]
)
def test_xsub_can_drop_what_does_not_fit(on_mute: str, kept: range) -> None:
    with xpub_and_xsub(recv_hwm=10, on_mute=on_mute, subscribe=b"") as (xpub, xsub):
        xpub.wait_subscribed(timeout=5)
        for number in range(100):
            xpub.send(b"%d" % number)
        while xsub._engine.routing.drops.dropped < 90:
            gevent.sleep(0.01)
        assert [int(xsub.receive(timeout=5)[0]) for _ in range(10)] == list(kept)


# -- welcome -------------------------------------------------------------------------------


@ENDPOINTS
def test_the_welcome_message_comes_before_everything_else(endpoint: str) -> None:
    with (
        omq.XPUB.bind(endpoint, xpub_welcome_message=b"W") as xpub,
        omq.SUB.connect(xpub.last_endpoint, subscribe=[b"W", b"x"]) as sub,
    ):
        assert notified(xpub, b"\x01W", b"\x01x")
        xpub.send(b"x")
        assert sub.receive(timeout=5) == [b"W"]
        assert sub.receive(timeout=5) == [b"x"]


# -- manual --------------------------------------------------------------------------------


def test_manual_subscriptions_are_what_the_user_makes_of_them() -> None:
    with xpub_and_subs(1, xpub_manual=True) as (xpub, (sub,)):
        sub.subscribe(b"A")
        sub.subscribe(b"XA")
        assert notified(xpub, b"\x01A")
        xpub.subscribe(b"XA")
        assert notified(xpub, b"\x01XA")
        xpub.send(b"A")
        xpub.send(b"XA")
        assert sub.receive(timeout=5) == [b"XA"]
        sub.unsubscribe(b"A")
        assert notified(xpub, b"\x00A")
        xpub.unsubscribe(b"XA")
        xpub.subscribe(b"end")
        sub.subscribe(b"end")
        xpub.send(b"XA")
        xpub.send(b"end")
        assert sub.receive(timeout=5) == [b"end"]


def test_manual_subscriptions_concern_the_peer_of_the_latest_notification() -> None:
    with xpub_and_subs(2, xpub_manual=True) as (xpub, (one, two)):
        for sub in (one, two):
            sub.subscribe(b"A")
            assert notified(xpub, b"\x01A")  # every request, not only the first
            sub.subscribe(b"for")
            assert notified(xpub, b"\x01for")
        xpub.subscribe(b"for two")
        one.subscribe(b"for one")
        assert notified(xpub, b"\x01for one")
        xpub.subscribe(b"for one")
        xpub.send(b"for one")
        xpub.send(b"for two")
        assert one.receive(timeout=5) == [b"for one"]
        assert two.receive(timeout=5) == [b"for two"]


@ENDPOINTS
def test_the_requests_of_a_vanished_peer_are_received_as_cancelled(endpoint: str) -> None:
    with xpub_and_subs(2, endpoint, xpub_manual=True) as (xpub, (one, two)):
        for sub in (one, two):
            sub.subscribe(b"A")
            assert notified(xpub, b"\x01A")
            xpub.subscribe(b"XA")
        one.close()
        assert notified(xpub, b"\x00A")
        xpub.unsubscribe(b"XA")  # of a peer that has left: no harm done
        xpub.subscribe(b"XA")
        xpub.wait_subscribed(b"XA", timeout=5)
        two.close()
        assert notified(xpub, b"\x00A")
        xpub.wait_disconnected(timeout=5)
        with pytest.raises(omq.WaitTimeout):
            xpub.wait_subscribed(b"XA", timeout=0)


def test_manual_subscriptions_need_the_option_and_a_notification() -> None:
    with omq.XPUB.bind(TCP) as xpub, pytest.raises(omq.StateError, match="xpub_manual"):
        xpub.subscribe(b"A")
    with omq.XPUB.bind(TCP, xpub_manual=True) as xpub:
        with pytest.raises(omq.StateError, match="notification"):
            xpub.unsubscribe(b"A")
        with pytest.raises(omq.MessageError):
            xpub.subscribe("A")


@ENDPOINTS
def test_with_last_value_the_next_message_is_for_the_newcomer_only(endpoint: str) -> None:
    with xpub_and_subs(2, endpoint, xpub_manual_last_value=True) as (xpub, (one, two)):
        for sub in (one, two):
            sub.subscribe(b"A")
            assert notified(xpub, b"\x01A")
            xpub.subscribe(b"A")
            xpub.send([b"A", b"cached value"])
            xpub.send([b"A", b"news"])
        assert [one.receive(timeout=5)[1] for _ in range(3)] == [b"cached value", b"news", b"news"]
        assert [two.receive(timeout=5)[1] for _ in range(2)] == [b"cached value", b"news"]


def test_with_last_value_a_cancellation_does_not_divert_the_next_message() -> None:
    with xpub_and_subs(2, xpub_manual_last_value=True) as (xpub, (one, two)):
        for sub in (one, two):
            sub.subscribe(b"A")
            assert notified(xpub, b"\x01A")
            xpub.subscribe(b"A")
            xpub.send([b"A", b"cached value"])
        two.unsubscribe(b"A")
        assert notified(xpub, b"\x00A")
        xpub.unsubscribe(b"A")
        xpub.send([b"A", b"news"])
        assert [one.receive(timeout=5)[1] for _ in range(2)] == [b"cached value", b"news"]


# -- libzmq at the other end ---------------------------------------------------------------


@pytest.mark.interop
def test_a_libzmq_xsub_subscribes_and_sends_upstream(libzmq: Any) -> None:
    with omq.XPUB.bind(TCP) as xpub:
        xsub = libzmq("XSUB", xpub.last_endpoint)
        xsub.send(b"\x01A")
        assert notified(xpub, b"\x01A")
        xsub.send_multipart([b"hello", b"world"])
        assert xpub.receive(timeout=5) == [b"hello", b"world"]
        xpub.send([b"A", b"1"])
        assert xsub.recv_multipart() == [b"A", b"1"]
        xsub.send(b"\x00A")
        assert notified(xpub, b"\x00A")
        xsub.send(b"\x01B")
        assert notified(xpub, b"\x01B")
        xsub.close()
        assert notified(xpub, b"\x00B")


@pytest.mark.interop
@pytest.mark.parametrize("size", [0, 1, 244, 245, 246, 254, 255, 256, 60_000])
def test_topics_of_any_size_are_subscribed_to_across_implementations(
    size: int, libzmq: Any
) -> None:
    topic = b"t" * size
    theirs = libzmq("XPUB")
    with omq.XSUB.connect(theirs.last_endpoint.decode()) as xsub, omq.XPUB.bind(TCP) as xpub:
        xsub.send(b"\x01" + topic)
        assert theirs.recv() == b"\x01" + topic
        xsub.send(b"\x00" + topic)
        assert theirs.recv() == b"\x00" + topic
        sub = libzmq("SUB", xpub.last_endpoint)
        sub.subscribe(topic)
        assert notified(xpub, b"\x01" + topic)
        sub.unsubscribe(topic)
        assert notified(xpub, b"\x00" + topic)


@pytest.mark.interop
def test_our_xsub_talks_to_a_libzmq_xpub(libzmq: Any) -> None:
    xpub = libzmq("XPUB")
    with omq.XSUB.connect(xpub.last_endpoint.decode(), subscribe=b"A") as xsub:
        assert xpub.recv() == b"\x01A"
        xsub.send([b"up", b"stream"])
        assert xpub.recv_multipart() == [b"up", b"stream"]
        xpub.send(b"Abc")
        assert xsub.receive(timeout=5) == [b"Abc"]
    assert xpub.recv() == b"\x00A"


@pytest.mark.interop
def test_a_chain_forwards_subscriptions_up_and_messages_down(libzmq: Any) -> None:
    upstream = libzmq("XPUB")
    with omq.XSUB.connect(upstream.last_endpoint.decode()) as xsub, omq.XPUB.bind(TCP) as xpub:
        sub = libzmq("SUB", xpub.last_endpoint)
        sub.subscribe(b"A")
        xsub.send(xpub.receive(timeout=5))
        assert upstream.recv() == b"\x01A"
        upstream.send_multipart([b"A", b"down"])
        xpub.send(xsub.receive(timeout=5))
        assert sub.recv_multipart() == [b"A", b"down"]
        sub.close()
        xsub.send(xpub.receive(timeout=5))
        assert upstream.recv() == b"\x00A"


# -- hostile and many subscriptions --------------------------------------------------------


def test_twenty_thousand_subscriptions_cost_a_message_nothing() -> None:
    with omq.PUB.bind(TCP) as pub:
        topics = [b"%016d" % (number * 7919) for number in range(20_000)]
        with omq.SUB.connect(pub.last_endpoint, subscribe=topics) as sub:
            pub.wait_subscribed(topics[-1], timeout=10)
            before = time.monotonic()
            for _ in range(10_000):
                pub.send(b"0000000000000001")
            assert time.monotonic() - before < 1
            pub.send(topics[0])
            assert sub.receive(timeout=5) == [topics[0]]
        pub.wait_disconnected(timeout=5)
        with pytest.raises(omq.WaitTimeout):
            pub.wait_subscribed(timeout=0)


@pytest.mark.parametrize("limit", ["MAX_PREFIXES", "MAX_PREFIX_BYTES"])
@pytest.mark.parametrize("options", [{}, {"xpub_manual": True}])
def test_a_peer_that_subscribes_to_too_much_is_disconnected(
    limit: str, options: Any, monkeypatch: pytest.MonkeyPatch, await_event: Any
) -> None:
    monkeypatch.setattr(pub_module, limit, 300)
    with xpub_and_subs(1, xpub_verbose=True, **options) as (xpub, (good,)):
        events = xpub.monitor()
        topics = [b"%d" % number for number in range(301)]
        with omq.SUB.connect(xpub.last_endpoint, subscribe=topics, reconnect_interval=None):
            assert "more than 300" in await_event(events, "disconnected").reason
        good.subscribe(b"x")
        while xpub.receive(timeout=5) != [b"\x01x"]:
            pass


def test_a_request_that_comes_after_its_peer_has_left_changes_nothing() -> None:
    class Gone:
        plaintext = True
        direct = True
        peer = None
        outlet: Any = None
        on_command: Any = None

    pub = Pub(Options(), lambda *_args, **_facts: None)
    gone = Gone()
    pub.connection_added(gone)
    pub.connection_removed(gone)
    gone.on_command(b"SUBSCRIBE", b"x")
    assert pub.subscribed_peers(None) == 0
