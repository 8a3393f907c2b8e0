"""close() lingers in its caller alone; close and stop wake everybody who waits."""

from __future__ import annotations

import time
import weakref

import gevent
import pytest
from gevent.event import Event
from gevent.pool import Group

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"


def test_close_waits_until_the_peer_has_come_and_taken_everything() -> None:
    push = omq.PUSH.bind(TCP)
    for number in range(500):
        push.send(b"%d" % number)
    closing = gevent.spawn(push.close)
    gevent.sleep(0.05)
    assert not closing.dead
    with omq.PULL.connect(push.last_endpoint) as pull:
        assert [pull.receive(timeout=5) for _ in range(500)] == [
            [b"%d" % number] for number in range(500)
        ]
        closing.get(timeout=5)


def test_close_gives_up_when_its_linger_is_over() -> None:
    push = omq.PUSH.bind(TCP)
    push.send(b"nobody will read this")
    before = time.monotonic()
    push.close(linger=0.2)
    assert 0.15 < time.monotonic() - before < 2
    assert push.closed


def test_the_linger_that_counts_is_the_one_at_close() -> None:
    push = omq.PUSH.bind(TCP, linger=None)
    push.send(b"nobody will read this")
    push.linger = 0
    with gevent.Timeout(1):
        push.close()

    push = omq.PUSH.bind(TCP, linger=0)
    push.send(b"kept for a late peer")
    push.linger = 5
    closing = gevent.spawn(push.close)
    with omq.PULL.connect(push.last_endpoint) as pull:
        assert pull.receive(timeout=5) == [b"kept for a late peer"]
        closing.get(timeout=5)


def test_other_greenlets_go_on_while_one_lingers() -> None:
    push = omq.PUSH.bind(TCP)
    push.send(b"x")
    ticks = []

    def tick() -> None:
        for _ in range(5):
            gevent.sleep(0.01)
            ticks.append(1)

    ticker = gevent.spawn(tick)
    push.close(linger=0.3)
    ticker.join()
    assert len(ticks) == 5


def test_stop_drops_what_is_queued_at_once() -> None:
    push = omq.PUSH.bind(TCP, linger=None)
    push.send(b"x")
    before = time.monotonic()
    push.stop()
    assert time.monotonic() - before < 0.5


def test_a_receiver_and_a_sender_that_wait_get_socket_closed() -> None:
    pull = omq.PULL.bind(TCP)
    push = omq.PUSH.bind(TCP, send_hwm=1, linger=0)
    push.send(b"fills the queue")
    receiver = gevent.spawn(pull.receive)
    sender = gevent.spawn(push.send, b"waits for room")
    gevent.sleep(0)
    pull.close()
    push.close()
    with pytest.raises(omq.SocketClosed):
        receiver.get(timeout=5)
    with pytest.raises(omq.SocketClosed):
        sender.get(timeout=5)


@pytest.mark.parametrize("endpoint", [TCP, "inproc://full"])
def test_a_full_receive_queue_does_not_hold_up_close(endpoint: str) -> None:
    pull = omq.PULL.bind(endpoint, recv_hwm=1, linger=None)
    with omq.PUSH.connect(pull.last_endpoint, send_hwm=1, linger=0) as push:
        filling = gevent.spawn(lambda: [push.send(b"x" * 100_000) for _ in range(1000)])
        while push.poll(0.05, omq.POLLOUT):
            gevent.sleep(0)
        assert not filling.dead
        with gevent.Timeout(1):
            pull.close()
        with pytest.raises(omq.SocketClosed):
            pull.receive()
        filling.kill()


def test_use_after_close_is_an_error_that_says_so() -> None:
    pull = omq.PULL.bind(TCP)
    pull.close()
    pull.close()
    with pytest.raises(omq.SocketClosed, match="closed"):
        pull.receive()
    with pytest.raises(omq.SocketClosed, match="closed"):
        pull.bind(TCP)


def test_a_socket_that_was_never_used_closes_too() -> None:
    socket = omq.PUSH()
    socket.close()
    assert socket.closed
    with pytest.raises(omq.SocketClosed):
        socket.send(b"x")


def test_a_second_close_waits_for_the_first_and_linger_zero_ends_it() -> None:
    push = omq.PUSH.bind(TCP)
    push.send(b"x")
    lingering = gevent.spawn(push.close)
    gevent.sleep(0)
    push.close(linger=0)
    lingering.get(timeout=5)


def test_killing_the_greenlet_that_lingers_ends_the_socket() -> None:
    push = omq.PUSH.bind(TCP)
    push.send(b"x")
    lingering = gevent.spawn(push.close)
    gevent.sleep(0)
    lingering.kill(timeout=5)
    assert push.closed
    gevent.sleep(0)
    with omq.PULL.bind(push.last_endpoint):
        pass  # the address is free again


def test_iteration_ends_when_the_socket_closes() -> None:
    with omq.PUSH.bind(TCP) as push:
        pull = omq.PULL.connect(push.last_endpoint)
        seen: list[list[bytes]] = []
        got_one = Event()

        def collect() -> None:
            for message in pull:
                seen.append(message)
                got_one.set()

        collector = gevent.spawn(collect)
        push.send(b"one")
        assert got_one.wait(timeout=5)
        pull.close()
        collector.get(timeout=5)
        assert seen == [[b"one"]]


def test_killing_the_parent_group_closes_the_socket() -> None:
    group = Group()
    with omq.PUSH.bind(TCP) as push:
        pull = omq.PULL.connect(push.last_endpoint, parent=group)
        push.wait_connected(timeout=5)
        receiver = gevent.spawn(pull.receive)
        gevent.sleep(0)
        group.kill()
        with pytest.raises(omq.SocketClosed):
            receiver.get(timeout=5)
        assert pull.closed
        push.wait_disconnected(timeout=5)


def test_a_closed_socket_leaves_its_parent_group() -> None:
    group = Group()
    pull = omq.PULL.bind(TCP, parent=group)
    pull.close()
    assert group.join(timeout=5) in (None, True)
    assert not len(group)


def test_a_dropped_socket_warns_and_is_collected() -> None:
    held = [omq.PULL.bind(TCP)]
    endpoint = held[0].last_endpoint
    gone = weakref.ref(held[0])
    with pytest.warns(ResourceWarning, match="unclosed <PULL"):
        held.clear()
    assert gone() is None, "no cycle keeps a dropped socket alive until the next collection"
    gevent.sleep(0.01)
    with omq.PULL.bind(endpoint):
        pass


def test_a_message_of_many_megabytes_in_flight_survives_close() -> None:
    body = bytes(range(256)) * 4096 * 20
    push = omq.PUSH.bind(TCP)
    with omq.PULL.connect(push.last_endpoint) as pull:
        push.wait_connected(timeout=5)
        push.send(body)
        closing = gevent.spawn(push.close)
        assert pull.receive(timeout=20) == [body]
        closing.get(timeout=5)


LARGE = b"x" * (8 * 1024 * 1024)


@pytest.mark.parametrize(
    ("kind", "peer_kind"),
    [
        ("PUSH", "PULL"),
        ("PAIR", "PAIR"),
        ("DEALER", "ROUTER"),
        ("ROUTER", "DEALER"),
        ("REQ", "REP"),
        ("REP", "REQ"),
        ("PUB", "SUB"),
        ("XPUB", "SUB"),
        ("XSUB", "XPUB"),
    ],
)
def test_what_is_half_written_is_written_before_the_end(kind: str, peer_kind: str) -> None:
    socket = getattr(omq, kind).bind(TCP)
    peer = getattr(omq, peer_kind).connect(socket.last_endpoint)
    if kind == "ROUTER":
        peer.identity = b"D"
    if peer_kind == "SUB":
        peer.subscribe(b"")
        socket.wait_subscribed(timeout=5)
    elif kind == "REP":
        peer.send(b"question")
        socket.receive(timeout=5)
    else:
        socket.wait_connected(timeout=5)
    socket.send([b"D", LARGE] if kind == "ROUTER" else LARGE)
    closing = gevent.spawn(socket.close)
    gevent.sleep(0.01)  # the kernel's buffers are full, the rest is on its way
    assert peer.receive(timeout=10)[-1] == LARGE
    closing.get(timeout=5)
    peer.close(linger=0)
