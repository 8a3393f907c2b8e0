"""PAIR: exactly one peer (RFC 31)."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer, provider

from omq_gevent.errors import PeerRefused
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.load_balanced import LoadBalanced
from omq_gevent.routing.pattern import Receiving


@provider(IRoutingFactory)
@implementer(IRouting)
class Pair(Receiving, LoadBalanced):
    """Its queue outlives the peer: the next one gets what the last has not received."""

    name = "PAIR"

    def connection_added(self, connection: Any) -> None:
        if self._outlets:
            raise PeerRefused("a PAIR socket has one peer, and this one has its peer already")
        super().connection_added(connection)
