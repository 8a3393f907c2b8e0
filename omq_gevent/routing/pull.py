"""PULL: messages of all connected PUSH sockets (RFC 30)."""

from __future__ import annotations

from zope.interface import implementer, provider

from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.pattern import Receiving


@provider(IRoutingFactory)
@implementer(IRouting)
class Pull(Receiving):
    """Receives only."""

    name = "PULL"
