"""Events in a queue, for a greenlet that reads them."""

from __future__ import annotations

from collections import deque

from zope.interface import implementer, provider

from omq_gevent.errors import SocketClosed, WaitTimeout
from omq_gevent.flow.deadline import Deadline
from omq_gevent.flow.wait_queue import WaitQueue
from omq_gevent.interfaces import IClosableMonitor, IMonitorFactory
from omq_gevent.monitors.closable import ClosableMonitor
from omq_gevent.monitors.event import MonitorEvent


@provider(IMonitorFactory)
@implementer(IClosableMonitor)
class QueueMonitor(ClosableMonitor):
    """Keeps the latest *size* events until they are read.

    ``for event in monitor`` ends after ``monitor_stopped``: the socket was closed (with several
    sockets: the last of them), or the monitor was. Nobody has to read: when the queue is full
    the oldest event gives way, and ``dropped`` counts how many did.
    """

    def __init__(self, size: int = 1000) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1 event, not {size!r}")
        super().__init__()
        self._events: deque[MonitorEvent] = deque(maxlen=size)
        self._arrivals = WaitQueue(lambda: self._events or not self._sources)
        self.dropped = 0

    def notify(self, event: MonitorEvent) -> None:
        """Keep *event*; never blocks."""
        self._count_stops(event)
        events = self._events
        if len(events) == events.maxlen:
            self.dropped += 1
        events.append(event)
        self._arrivals.notify()

    def get(self, timeout: float | None = None) -> MonitorEvent:
        """The oldest event not yet read; waits *timeout* seconds at most (None: no limit).

        :raises WaitTimeout: when there was none in time.
        :raises SocketClosed: when there will be no more.
        """
        deadline = Deadline(timeout, None)
        while True:
            if self._events:
                return self._events.popleft()
            if not self._sources:
                raise SocketClosed("no socket tells this monitor anything any more")
            if deadline.over or not self._arrivals.wait(deadline.remaining()):
                if self._events:
                    return self._events.popleft()
                raise WaitTimeout(f"no monitor event within {timeout} s")

    def abandon(self) -> None:
        super().abandon()
        self._arrivals.notify()

    def __len__(self) -> int:
        return len(self._events)

    def __bool__(self) -> bool:
        return True  # an empty monitor is a monitor

    # Its own iterator, not a generator: that would be over after any exception, such as a time
    # limit around ``next``, and say so as if nothing was watched any more.

    def __iter__(self) -> QueueMonitor:
        return self

    def __next__(self) -> MonitorEvent:
        try:
            return self.get()
        except SocketClosed:
            raise StopIteration from None

    def __repr__(self) -> str:
        return f"<QueueMonitor events={len(self._events)} dropped={self.dropped}>"
