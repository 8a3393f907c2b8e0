"""Events as lines of a log."""

from __future__ import annotations

import logging

from zope.interface import implementer, provider

from omq_gevent.interfaces import IClosableMonitor, IMonitorFactory
from omq_gevent.monitors.closable import ClosableMonitor
from omq_gevent.monitors.event import MonitorEvent
from omq_gevent.monitors.levels import Levels


@provider(IMonitorFactory)
@implementer(IClosableMonitor)
class LoggingMonitor(ClosableMonitor):
    """Writes one line for each event to *logger*, by default ``omq_gevent.events``.

    Every socket logs its events to ``omq_gevent.monitor`` anyway. This monitor is for those that
    deserve a log of their own, or more noise: *level* is for all events alike, None for a level
    that fits each.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int | None = None) -> None:
        super().__init__()
        self._logger = logger or logging.getLogger("omq_gevent.events")
        self._level = level
        self._levels = Levels()

    def notify(self, event: MonitorEvent) -> None:
        """Log *event*."""
        self._count_stops(event)
        level = self._levels.level_of(event) if self._level is None else self._level
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event)

    def __repr__(self) -> str:
        return f"<LoggingMonitor {self._logger.name}>"
