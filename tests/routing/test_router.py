"""ROUTER: names of peers, messages that find no peer or no room, and peers that come and go."""

from __future__ import annotations

import time

import gevent
import pytest

import omq_gevent as omq

TCP = "tcp://127.0.0.1:0"
ENDPOINTS = pytest.mark.parametrize("endpoint", [TCP, "inproc://router"])
MEGABYTE = b"x" * (1024 * 1024)


@pytest.mark.interop
def test_talks_to_libzmq_peers_by_their_names(libzmq) -> None:
    with omq.ROUTER.bind(TCP) as router:
        dealer = libzmq("DEALER", router.last_endpoint, routing_id=b"dealer")
        req = libzmq("REQ", router.last_endpoint, routing_id=b"req")
        dealer.send_multipart([b"A", b"B"])
        assert router.receive(timeout=2) == [b"dealer", b"A", b"B"]
        req.send(b"question")
        assert router.receive(timeout=2) == [b"req", b"", b"question"]
        router.send([b"req", b"", b"reply"])
        router.send([b"dealer", b"C", b""])
        assert req.recv_multipart() == [b"reply"]
        assert dealer.recv_multipart() == [b"C", b""]


@pytest.mark.interop
def test_routers_talk_to_each_other(libzmq) -> None:
    theirs = libzmq("ROUTER", None)
    with omq.ROUTER.connect(
        theirs.last_endpoint.decode(), identity=b"ours", probe_router=True
    ) as ours:
        assert theirs.recv_multipart() == [b"ours", b""]
        theirs.send_multipart([b"ours", b"hello"])
        assert ours.receive(timeout=2)[1:] == [b"hello"]


@ENDPOINTS
def test_peers_without_a_name_get_one_that_no_peer_can_claim(endpoint: str) -> None:
    with omq.ROUTER.bind(endpoint) as router:
        dealers = [omq.DEALER.connect(router.last_endpoint) for _ in range(3)]
        names = set()
        for number, dealer in enumerate(dealers):
            dealer.send(b"%d" % number)
            name, body = router.receive(timeout=2)
            assert len(name) == 5
            assert name[0] == 0
            names.add(name)
            router.send([name, b"re", body])
            assert dealer.receive(timeout=2) == [b"re", b"%d" % number]
        assert len(names) == 3
        for dealer in dealers:
            dealer.close()


def test_a_message_to_an_unknown_peer_is_dropped_and_told(await_event) -> None:
    with omq.ROUTER.bind(TCP) as router:
        events = router.monitor()
        router.send([b"nobody", b"hello"])
        event = await_event(events, "message_dropped")
        assert event.count == 1
        assert "identity" in str(event)


@ENDPOINTS
def test_mandatory_refuses_a_message_to_an_unknown_peer(endpoint: str) -> None:
    with omq.ROUTER.bind(endpoint, router_mandatory=True) as router:
        with pytest.raises(omq.Unroutable, match="nobody"):
            router.send([b"nobody", b"hello"])
        with omq.DEALER.connect(router.last_endpoint, identity=b"D") as dealer:
            router.wait_connected(timeout=2)
            router.send([b"D", b"hello"])
            assert dealer.receive(timeout=2) == [b"hello"]
        router.wait_disconnected(timeout=2)
        with pytest.raises(omq.Unroutable):
            router.send([b"D", b"hello"])


def test_an_identity_with_nothing_after_it_is_dropped(await_event) -> None:
    with (
        omq.ROUTER.bind(TCP, router_mandatory=True) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"D") as dealer,
    ):
        router.wait_connected(timeout=2)
        events = router.monitor()
        router.send([b"D"])
        router.send(b"nobody")
        router.send([b"D", b"next"])
        assert dealer.receive(timeout=2) == [b"next"]
        assert await_event(events, "message_dropped").count == 1


@pytest.mark.parametrize("identity", [b"\0claim", b"x" * 256])
def test_a_peer_with_an_impossible_name_is_turned_away(
    await_event, raw_peer, identity: bytes
) -> None:
    with omq.ROUTER.bind(TCP) as router:
        events = router.monitor()
        peer = raw_peer(router.last_endpoint, "DEALER", identity)
        assert isinstance(await_event(events, "handshake_failed").error, omq.HandshakeError)
        assert peer.ended()
        assert not router.peers


# -- one name, two peers ---------------------------------------------------------------------


def test_a_second_peer_of_the_same_name_is_refused(await_event) -> None:
    with (
        omq.ROUTER.bind(TCP) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"X") as first,
    ):
        router.wait_connected(timeout=2)
        events = router.monitor()
        with omq.DEALER.connect(
            router.last_endpoint, identity=b"X", reconnect_interval=None
        ) as second:
            second.send(b"impostor")
            assert isinstance(await_event(events, "disconnected").error, omq.PeerRefused)
            second.wait_disconnected(timeout=2)
        router.send([b"X", b"for the first"])
        assert first.receive(timeout=2) == [b"for the first"]
        first.send(b"still here")
        assert router.receive(timeout=2) == [b"X", b"still here"]


def test_over_inproc_a_second_peer_of_the_same_name_is_not_half_registered() -> None:
    with (
        omq.ROUTER.bind("inproc://router") as router,
        omq.DEALER.connect("inproc://router", identity=b"X") as first,
        omq.DEALER.connect("inproc://router", identity=b"X", linger=0) as second,
    ):
        assert len(router.peers) == 1
        assert not second.peers
        router.send([b"X", b"for the first"])
        assert first.receive(timeout=2) == [b"for the first"]


@pytest.mark.interop
def test_with_handover_the_newcomer_takes_the_name_and_the_old_link_is_closed(libzmq) -> None:
    with omq.ROUTER.bind(TCP, router_handover=True) as router:
        old = omq.DEALER.connect(router.last_endpoint, identity=b"X", reconnect_interval=None)
        old.send(b"old")
        assert router.receive(timeout=2) == [b"X", b"old"]
        new = libzmq("DEALER", router.last_endpoint, routing_id=b"X")
        new.send(b"new")
        assert router.receive(timeout=2) == [b"X", b"new"]
        old.wait_disconnected(timeout=2)
        router.send([b"X", b"for the new one"])
        assert new.recv() == b"for the new one"
        old.close()


@ENDPOINTS
def test_the_end_of_the_old_peer_does_not_take_the_name_from_the_new_one(
    await_event, endpoint: str
) -> None:
    with omq.ROUTER.bind(endpoint, router_handover=True, router_mandatory=True) as router:
        events = router.monitor()
        old = omq.DEALER.connect(router.last_endpoint, identity=b"X", reconnect_interval=None)
        router.wait_connected(timeout=2)
        with omq.DEALER.connect(router.last_endpoint, identity=b"X") as new:
            new.send(b"here")
            assert router.receive(timeout=2) == [b"X", b"here"]
            assert isinstance(await_event(events, "disconnected").error, omq.PeerRefused)
            old.close()
            router.send([b"X", b"hello"])
            assert new.receive(timeout=2) == [b"hello"]


def test_the_queue_of_an_evicted_peer_is_dropped_and_told(await_event) -> None:
    with omq.ROUTER.bind(TCP, router_handover=True) as router:
        events = router.monitor()
        with omq.DEALER.connect(
            router.last_endpoint, identity=b"X", recv_hwm=1, reconnect_interval=None
        ):
            router.wait_connected(timeout=2)
            for _ in range(30):
                router.send([b"X", MEGABYTE])
            with omq.DEALER.connect(router.last_endpoint, identity=b"X") as new:
                new.send(b"here")
                assert router.receive(timeout=2) == [b"X", b"here"]
                event = await_event(events, "message_dropped")
                assert 0 < event.count <= 30
                router.send([b"X", b"fresh"])
                assert new.receive(timeout=2) == [b"fresh"]


# -- full queues -----------------------------------------------------------------------------


def fill(router: omq.ROUTER, name: bytes) -> int:
    """Send until a mandatory ROUTER keeps refusing; return how many messages it took."""
    accepted = refused = 0
    while refused < 3:  # once is not enough: the kernels may be slow to move what they have
        try:
            router.send([name, MEGABYTE], timeout=0.1)
        except omq.SendTimeout:
            refused += 1
        else:
            accepted += 1
            refused = 0
    assert accepted < 100
    return accepted


@ENDPOINTS
def test_mandatory_blocks_at_the_high_water_mark_of_the_peer_and_loses_nothing(
    endpoint: str,
) -> None:
    with (
        omq.ROUTER.bind(endpoint, router_mandatory=True, send_hwm=2, linger=0) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"slow", recv_hwm=1) as slow,
        omq.DEALER.connect(router.last_endpoint, identity=b"quick") as quick,
    ):
        router.wait_connected(2, timeout=2)
        accepted = fill(router, b"slow")
        with pytest.raises(omq.SendTimeout, match="slow"):
            router.send([b"slow", MEGABYTE], timeout=0)
        router.send([b"quick", b"not held up"], timeout=0)
        assert quick.receive(timeout=2) == [b"not held up"]
        blocked = gevent.spawn(router.send, [b"slow", b"last"])
        for _ in range(accepted):
            assert slow.receive(timeout=2) == [MEGABYTE]
        assert slow.receive(timeout=2) == [b"last"]
        blocked.get(timeout=2)


def test_a_sender_that_waits_for_a_peer_hears_that_it_left_or_that_the_socket_closed() -> None:
    router = omq.ROUTER.bind(TCP, router_mandatory=True, send_hwm=2, linger=0)
    for leave in (True, False):
        slow = omq.DEALER.connect(router.last_endpoint, identity=b"slow", recv_hwm=1)
        router.wait_connected(1, timeout=2)
        fill(router, b"slow")
        blocked = gevent.spawn(router.send, [b"slow", b"last"])
        gevent.sleep(0)
        if leave:
            slow.close()
            blocked.join(timeout=2)
            assert isinstance(blocked.exception, omq.Unroutable)
            router.wait_disconnected(timeout=2)
        else:
            router.close()
            blocked.join(timeout=2)
            assert isinstance(blocked.exception, omq.SocketClosed)
            slow.close()


@ENDPOINTS
def test_a_peer_that_stands_still_loses_messages_and_holds_up_nobody_for_long(
    await_event, endpoint: str
) -> None:
    with (
        omq.ROUTER.bind(endpoint, send_hwm=2, linger=0) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"slow", recv_hwm=1) as slow,
        omq.DEALER.connect(router.last_endpoint, identity=b"quick") as quick,
    ):
        router.wait_connected(2, timeout=2)
        events = router.monitor()
        started = time.monotonic()
        for _ in range(300):
            router.send([b"slow", MEGABYTE])
        assert time.monotonic() - started < 5
        event = await_event(events, "message_dropped")
        assert event.count == 1
        assert event.peer.identity == b"slow"
        router.send([b"quick", b"not held up"])
        assert quick.receive(timeout=2) == [b"not held up"]
        # Once it reads again, it gets messages again.
        while True:
            try:
                slow.receive(timeout=0.1)
            except omq.ReceiveTimeout:
                break
        router.send([b"slow", b"welcome back"])
        assert slow.receive(timeout=2) == [b"welcome back"]


@ENDPOINTS
def test_a_peer_that_reads_slowly_loses_nothing(endpoint: str) -> None:
    count = 60
    with (
        omq.ROUTER.bind(endpoint, send_hwm=2) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"slow", recv_hwm=1) as slow,
    ):
        router.wait_connected(timeout=2)
        sending = gevent.spawn(
            lambda: [router.send([b"slow", b"%d" % i, MEGABYTE]) for i in range(count)]
        )
        for i in range(count):
            assert slow.receive(timeout=2)[0] == b"%d" % i
            gevent.sleep(0.002)
        sending.get(timeout=2)


def test_a_burst_beyond_the_high_water_mark_reaches_a_peer_that_reads() -> None:
    with (
        omq.ROUTER.bind(TCP, send_hwm=10) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=0) as dealer,
    ):
        router.wait_connected(timeout=2)
        for i in range(5000):
            router.send([b"D", b"%d" % i])
        for i in range(5000):
            assert dealer.receive(timeout=2) == [b"%d" % i]


def test_on_mute_decides_what_a_full_queue_costs() -> None:
    for on_mute, survives in (("drop_newest", False), ("drop_oldest", True)):
        with (
            omq.ROUTER.bind(TCP, send_hwm=2, on_mute=on_mute) as router,
            omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=1) as dealer,
        ):
            router.wait_connected(timeout=2)
            for _ in range(50):
                router.send([b"D", MEGABYTE])
            router.send([b"D", b"newest"], timeout=0)
            got = []
            while True:
                try:
                    got.append(dealer.receive(timeout=0.2)[0])
                except omq.ReceiveTimeout:
                    break
            assert len(got) < 50
            assert (b"newest" in got) is survives


def test_the_high_water_mark_changes_while_the_socket_is_in_use() -> None:
    with (
        omq.ROUTER.bind(TCP, router_mandatory=True, send_hwm=2, linger=0) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=1),
    ):
        router.wait_connected(timeout=2)
        fill(router, b"D")
        blocked = gevent.spawn(router.send, [b"D", b"1"])
        gevent.sleep(0)
        router.send_hwm = 10
        blocked.get(timeout=2)
        router.send([b"D", b"2"], timeout=0)
        router.send_hwm = 1
        with pytest.raises(omq.SendTimeout):
            router.send([b"D", b"3"], timeout=0)


def test_a_mandatory_router_is_writable_while_some_peer_has_room() -> None:
    with omq.ROUTER.bind(TCP, router_mandatory=True, send_hwm=1, linger=0) as router:
        assert not router.poll(timeout=0, events=2)
        with omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=1) as dealer:
            assert router.poll(timeout=2, events=2) == 2
            fill(router, b"D")
            assert not router.poll(timeout=0, events=2)
            polling = gevent.spawn(router.poll, 2, 2)
            dealer.receive(timeout=2)
            dealer.receive(timeout=2)
            dealer.receive(timeout=2)
            assert polling.get(timeout=2) == 2


def test_a_loop_of_sends_lets_others_run() -> None:
    with (
        omq.ROUTER.bind(TCP, send_hwm=0, linger=0) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=1),
    ):
        router.wait_connected(timeout=2)
        other = gevent.spawn(lambda: None)
        for _ in range(1000):
            router.send([b"D", b"x"])
        assert other.dead


# -- peers that come and go ------------------------------------------------------------------


@ENDPOINTS
def test_messages_for_a_peer_that_died_are_not_dropped_silently(await_event, endpoint: str) -> None:
    with omq.ROUTER.bind(endpoint) as router:
        events = router.monitor()
        dealer = omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=1)
        router.wait_connected(timeout=2)
        for _ in range(50):
            router.send([b"D", MEGABYTE])
        dealer.close()
        event = await_event(events, "message_dropped")
        assert 0 < event.count <= 50
        assert event.peer.identity == b"D"


@ENDPOINTS
def test_notifies_of_peers_that_come_and_go(endpoint: str) -> None:
    with omq.ROUTER.bind(endpoint, router_notify={"connect", "disconnect"}) as router:
        with omq.DEALER.connect(router.last_endpoint, identity=b"D") as dealer:
            assert router.receive(timeout=2) == [b"D", b""]
            dealer.send(b"hello")
            assert router.receive(timeout=2) == [b"D", b"hello"]
        assert router.receive(timeout=2) == [b"D", b""]


def test_a_notification_finds_room_in_a_full_receive_queue() -> None:
    with omq.ROUTER.bind(TCP, router_notify={"disconnect"}, recv_hwm=1) as router:
        with omq.DEALER.connect(router.last_endpoint, identity=b"D") as dealer:
            for _ in range(3):
                dealer.send(b"x")
            assert router.poll(timeout=2) & 1
        with gevent.Timeout(2):
            messages = [router.receive(timeout=2) for _ in range(4)]
        assert messages == [[b"D", b"x"]] * 3 + [[b"D", b""]]


def test_a_refused_peer_is_not_notified_of() -> None:
    with (
        omq.ROUTER.bind(TCP, router_notify={"connect", "disconnect"}) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"D"),
    ):
        assert router.receive(timeout=2) == [b"D", b""]
        with omq.DEALER.connect(
            router.last_endpoint, identity=b"D", reconnect_interval=None
        ) as second:
            second.wait_connected(timeout=2)
            second.wait_disconnected(timeout=2)
        assert not router.poll(timeout=0)


@ENDPOINTS
def test_the_disconnect_message_arrives_under_the_name_of_the_peer(endpoint: str) -> None:
    with omq.ROUTER.bind(endpoint, disconnect_message=[b"gone", b"away"]) as router:
        with omq.DEALER.connect(router.last_endpoint, identity=b"D"):
            router.wait_connected(timeout=2)
        assert router.receive(timeout=2) == [b"D", b"gone", b"away"]


@ENDPOINTS
def test_says_hello_to_each_peer(endpoint: str) -> None:
    with (
        omq.ROUTER.bind(endpoint, hello_message=b"welcome") as router,
        omq.DEALER.connect(router.last_endpoint) as dealer,
    ):
        assert dealer.receive(timeout=2) == [b"welcome"]


def test_connect_routing_id_names_the_next_peer_and_no_other() -> None:
    with (
        omq.ROUTER.bind(TCP, identity=b"its own") as named,
        omq.ROUTER.bind(TCP, identity=b"other") as unnamed,
        omq.ROUTER(router_mandatory=True, identity=b"me") as router,
    ):
        router.connect_routing_id = b"ours"
        router.connect(named.last_endpoint)
        router.connect(unnamed.last_endpoint)
        assert router.connect_routing_id is None
        router.wait_connected(2, timeout=2)
        router.send([b"ours", b"hello"])
        assert named.receive(timeout=2) == [b"me", b"hello"]
        router.send([b"other", b"hello"])
        assert unnamed.receive(timeout=2) == [b"me", b"hello"]
        with pytest.raises(omq.Unroutable):
            router.send([b"its own", b"hello"])


@ENDPOINTS
def test_a_name_given_with_connect_routing_id_outlives_the_link(endpoint: str) -> None:
    with omq.ROUTER(router_mandatory=True, reconnect_interval=0.01, identity=b"me") as router:
        router.connect_routing_id = b"ours"
        with omq.DEALER.bind(endpoint) as first:
            resolved = router.connect(first.last_endpoint)
            router.wait_connected(timeout=2)
        router.wait_disconnected(timeout=2)
        with omq.DEALER.bind(resolved) as second:
            router.wait_connected(timeout=2)
            router.send([b"ours", b"hello"])
            assert second.receive(timeout=2) == [b"hello"]


def test_close_waits_until_the_messages_in_flight_are_out() -> None:
    router = omq.ROUTER.bind(TCP)
    with omq.DEALER.connect(router.last_endpoint, identity=b"D") as dealer:
        router.wait_connected(timeout=2)
        for _ in range(16):
            router.send([b"D", MEGABYTE])
        closing = gevent.spawn(router.close)
        for _ in range(16):
            assert dealer.receive(timeout=2) == [MEGABYTE]
        closing.get(timeout=2)


def test_a_killed_sender_has_sent_nothing() -> None:
    with (
        omq.ROUTER.bind(TCP, router_mandatory=True, send_hwm=2, linger=0) as router,
        omq.DEALER.connect(router.last_endpoint, identity=b"D", recv_hwm=1) as dealer,
    ):
        router.wait_connected(timeout=2)
        accepted = fill(router, b"D")
        blocked = gevent.spawn(router.send, [b"D", b"killed"])
        gevent.sleep(0)
        blocked.kill()
        for _ in range(accepted):
            assert dealer.receive(timeout=2) == [MEGABYTE]
        router.send([b"D", b"next"])
        assert dealer.receive(timeout=2) == [b"next"]
