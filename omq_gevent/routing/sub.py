"""SUB: the messages of all connected publishers whose topic was subscribed to (RFC 29)."""

from __future__ import annotations

from typing import Any, Callable

from zope.interface import implementer, provider

from omq_gevent.interfaces import IRouting, IRoutingFactory
from omq_gevent.routing.subscriber import Subscriber

FEW_PREFIXES = 16
"""Up to so many, trying them one after the other in C beats hashing the topic's beginnings."""


@provider(IRoutingFactory)
@implementer(IRouting)
class Sub(Subscriber):
    """Receives only, and filters what it receives once more.

    The publisher filters first, but what it sent before it had heard of a cancellation, and what
    a careless one sends anyway, must not reach the user.
    """

    name = "SUB"

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._prefixes: tuple[bytes, ...] | None = ()

    def subscribe(self, prefix: bytes) -> None:
        super().subscribe(prefix)
        self._prefixes = None

    def unsubscribe(self, prefix: bytes) -> None:
        super().unsubscribe(prefix)
        self._prefixes = None
        self.received.retain(self._wanted)

    def _deliverer(self, connection: Any) -> Callable[[list[Any]], None]:
        put = super()._deliverer(connection)

        def put_wanted(messages: list[Any]) -> None:
            messages = self._wanted(messages)
            if messages:
                put(messages)

        return put_wanted

    def _wanted(self, messages: list[Any]) -> list[Any]:
        prefixes = self._prefixes
        if prefixes is None:
            prefixes = self._prefixes = self._shortest_list()
        inverted = self._options.invert_matching
        if not inverted and prefixes == (b"",):
            return messages
        if len(prefixes) <= FEW_PREFIXES:
            return [m for m in messages if m[0].startswith(prefixes) is not inverted]
        matches = self._subscriptions.matches
        return [m for m in messages if matches(m[0]) is not inverted]

    def _shortest_list(self) -> tuple[bytes, ...]:
        prefixes = tuple(self._subscriptions)
        return (b"",) if b"" in prefixes else prefixes
