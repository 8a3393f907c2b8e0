"""Subscriptions that come and go, ours at their publishers and theirs at ours.

Theirs come in both forms: the SUBSCRIBE commands of ZMTP 3.1, and the messages of ZMTP 3.0 that
many XSUB sockets go on sending to any peer.
"""

from __future__ import annotations

import pytest

import omq_gevent as omq

pytestmark = pytest.mark.interop

publishing = pytest.mark.parametrize("publishing", ["PUB", "XPUB"])
subscribing = pytest.mark.parametrize("subscribing", ["SUB", "XSUB"])
libzmq_only = pytest.mark.parametrize("peer", ["libzmq"], indirect=True)
TOPICS = [b"a", b"\x00\x01\xff", b"t" * 245, b"t" * 246, b"t" * 254, b"t" * 255, b"t" * 300]


def check_that_subscriptions_come_and_go(publisher, subscriber, publish_until_heard):
    subscriber.subscribe(b"sport")
    subscriber.subscribe(b"weather.")
    publish_until_heard(publisher, subscriber, b"weather.")
    for topic in (b"sport", b"sports", b"spor", b"weather", b"weather.oslo", b""):
        publisher.send([topic, b"news"])
    for topic in (b"sport", b"sports", b"weather.oslo"):
        assert subscriber.receive() == [topic, b"news"]

    # What came after the cancellation on the same link is in force, so the cancellation is too.
    subscriber.unsubscribe(b"sport")
    subscriber.subscribe(b"later")
    publish_until_heard(publisher, subscriber, b"later")
    for topic in (b"sport", b"sports", b"weather.oslo"):
        publisher.send([topic, b"news"])
    assert subscriber.receive() == [b"weather.oslo", b"news"]


@publishing
@subscribing
def test_ours_at_their_publisher(linked, publish_until_heard, publishing, subscribing):
    ours, theirs = linked(subscribing, publishing)
    check_that_subscriptions_come_and_go(theirs, ours, publish_until_heard)


@publishing
@subscribing
def test_theirs_at_our_publisher(linked, publish_until_heard, publishing, subscribing):
    ours, theirs = linked(publishing, subscribing)
    check_that_subscriptions_come_and_go(ours, theirs, publish_until_heard)


def check_that_two_subscriptions_take_two_cancellations(publisher, subscriber, publish_until_heard):
    for prefix in (b"twice", b"twice", b"begun"):
        subscriber.subscribe(prefix)
    publish_until_heard(publisher, subscriber, b"begun")
    subscriber.unsubscribe(b"twice")
    subscriber.subscribe(b"once")
    publish_until_heard(publisher, subscriber, b"once")
    publisher.send([b"twice", b"still"])
    assert subscriber.receive() == [b"twice", b"still"]
    subscriber.unsubscribe(b"twice")
    subscriber.subscribe(b"never")
    publish_until_heard(publisher, subscriber, b"never")
    publisher.send([b"twice", b"no more"])
    publisher.send([b"begun", b"goes on"])
    assert subscriber.receive() == [b"begun", b"goes on"]


def test_two_subscriptions_of_ours_take_two_cancellations(linked, publish_until_heard):
    ours, theirs = linked("SUB", "PUB")
    check_that_two_subscriptions_take_two_cancellations(theirs, ours, publish_until_heard)


@libzmq_only
def test_two_subscriptions_of_theirs_take_two_cancellations(linked, publish_until_heard):
    ours, theirs = linked("PUB", "SUB")
    check_that_two_subscriptions_take_two_cancellations(ours, theirs, publish_until_heard)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: f"{len(topic)}-bytes")
@subscribing
def test_our_xpub_is_told(linked, subscribing, topic):
    ours, theirs = linked("XPUB", subscribing)
    theirs.subscribe(topic)
    assert ours.receive() == [b"\x01" + topic]
    theirs.unsubscribe(topic)
    assert ours.receive() == [b"\x00" + topic]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: f"{len(topic)}-bytes")
@subscribing
def test_their_xpub_is_told(linked, subscribing, topic):
    ours, theirs = linked(subscribing, "XPUB")
    ours.subscribe(topic)
    assert theirs.receive() == [b"\x01" + topic]
    ours.unsubscribe(topic)
    assert theirs.receive() == [b"\x00" + topic]


def test_our_xpub_is_told_when_their_subscriber_is_gone(peer, our_socket):
    ours = our_socket("XPUB")
    theirs = peer.open("SUB")
    theirs.connect(ours.bind("tcp://127.0.0.1:*"))
    theirs.subscribe(b"a")
    assert ours.receive() == [b"\x01a"]
    theirs.close()
    assert ours.receive() == [b"\x00a"]


@libzmq_only
@pytest.mark.parametrize("role", ["they-bind"], indirect=True)
def test_their_xpub_is_told_when_our_subscriber_is_gone(linked):
    ours, theirs = linked("SUB", "XPUB")
    ours.subscribe(b"a")
    assert theirs.receive() == [b"\x01a"]
    ours.close()
    assert theirs.receive() == [b"\x00a"]


def test_what_our_xsub_sends_reaches_their_xpub(linked):
    ours, theirs = linked("XSUB", "XPUB")
    ours.send([b"upstream", b"", b"\x01"])
    assert theirs.receive()[:2] == [b"upstream", b""]


@libzmq_only
def test_what_their_xsub_sends_reaches_our_xpub(linked):
    ours, theirs = linked("XPUB", "XSUB")
    theirs.send([b"upstream", b"", b"text"])
    assert ours.receive() == [b"upstream", b"", b"text"]


@libzmq_only
def test_their_sub_is_welcomed(linked):
    ours, theirs = linked("XPUB", "SUB", {"xpub_welcome_message": b"welcome"})
    theirs.subscribe(b"welcome")
    assert theirs.receive() == [b"welcome"]


@pytest.mark.parametrize("role", ["we-bind"], indirect=True)
def test_each_sub_of_theirs_gets_its_own(linked, peer):
    ours, first = linked("PUB", "SUB")
    second = peer.open("SUB")
    second.connect(ours.last_endpoint)
    first.subscribe(b"first")
    second.subscribe(b"second")
    ours.wait_subscribed(b"first", timeout=5.0)
    ours.wait_subscribed(b"second", timeout=5.0)
    for topic in (b"first", b"second", b"third"):
        ours.send(topic)
    assert first.receive_some(2, timeout=0.05) == [[b"first"]]
    assert second.receive_some(2, timeout=0.05) == [[b"second"]]
    second.close()


def test_subscribing_to_nothing_brings_nothing(linked):
    ours, theirs = linked("SUB", "XPUB")
    theirs.send([b"unasked for"])
    with pytest.raises(omq.ReceiveTimeout):
        ours.receive(timeout=0.05)
