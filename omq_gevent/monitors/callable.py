"""Events for a function that may take its time."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Callable

import gevent
from zope.interface import implementer, provider

from omq_gevent.interfaces import IClosableMonitor, IMonitorFactory
from omq_gevent.monitors.closable import ClosableMonitor
from omq_gevent.monitors.event import MonitorEvent

logger = logging.getLogger("omq_gevent.monitor")


@provider(IMonitorFactory)
@implementer(IClosableMonitor)
class CallableMonitor(ClosableMonitor):
    """Calls *function* with one event after the other, in a greenlet of its own.

    The function may block: up to *size* events wait for it meanwhile, then the oldest give way
    and ``dropped`` counts them. What it raises is logged, and the next event is tried: a metrics
    server that is away for a minute must not end the watching. The greenlet exists only while
    there are events to hand over, so none is left when the socket is closed; ``monitor_stopped``
    is handed over like any other.
    """

    def __init__(self, function: Callable[[MonitorEvent], Any], size: int = 1000) -> None:
        if not callable(function):
            raise TypeError(f"a monitor function must be callable, not {function!r}")
        if size < 1:
            raise ValueError(f"size must be at least 1 event, not {size!r}")
        super().__init__()
        self._function = function
        self._events: deque[MonitorEvent] = deque(maxlen=size)
        self._greenlet: Any = None
        self.dropped = 0

    def notify(self, event: MonitorEvent) -> None:
        """Keep *event* for the function; never blocks."""
        self._count_stops(event)
        events = self._events
        if len(events) == events.maxlen:
            self.dropped += 1
        events.append(event)
        if self._greenlet is None or self._greenlet.ready():
            self._greenlet = gevent.spawn(self._hand_over)
            self._greenlet.name = f"monitor {self._name}"

    def abandon(self) -> None:
        super().abandon()
        self._events.clear()  # the parent calls the function with these

    @property
    def _name(self) -> str:
        return getattr(self._function, "__qualname__", type(self._function).__name__)

    def _hand_over(self) -> None:
        events = self._events
        while events:
            event = events.popleft()
            try:
                self._function(event)
            except Exception:
                logger.exception("monitor function %s failed at: %s", self._name, event)

    def __repr__(self) -> str:
        return f"<CallableMonitor {self._name} waiting={len(self._events)} dropped={self.dropped}>"
