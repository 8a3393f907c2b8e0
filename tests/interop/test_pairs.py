"""Every pair of socket types that may talk to each other, with ours at either end."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.interop

SIZES = (0, 1, 255, 256, 8191, 65536)
MESSAGES = [
    *([b"x" * size] for size in SIZES),
    [b"y" * size for size in SIZES],
    [b"", b"body"],
    [bytes(range(256))],
    [b"%d" % number for number in range(50)],
]

# Who asks, who answers, and what each sees before the frames of the message itself.
ASKING = {
    ("REQ", "REP"): ([], []),
    ("REQ", "ROUTER"): ([], [b"asks", b""]),
    ("DEALER", "REP"): ([b""], []),
    ("DEALER", "DEALER"): ([], []),
    ("DEALER", "ROUTER"): ([], [b"asks"]),
    ("ROUTER", "ROUTER"): ([b"answers"], [b"asks"]),
    ("PAIR", "PAIR"): ([], []),
}
PUBLISHING = [("PUB", "SUB"), ("PUB", "XSUB"), ("XPUB", "SUB"), ("XPUB", "XSUB")]
WITH_IDENTITY = ("REQ", "DEALER", "ROUTER")


def identity(socket_type, option, name):
    return {option: name} if socket_type in WITH_IDENTITY else {}


@pytest.mark.parametrize("pair", ASKING, ids="-".join)
def test_our_questions_are_answered(linked, pair):
    asking, answering = pair
    ours, theirs = linked(
        asking,
        answering,
        identity(asking, "identity", b"asks"),
        identity(answering, "ROUTING_ID", b"answers"),
    )
    our_envelope, their_envelope = ASKING[pair]
    for message in MESSAGES:
        ours.send(our_envelope + message)
        received = theirs.receive()
        assert received == their_envelope + message
        theirs.send(received)
        assert ours.receive() == our_envelope + message


@pytest.mark.parametrize("pair", ASKING, ids="-".join)
def test_we_answer_their_questions(linked, pair):
    asking, answering = pair
    ours, theirs = linked(
        answering,
        asking,
        identity(answering, "identity", b"answers"),
        identity(asking, "ROUTING_ID", b"asks"),
    )
    their_envelope, our_envelope = ASKING[pair]
    if pair == ("ROUTER", "ROUTER"):
        # A ROUTER drops what it sends to a peer that it does not know yet.
        ours.send([b"asks", b"hello"])
        assert theirs.receive() == [b"answers", b"hello"]
    for message in MESSAGES:
        theirs.send(their_envelope + message)
        received = ours.receive()
        assert received == our_envelope + message
        ours.send(received)
        assert theirs.receive() == their_envelope + message


@pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
@pytest.mark.parametrize("message", [[b"", b"", b""], [b"head", b"", b""]], ids=["all", "last"])
@pytest.mark.parametrize("asking", ["REQ", "PAIR"])
def test_empty_frames_are_frames_of_the_message(linked, asking, message):
    ours, theirs = linked(asking, {"REQ": "REP", "PAIR": "PAIR"}[asking])
    ours.send(message)
    assert theirs.receive() == message
    theirs.send(message)
    assert ours.receive() == message


def test_they_receive_what_we_push(linked):
    ours, theirs = linked("PUSH", "PULL")
    for message in MESSAGES:
        ours.send(message)
    assert theirs.receive_some(len(MESSAGES)) == MESSAGES


def test_we_receive_what_they_push(linked):
    ours, theirs = linked("PULL", "PUSH")
    theirs.send(*MESSAGES)
    for message in MESSAGES:
        assert ours.receive() == message


@pytest.mark.parametrize("pair", PUBLISHING, ids="-".join)
def test_they_receive_what_we_publish(linked, pair):
    ours, theirs = linked(*pair)
    theirs.subscribe(b"")
    ours.wait_subscribed(b"", timeout=5.0)
    for message in MESSAGES:
        ours.send(message)
    assert theirs.receive_some(len(MESSAGES)) == MESSAGES


@pytest.mark.parametrize("pair", PUBLISHING, ids="-".join)
def test_we_receive_what_they_publish(linked, publish_until_heard, pair):
    publishing, subscribing = pair
    ours, theirs = linked(subscribing, publishing)
    ours.subscribe(b"")
    publish_until_heard(theirs, ours)
    theirs.send(*MESSAGES)
    for message in MESSAGES:
        assert ours.receive() == message
