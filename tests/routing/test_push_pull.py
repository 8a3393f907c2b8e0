"""PUSH and PULL: an even spread, slow peers, lost peers, and full queues."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://push-pull"])


def receive_all(pull: omq.PULL, pause: float = 0.2) -> list[list[bytes]]:
    """Receive until nothing has come for *pause* seconds."""
    messages = []
    while True:
        try:
            messages.append(pull.receive(timeout=pause))
        except omq.ReceiveTimeout:
            return messages


@pytest.mark.interop
def test_pushes_to_and_pulls_from_libzmq(libzmq) -> None:
    with omq.PUSH.bind(TCP) as push, omq.PULL.bind(TCP) as pull:
        theirs = libzmq("PULL", push.last_endpoint)
        push.send([b"a", b"", b"b"])
        assert theirs.recv_multipart() == [b"a", b"", b"b"]
        libzmq("PUSH", pull.last_endpoint).send_multipart([b"c", b"d"])
        assert pull.receive(timeout=2) == [b"c", b"d"]


@pytest.mark.interop
def test_libzmq_peers_get_every_fifth_message_each(libzmq) -> None:
    with omq.PUSH.bind(TCP) as push:
        pulls = []
        for number in range(5):
            pulls.append(libzmq("PULL", push.last_endpoint))
            push.wait_connected(number + 1, timeout=2)
        for number in range(15):
            push.send(b"%d" % number)
        for first, pull in enumerate(pulls):
            assert [pull.recv() for _ in range(3)] == [b"%d" % (first + 5 * i) for i in range(3)]


def test_a_burst_is_spread_evenly_over_the_peers() -> None:
    pulls = [omq.PULL.bind(TCP, recv_hwm=0) for _ in range(4)]
    with omq.PUSH() as push:
        for pull in pulls:
            push.connect(pull.last_endpoint)
        push.wait_connected(4, timeout=2)
        for number in range(4000):
            push.send(b"%d" % number)
    for pull in pulls:
        assert len(receive_all(pull)) == 1000
        pull.close()


@ENDPOINTS
def test_peers_take_strict_turns(endpoint: str) -> None:
    with omq.PUSH.bind(endpoint) as push:
        pulls = []
        for number in range(3):
            pulls.append(omq.PULL.connect(push.last_endpoint))
            push.wait_connected(number + 1, timeout=2)
        for number in range(9):
            push.send(b"%d" % number)
            assert pulls[number % 3].receive(timeout=2) == [b"%d" % number]
        for pull in pulls:
            pull.close()


@ENDPOINTS
def test_a_peer_that_does_not_read_does_not_block_the_others(endpoint: str) -> None:
    body = b"x" * 10_000
    with (
        omq.PUSH.bind(endpoint, linger=0) as push,
        omq.PULL.connect(push.last_endpoint, recv_hwm=1, rcvbuf=4096),
        omq.PULL.connect(push.last_endpoint) as reading,
    ):
        push.wait_connected(2, timeout=2)
        sending = gevent.spawn(lambda: [push.send(body) for _ in range(5000)])
        for _ in range(4000):  # but for what the lane and the kernel hold for the other
            assert reading.receive(timeout=2) == [body]
        sending.get(timeout=2)


def test_what_a_lost_peer_had_not_wholly_received_goes_to_another() -> None:
    """All but the message or two that had reached the lost peer."""
    sent = [[b"%d" % number, b"x" * 100_000] for number in range(20)]
    with (
        omq.PUSH.bind(TCP, sndbuf=4096) as push,
        omq.PULL.connect(push.last_endpoint, recv_hwm=1) as survivor,
    ):
        lost = omq.PULL.connect(push.last_endpoint, recv_hwm=1, rcvbuf=4096)
        push.wait_connected(2, timeout=2)
        for message in sent:
            push.send(message)
        assert lost.poll(timeout=2) & 1
        lost.close()
        received = receive_all(survivor)
        missing = [message[0] for message in sent if message not in received]
        assert len(missing) <= 2
        assert len(received) == len(sent) - len(missing)


def test_a_message_that_its_peer_did_not_wholly_get_comes_before_the_later_ones() -> None:
    """The first peer hangs up in the middle: the message is larger than it accepts."""
    large = b"x" * (64 * 1024 * 1024)
    with omq.PUSH.bind(TCP) as push:
        with omq.PULL.connect(push.last_endpoint, max_message_size=9, reconnect_interval=None):
            push.wait_connected(timeout=2)
            for body in (large, b"second", b"third"):
                push.send(body)
            push.wait_disconnected(timeout=5)
        with omq.PULL.connect(push.last_endpoint) as pull:
            assert pull.receive(timeout=10) == [large]
            assert pull.receive(timeout=2) == [b"second"]
            assert pull.receive(timeout=2) == [b"third"]


@ENDPOINTS
def test_messages_from_before_the_first_peer_arrive_in_order(endpoint: str) -> None:
    with omq.PUSH.bind(endpoint) as push:
        for number in range(100):
            push.send(b"%d" % number)
        with omq.PULL.connect(push.last_endpoint) as pull:
            for number in range(100):
                assert pull.receive(timeout=2) == [b"%d" % number]


def test_without_a_peer_the_high_water_mark_is_how_many_messages_fit() -> None:
    with omq.PUSH.bind(TCP, send_hwm=10, linger=0) as push:
        for _ in range(10):
            push.send(b"x", timeout=0)
        with pytest.raises(omq.SendTimeout, match=r"0 s"):
            push.send(b"x", timeout=0)
        push.write_timeout = 0.02
        with pytest.raises(omq.SendTimeout, match=r"0\.02 s"):
            push.send(b"x")
        blocked = gevent.spawn(push.send, b"late", None)
        gevent.sleep(0)
        push.send_hwm = 11
        blocked.get(timeout=2)


def test_an_unbounded_queue_takes_everything_and_lets_others_run() -> None:
    with omq.PUSH.bind(TCP, send_hwm=None, linger=0) as push:
        other = gevent.spawn(lambda: None)
        for _ in range(5000):
            push.send(b"x", timeout=0)
        assert other.dead


@ENDPOINTS
def test_a_blocked_sender_goes_on_when_there_is_room(endpoint: str) -> None:
    with omq.PUSH.bind(endpoint, send_hwm=1) as push:
        push.send(b"first")
        blocked = gevent.spawn(push.send, b"second")
        gevent.sleep(0)
        assert not blocked.dead
        with omq.PULL.connect(push.last_endpoint) as pull:
            assert pull.receive(timeout=2) == [b"first"]
            assert pull.receive(timeout=2) == [b"second"]
        blocked.get(timeout=2)


def test_senders_and_receivers_are_woken_by_close() -> None:
    push, pull = omq.PUSH.bind(TCP, send_hwm=1, linger=0), omq.PULL.bind(TCP)
    push.send(b"x")
    blocked = [gevent.spawn(push.send, b"y"), gevent.spawn(pull.receive)]
    gevent.sleep(0)
    push.close()
    pull.close()
    gevent.joinall(blocked, timeout=2)
    for greenlet in blocked:
        assert isinstance(greenlet.exception, omq.SocketClosed)


def test_the_receive_high_water_mark_holds_back_the_sender() -> None:
    body = b"x" * 100_000
    with (
        omq.PUSH.bind(TCP, send_hwm=5, sndbuf=4096, linger=0) as push,
        omq.PULL.connect(push.last_endpoint, recv_hwm=5, rcvbuf=4096) as pull,
    ):
        push.wait_connected(timeout=2)
        accepted = 0
        while push.poll(timeout=0.2, events=2):
            push.send(body, timeout=0)
            accepted += 1
        assert accepted < 100
        for _ in range(accepted):
            assert pull.receive(timeout=2) == [body]


def test_conflate_on_the_receiver_keeps_only_the_newest() -> None:
    with omq.PULL.bind(TCP, conflate=True) as pull:
        with omq.PUSH.connect(pull.last_endpoint) as push:
            for number in range(20):
                push.send(b"%d" % number)
        pull.wait_disconnected(timeout=2)
        assert receive_all(pull) == [[b"19"]]


@ENDPOINTS
def test_conflate_on_the_sender_keeps_only_the_newest(endpoint: str) -> None:
    with omq.PUSH.bind(endpoint, conflate=True) as push:
        for number in range(20):
            push.send(b"%d" % number, timeout=0)
        with omq.PULL.connect(push.last_endpoint) as pull:
            assert receive_all(pull) == [[b"19"]]


@ENDPOINTS
def test_immediate_queues_nothing_without_a_peer(endpoint: str) -> None:
    with omq.PUSH.bind(endpoint, immediate=True) as push:
        assert not push.poll(timeout=0, events=2)
        with pytest.raises(omq.SendTimeout, match="no peer"):
            push.send(b"x", timeout=0)
        blocked = gevent.spawn(push.send, b"y")
        gevent.sleep(0)
        with omq.PULL.connect(push.last_endpoint) as pull:
            assert pull.receive(timeout=2) == [b"y"]
        blocked.get(timeout=2)
        push.wait_disconnected(timeout=2)
        with pytest.raises(omq.SendTimeout):
            push.send(b"z", timeout=0)


def test_a_peer_that_sends_to_a_push_is_not_heard_and_not_punished(raw_peer) -> None:
    """Reading is how its end is noticed, whatever it says."""
    with omq.PUSH.bind(TCP) as push:
        talkative = raw_peer(push.last_endpoint, "PULL")
        push.wait_connected(timeout=2)
        for _ in range(3):
            talkative.send(b"anyone", b"there")
        with omq.PULL.connect(push.last_endpoint):  # by now what was said has been read
            push.wait_connected(2, timeout=2)
        talkative.close()
        push.wait_disconnected(timeout=2)


def test_only_one_direction() -> None:
    with omq.PUSH.bind(TCP) as push, omq.PULL.connect(push.last_endpoint) as pull:
        with pytest.raises(omq.WrongDirection):
            push.receive(timeout=0)
        with pytest.raises(omq.WrongDirection):
            pull.send(b"x")


def test_a_killed_sender_has_sent_nothing() -> None:
    with omq.PUSH.bind(TCP, send_hwm=1) as push:
        push.send(b"first")
        blocked = gevent.spawn(push.send, b"killed")
        gevent.sleep(0)
        blocked.kill()
        with omq.PULL.connect(push.last_endpoint) as pull:
            push.send(b"second", timeout=2)
            assert receive_all(pull) == [[b"first"], [b"second"]]


@ENDPOINTS
def test_killed_receivers_take_no_message_with_them(endpoint: str) -> None:
    with omq.PULL.bind(endpoint) as pull, omq.PUSH.connect(pull.last_endpoint) as push:
        got = []

        def receive() -> None:
            got.append(pull.receive()[0])

        for number in range(50):
            receivers = [gevent.spawn(receive) for _ in range(3)]
            gevent.sleep(0)
            push.send(b"%d" % number)
            gevent.sleep(0)
            gevent.killall(receivers)
        got.extend(message[0] for message in receive_all(pull))
        assert sorted(got, key=int) == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("on_mute", [None, "drop_newest", "drop_oldest"])
def test_a_loop_of_conflated_sends_lets_other_greenlets_live(on_mute: str | None) -> None:
    ticks = []

    def tick() -> None:
        while True:
            ticks.append(1)
            gevent.sleep(0)

    with omq.PUSH.bind("tcp://127.0.0.1:0", conflate=True, on_mute=on_mute, linger=0) as push:
        ticker = gevent.spawn(tick)
        for _ in range(2000):
            push.send(b"x")
        ticker.kill()
    assert len(ticks) >= 5
