"""What a user hands over to be told of events, as a monitor."""

from __future__ import annotations

from typing import Any

from omq_gevent import registry
from omq_gevent.interfaces import IMonitor, IMonitorFactory


def choose(wanted: Any = None) -> Any:
    """The `IMonitor` provider that *wanted* stands for.

    None: a new `QueueMonitor`; a str: a new one of what is registered by that name; a monitor
    class: a new one of it; a monitor: itself; any other callable: a `CallableMonitor` for it.

    :raises NotRegistered: for an unknown name.
    :raises TypeError: for anything else.
    """
    if wanted is None:
        wanted = "queue"
    if isinstance(wanted, str):
        return registry.monitor(wanted)()
    if IMonitor.providedBy(wanted):
        return wanted
    if IMonitorFactory.providedBy(wanted):
        return wanted()
    if callable(wanted):
        return registry.monitor("callable")(wanted)
    raise TypeError(
        "a monitor is None, a registered name, a callable or a provider of IMonitor, "
        f"not {type(wanted).__name__}"
    )
