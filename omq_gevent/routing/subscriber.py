"""What SUB and XSUB have in common: subscriptions that every publisher is told, now and later."""

from __future__ import annotations

from typing import Any, Callable

from omq_gevent.routing.pattern import Receiving
from omq_gevent.zmtp import command, subscription_message
from omq_gevent.zmtp.subscriptions import SubscriptionCounts


class Subscriber(Receiving):
    """Counts its subscriptions and replays them, one for each prefix, to every new publisher.

    A full receive queue stops the reading, so that it is the publisher who drops. ``on_mute`` set
    to ``drop_newest`` or ``drop_oldest`` makes this end read on and drop instead.
    """

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._subscriptions = SubscriptionCounts()
        self._publishers: dict[Any, None] = {}

    def subscribe(self, prefix: bytes) -> None:
        """Want the topics that begin with *prefix*. Every call is told to the publishers, as
        libzmq does: an XPUB there may count."""
        self._raise_failure()
        self._subscriptions.add(prefix)
        for connection in list(self._publishers):
            _tell(connection, True, prefix)

    def unsubscribe(self, prefix: bytes) -> None:
        """Undo one ``subscribe``; only the last one of a prefix is told. Publishers keep sets, so
        that one CANCEL ends them all."""
        self._raise_failure()
        if self._subscriptions.remove(prefix):
            for connection in list(self._publishers):
                _tell(connection, False, prefix)

    def connection_added(self, connection: Any) -> None:
        super().connection_added(connection)
        if self._reads_on():
            connection.intake = None  # so nothing stops the reading
        self._publishers[connection] = None
        for prefix in self._subscriptions:
            _tell(connection, True, prefix)

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)
        self._publishers.pop(connection, None)
        self.drops.connection_gone(connection)

    def _deliverer(self, connection: Any) -> Callable[[list[Any]], None]:
        if not self._reads_on():
            return self.received.extend
        return lambda messages: self._put_or_drop(connection, messages)

    def _reads_on(self) -> bool:
        return self._options.on_mute in ("drop_newest", "drop_oldest")

    def _put_or_drop(self, connection: Any, messages: list[Any]) -> None:
        if self._failure is not None:
            return
        queue = self.received
        surplus = len(queue.items) + len(messages) - queue.hwm
        if surplus > 0:
            surplus = min(surplus, len(messages))
            if self._options.on_mute == "drop_oldest":
                messages = [*queue.items, *messages][surplus:]
                queue.items.clear()
            else:
                messages = messages[: len(messages) - surplus]
            self.drops.add(connection, "the receive queue is full", surplus)
        queue.extend(messages)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure()


def _tell(connection: Any, wanted: bool, prefix: bytes) -> None:
    peer = connection.peer
    if connection.direct or (peer.major, peer.minor) >= (3, 1):
        body = command.subscribe(prefix) if wanted else command.cancel(prefix)
        connection.send_command(body)
    else:
        # ZMTP 3.0 has no such commands.
        form = subscription_message.subscribe if wanted else subscription_message.cancel
        connection.send_ahead([form(prefix)])
