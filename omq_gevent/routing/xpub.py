"""XPUB: a PUB whose user sees the subscriptions, and what XSUB peers send upstream (RFC 29)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from zope.interface import implementer, provider

from omq_gevent.errors import StateError
from omq_gevent.flow.deadline import Timeout
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.pattern import Receiving
from omq_gevent.routing.pub import Pub
from omq_gevent.zmtp import subscription_message
from omq_gevent.zmtp.subscriptions import SubscriptionIndex

MAX_NOTIFICATIONS = 1_000_000
"""So many are kept for a user who does not read them; then they are dropped, and counted."""


@provider(IRoutingFactory)
@implementer(IRouting)
class XPub(Receiving, Pub):
    """Receives a notification ``[b"\\x01topic"]`` or ``[b"\\x00topic"]`` where the set of topics
    that anybody wants has changed; with ``xpub_verbose`` and ``xpub_verboser`` more often.

    With ``xpub_manual`` a request is a notification and nothing else: the user answers it with
    ``subscribe`` and ``unsubscribe``, which concern the peer that the latest notification came
    from. What is received is queued with that peer's outlet for this reason.

    Reading never stops, however full the receive queue is: subscriptions apply at once, whether
    or not anybody looks at the notifications.
    """

    name = "XPUB"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._asked: SubscriptionIndex[Outlet] = SubscriptionIndex()  # in manual mode
        self._latest: Outlet | None = None  # whose notification was received last
        self._first_served: Outlet | None = None  # who alone is to get the next message
        self.receive = self._receive  # type: ignore[method-assign]

    def _receive(self, timeout: Timeout) -> list[bytes]:
        message: list[bytes]
        message, outlet = self.received.get(timeout)
        if outlet is not None:
            self._latest = outlet
            wanted = self._options.xpub_manual_last_value and message[0][:1] == b"\x01"
            self._first_served = outlet if wanted else None
        return message

    def give_back(self, message: list[bytes]) -> None:
        self.received.give_back((message, None))

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        super().send(message, timeout)
        self._first_served = None

    def _set_reach(self) -> None:
        super()._set_reach()
        if not self._options.xpub_manual_last_value:
            return
        reach_all = self._reach

        def reach(topic: bytes) -> Sequence[Outlet]:
            outlets = reach_all(topic)
            alone = self._first_served
            return outlets if alone is None or alone not in outlets else (alone,)

        self._reach = reach

    def option_changed(self, name: str) -> None:
        super().option_changed(name)
        if name == "xpub_manual_last_value":
            self._set_reach()

    # -- peers -----------------------------------------------------------------------------

    def connection_added(self, connection: Any) -> None:
        welcome = self._options.xpub_welcome_message
        if welcome is not None:
            connection.send_ahead([welcome])
        super().connection_added(connection)
        connection.intake = None

    def _deliverer(self, connection: Any) -> Callable[[list[Any]], None]:
        return partial(self._messages_received, connection)

    def _peer_gone(self, outlet: Outlet) -> None:
        requested = self._asked.prefixes_of(outlet)
        held = self._index.prefixes_of(outlet)
        self._asked.remove_peer(outlet)
        unused = self._index.remove_peer(outlet)
        if self._manual():
            unused = list(requested)
        elif self._options.xpub_verboser:
            unused = list(held)
        for prefix in unused:
            self._notify(subscription_message.cancel(prefix), outlet)

    # -- subscriptions ---------------------------------------------------------------------

    def _manual(self) -> bool:
        return bool(self._options.xpub_manual or self._options.xpub_manual_last_value)

    def _requests(self) -> SubscriptionIndex[Outlet]:
        return self._asked if self._manual() else self._index

    def _subscription_requested(self, outlet: Outlet, prefix: bytes) -> None:
        options = self._options
        if self._manual():
            self._asked.add(prefix, outlet)
            tell = True
        else:
            tell = self._add(outlet, prefix) or options.xpub_verbose or options.xpub_verboser
        if tell:
            self._notify(subscription_message.subscribe(prefix), outlet)

    def _cancel_requested(self, outlet: Outlet, prefix: bytes) -> None:
        # A topic that the peer had not subscribed to is of no interest: a flood of such
        # cancellations must not reach the user.
        if self._manual():
            tell, _ = self._asked.remove(prefix, outlet)
        else:
            had, gone = self._remove(outlet, prefix)
            tell = gone or (had and self._options.xpub_verboser)
        if tell:
            self._notify(subscription_message.cancel(prefix), outlet)

    def _notify(self, frame: bytes, outlet: Outlet) -> None:
        if len(self.received.items) >= MAX_NOTIFICATIONS:
            self.drops.add(outlet.connection, "nobody receives the notifications")
        else:
            self.received.put(([frame], outlet))

    def _data_received(self, connection: Any, message: list[bytes]) -> None:
        if self.received.full:
            self.drops.add(connection, "the receive queue is full")
        else:
            self.received.put((message, None))

    def subscribe(self, prefix: bytes) -> None:
        """Subscribe the peer of the latest notification; nothing happens if it has left.

        :raises StateError: without ``xpub_manual``, or before any notification was received.
        """
        outlet = self._latest_peer()
        if not outlet.closed:
            self._add(outlet, prefix)

    def unsubscribe(self, prefix: bytes) -> None:
        """Undo ``subscribe``, likewise."""
        outlet = self._latest_peer()
        if not outlet.closed:
            self._remove(outlet, prefix)

    def _latest_peer(self) -> Outlet:
        if self._failure is not None:
            raise self._failure()
        if not self._manual():
            raise StateError("subscriptions of an XPUB are its peers' business; set xpub_manual")
        if self._latest is None:
            raise StateError("receive a notification first: the subscription is for its peer")
        return self._latest
