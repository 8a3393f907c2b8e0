"""Who is told of what happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from zope.interface import Attribute, Interface


class IMonitorEvent(Interface):
    """One thing that happened; immutable. ``str()`` of it is one readable line.

    `omq_gevent.monitors.event` lists the kinds, with the facts that come with each.
    """

    kind: str = Attribute("What happened, such as handshake_succeeded")
    socket_type: str = Attribute("The type of the socket that it happened to")
    endpoint: str | None = Attribute("Our endpoint that it concerns, if any")
    address: str = Attribute("The peer's address as far as known")
    error: BaseException | None = Attribute("The exception behind a failure")
    reason: str = Attribute("The error in words, or empty")
    peer: Any = Attribute("PeerFacts, once the handshake has told them")
    interval: float | None = Attribute("Seconds until the next attempt to dial, if timed")
    attempt: int | None = Attribute("Attempts to dial since the last success")
    count: int | None = Attribute("How many messages it concerns")
    message: Sequence[bytes] | None = Attribute("The frames of the message that it concerns")
    time: float = Attribute("When it happened, in seconds since the epoch")
    detail: Any = Attribute("What else there is to say")


class IMonitor(Interface):
    """Receives every event of the sockets that it was added to, from then on.

    ``notify`` runs in a pump, in a user's greenlet or in the hub: it may neither block nor
    switch. An exception is logged and takes the monitor out, without a further event; the engine
    goes on. Otherwise the last event of each socket is ``monitor_stopped``: the socket was closed
    or the monitor removed. On a socket that is closed already, it is the only one.
    """

    def notify(event: Any) -> None:
        """Take note of an IMonitorEvent."""


class IClosableMonitor(IMonitor):
    """A monitor that can take itself out."""

    def attached(detach: Callable[[], None]) -> None:
        """A socket will tell this monitor its events. *detach()* ends that: ``monitor_stopped``
        comes at once. It does nothing when that has come already."""

    def close() -> None:
        """Leave all sockets. Never switches; idempotent."""

    def abandon() -> None:
        """This process is the child of a fork, or the thread of a socket has ended: nothing is
        told any more, not even ``monitor_stopped``. Waits for no lock, never switches."""


class IMonitorFactory(Interface):
    """Makes monitors; registered by name, so that ``sock.monitor(name)`` finds it."""

    def __call__(*args: Any) -> IMonitor:
        """A new monitor. ``sock.monitor(name)`` gives no arguments."""
