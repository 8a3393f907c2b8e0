"""PUSH: messages are shared out among the connected PULL sockets (RFC 30)."""

from __future__ import annotations

from zope.interface import implementer, provider

from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.load_balanced import LoadBalanced


@provider(IRoutingFactory)
@implementer(IRouting)
class Push(LoadBalanced):
    """Sends only. What a peer sends is read and dropped: reading is how its end is noticed."""

    name = "PUSH"
