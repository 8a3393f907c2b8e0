"""REP: envelopes, whose reply goes where, and peers that do not wait for theirs."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://rep"])


@pytest.mark.interop
def test_answers_a_libzmq_req(libzmq) -> None:
    with omq.REP.bind(TCP) as rep:
        req = libzmq("REQ", rep.last_endpoint)
        req.send_multipart([b"a", b"", b"b"])
        assert rep.receive(timeout=2) == [b"a", b"", b"b"]
        rep.send([b"c", b""])
        assert req.recv_multipart() == [b"c", b""]


@pytest.mark.interop
@pytest.mark.parametrize("envelope", [[b""], [b"X", b"Y", b""]])
def test_the_reply_carries_the_envelope_of_the_request(libzmq, envelope: list[bytes]) -> None:
    with omq.REP.bind(TCP) as rep:
        dealer = libzmq("DEALER", rep.last_endpoint)
        dealer.send_multipart([*envelope, b"A", b"", b"B"])
        assert rep.receive(timeout=2) == [b"A", b"", b"B"]
        rep.send([b"C"])
        assert dealer.recv_multipart() == [*envelope, b"C"]


@ENDPOINTS
def test_requests_without_delimiter_or_body_are_discarded_and_the_peer_is_kept(
    endpoint: str,
) -> None:
    with omq.REP.bind(endpoint) as rep, omq.DEALER.connect(rep.last_endpoint) as dealer:
        dealer.send([b"no", b"delimiter"])
        dealer.send([b"address", b""])
        dealer.send([b"", b"good"])
        assert rep.receive(timeout=2) == [b"good"]
        rep.send(b"fine")
        assert dealer.receive(timeout=2) == [b"", b"fine"]


def test_a_reply_without_a_request_is_an_error() -> None:
    with omq.REP.bind(TCP) as rep:
        with pytest.raises(omq.StateError, match="no request to answer"):
            rep.send(b"answer")
        with omq.REQ.connect(rep.last_endpoint) as req:
            req.send(b"question")
            rep.send(rep.receive(timeout=2))
            with pytest.raises(omq.StateError):
                rep.send(b"again")
            assert req.receive(timeout=2) == [b"question"]


def test_a_request_that_nobody_received_is_not_answered() -> None:
    with omq.REP.bind(TCP) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        req.send(b"question")
        assert rep.poll(timeout=2) & 1
        with pytest.raises(omq.StateError):
            rep.send(b"answer")
        assert rep.receive(timeout=2) == [b"question"]


def test_several_requests_are_answered_in_the_order_received() -> None:
    with (
        omq.REP.bind(TCP) as rep,
        omq.REQ.connect(rep.last_endpoint) as one,
        omq.REQ.connect(rep.last_endpoint) as two,
    ):
        one.send(b"1")
        assert rep.receive(timeout=2) == [b"1"]
        two.send(b"2")
        assert rep.receive(timeout=2) == [b"2"]
        rep.send(b"first")
        rep.send(b"second")
        assert one.receive(timeout=2) == [b"first"]
        assert two.receive(timeout=2) == [b"second"]


@ENDPOINTS
def test_each_greenlet_answers_what_it_has_received(endpoint: str) -> None:
    """The slow handler's reply is not swapped with that of a quick one."""
    with omq.REP.bind(endpoint) as rep:

        def handle() -> None:
            body = rep.receive(timeout=2)[0]
            gevent.sleep(0.05 if body == b"0" else 0)
            rep.send(b"re " + body)

        reqs = [omq.REQ.connect(rep.last_endpoint) for _ in range(4)]
        handlers = []
        for number, req in enumerate(reqs):
            handlers.append(gevent.spawn(handle))
            req.send(b"%d" % number)
        for number, req in enumerate(reqs):
            assert req.receive(timeout=2) == [b"re %d" % number]
        gevent.joinall(handlers, timeout=2, raise_error=True)
        for req in reqs:
            req.close()


@ENDPOINTS
def test_a_greenlet_without_a_request_of_its_own_answers_the_oldest(endpoint: str) -> None:
    with (
        omq.REP.bind(endpoint) as rep,
        omq.REQ.connect(rep.last_endpoint) as one,
        omq.REQ.connect(rep.last_endpoint) as two,
    ):
        one.send(b"1")
        rep.receive(timeout=2)
        two.send(b"2")
        rep.receive(timeout=2)
        gevent.spawn(rep.send, b"worker").get(timeout=2)
        rep.send(b"main")
        assert one.receive(timeout=2) == [b"worker"]
        assert two.receive(timeout=2) == [b"main"]


@ENDPOINTS
def test_replies_to_a_peer_that_left_do_not_go_to_others(await_event, endpoint: str) -> None:
    """Received or not when its peer left: a request keeps its own reply."""
    with omq.REP.bind(endpoint) as rep:
        leaving = omq.DEALER.connect(rep.last_endpoint)
        leaving.send([b"", b"received"])
        assert rep.receive(timeout=2) == [b"received"]
        leaving.send([b"", b"queued"])
        assert rep.poll(timeout=2) & 1
        leaving.close()
        rep.wait_disconnected(timeout=2)
        events = rep.monitor()
        with omq.REQ.connect(rep.last_endpoint) as req:
            req.send(b"question")
            assert rep.receive(timeout=2) == [b"queued"]
            assert rep.receive(timeout=2) == [b"question"]
            rep.send(b"re received")
            rep.send(b"re queued")
            rep.send(b"re question")
            assert req.receive(timeout=2) == [b"re question"]
            assert await_event(events, "message_dropped").count == 1


@pytest.mark.interop
def test_a_reply_to_a_vanished_libzmq_peer_is_dropped(libzmq) -> None:
    with omq.REP.bind(TCP) as rep:
        req = libzmq("REQ", rep.last_endpoint)
        req.send(b"question")
        body = rep.receive(timeout=2)
        req.close()
        rep.wait_disconnected(timeout=2)
        rep.send(body)
        with pytest.raises(omq.StateError):
            rep.send(body)


@ENDPOINTS
def test_connects_as_well_as_binds(endpoint: str) -> None:
    with omq.REQ.bind(endpoint) as req, omq.REP.connect(req.last_endpoint) as rep:
        req.send(b"question")
        rep.send(rep.receive(timeout=2))
        assert req.receive(timeout=2) == [b"question"]


@ENDPOINTS
def test_a_client_that_does_not_read_its_replies_holds_up_nobody_for_long(endpoint: str) -> None:
    reply = b"x" * (1024 * 1024)
    with (
        omq.REP.bind(endpoint, send_hwm=1, linger=0) as rep,
        omq.DEALER.connect(rep.last_endpoint, recv_hwm=1, linger=0) as greedy,
        omq.REQ.connect(rep.last_endpoint) as req,
    ):
        for _ in range(60):
            greedy.send([b"", b"more"])
        with gevent.Timeout(10):
            for _ in range(60):
                rep.receive(timeout=2)
                rep.send(reply)
        req.send(b"question")
        rep.send(rep.receive(timeout=2))
        assert req.receive(timeout=2) == [b"question"]


def test_receivers_are_woken_by_close_even_with_a_full_queue_behind_them() -> None:
    rep = omq.REP.bind(TCP, recv_hwm=1)
    receiving = gevent.spawn(rep.receive)
    gevent.sleep(0)
    with omq.DEALER.connect(rep.last_endpoint, linger=0) as dealer:
        for _ in range(10):
            dealer.send([b"", b"x"])
        assert receiving.get(timeout=2) == [b"x"]
        with gevent.Timeout(2):
            rep.close()
        with pytest.raises(omq.SocketClosed):
            rep.receive()


def test_close_waits_until_replies_in_flight_are_out() -> None:
    body = b"x" * (16 * 1024 * 1024)
    rep = omq.REP.bind(TCP)
    with omq.REQ.connect(rep.last_endpoint) as req:
        req.send(b"question")
        rep.receive(timeout=2)
        rep.send(body)
        closing = gevent.spawn(rep.close)
        assert req.receive(timeout=10) == [body]
        closing.get(timeout=2)
