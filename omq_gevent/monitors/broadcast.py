"""Hands every event of one socket to all its monitors and to the log."""

from __future__ import annotations

import logging
from typing import Any, Callable

from omq_gevent.interfaces import IClosableMonitor
from omq_gevent.monitors.event import MonitorEvent
from omq_gevent.monitors.levels import Levels

logger = logging.getLogger("omq_gevent.monitor")


def _nothing() -> None:
    """Nobody cares whether messages are to be told."""


class Member:
    """A monitor, and whether it is to be told of messages."""

    __slots__ = ("monitor", "verbose")

    def __init__(self, monitor: Any, verbose: bool) -> None:
        self.monitor = monitor
        self.verbose = verbose


class Broadcast:
    """The monitors of one socket. A monitor that raises is reported and taken out.

    *name* is the socket's type; *verbose_changed* is called when `verbose` has changed.
    """

    def __init__(self, name: str, verbose_changed: Callable[[], None] = _nothing) -> None:
        self._name = name
        self.members: list[Member] = []
        self._levels = Levels()
        self._stopped = False
        self._verbose_changed = verbose_changed
        self.verbose = False

    def add(self, monitor: Any, verbose: bool = False) -> None:
        """Have *monitor*, an `IMonitor` provider, told of everything from now on.

        With *verbose* of each message, too. Adding it again only sets *verbose* anew. When the
        socket is closed already, its first event is its last.
        """
        member = self._member(monitor)
        if member is not None:
            member.verbose = verbose
        else:
            self.members.append(Member(monitor, verbose))
            if IClosableMonitor.providedBy(monitor):
                monitor.attached(lambda: self.remove(monitor))
        if self._stopped:
            self.remove(monitor)
        self._refresh()

    def remove(self, monitor: Any) -> None:
        """Tell *monitor* its last event; does nothing when it is not there."""
        member = self._member(monitor)
        if member is not None:
            self._tell(member, MonitorEvent("monitor_stopped", socket_type=self._name))
            self._take_out(member)

    def emit(self, event: MonitorEvent) -> None:
        """Tell *event*; never blocks, never raises."""
        level = self._levels.level_of(event)
        if logger.isEnabledFor(level):
            logger.log(level, "%s", event)
        for member in list(self.members):
            self._tell(member, event)

    def tell_message(self, kind: str, message: list[bytes]) -> None:
        """Tell the verbose monitors, and no log, of a *message* that was sent or received."""
        event = MonitorEvent(kind, message=tuple(message), socket_type=self._name)
        for member in list(self.members):
            if member.verbose:
                self._tell(member, event)

    def stop(self) -> None:
        """The socket is gone: every monitor gets its last event."""
        self._stopped = True
        for member in list(self.members):
            self.remove(member.monitor)

    def abandon(self) -> None:
        """What is left of the socket is nobody's business: tell nothing, not even the end."""
        self._stopped = True
        members, self.members = self.members, []
        for member in members:
            if IClosableMonitor.providedBy(member.monitor):
                member.monitor.abandon()
        self._refresh()

    def _member(self, monitor: Any) -> Member | None:
        for member in self.members:
            if member.monitor is monitor:
                return member
        return None

    def _tell(self, member: Member, event: MonitorEvent) -> None:
        if member not in self.members:
            return  # taken out by one that was told before it
        try:
            member.monitor.notify(event)
        except Exception:
            logger.exception(
                "%s: monitor %r failed and is taken out", self._name, type(member.monitor).__name__
            )
            self._take_out(member)

    def _take_out(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
            self._refresh()

    def _refresh(self) -> None:
        verbose = any(member.verbose for member in self.members)
        if verbose != self.verbose:
            self.verbose = verbose
            self._verbose_changed()
