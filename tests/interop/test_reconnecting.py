"""Either end is killed and started again: links come back, and nothing that was queued is lost."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.interop

QUEUED = [[b"%d" % number, b"while nobody was there"] for number in range(100)]
implementation = pytest.mark.parametrize("implementation", ["libzmq", "pyomq"])


@implementation
def test_our_push_keeps_what_is_queued_until_they_are_back(
    start_peer, our_socket, endpoint, implementation
):
    process = start_peer(implementation)
    theirs = process.open("PULL")
    ours = our_socket("PUSH")
    endpoint = ours.connect(theirs.bind(endpoint))
    ours.send(b"before")
    assert theirs.receive() == [b"before"]
    process.kill()
    ours.wait_disconnected(timeout=5.0)
    for message in QUEUED:
        ours.send(message)

    theirs = start_peer(implementation).open("PULL")
    theirs.bind(endpoint)
    assert theirs.receive_some(len(QUEUED)) == QUEUED


@implementation
def test_our_bound_push_keeps_what_is_queued_for_the_next(
    start_peer, our_socket, endpoint, implementation
):
    process = start_peer(implementation)
    theirs = process.open("PULL")
    ours = our_socket("PUSH")
    endpoint = ours.bind(endpoint)
    theirs.connect(endpoint)
    ours.send(b"before")
    assert theirs.receive() == [b"before"]
    process.kill()
    ours.wait_disconnected(timeout=5.0)
    for message in QUEUED:
        ours.send(message)

    theirs = start_peer(implementation).open("PULL")
    theirs.connect(endpoint)
    assert theirs.receive_some(len(QUEUED)) == QUEUED


def test_their_push_finds_us_when_we_are_back(peer, our_socket, endpoint):
    ours = our_socket("PULL")
    theirs = peer.open("PUSH", RECONNECT_IVL=20)
    endpoint = ours.bind(endpoint)
    theirs.connect(endpoint)
    theirs.send([b"before"])
    assert ours.receive() == [b"before"]
    ours.stop()

    again = our_socket("PULL")
    again.bind(endpoint)
    again.wait_connected(timeout=5.0)
    theirs.send(*QUEUED)
    assert [again.receive() for _ in QUEUED] == QUEUED
    theirs.close()


def test_their_bound_push_serves_us_again(peer, our_socket, endpoint):
    theirs = peer.open("PUSH")
    endpoint = theirs.bind(endpoint)
    for number in range(3):
        ours = our_socket("PULL")
        ours.connect(endpoint)
        ours.wait_connected(timeout=5.0)
        theirs.send([b"%d" % number])
        assert ours.receive() == [b"%d" % number]
        ours.stop()
    theirs.close()


@implementation
def test_we_subscribe_again_when_their_publisher_is_back(
    start_peer, our_socket, endpoint, publish_until_heard, implementation
):
    process = start_peer(implementation)
    theirs = process.open("PUB")
    ours = our_socket("SUB", subscribe=b"topic")
    endpoint = ours.connect(theirs.bind(endpoint))
    publish_until_heard(theirs, ours, b"topic")
    process.kill()
    ours.wait_disconnected(timeout=5.0)

    theirs = start_peer(implementation).open("PUB")
    theirs.bind(endpoint)
    publish_until_heard(theirs, ours, b"topic")


def test_they_subscribe_again_when_our_publisher_is_back(
    peer, our_socket, endpoint, publish_until_heard
):
    ours = our_socket("PUB")
    theirs = peer.open("SUB", RECONNECT_IVL=20)
    theirs.subscribe(b"topic")
    endpoint = ours.bind(endpoint)
    theirs.connect(endpoint)
    ours.wait_subscribed(b"topic", timeout=5.0)
    ours.stop()

    again = our_socket("PUB")
    again.bind(endpoint)
    again.wait_connected(timeout=5.0)
    publish_until_heard(again, theirs, b"topic")
    theirs.close()


@implementation
def test_our_router_knows_them_again(start_peer, our_socket, endpoint, implementation):
    ours = our_socket("ROUTER")
    endpoint = ours.bind(endpoint)
    for number in range(2):
        process = start_peer(implementation)
        theirs = process.open("DEALER", ROUTING_ID=b"same")
        theirs.connect(endpoint)
        theirs.send([b"%d" % number])
        assert ours.receive() == [b"same", b"%d" % number]
        ours.send([b"same", b"answer"])
        assert theirs.receive() == [b"answer"]
        process.kill()
        ours.wait_disconnected(timeout=5.0)
