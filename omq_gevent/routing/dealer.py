"""DEALER: load-balanced out, fair in, no envelope (RFC 28)."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer, provider

from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.load_balanced import LoadBalanced
from omq_gevent.routing.pattern import Receiving


@provider(IRoutingFactory)
@implementer(IRouting)
class Dealer(Receiving, LoadBalanced):
    """Both directions, any number of peers."""

    name = "DEALER"

    def connection_added(self, connection: Any) -> None:
        if self._options.probe_router:
            connection.send_ahead([b""])
        super().connection_added(connection)
