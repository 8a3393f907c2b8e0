"""NULL's READY and ERROR: when they come, what they say, and what happens to those who err."""

from __future__ import annotations

import pytest

import omq_gevent as omq
from omq_gevent.errors import (
    CommandError,
    HandshakeError,
    IncompatiblePeer,
    MetadataError,
    PeerRejected,
)

TCP = "tcp://127.0.0.1:0"

SENDERS = {
    "PUSH": ("PULL", {}),
    "DEALER": ("ROUTER", {"probe_router": True, "hello_message": b"hello"}),
    "ROUTER": ("DEALER", {"probe_router": True, "hello_message": b"hello"}),
    "REQ": ("REP", {"probe_router": True}),
    "XPUB": ("SUB", {"xpub_welcome_message": b"welcome"}),
    "PAIR": ("PAIR", {}),
    "SUB": ("PUB", {}),
    "XSUB": ("XPUB", {}),
}


def property_of(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


# -- when ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SENDERS)
@pytest.mark.parametrize("accepted", [True, False])
def test_nothing_but_ready_is_sent_before_the_peers_ready(
    dial, listener, wire, kind: str, accepted: bool
) -> None:
    peer_type, options = SENDERS[kind]
    with getattr(omq, kind)(linger=0, heartbeat_interval=0.01, **options) as socket:
        if accepted:
            socket.bind(TCP)
            peer = dial(socket.last_endpoint)
        else:
            socket.connect(listener.endpoint)
            peer = listener.accept()
        if kind == "XSUB":
            socket.send(b"\x01topic")
        elif kind == "SUB":
            socket.subscribe(b"topic")
        elif kind in ("PUSH", "PAIR", "DEALER", "REQ"):
            socket.send(b"early")
        peer.read_greeting()
        peer.write(wire.greeting())
        peer.read_command(b"READY")
        assert peer.hears_nothing(0.04)
        peer.write(wire.ready(peer_type, b""))
        assert peer.read_frame()


def test_ready_does_not_wait_for_the_peers_ready_on_either_side(dial, listener, wire) -> None:
    with omq.PULL.bind(TCP) as pull, omq.PULL.connect(listener.endpoint):
        for peer in (dial(pull.last_endpoint), listener.accept()):
            peer.write(wire.greeting())
            peer.read_greeting()
            assert peer.read_command(b"READY") == property_of(b"Socket-Type", b"PULL")


def test_messages_in_one_burst_with_ready_are_delivered(scene, dial, wire) -> None:
    on = scene()
    late = dial(on.endpoint)
    late.write(wire.greeting())
    late.read_greeting()
    late.read_command(b"READY")
    late.write(wire.ready("PUSH"), wire.message(b"a"), wire.message(b"b", b"c"))
    assert [on.socket.receive(timeout=2) for _ in range(2)] == [[b"a"], [b"b", b"c"]]
    dial(on.endpoint).write(wire.greeting(), wire.ready("PUSH"), wire.message(b"at once"))
    assert on.socket.receive(timeout=2) == [b"at once"]


def test_many_messages_in_one_burst_with_ready_keep_their_order(scene, dial, wire) -> None:
    on = scene(recv_hwm=10)
    numbers = [b"%d" % number for number in range(500)]
    dial(on.endpoint).write(
        wire.greeting(), wire.ready("PUSH"), b"".join(map(wire.message, numbers))
    )
    assert [on.socket.receive(timeout=2) for _ in numbers] == [[number] for number in numbers]


@pytest.mark.parametrize("with_greeting", [True, False])
def test_a_message_before_ready_is_refused_and_never_delivered(
    scene, dial, wire, with_greeting: bool
) -> None:
    on = scene()
    peer = dial(on.endpoint)
    if with_greeting:
        peer.write(wire.greeting(), wire.message(b"smuggled"), wire.ready("PUSH"))
    else:
        peer.write(wire.greeting())
        peer.read_greeting()
        peer.read_command(b"READY")
        peer.write(wire.message(b"smuggled"), wire.ready("PUSH"))
    peer.read_to_end()
    assert "message before" in str(on.failure())


@pytest.mark.parametrize("name", [b"PING", b"PONG", b"SUBSCRIBE", b"HELLO", b"ready", b"FROB"])
def test_no_other_command_may_come_before_ready(scene, dial, wire, name: bytes) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), wire.command(name, b"\0\0data"), wire.ready("PUSH"))
    peer.read_to_end()
    error = on.failure()
    assert isinstance(error, HandshakeError)
    assert name.decode() in str(error)


def test_ready_and_error_after_the_handshake_are_ignored(scene, dial, wire) -> None:
    on = scene()
    peer = dial(on.endpoint).join("PUSH")
    peer.write(
        wire.ready("PUB"), wire.command(b"ERROR", b"\x03400"), wire.command(b"FROB", b"\xff" * 99)
    )
    peer.send(b"still here")
    assert on.socket.receive(timeout=2) == [b"still here"]


# -- what we say -----------------------------------------------------------------------------


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize(
    "kind",
    ["REQ", "REP", "DEALER", "ROUTER", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR"],
)
@pytest.mark.parametrize("identity", [b"", b"BOB"])
def test_req_dealer_and_router_tell_their_identity_and_no_other_does(
    dial, listener, wire, kind: str, identity: bytes, accepted: bool
) -> None:
    with getattr(omq, kind)(identity=identity) as socket:
        if accepted:
            socket.bind(TCP)
            peer = dial(socket.last_endpoint)
        else:
            socket.connect(listener.endpoint)
            peer = listener.accept()
        peer.write(wire.greeting())
        peer.read_greeting()
        expected = property_of(b"Socket-Type", kind.encode())
        if kind in ("REQ", "DEALER", "ROUTER"):
            expected += property_of(b"Identity", identity)
        assert peer.read_command(b"READY") == expected


def test_properties_of_the_application_are_exchanged(dial, wire) -> None:
    with omq.PULL.bind(TCP, metadata={"X-Shard": b"7"}) as pull:
        peer = dial(pull.last_endpoint)
        peer.write(wire.greeting(), wire.ready("PUSH", **{"X-Zone": b"\xff\0"}))
        peer.read_greeting()
        said = property_of(b"Socket-Type", b"PULL") + property_of(b"X-Shard", b"7")
        assert peer.read_command(b"READY") == said
        pull.wait_connected(timeout=2)
        assert pull.peers[0].facts.properties["X-Zone"] == b"\xff\0"


# -- what peers say --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(property_of(b"socket-TYPE", b"PUSH"), id="any case"),
        pytest.param(
            property_of(b"Resource", b"a/b") + property_of(b"Socket-Type", b"PUSH"), id="resource"
        ),
        pytest.param(
            property_of(b"Socket-Type", b"PUSH") + property_of(b"Identity", b"\0" * 300),
            id="an identity that a PUSH cannot have",
        ),
        pytest.param(
            property_of(b"Socket-Type", b"PUSH") + property_of(b"N" * 255, b"v" * 60_000),
            id="long names and values",
        ),
    ],
)
def test_unusual_but_legal_metadata(scene, dial, wire, body: bytes) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), wire.command(b"READY", body), wire.message(b"hello"))
    assert on.socket.receive(timeout=2) == [b"hello"]


def test_a_ready_larger_than_the_largest_message_is_accepted(scene, dial, wire) -> None:
    on = scene(max_message_size=5)
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), wire.ready("PUSH", **{"X-Long": b"x" * 1000}))
    peer.send(b"hello")
    assert on.socket.receive(timeout=2) == [b"hello"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(property_of(b"Socket-Type", b"PUSH")[:-1], id="value cut short"),
        pytest.param(property_of(b"Socket-Type", b"PUSH") + b"\x05", id="trailing octet"),
        pytest.param(property_of(b"Socket-Type", b"PUSH") + b"\x09Iden", id="name cut short"),
        pytest.param(property_of(b"", b"x"), id="name of no length"),
        pytest.param(property_of(b"\r\n\xff", b"x"), id="illegal name"),
        pytest.param(property_of(b"Socket-Type", b"PUSH") * 2, id="given twice"),
        pytest.param(b"\x0bSocket-Type\xff\xff\xff\xffPUSH", id="value of 4 GiB"),
    ],
)
def test_malformed_metadata_is_refused(scene, dial, wire, body: bytes) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), wire.command(b"READY", body))
    peer.read_to_end()
    assert isinstance(on.failure(), MetadataError)


@pytest.mark.parametrize("size", [2**16, 2**31, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
def test_an_oversized_command_is_refused_by_its_header(scene, dial, wire, size: int) -> None:
    on = scene(handshake_timeout=None)
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), b"\x06", size.to_bytes(8, "big"))
    peer.read_to_end()
    assert "at most 65536" in str(on.failure())


@pytest.mark.parametrize("said", ["PUB", "push", "PUSH ", "", "FROB", "\r\n\x1b[31m", "X" * 30_000])
def test_a_socket_type_that_does_not_fit_is_answered_with_error(scene, dial, wire, said) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting())
    peer.read_greeting()
    peer.read_command(b"READY")
    peer.write(wire.ready(said))
    reason = b"incompatible-socket-type"
    assert peer.read_command(b"ERROR") == bytes((len(reason),)) + reason
    assert peer.read_to_end() == b""
    assert isinstance(on.failure(), IncompatiblePeer)


def test_a_peer_without_socket_type_is_answered_with_error(scene, dial, wire) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), wire.command(b"READY"))
    peer.read_greeting()
    peer.read_command(b"ERROR")
    assert peer.read_to_end() == b""
    assert "socket type" in str(on.failure())


@pytest.mark.parametrize("identity", [b"\0abc", b"\0", b"x" * 256, b"x" * 60_000])
def test_an_impossible_identity_is_answered_with_error(quiet, dial, wire, identity) -> None:
    with omq.ROUTER.bind(TCP) as router:
        events = router.monitor()
        peer = dial(router.last_endpoint)
        peer.write(wire.greeting())
        peer.read_greeting()
        peer.read_command(b"READY")
        peer.write(wire.ready("DEALER", identity), wire.message(b"smuggled"))
        peer.read_command(b"ERROR")
        assert peer.read_to_end() == b""
        kinds = [events.get(timeout=2).kind for _ in range(3)]
        assert kinds == ["accepted", "handshake_failed", "disconnected"]
        longest = dial(router.last_endpoint).join("DEALER", b"\xff" * 255)
        longest.send(b"hello")
        assert router.receive(timeout=2) == [b"\xff" * 255, b"hello"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x03400", PeerRejected),
        (b"\x00", PeerRejected),
        (b"\x0a\r\n\x1b[31mred", PeerRejected),
        (b"\xff" + b"%s" * 127 + b"!", PeerRejected),
        (b"\x04400", CommandError),
        (b"", CommandError),
    ],
)
def test_error_from_the_peer_ends_the_handshake(scene, dial, wire, data: bytes, error) -> None:
    on = scene()
    peer = dial(on.endpoint)
    peer.write(wire.greeting(), wire.command(b"ERROR", data))
    peer.read_to_end()
    assert isinstance(on.failure(), error)


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(lambda wire: wire.command(b"ERROR", b"\x03400"), id="ERROR"),
        pytest.param(lambda wire: wire.ready("PUB"), id="wrong socket type"),
        pytest.param(lambda wire: wire.message(b"x"), id="message"),
    ],
)
def test_a_server_that_does_not_want_us_is_asked_ever_less_often(
    quiet, listener, wire, await_event, refusal
) -> None:
    with omq.PUSH.connect(
        listener.endpoint, reconnect_interval=0.001, reconnect_jitter=False
    ) as push:
        events = push.monitor()
        waits = []
        for _ in range(3):
            listener.accept().write(wire.greeting(), refusal(wire))
            event = await_event(events, "connect_retried")
            assert isinstance(event.error, HandshakeError)
            waits.append(event.interval)
        assert waits == pytest.approx([0.05, 0.1, 0.2])


def test_a_server_that_only_closes_is_asked_again_at_the_usual_pace(
    listener, wire, await_event
) -> None:
    with omq.PUSH.connect(
        listener.endpoint, reconnect_interval=0.01, reconnect_jitter=False
    ) as push:
        events = push.monitor()
        for said in (b"", wire.greeting()[:20], wire.greeting(), wire.greeting() + b"\x04"):
            peer = listener.accept()
            peer.write(said)
            peer.close()
            assert await_event(events, "connect_retried").interval == pytest.approx(0.01)
        push.send(b"patience")
        peer = listener.accept().join("PULL")
        assert peer.read_message() == [b"patience"]


@pytest.mark.interop
def test_libzmq_of_the_wrong_type_is_refused_and_harms_nobody(scene, libzmq) -> None:
    on = scene()
    libzmq("PUB", on.endpoint)
    assert isinstance(on.failure(), IncompatiblePeer)
    right = libzmq("PUSH", on.endpoint)
    right.send(b"hello")
    assert on.socket.receive(timeout=2) == [b"hello"]


@pytest.mark.interop
def test_libzmq_that_refuses_our_type_is_asked_ever_less_often(quiet, libzmq, await_event) -> None:
    server = libzmq("SUB")
    with omq.PUSH.connect(
        server.last_endpoint.decode(), reconnect_interval=0.001, reconnect_jitter=False
    ) as push:
        events = push.monitor()
        waits = [await_event(events, "connect_retried").interval for _ in range(3)]
        assert waits == sorted(waits)
        assert waits[-1] >= 0.05
