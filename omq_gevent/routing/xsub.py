"""XSUB: a SUB whose user sends the subscriptions, and messages upstream as well (RFC 29)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from zope.interface import implementer, provider

from omq_gevent.flow.deadline import Timeout
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.fan_out import FanOut
from omq_gevent.routing.subscriber import Subscriber
from omq_gevent.zmtp import subscription_message


@provider(IRoutingFactory)
@implementer(IRouting)
class XSub(Subscriber, FanOut):
    """Takes ``b"\\x01topic"`` and ``b"\\x00topic"`` for subscriptions, which outlive connections.

    All other messages go to every publisher. What is received is not filtered again: behind an
    XSUB there are other subscribers, with subscriptions of their own.
    """

    name = "XSUB"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._everyone: tuple[Outlet, ...] = ()
        self._reach = self._reach_everyone

    def _reach_everyone(self, _topic: bytes) -> Sequence[Outlet]:
        return self._everyone

    def send(self, message: list[bytes], timeout: Timeout) -> None:
        if message[0][:1] not in (b"\x00", b"\x01"):
            super().send(message, timeout)
            return
        requests, rest = subscription_message.split(message, self._options.only_first_subscribe)
        if rest:
            super().send(rest, timeout)
        for wanted, prefix in requests:
            if wanted:
                self.subscribe(prefix)
            else:
                self.unsubscribe(prefix)

    def connection_added(self, connection: Any) -> None:
        super().connection_added(connection)
        self._everyone = tuple(self._outlets.values())

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)
        self._everyone = tuple(self._outlets.values())
