"""An option that is set while the socket is in use counts from then on: it is never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import omq_gevent as omq
from omq_gevent.mechanisms.null import Null

TCP = "tcp://127.0.0.1:*"


class OtherMechanism(Null):
    name = "OTHER"


@pytest.fixture
def pull() -> Iterator[Any]:
    with omq.PULL.bind(TCP) as pull:
        yield pull


def test_a_mechanism_set_after_bind_keeps_out_who_does_not_know_it(pull: Any) -> None:
    pull.mechanism = OtherMechanism()
    with omq.PUSH.connect(pull.last_endpoint, linger=0) as stranger:
        events = stranger.monitor()
        while (event := events.get(timeout=5)).kind != "handshake_failed":
            pass
        assert isinstance(event.error, omq.MechanismMismatch)
        with omq.PUSH.connect(pull.last_endpoint, mechanism=OtherMechanism()) as friend:
            friend.send(b"let me in")
            assert pull.receive(timeout=5) == [b"let me in"]
        assert not stranger.peers


def test_a_mechanism_set_after_bind_leaves_who_is_connected_already(pull: Any) -> None:
    with omq.PUSH.connect(pull.last_endpoint) as push:
        pull.wait_connected(timeout=5)
        pull.mechanism = OtherMechanism()
        push.send(b"still here")
        assert pull.receive(timeout=5) == [b"still here"]


def test_a_mechanism_taken_away_is_gone(pull: Any) -> None:
    pull.mechanism = OtherMechanism()
    pull.mechanism = None
    with omq.PUSH.connect(pull.last_endpoint) as push:
        push.send(b"in clear")
        assert pull.receive(timeout=5) == [b"in clear"]


def test_an_identity_set_after_connect_is_told_to_later_peers() -> None:
    with omq.ROUTER.bind(TCP) as router, omq.ROUTER.bind(TCP) as later, omq.DEALER() as dealer:
        dealer.connect(router.last_endpoint)
        router.wait_connected(timeout=5)
        dealer.identity = b"named"
        dealer.connect(later.last_endpoint)
        later.wait_connected(timeout=5)
        assert [peer.identity for peer in router.peers] == [b""]
        assert [peer.identity for peer in later.peers] == [b"named"]


def test_metadata_set_after_bind_is_told_to_later_peers(pull: Any) -> None:
    pull.metadata = {"X-Version": b"2"}
    with omq.PUSH.connect(pull.last_endpoint) as push:
        push.wait_connected(timeout=5)
        assert push.peers[0].facts.properties["X-Version"] == b"2"


def test_a_message_size_set_after_bind_limits_later_peers(pull: Any) -> None:
    pull.max_message_size = 100
    events = pull.monitor()
    with omq.PUSH.connect(pull.last_endpoint, linger=0, reconnect_interval=None) as push:
        push.send([b"x" * 60] * 2)  # all frames of a message count together
        while (event := events.get(timeout=5)).kind != "disconnected":
            pass
        assert isinstance(event.error, omq.MessageTooLarge)
