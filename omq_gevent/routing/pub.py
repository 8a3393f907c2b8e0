"""PUB: messages to all subscribers of their topic (RFC 29)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from zope.interface import implementer, provider

from omq_gevent.errors import CommandError, PeerRefused
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.fan_out import FanOut
from omq_gevent.zmtp import subscription_message
from omq_gevent.zmtp.printable import printable
from omq_gevent.zmtp.subscriptions import SubscriptionIndex

MAX_PREFIX = 64 * 1024
"""Bytes; nobody needs a longer topic, but a hostile peer would like to store some here."""

MAX_PREFIXES = 250_000
MAX_PREFIX_BYTES = 16 * 1024 * 1024
"""So many subscriptions of one peer are kept, and so many bytes of them; a peer that wants more is
disconnected. Prefixes of very many lengths would make every long topic expensive to match."""


@provider(IRoutingFactory)
@implementer(IRouting)
class Pub(FanOut):
    """Sends only. Subscriptions are taken as commands and as messages, whatever version the peer
    announced, and apply at once; everything else that peers send is dropped."""

    name = "PUB"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._index: SubscriptionIndex[Outlet] = SubscriptionIndex()
        self._set_reach()

    # -- who gets a message ----------------------------------------------------------------

    def _set_reach(self) -> None:
        self._reach = self._reach_others if self._options.invert_matching else self._index.match

    def _reach_others(self, topic: bytes) -> Sequence[Outlet]:
        matching = set(self._index.match(topic))
        return [outlet for outlet in self._outlets.values() if outlet not in matching]

    def _blocks(self) -> bool:
        return bool(self._options.xpub_nodrop or self._options.on_mute == "block")

    def subscribed_peers(self, topic: bytes | None) -> int:
        """How many peers a message of *topic* would reach; None: how many want any topic."""
        if topic is not None:
            return len(self._reach(topic))
        return sum(1 for outlet in self._outlets.values() if self._index.count_of(outlet))

    # -- peers -----------------------------------------------------------------------------

    def connection_added(self, connection: Any) -> None:
        super().connection_added(connection)
        connection.deliver = partial(self._messages_received, connection)
        connection.on_command = partial(self._command_received, connection)

    def connection_removed(self, connection: Any) -> None:
        outlet = self._outlets.get(connection)
        if outlet is not None:
            self._peer_gone(outlet)
        super().connection_removed(connection)

    def _peer_gone(self, outlet: Outlet) -> None:
        self._index.remove_peer(outlet)

    def option_changed(self, name: str) -> None:
        super().option_changed(name)
        if name == "invert_matching":
            self._set_reach()

    # -- subscriptions ---------------------------------------------------------------------

    def _command_received(self, connection: Any, name: bytes, data: bytes) -> None:
        if name == b"SUBSCRIBE":
            self._request_received(connection, True, data)
        elif name == b"CANCEL":
            self._request_received(connection, False, data)

    def _messages_received(self, connection: Any, messages: list[Any]) -> None:
        only_first = self._options.only_first_subscribe
        for message in messages:
            requests, rest = subscription_message.split(message, only_first)
            for wanted, prefix in requests:
                self._request_received(connection, wanted, prefix)
            if rest:
                self._data_received(connection, rest)

    def _data_received(self, connection: Any, message: list[bytes]) -> None:
        """PUB has no use for what is no subscription."""

    def _request_received(self, connection: Any, wanted: bool, prefix: bytes) -> None:
        outlet = self._outlets.get(connection)
        if outlet is None:
            return  # a last word of a peer that is gone already
        if not wanted:
            self._cancel_requested(outlet, prefix)
            return
        if not connection.direct:
            self._check_limits(outlet, prefix)
        self._subscription_requested(outlet, prefix)

    def _subscription_requested(self, outlet: Outlet, prefix: bytes) -> None:
        self._add(outlet, prefix)

    def _cancel_requested(self, outlet: Outlet, prefix: bytes) -> None:
        self._remove(outlet, prefix)

    def _add(self, outlet: Outlet, prefix: bytes) -> bool:
        """Subscribe a peer; true if nobody had that prefix before."""
        new, first = self._index.add(prefix, outlet)
        if new:
            self._emit("subscribed", connection=outlet.connection, detail=printable(prefix))
        return first

    def _remove(self, outlet: Outlet, prefix: bytes) -> tuple[bool, bool]:
        """End a peer's subscription; (it had it, nobody has it any more)."""
        had, gone = self._index.remove(prefix, outlet)
        if had:
            self._emit("unsubscribed", connection=outlet.connection, detail=printable(prefix))
        return had, gone

    def _requests(self) -> SubscriptionIndex[Outlet]:
        """What the peers have asked for."""
        return self._index

    def _check_limits(self, outlet: Outlet, prefix: bytes) -> None:
        if len(prefix) > MAX_PREFIX:
            raise CommandError(
                f"subscription to a topic of {len(prefix)} bytes: at most {MAX_PREFIX} are taken"
            )
        requests = self._requests()
        if requests.count_of(outlet) >= MAX_PREFIXES:
            raise PeerRefused(f"the peer wants more than {MAX_PREFIXES} subscriptions")
        if requests.size_of(outlet) + len(prefix) > MAX_PREFIX_BYTES:
            raise PeerRefused(f"the peer's topics have more than {MAX_PREFIX_BYTES} bytes")
