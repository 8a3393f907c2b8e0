"""The send side of REP, ROUTER and REQ: a queue for each peer, because it matters who gets what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from omq_gevent.flow.outlet import Outlet
from omq_gevent.flow.patience import Patience
from omq_gevent.flow.wait_queue import WaitQueue
from omq_gevent.routing.pattern import Cancel, Pattern, when_ready

PEER_LEFT = "the peer left before it had them"
QUEUE_FULL = "the peer's queue is full and the peer does not read"


class PeerQueues(Pattern):
    """Each peer's queue holds ``send_hwm`` messages and ends with the connection."""

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._outlets: dict[Any, Outlet] = {}
        self._patience = Patience()
        self._turns = WaitQueue(self.writable)

    def connection_added(self, connection: Any) -> None:
        super().connection_added(connection)
        outlet = connection.outlet = self._new_outlet(connection)
        outlet.room_made = self._room_made
        outlet.emptied = self.emptied.notify
        self._outlets[connection] = outlet
        self._room_made()

    def _new_outlet(self, connection: Any) -> Outlet:
        return Outlet(connection, self._options.send_hwm)

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)
        outlet = self._outlets.pop(connection, None)
        if outlet is not None:
            self._not_sent(connection, outlet.close())
            self.emptied.notify()
            self._room_made()
        self.drops.connection_gone(connection)

    def _not_sent(self, connection: Any, messages: Sequence[Any]) -> None:
        """Decide what becomes of *messages* that *connection* can no longer bring to its peer."""
        if messages:
            self.drops.add(connection, PEER_LEFT, len(messages))

    def _push(self, outlet: Outlet, message: list[bytes]) -> None:
        if outlet.full:
            self.drops.add(outlet.connection, QUEUE_FULL)
            if self._options.on_mute != "drop_oldest":
                return
            outlet.queue.popleft()
        outlet.push(message)

    def _room_made(self) -> None:
        """Some queue has room, or is no more."""
        self._patience.look_again()
        self._turns.notify()

    def call_when_writable(self, function: Callable[[], None]) -> Cancel:
        return when_ready(self._turns, function)

    def option_changed(self, name: str) -> None:
        super().option_changed(name)
        if name == "send_hwm":
            for outlet in self._outlets.values():
                outlet.hwm = self._options.send_hwm or float("inf")
            self._room_made()

    def send_queued(self) -> int:
        return sum(outlet.waiting for outlet in self._outlets.values())

    def drained(self) -> bool:
        return all(outlet.drained for outlet in self._outlets.values())

    def fail(self, failure: Callable[[], BaseException]) -> None:
        super().fail(failure)
        self._patience.fail(failure)
        self._turns.notify()
