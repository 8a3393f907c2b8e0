"""The socket types: name, allowed verbs, and what only this type can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from omq_gevent.message import Frame, to_prefix
from omq_gevent.socket import Socket

Prefixes = Union[Frame, Sequence[Frame]]


class PUSH(Socket):
    """Shares messages out among PULL peers."""

    socket_type = "PUSH"
    can_receive = False


class PULL(Socket):
    """Collects the messages of PUSH peers."""

    socket_type = "PULL"
    can_send = False


class DEALER(Socket):
    """Shares messages out among its peers and collects theirs; talks to REP, DEALER, ROUTER."""

    socket_type = "DEALER"


class PAIR(Socket):
    """Talks to exactly one other PAIR."""

    socket_type = "PAIR"


class REQ(Socket):
    """Asks its REP or ROUTER peers in turn; one request, then its reply."""

    socket_type = "REQ"


class REP(Socket):
    """Answers what REQ and DEALER peers ask; each reply goes back to whoever asked."""

    socket_type = "REP"


class ROUTER(Socket):
    """Talks to each of its peers by name: the first frame of every message is an identity."""

    socket_type = "ROUTER"


class _Publishing(Socket):
    def wait_subscribed(
        self, topic: bytes | None = None, n: int = 1, timeout: float | None = None
    ) -> None:
        """Wait until a message of *topic* would reach at least *n* peers; without a topic, until
        *n* peers have subscribed to anything.

        :raises WaitTimeout: when *timeout* seconds were over first.
        """
        engine = self._own_engine
        what = "subscribed peers" if topic is None else f"peers subscribed to {topic!r}"
        self._wait(lambda: engine.routing.subscribed_peers(topic) >= n, timeout, f"{n} {what}")


class _Subscribing(Socket):
    def __init__(self, *, subscribe: Prefixes = (), **options: Any) -> None:
        several = isinstance(subscribe, (list, tuple, set, frozenset))
        given: Any = subscribe if several else [subscribe]
        prefixes = [to_prefix(prefix) for prefix in given]
        super().__init__(**options)
        for prefix in prefixes:
            self.subscribe(prefix)

    def subscribe(self, prefix: Frame = b"") -> None:
        """Receive messages whose first frame begins with *prefix*, of all publishers that are
        connected now or later. Counted: as many ``unsubscribe`` calls undo it.

        :raises MessageError: for anything that is not bytes-like.
        """
        engine = self._own_engine
        engine.open()
        engine.routing.subscribe(to_prefix(prefix))

    def unsubscribe(self, prefix: Frame = b"") -> None:
        """Undo one ``subscribe``. For a *prefix* that is not subscribed to, nothing happens."""
        engine = self._own_engine
        engine.open()
        engine.routing.unsubscribe(to_prefix(prefix))


class PUB(_Publishing):
    """Sends to all SUB peers that have subscribed to the beginning of the first frame."""

    socket_type = "PUB"
    can_receive = False


class SUB(_Subscribing):
    """Receives what PUB peers send, if it was subscribed to; *subscribe* takes one prefix or a
    sequence of them to begin with."""

    socket_type = "SUB"
    can_send = False


class XPUB(_Publishing):
    """A PUB that receives subscriptions: ``b"\\x01"`` or, when they end, ``b"\\x00"`` and the
    prefix."""

    socket_type = "XPUB"

    def subscribe(self, prefix: Frame = b"") -> None:
        """Subscribe the peer of the notification received last; needs ``xpub_manual``.

        :raises StateError: when there is none, or without that option.
        """
        engine = self._own_engine
        engine.open()
        engine.routing.subscribe(to_prefix(prefix))

    def unsubscribe(self, prefix: Frame = b"") -> None:
        """Undo ``subscribe``, for the peer of the notification received last."""
        engine = self._own_engine
        engine.open()
        engine.routing.unsubscribe(to_prefix(prefix))


class XSUB(_Subscribing):
    """A SUB that subscribes by sending ``b"\\x01prefix"`` and ``b"\\x00prefix"``; everything else
    that it sends goes to all XPUB peers. *subscribe* as for `SUB`."""

    socket_type = "XSUB"
