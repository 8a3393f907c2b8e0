"""DEALER: shares out what it sends, collects what its peers send."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://dealer"])


@pytest.mark.interop
def test_talks_to_a_libzmq_router_under_its_name(libzmq) -> None:
    router = libzmq("ROUTER")
    with omq.DEALER.connect(router.last_endpoint.decode(), identity=b"me") as dealer:
        dealer.send([b"a", b"", b"b"])
        assert router.recv_multipart() == [b"me", b"a", b"", b"b"]
        router.send_multipart([b"me", b"c", b"d"])
        assert dealer.receive(timeout=2) == [b"c", b"d"]


@pytest.mark.interop
def test_asks_libzmq_reps_in_turn(libzmq) -> None:
    with omq.DEALER.bind(TCP) as dealer:
        reps = []
        for number in range(5):
            reps.append(libzmq("REP", dealer.last_endpoint))
            dealer.wait_connected(number + 1, timeout=2)
        for number in range(5):
            dealer.send([b"", b"%d" % number])
        for number, rep in enumerate(reps):
            assert rep.recv() == b"%d" % number
            rep.send(b"re %d" % number)
        replies = [dealer.receive(timeout=2) for _ in reps]
        assert sorted(replies) == [[b"", b"re %d" % number] for number in range(5)]


@ENDPOINTS
def test_many_requests_may_be_under_way(endpoint: str) -> None:
    with omq.REP.bind(endpoint) as rep, omq.DEALER.connect(rep.last_endpoint) as dealer:
        for number in range(100):
            dealer.send([b"", b"%d" % number])
        for number in range(100):
            rep.send(rep.receive(timeout=2))
            assert dealer.receive(timeout=2) == [b"", b"%d" % number]


@ENDPOINTS
def test_receives_from_all_peers(endpoint: str) -> None:
    with omq.DEALER.bind(endpoint) as dealer:
        peers = [omq.DEALER.connect(dealer.last_endpoint) for _ in range(5)]
        for number, peer in enumerate(peers):
            peer.send(b"%d" % number)
        received = {dealer.receive(timeout=2)[0] for _ in peers}
        assert received == {b"%d" % number for number in range(5)}
        for peer in peers:
            peer.close()


def test_what_one_peer_did_not_get_goes_to_another() -> None:
    large = b"x" * (64 * 1024 * 1024)
    with omq.DEALER.bind(TCP) as dealer:
        refusing = omq.DEALER.connect(
            dealer.last_endpoint, max_message_size=9, reconnect_interval=None
        )
        dealer.wait_connected(timeout=2)
        dealer.send(large)
        dealer.send(b"second")
        dealer.wait_disconnected(timeout=5)
        refusing.close()
        with omq.DEALER.connect(dealer.last_endpoint) as peer:
            assert peer.receive(timeout=10) == [large]
            assert peer.receive(timeout=2) == [b"second"]


@ENDPOINTS
def test_both_directions_at_once_do_not_wait_for_each_other(endpoint: str) -> None:
    body = b"x" * 100_000
    with (
        omq.DEALER.bind(endpoint, send_hwm=2, recv_hwm=2) as one,
        omq.DEALER.connect(one.last_endpoint, send_hwm=2, recv_hwm=2) as two,
    ):
        sending = [
            gevent.spawn(lambda socket=socket: [socket.send(body) for _ in range(200)])
            for socket in (one, two)
        ]
        receiving = [
            gevent.spawn(lambda socket=socket: [socket.receive(timeout=5) for _ in range(200)])
            for socket in (one, two)
        ]
        gevent.joinall([*sending, *receiving], timeout=10, raise_error=True)
        assert all(greenlet.value == [[body]] * 200 for greenlet in receiving)


def test_a_send_without_room_times_out_and_takes_nothing() -> None:
    with omq.DEALER.bind(TCP, send_hwm=1) as dealer:
        dealer.send(b"first")
        with pytest.raises(omq.SendTimeout):
            dealer.send(b"second", timeout=0.01)
        with omq.DEALER.connect(dealer.last_endpoint) as peer:
            assert peer.receive(timeout=2) == [b"first"]
            dealer.send(b"third")
            assert peer.receive(timeout=2) == [b"third"]


def test_conflate_keeps_the_newest_in_both_directions() -> None:
    with omq.DEALER.bind(TCP, conflate=True) as dealer:
        for number in range(20):
            dealer.send(b"%d" % number, timeout=0)
        with omq.DEALER.connect(dealer.last_endpoint) as peer:
            assert peer.receive(timeout=2) == [b"19"]
            for number in range(20):
                peer.send(b"%d" % number)
        dealer.wait_disconnected(timeout=2)
        assert dealer.receive(timeout=2) == [b"19"]
        assert not dealer.poll(timeout=0) & 1


@pytest.mark.interop
def test_probe_router_announces_the_socket(libzmq) -> None:
    router = libzmq("ROUTER")
    with omq.DEALER.connect(
        router.last_endpoint.decode(), identity=b"X", probe_router=True
    ) as dealer:
        assert router.recv_multipart() == [b"X", b""]
        router.send_multipart([b"X", b"hello"])
        assert dealer.receive(timeout=2) == [b"hello"]


@ENDPOINTS
def test_says_hello_to_each_peer_before_anything_else(endpoint: str) -> None:
    with omq.DEALER.bind(endpoint, hello_message=[b"hello", b"there"]) as dealer:
        dealer.send(b"queued")
        with omq.DEALER.connect(dealer.last_endpoint) as peer:
            assert peer.receive(timeout=2) == [b"hello", b"there"]
            assert peer.receive(timeout=2) == [b"queued"]


def test_the_hiccup_message_tells_of_a_lost_server() -> None:
    with omq.DEALER(hiccup_message=b"hiccup", reconnect_interval=0.01) as dealer:
        with omq.ROUTER.bind(TCP) as router:
            dealer.connect(router.last_endpoint)
            dealer.wait_connected(timeout=2)
        assert dealer.receive(timeout=2) == [b"hiccup"]


def test_close_sends_what_is_in_flight() -> None:
    body = b"x" * (16 * 1024 * 1024)
    dealer = omq.DEALER.bind(TCP)
    with omq.DEALER.connect(dealer.last_endpoint) as peer:
        dealer.send(body)
        closing = gevent.spawn(dealer.close)
        assert peer.receive(timeout=10) == [body]
        closing.get(timeout=2)
