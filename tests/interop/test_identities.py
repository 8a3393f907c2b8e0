"""Who a ROUTER takes its peers for: ours at theirs, theirs at ours, and those without a name."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.interop

IDENTITIES = {"text": b"worker-7", "binary": b"\xff\x00\x01", "longest": b"i" * 255}

identities = pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
asking = pytest.mark.parametrize(
    ("asking", "envelope"), [("REQ", [b""]), ("DEALER", [])], ids=["REQ", "DEALER"]
)


@identities
@asking
def test_their_router_knows_us_by_our_identity(linked, asking, envelope, identity):
    ours, theirs = linked(asking, "ROUTER", {"identity": identity})
    ours.send(b"question")
    assert theirs.receive() == [identity, *envelope, b"question"]
    theirs.send([identity, *envelope, b"answer"])
    assert ours.receive() == [b"answer"]


@identities
@asking
def test_our_router_knows_them_by_their_identity(linked, asking, envelope, identity):
    ours, theirs = linked("ROUTER", asking, {}, {"ROUTING_ID": identity})
    theirs.send([b"question"])
    assert ours.receive() == [identity, *envelope, b"question"]
    assert [peer.identity for peer in ours.peers] == [identity]
    assert [peer.socket_type for peer in ours.peers] == [asking]
    ours.send([identity, *envelope, b"answer"])
    assert theirs.receive() == [b"answer"]


@pytest.mark.parametrize("role", ["we-bind"], indirect=True)
def test_our_router_tells_nameless_peers_apart(linked, peer):
    ours, first = linked("ROUTER", "DEALER")
    second = peer.open("DEALER")
    second.connect(ours.last_endpoint)
    ours.wait_connected(2, timeout=5.0)
    first.send([b"first"])
    second.send([b"second"])
    names = {body: name for name, body in (ours.receive(), ours.receive())}
    assert names[b"first"] != names[b"second"]
    for body, name in names.items():
        assert name.startswith(b"\0")
        ours.send([name, b"to " + body])
    assert first.receive() == [b"to first"]
    assert second.receive() == [b"to second"]
    second.close()


@pytest.mark.parametrize("role", ["they-bind"], indirect=True)
def test_their_router_tells_us_apart_when_we_are_nameless(linked, our_socket):
    first, theirs = linked("DEALER", "ROUTER")
    second = our_socket("DEALER")
    second.connect(first.last_endpoint)
    first.send(b"first")
    second.send(b"second")
    names = {body: name for name, body in theirs.receive_some(2)}
    assert names[b"first"] != names[b"second"]
    for body, name in names.items():
        theirs.send([name, b"to " + body])
    assert first.receive() == [b"to first"]
    assert second.receive() == [b"to second"]


@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
@pytest.mark.parametrize("role", ["they-bind"], indirect=True)
def test_our_router_names_the_peer_that_it_connects_to(linked):
    ours, theirs = linked("ROUTER", "DEALER", {"connect_routing_id": b"chosen"})
    ours.send([b"chosen", b"hello"])
    assert theirs.receive() == [b"hello"]


@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
def test_probes_introduce_peers_to_routers(linked):
    ours, theirs = linked(
        "ROUTER",
        "ROUTER",
        {"identity": b"ours", "probe_router": True},
        {"ROUTING_ID": b"theirs", "PROBE_ROUTER": 1},
    )
    assert theirs.receive() == [b"ours", b""]
    assert ours.receive() == [b"theirs", b""]


@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
def test_with_handover_the_latest_holder_of_a_name_has_it(peer, our_socket):
    ours = our_socket("ROUTER", router_handover=True)
    endpoint = ours.bind("tcp://127.0.0.1:*")
    # Without reconnecting: the two would take the name from each other for ever.
    sockets = [peer.open("DEALER", ROUTING_ID=b"same", RECONNECT_IVL=-1) for _ in range(2)]
    for number, socket in enumerate(sockets):
        socket.connect(endpoint)
        socket.send([b"%d" % number])
        assert ours.receive() == [b"same", b"%d" % number]
    ours.send([b"same", b"for the second"])
    assert sockets[1].receive() == [b"for the second"]
    for socket in sockets:
        socket.close()
