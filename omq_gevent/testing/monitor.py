"""What every monitor must do, and never do."""

from __future__ import annotations

from typing import Any, Callable

from zope.interface.verify import verifyObject

from omq_gevent.interfaces import IClosableMonitor, IMonitor
from omq_gevent.monitors.broadcast import Broadcast
from omq_gevent.monitors.event import KINDS, MonitorEvent
from omq_gevent.sockets import PAIR
from omq_gevent.testing.switching import no_switch

MANY = 20_000


def check_monitor(make_monitor: Callable[[], Any]) -> None:
    """Check what *make_monitor* makes, anew for each check.

    :raises AssertionError: when it breaks the contract of `IMonitor`.
    :raises zope.interface.Invalid: when it does not provide it completely.
    """
    verifyObject(IMonitor, make_monitor())
    _takes_every_kind(make_monitor())
    _never_blocks(make_monitor())
    _watches_a_socket(make_monitor())
    monitor = make_monitor()
    if IClosableMonitor.providedBy(monitor):
        verifyObject(IClosableMonitor, monitor)
        _closes(monitor)


def _takes_every_kind(monitor: Any) -> None:
    broadcast = _broadcast_to(monitor)
    for kind in sorted(KINDS - {"monitor_stopped"}):
        bare = MonitorEvent(kind)
        full = MonitorEvent(
            kind,
            "tcp://127.0.0.1:5555",
            "127.0.0.1:40000",
            ConnectionResetError("gone"),
            interval=0.1,
            count=2,
            detail="x",
            attempt=1,
            message=(b"\0\xff",),
            socket_type="PAIR",
        )
        for event in (bare, full):
            with no_switch(f"notify({kind})"):
                monitor.notify(event)
    broadcast.stop()


def _never_blocks(monitor: Any) -> None:
    broadcast = _broadcast_to(monitor)
    with no_switch(f"notify, called {MANY} times while nobody reads,"):
        for _ in range(MANY):
            monitor.notify(MonitorEvent("accepted", "tcp://127.0.0.1:5555"))
        broadcast.stop()


def _watches_a_socket(monitor: Any) -> None:
    with PAIR() as one, PAIR() as other:
        one.monitor(monitor, verbose=True)
        other.connect(one.bind("tcp://127.0.0.1:0"))
        other.send(b"message")
        assert one.receive(timeout=5.0) == [b"message"], "a socket with this monitor lost a message"
        still_there = [member.monitor for member in one._engine.monitors.members]
        assert monitor in still_there, "the monitor raised an exception and was taken out"


def _closes(monitor: Any) -> None:
    broadcast = _broadcast_to(monitor)
    with no_switch("close()"):
        monitor.close()
        monitor.close()
    assert not broadcast.members, "close() did not call what attached() was given"


def _broadcast_to(monitor: Any) -> Broadcast:
    broadcast = Broadcast("PAIR")
    broadcast.add(monitor)
    return broadcast
