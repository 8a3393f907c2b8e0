"""The send side of PUSH, DEALER and PAIR: one queue, dealt to whoever is ready."""

from __future__ import annotations

from typing import Any, Callable

from omq_gevent.flow.distributor import Distributor
from omq_gevent.flow.outlet import Outlet
from omq_gevent.routing.pattern import Cancel, Pattern, when_ready

QUEUE_FULL = "the send queue is full"


class LoadBalanced(Pattern):
    """Messages wait in one queue of ``send_hwm``; what a lost peer did not take returns to it."""

    def __init__(self, options: Any, emit: Callable[..., None]) -> None:
        super().__init__(options, emit)
        self._queue = Distributor(
            options.send_hwm,
            self._write_timeout,
            conflate=options.conflate,
            needs_peer=lambda: self._options.immediate,
            on_mute=lambda: self._options.on_mute,
            dropped=lambda: self.drops.add(None, QUEUE_FULL),
        )
        self._outlets: dict[Any, Outlet] = {}
        self.emptied = self._queue.emptied
        self.send = self._queue.put  # type: ignore[method-assign]

    def connection_added(self, connection: Any) -> None:
        super().connection_added(connection)
        outlet = connection.outlet = Outlet(connection, None)
        self._outlets[connection] = outlet
        self._queue.add(outlet)

    def connection_removed(self, connection: Any) -> None:
        super().connection_removed(connection)
        outlet = self._outlets.pop(connection, None)
        if outlet is not None:
            self._queue.remove(outlet)

    def writable(self) -> bool:
        return self._queue.writable()

    def call_when_writable(self, function: Callable[[], None]) -> Cancel:
        return when_ready(self._queue.room, function)

    def option_changed(self, name: str) -> None:
        super().option_changed(name)
        if name == "send_hwm":
            self._queue.set_hwm(self._options.send_hwm)
        self._queue.room.notify()

    def send_queued(self) -> int:
        return self._queue.waiting()

    def drained(self) -> bool:
        return self._queue.drained()

    def fail(self, failure: Callable[[], BaseException]) -> None:
        super().fail(failure)
        self._queue.fail(failure)
