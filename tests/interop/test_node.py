"""zeromq 6 for Node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("node_peer.js")
MODULES = Path(__file__).parents[2] / "build/interop/node_modules"
MESSAGES = [[b"hello"], [b"", b"\x00\xff", b"x" * 300], [b"y" * 100_000]]


@pytest.fixture(scope="module")
def peer(start_process):
    if not shutil.which("node"):
        pytest.skip("zeromq for Node: there is no node")
    if not (MODULES / "zeromq").exists():
        pytest.skip("zeromq for Node is not installed; `make test-interop` does that")
    return start_process(
        "zeromq for Node", ["node", SCRIPT], {**os.environ, "NODE_PATH": str(MODULES)}
    )


def test_our_dealer_and_their_router(linked):
    ours, theirs = linked("DEALER", "Router", {"identity": b"ours"})
    for message in MESSAGES:
        ours.send(message)
        assert theirs.receive() == [b"ours", *message]
        theirs.send([b"ours", *message])
        assert ours.receive() == message


def test_our_router_and_their_dealer(linked):
    ours, theirs = linked("ROUTER", "Dealer", {}, {"routingId": "theirs"})
    for message in MESSAGES:
        theirs.send(message)
        assert ours.receive() == [b"theirs", *message]
        ours.send([b"theirs", *message])
        assert theirs.receive() == message


def test_our_push_and_their_pull(linked):
    ours, theirs = linked("PUSH", "Pull")
    for message in MESSAGES:
        ours.send(message)
    assert theirs.receive_some(len(MESSAGES)) == MESSAGES


def test_our_pull_and_their_push(linked):
    ours, theirs = linked("PULL", "Push")
    theirs.send(*MESSAGES)
    assert [ours.receive() for _ in MESSAGES] == MESSAGES


def test_our_pub_and_their_sub(linked, publish_until_heard):
    ours, theirs = linked("PUB", "Subscriber")
    theirs.call("subscribe", prefix="topic")
    publish_until_heard(ours, theirs, b"topic")
    ours.send([b"other", b"news"])
    ours.send([b"topic", b"news"])
    assert theirs.receive() == [b"topic", b"news"]


def test_our_sub_and_their_pub(linked, publish_until_heard):
    ours, theirs = linked("SUB", "Publisher", {"subscribe": b"topic"})
    publish_until_heard(theirs, ours, b"topic")
    theirs.send([b"other", b"news"], [b"topic", b"news"])
    assert ours.receive() == [b"topic", b"news"]
