"""REQ: lock-step, whom it asks, whose reply it takes, and what it does when a peer is lost."""

from __future__ import annotations

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://req"])


def answer(router: omq.ROUTER, *body: bytes) -> list[bytes]:
    """Receive a request and send *body* back with the same envelope."""
    message = router.receive(timeout=2)
    body_at = message.index(b"", 1) + 1
    router.send([*message[:body_at], *body])
    return message


@ENDPOINTS
def test_a_request_and_its_reply(endpoint: str) -> None:
    with omq.REP.bind(endpoint) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        for body in ([b"one"], [b"two", b"", b"parts"], [b""]):
            req.send(body)
            assert rep.receive(timeout=2) == body
            rep.send([b"re", *body])
            assert req.receive(timeout=2) == [b"re", *body]


@pytest.mark.interop
def test_asks_a_libzmq_rep(libzmq) -> None:
    rep = libzmq("REP")
    with omq.REQ.connect(rep.last_endpoint.decode()) as req:
        req.send([b"a", b"b"])
        assert rep.recv_multipart() == [b"a", b"b"]
        rep.send_multipart([b"c", b"d"])
        assert req.receive(timeout=2) == [b"c", b"d"]


@pytest.mark.interop
def test_the_request_on_the_wire_is_a_delimiter_and_the_body(libzmq) -> None:
    router = libzmq("ROUTER")
    with omq.REQ.connect(router.last_endpoint.decode(), identity=b"me") as req:
        req.send([b"ABC", b"DEF"])
        assert router.recv_multipart() == [b"me", b"", b"ABC", b"DEF"]
        router.send_multipart([b"me", b"", b"GHI"])
        assert req.receive(timeout=2) == [b"GHI"]


@ENDPOINTS
def test_out_of_turn_is_an_error_in_both_directions(endpoint: str) -> None:
    with omq.REP.bind(endpoint) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        with pytest.raises(omq.StateError, match="sends a request before"):
            req.receive(timeout=2)
        req.send(b"one")
        with pytest.raises(omq.StateError, match="receives the reply before"):
            req.send(b"two")
        rep.send(rep.receive(timeout=2))
        with pytest.raises(omq.StateError):
            req.send(b"two")  # the reply is there but not received
        assert req.receive(timeout=2) == [b"one"]
        with pytest.raises(omq.StateError):
            req.receive(timeout=2)


def test_of_two_greenlets_that_wait_for_one_reply_the_second_gets_an_error() -> None:
    with omq.REP.bind(TCP) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        req.send(b"one")
        waiting = [gevent.spawn(req.receive, 2), gevent.spawn(req.receive, 2)]
        rep.send(rep.receive(timeout=2))
        gevent.joinall(waiting, timeout=2)
        assert waiting[0].value == [b"one"]
        assert isinstance(waiting[1].exception, omq.StateError)


def test_a_receive_that_times_out_does_not_end_the_exchange() -> None:
    with omq.REP.bind(TCP) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        req.send(b"one")
        with pytest.raises(omq.ReceiveTimeout):
            req.receive(timeout=0)
        with pytest.raises(omq.ReceiveTimeout):
            req.receive(timeout=0.01)
        rep.send(rep.receive(timeout=2))
        assert req.receive(timeout=2) == [b"one"]


def test_peers_are_asked_in_strict_rotation() -> None:
    reps = [omq.REP.bind(TCP) for _ in range(5)]
    with omq.REQ() as req:
        for count, rep in enumerate(reps, 1):
            req.connect(rep.last_endpoint)
            req.wait_connected(count, timeout=2)
        for _ in range(3):
            for number, rep in enumerate(reps):
                req.send(b"%d" % number)
                assert rep.receive(timeout=2) == [b"%d" % number]
                rep.send(b"done")
                assert req.receive(timeout=2) == [b"done"]
    for rep in reps:
        rep.close()


@ENDPOINTS
def test_only_the_peer_that_was_asked_is_heard(await_event, endpoint: str) -> None:
    with (
        omq.REQ.bind(endpoint, identity=b"req") as req,
        omq.ROUTER.connect(req.last_endpoint) as first,
    ):
        req.wait_connected(1, timeout=2)
        with omq.ROUTER.connect(req.last_endpoint) as second:
            req.wait_connected(2, timeout=2)
            second.wait_connected(1, timeout=2)
            req.send(b"question")
            asked = first.receive(timeout=2)
            events = req.monitor()
            second.send([b"req", b"", b"WRONG"])
            assert await_event(events, "message_dropped").count == 1
            first.send([*asked[:2], b"right"])
            assert req.receive(timeout=2) == [b"right"]


@ENDPOINTS
def test_a_request_without_peers_is_kept_until_one_comes(endpoint: str) -> None:
    with omq.REQ.bind(endpoint) as req:
        req.send(b"early")
        with omq.REP.connect(req.last_endpoint) as rep:
            assert rep.receive(timeout=2) == [b"early"]
            rep.send(b"bird")
            assert req.receive(timeout=2) == [b"bird"]


@ENDPOINTS
def test_immediate_takes_no_request_without_a_peer_and_leaves_the_socket_ready(
    endpoint: str,
) -> None:
    with omq.REQ.bind(endpoint, immediate=True) as req:
        with pytest.raises(omq.SendTimeout):
            req.send(b"no", timeout=0)
        with pytest.raises(omq.SendTimeout):
            req.send(b"no", timeout=0.02)
        sending = gevent.spawn(req.send, b"yes")
        with omq.REP.connect(req.last_endpoint) as rep:
            assert rep.receive(timeout=2) == [b"yes"]
            rep.send(b"heard")
            sending.get(timeout=2)
            assert req.receive(timeout=2) == [b"heard"]


@pytest.mark.parametrize("options", [{"immediate": True}, {"send_hwm": 1, "req_relaxed": True}])
def test_a_send_that_waits_is_told_that_the_socket_was_closed(options: dict[str, object]) -> None:
    req = omq.REQ(linger=0, **options)
    if "send_hwm" in options:
        req.send(b"fills the queue")
    sending = gevent.spawn(req.send, b"waits")
    gevent.sleep(0)
    assert not sending.dead
    req.close()
    with pytest.raises(omq.SocketClosed):
        sending.get(timeout=2)


def test_of_two_greenlets_that_wait_to_ask_the_second_gets_an_error() -> None:
    with omq.REQ.bind(TCP, immediate=True) as req:
        asking = [gevent.spawn(req.send, question) for question in (b"first", b"second")]
        gevent.sleep(0)
        with omq.REP.connect(req.last_endpoint) as rep:
            assert rep.receive(timeout=2) == [b"first"]
            asking[0].get(timeout=2)
            with pytest.raises(omq.StateError):
                asking[1].get(timeout=2)
            rep.send(b"answer")
            assert req.receive(timeout=2) == [b"answer"]


def test_switching_immediate_off_lets_a_waiting_request_in() -> None:
    with omq.REQ(immediate=True, linger=0) as req:
        asking = gevent.spawn(req.send, b"question")
        gevent.sleep(0)
        assert not asking.dead
        req.immediate = False
        asking.get(timeout=2)


def test_not_stuck_when_the_peer_leaves_with_the_request() -> None:
    """The pending receive raises RequestLost, and the socket is ready to send again."""
    with omq.REQ(reconnect_interval=0.01) as req:
        with omq.ROUTER.bind(TCP) as router:
            req.connect(router.last_endpoint)
            req.send(b"one")
            router.receive(timeout=2)
            receiving = gevent.spawn(req.receive, 2)
        receiving.join(timeout=2)
        assert isinstance(receiving.exception, omq.RequestLost)
        with omq.ROUTER.bind(router.last_endpoint) as router:
            req.send(b"again")
            assert answer(router, b"reply")[2:] == [b"again"]
            assert req.receive(timeout=2) == [b"reply"]


@ENDPOINTS
def test_a_loss_that_nobody_waited_for_is_told_by_the_next_receive_or_forgotten_by_a_send(
    endpoint: str,
) -> None:
    with omq.REQ.bind(endpoint) as req:
        for resend in (False, True):
            with omq.ROUTER.connect(req.last_endpoint) as router:
                req.send(b"one")
                router.receive(timeout=2)
            req.wait_disconnected(timeout=2)
            if not resend:
                assert req.poll(timeout=0) & 1
                with pytest.raises(omq.RequestLost):
                    req.receive(timeout=2)
        with omq.REP.connect(req.last_endpoint) as rep:
            req.send(b"two")
            rep.send(rep.receive(timeout=2))
            assert req.receive(timeout=2) == [b"two"]


def test_a_request_that_its_peer_did_not_wholly_get_goes_to_the_next() -> None:
    """The first peer hangs up in the middle: the request is larger than it accepts."""
    request = b"x" * (64 * 1024 * 1024)
    with omq.REQ.bind(TCP) as req:
        refusing = omq.REP(max_message_size=1000, reconnect_interval=None)
        refusing.connect(req.last_endpoint)
        req.wait_connected(1, timeout=2)
        with refusing, omq.REP.connect(req.last_endpoint) as rep:
            req.wait_connected(2, timeout=2)
            req.send(request)
            assert rep.receive(timeout=10) == [request]
            rep.send(b"got it")
            assert req.receive(timeout=2) == [b"got it"]


@pytest.mark.parametrize("reply", [[b"no delimiter"], [b""], [b"1234"], [b"1234", b""]])
def test_a_malformed_reply_ends_that_link_only(await_event, reply: list[bytes]) -> None:
    with omq.REQ.bind(TCP, identity=b"req") as req:
        with omq.ROUTER.connect(req.last_endpoint, reconnect_interval=None) as bad:
            events = req.monitor()
            req.send(b"question")
            bad.receive(timeout=2)
            bad.send([b"req", *reply])
            assert isinstance(await_event(events, "disconnected").error, omq.ProtocolError)
            with pytest.raises(omq.RequestLost):
                req.receive(timeout=2)
        with omq.REP.connect(req.last_endpoint) as rep:
            req.send(b"two")
            rep.send(rep.receive(timeout=2))
            assert req.receive(timeout=2) == [b"two"]


def test_a_malformed_reply_over_inproc_is_dropped() -> None:
    with (
        omq.REQ.bind("inproc://malformed", identity=b"req") as req,
        omq.ROUTER.connect("inproc://malformed") as router,
    ):
        req.send(b"question")
        envelope = router.receive(timeout=2)[:2]
        router.send([b"req", b"no delimiter"])
        router.send([b"req", b""])
        router.send([*envelope, b"right"])
        assert req.receive(timeout=2) == [b"right"]


@pytest.mark.interop
def test_correlate_skips_replies_with_another_request_id(libzmq) -> None:
    router = libzmq("ROUTER")
    with omq.REQ.connect(router.last_endpoint.decode(), req_correlate=True, identity=b"req") as req:
        identifiers = []
        for _ in range(2):
            req.send(b"question")
            identity, request_id, delimiter, body = router.recv_multipart()
            assert (identity, delimiter, body) == (b"req", b"", b"question")
            assert len(request_id) == 4
            other = bytes([request_id[0] ^ 1]) + request_id[1:]
            router.send_multipart([b"req", other, b"", b"wrong id"])
            router.send_multipart([b"req", b"", b"no id"])
            router.send_multipart([b"req", request_id, b"", b"right"])
            assert req.receive(timeout=2) == [b"right"]
            identifiers.append(int.from_bytes(request_id, "big"))
        assert identifiers[1] == (identifiers[0] + 1) % 2**32


def test_relaxed_asks_the_next_peer_and_discards_the_late_reply(await_event) -> None:
    routers = [omq.ROUTER.bind(TCP) for _ in range(2)]
    with omq.REQ(req_relaxed=True) as req:
        for count, router in enumerate(routers, 1):
            req.connect(router.last_endpoint)
            req.wait_connected(count, timeout=2)
        req.send(b"one")
        late = routers[0].receive(timeout=2)
        req.send(b"two")
        events = req.monitor()
        routers[0].send([*late[:2], b"late"])
        assert await_event(events, "message_dropped").count == 1
        assert answer(routers[1], b"in time")[2:] == [b"two"]
        assert req.receive(timeout=2) == [b"in time"]
        req.send(b"three")  # the pipes stayed: the rotation comes back to the first peer
        assert answer(routers[0], b"done")[2:] == [b"three"]
        assert req.receive(timeout=2) == [b"done"]
    for router in routers:
        router.close()


@ENDPOINTS
def test_relaxed_discards_a_reply_that_is_queued_already(endpoint: str) -> None:
    with (
        omq.REP.bind(endpoint) as rep,
        omq.REQ.connect(rep.last_endpoint, req_relaxed=True, req_correlate=True) as req,
    ):
        req.send(b"one")
        rep.send(rep.receive(timeout=2))
        assert req.poll(timeout=2) & 1
        req.send(b"two")
        rep.send(rep.receive(timeout=2))
        assert req.receive(timeout=2) == [b"two"]


@pytest.mark.interop
def test_relaxed_requests_from_before_the_first_peer_all_go_and_the_last_is_answered(
    libzmq,
) -> None:
    with omq.REQ.bind(TCP, req_relaxed=True, req_correlate=True) as req:
        req.send(b"one")
        req.send(b"two")
        rep = libzmq("REP", req.last_endpoint)
        for body in (b"one", b"two"):
            assert rep.recv() == body
            rep.send(b"re " + body)
        assert req.receive(timeout=2) == [b"re two"]


def test_a_loop_of_relaxed_sends_lets_others_run() -> None:
    with omq.REQ.bind(TCP, req_relaxed=True, send_hwm=0, linger=0) as req:
        other = gevent.spawn(lambda: None)
        for _ in range(1000):
            req.send(b"x")
        assert other.dead


@pytest.mark.interop
def test_probe_router_announces_the_socket(libzmq) -> None:
    router = libzmq("ROUTER")
    with omq.REQ.connect(router.last_endpoint.decode(), identity=b"req", probe_router=True) as req:
        assert router.recv_multipart() == [b"req", b""]
        req.send(b"hello")
        assert router.recv_multipart() == [b"req", b"", b"hello"]


@ENDPOINTS
def test_receivers_are_woken_by_close(endpoint: str) -> None:
    with omq.REP.bind(endpoint) as rep:
        req = omq.REQ.connect(rep.last_endpoint)
        req.send(b"one")
        receiving = gevent.spawn(req.receive)
        rep.receive(timeout=2)
        req.close()
        receiving.join(timeout=2)
        assert isinstance(receiving.exception, omq.SocketClosed)


def test_close_waits_until_the_request_is_out() -> None:
    """What is in flight counts as not yet sent."""
    body = b"x" * (16 * 1024 * 1024)
    with omq.REP.bind(TCP) as rep:
        req = omq.REQ.connect(rep.last_endpoint)
        req.send(body)
        closing = gevent.spawn(req.close)
        assert rep.receive(timeout=10) == [body]
        closing.get(timeout=2)


def test_a_greenlet_killed_in_receive_takes_no_reply_with_it() -> None:
    with omq.REP.bind(TCP) as rep, omq.REQ.connect(rep.last_endpoint) as req:
        req.send(b"one")
        receiving = gevent.spawn(req.receive)
        rep.send(rep.receive(timeout=2))
        receiving.kill()
        if receiving.successful() and isinstance(receiving.value, gevent.GreenletExit):
            assert req.receive(timeout=2) == [b"one"]
