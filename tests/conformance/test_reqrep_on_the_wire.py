"""REQ, REP, DEALER and ROUTER with peers that know the bytes but not always the rules (RFC 28)."""

from __future__ import annotations

import pytest

import omq_gevent as omq
from omq_gevent.errors import PeerRefused, ProtocolError

TCP = "tcp://127.0.0.1:0"


# -- REQ -------------------------------------------------------------------------------------


def test_a_request_is_an_empty_frame_and_the_body(dial) -> None:
    with omq.REQ.bind(TCP) as req:
        peer = dial(req.last_endpoint).join("REP")
        req.send(b"hi")
        assert peer.read(6) == b"\x01\x00\x00\x02hi"
        peer.write(b"\x01\x00\x01\x01a\x00\x01b")
        assert req.receive(timeout=2) == [b"a", b"b"]


def test_a_correlated_request_begins_with_four_octets_that_its_reply_repeats(dial) -> None:
    with omq.REQ.bind(TCP, req_correlate=True, req_relaxed=True) as req:
        peer = dial(req.last_endpoint).join("ROUTER")
        ids = []
        for _ in range(3):
            req.send(b"hi")
            request_id, empty, body = peer.read_message()
            assert (len(request_id), empty, body) == (4, b"", b"hi")
            ids.append(request_id)
        assert len(set(ids)) == 3
        peer.send(ids[0], b"", b"late")
        peer.send(b"\xff\xff\xff\xff", b"", b"made up")
        peer.send(b"", b"without id")
        peer.send(ids[2], b"", b"right")
        assert req.receive(timeout=2) == [b"right"]


def test_a_reply_that_nobody_asked_for_is_dropped_and_its_sender_kept(dial, await_event) -> None:
    with omq.REQ.bind(TCP) as req:
        events = req.monitor()
        peer = dial(req.last_endpoint).join("REP")
        peer.send(b"", b"unasked")
        await_event(events, "message_dropped")
        req.send(b"hi")
        peer.read_message()
        peer.send(b"", b"asked")
        peer.send(b"", b"twice")
        assert req.receive(timeout=2) == [b"asked"]
        req.send(b"again")
        assert peer.read_message() == [b"", b"again"]


def test_a_peer_that_was_not_asked_is_not_heard(dial) -> None:
    with omq.REQ.bind(TCP) as req:
        asked = dial(req.last_endpoint).join("REP")
        req.wait_connected(timeout=2)
        other = dial(req.last_endpoint).join("REP")
        req.wait_connected(2, timeout=2)
        req.send(b"question")
        asked.read_message()
        other.send(b"", b"WRONG")
        with pytest.raises(omq.ReceiveTimeout):
            req.receive(timeout=0.05)
        asked.send(b"", b"right")
        assert req.receive(timeout=2) == [b"right"]


@pytest.mark.parametrize(
    "reply", [[b"body"], [b"no", b"delimiter"], [b""], [b"id..", b""], [b"x" * 300, b"", b"body"]]
)
def test_a_malformed_reply_costs_the_connection_and_the_request_is_told_lost(
    quiet, dial, await_event, reply: list[bytes]
) -> None:
    with omq.REQ.bind(TCP) as req:
        events = req.monitor()
        peer = dial(req.last_endpoint).join("REP")
        req.send(b"question")
        peer.read_message()
        peer.send(*reply)
        assert peer.read_to_end() == b""
        assert isinstance(await_event(events, "disconnected").error, ProtocolError)
        with pytest.raises(omq.RequestLost):
            req.receive(timeout=2)
        req.send(b"question")
        better = dial(req.last_endpoint).join("REP")
        assert better.read_message() == [b"", b"question"]
        better.send(b"", b"answer")
        assert req.receive(timeout=2) == [b"answer"]


# -- REP -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2, 10_000])
def test_the_envelope_of_a_request_comes_back_as_it_was(dial, depth: int) -> None:
    envelope = [b"%d" % number for number in range(depth)]
    with omq.REP.bind(TCP) as rep:
        peer = dial(rep.last_endpoint).join("DEALER")
        peer.send(*envelope, b"", b"question", b"", b"more")
        assert rep.receive(timeout=5) == [b"question", b"", b"more"]
        rep.send(b"answer")
        assert peer.read_message() == [*envelope, b"", b"answer"]


@pytest.mark.parametrize("request_", [[b"no delimiter"], [b"a", b"b"], [b""], [b"a", b""]])
def test_what_is_no_request_is_dropped_and_its_sender_kept(
    quiet, dial, await_event, request_: list[bytes]
) -> None:
    with omq.REP.bind(TCP) as rep:
        events = rep.monitor()
        peer = dial(rep.last_endpoint).join("DEALER")
        peer.send(*request_)
        peer.send(b"", b"good")
        assert rep.receive(timeout=2) == [b"good"]
        assert await_event(events, "message_dropped").count == 1
        rep.send(b"fine")
        assert peer.read_message() == [b"", b"fine"]


@pytest.mark.parametrize("reset", [True, False])
def test_the_reply_to_a_peer_that_left_goes_nowhere(quiet, dial, reset: bool) -> None:
    with omq.REP.bind(TCP) as rep:
        leaving = dial(rep.last_endpoint).join("REQ")
        leaving.send(b"", b"question")
        assert rep.receive(timeout=2) == [b"question"]
        leaving.reset() if reset else leaving.close()
        rep.wait_disconnected(timeout=2)
        staying = dial(rep.last_endpoint).join("REQ")
        rep.wait_connected(timeout=2)
        rep.send(b"too late")
        staying.send(b"", b"next")
        assert rep.receive(timeout=2) == [b"next"]
        rep.send(b"answer")
        assert staying.read_message() == [b"", b"answer"]


# -- ROUTER ----------------------------------------------------------------------------------


def test_peers_without_a_name_get_five_octets_that_begin_with_zero(dial) -> None:
    with omq.ROUTER.bind(TCP) as router:
        names = set()
        for _ in range(20):
            peer = dial(router.last_endpoint).join("DEALER")
            peer.send(b"who am I?")
            name, _ = router.receive(timeout=2)
            assert len(name) == 5
            assert name[0] == 0
            names.add(name)
            router.send([name, b"you"])
            assert peer.read_message() == [b"you"]
        assert len(names) == 20
        assert len({name[1:3] for name in names}) > 10, "names must not be a counter"


@pytest.mark.parametrize("handover", [False, True])
def test_two_peers_of_one_name(quiet, dial, await_event, handover: bool) -> None:
    with omq.ROUTER.bind(TCP, router_handover=handover) as router:
        events = router.monitor()
        first = dial(router.last_endpoint).join("DEALER", b"X")
        first.send(b"first")
        assert router.receive(timeout=2) == [b"X", b"first"]
        second = dial(router.last_endpoint).join("DEALER", b"X")
        loser, winner = (first, second) if handover else (second, first)
        assert loser.read_to_end() == b""
        assert isinstance(await_event(events, "disconnected").error, PeerRefused)
        router.send([b"X", b"to the winner"])
        assert winner.read_message() == [b"to the winner"]
        winner.send(b"from the winner")
        assert router.receive(timeout=2) == [b"X", b"from the winner"]


def test_an_unfinished_message_holds_up_no_other_peer(dial, wire) -> None:
    with omq.ROUTER.bind(TCP) as router:
        slow = dial(router.last_endpoint).join("DEALER", b"slow")
        quick = dial(router.last_endpoint).join("DEALER", b"quick")
        slow.write(wire.frame(1, b"begun"), wire.frame(1, b"x" * 1000)[:500])
        quick.send(b"a", b"b")
        assert router.receive(timeout=2) == [b"quick", b"a", b"b"]
        slow.write(wire.frame(1, b"x" * 1000)[500:], wire.frame(0, b"done"))
        assert router.receive(timeout=2) == [b"slow", b"begun", b"x" * 1000, b"done"]


def test_a_peer_lost_in_the_middle_of_a_message_is_notified_of_on_its_own(dial, wire) -> None:
    with omq.ROUTER.bind(TCP, router_notify=["connect", "disconnect"]) as router:
        peer = dial(router.last_endpoint).join("DEALER", b"X")
        assert router.receive(timeout=2) == [b"X", b""]
        peer.write(wire.frame(1, b"part"))
        peer.reset()
        assert router.receive(timeout=2) == [b"X", b""]
        dial(router.last_endpoint).write(wire.greeting(), wire.message(b"no handshake"))
        with pytest.raises(omq.ReceiveTimeout):
            router.receive(timeout=0.05)


@pytest.mark.parametrize("kind", ["REQ", "DEALER", "ROUTER"])
def test_probe_router_is_an_empty_message_right_after_ready(listener, kind: str) -> None:
    with getattr(omq, kind).connect(listener.endpoint, probe_router=True):
        assert listener.accept().join("ROUTER").read(2) == b"\0\0"


# -- what does not belong there --------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "peer_type"),
    [
        ("PULL", "PUSH"),
        ("DEALER", "DEALER"),
        ("ROUTER", "DEALER"),
        ("REP", "REQ"),
        ("REQ", "REP"),
        ("PAIR", "PAIR"),
        ("PUSH", "PULL"),
        ("SUB", "PUB"),
        ("XSUB", "PUB"),
    ],
)
def test_subscriptions_and_groups_are_nothing_to_other_sockets(
    quiet, dial, kind: str, peer_type: str
) -> None:
    """libzmq hands these commands to the application, as if they were messages."""
    with getattr(omq, kind).bind(TCP) as socket:
        peer = dial(socket.last_endpoint).join(peer_type, b"peer")
        for name in (b"SUBSCRIBE", b"CANCEL", b"JOIN", b"LEAVE"):
            peer.command(name, b"A")
            peer.command(name, b"\0" * 300)
        peer.command(b"PING", b"\0\0end")
        assert peer.read_command(b"PONG") == b"end"
        assert not socket.poll(timeout=0)
        assert len(socket.peers) == 1
