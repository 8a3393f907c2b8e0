"""Every pluggable part by name: engines, mechanisms, monitors, transports, routing strategies.

A third-party package registers its parts with the functions here, or names a callable in the
entry-point group ``omq_gevent.plugins``: it is called, without arguments, the first time a name
is asked for that nobody has registered. What is registered here is shared by all sockets of the
process: factories and configuration, nothing that belongs to one connection.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Iterable
from typing import Any

from zope.interface.registry import Components
from zope.interface.verify import verifyObject

from omq_gevent.errors import NotRegistered
from omq_gevent.interfaces import (
    IEngineFactory,
    IMechanism,
    IMonitorFactory,
    IRoutingFactory,
    ITransport,
)

ENTRY_POINT_GROUP = "omq_gevent.plugins"

logger = logging.getLogger("omq_gevent.registry")

components = Components("omq_gevent")

# Loaded when first asked for, so that importing the package stays cheap and layers stay apart.
_BUILT_IN: dict[tuple[Any, str], str] = {
    (IEngineFactory, "gevent"): "omq_gevent.engine.engine:GeventEngine",
    (IMechanism, "NULL"): "omq_gevent.mechanisms.null:NULL",
    (ITransport, "tcp"): "omq_gevent.transports.tcp:tcp",
    (ITransport, "ipc"): "omq_gevent.transports.ipc:ipc",
    (ITransport, "inproc"): "omq_gevent.transports.inproc:inproc",
    (IMonitorFactory, "queue"): "omq_gevent.monitors.queue:QueueMonitor",
    (IMonitorFactory, "callable"): "omq_gevent.monitors.callable:CallableMonitor",
    (IMonitorFactory, "logging"): "omq_gevent.monitors.logging:LoggingMonitor",
    (IRoutingFactory, "REQ"): "omq_gevent.routing.req:Req",
    (IRoutingFactory, "REP"): "omq_gevent.routing.rep:Rep",
    (IRoutingFactory, "DEALER"): "omq_gevent.routing.dealer:Dealer",
    (IRoutingFactory, "ROUTER"): "omq_gevent.routing.router:Router",
    (IRoutingFactory, "PUB"): "omq_gevent.routing.pub:Pub",
    (IRoutingFactory, "SUB"): "omq_gevent.routing.sub:Sub",
    (IRoutingFactory, "XPUB"): "omq_gevent.routing.xpub:XPub",
    (IRoutingFactory, "XSUB"): "omq_gevent.routing.xsub:XSub",
    (IRoutingFactory, "PUSH"): "omq_gevent.routing.push:Push",
    (IRoutingFactory, "PULL"): "omq_gevent.routing.pull:Pull",
    (IRoutingFactory, "PAIR"): "omq_gevent.routing.pair:Pair",
}


class _Plugins:
    """The entry points of installed distributions, loaded once, all together."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._begun = False
        self.failures: list[str] = []

    def load(self) -> None:
        with self._lock:  # another thread must not miss what is being registered just now
            if self._begun:
                return
            self._begun = True
            for entry_point in _entry_points():
                try:
                    entry_point.load()()
                except Exception as error:
                    name = f"{entry_point.name} ({entry_point.value})"
                    self.failures.append(f"{name}: {type(error).__name__}: {error}")
                    logger.exception("plug-in %s failed to load", name)


_plugins = _Plugins()


def register(interface: Any, name: str, part: Any, *, replace: bool = False) -> None:
    """Make *part* known as *name*.

    :raises ValueError: when the name is taken and *replace* is false.
    :raises zope.interface.Invalid: when *part* does not provide *interface* completely.
    """
    verifyObject(interface, part)
    taken = (interface, name) in _BUILT_IN or components.queryUtility(interface, name) is not None
    if taken and not replace:
        raise ValueError(
            f"{interface.__name__} {name!r} is registered already; replace=True puts another "
            "in its place"
        )
    components.registerUtility(part, interface, name, event=False)


def unregister(interface: Any, name: str) -> None:
    """Forget what was registered as *name*; a built-in part of that name shows again.

    :raises NotRegistered: when nothing was.
    """
    if not components.unregisterUtility(provided=interface, name=name):
        raise NotRegistered(f"no {interface.__name__} was registered as {name!r}")


def lookup(interface: Any, name: str) -> Any:
    """The part registered as *name*.

    :raises NotRegistered: when there is none; the message lists the names there are, and the
        plug-ins that could not be loaded.
    """
    part = _find(interface, name)
    if part is None:
        _plugins.load()
        part = _find(interface, name)
    if part is None:
        known = ", ".join(names(interface)) or "none"
        message = f"no {interface.__name__} is registered as {name!r}; known: {known}"
        if _plugins.failures:
            message += f"; plug-ins that failed to load: {'; '.join(_plugins.failures)}"
        raise NotRegistered(message)
    return part


def names(interface: Any) -> list[str]:
    """What can be looked up under *interface*."""
    _plugins.load()
    built_in = {name for known, name in _BUILT_IN if known is interface}
    return sorted(built_in | {name for name, _ in components.getUtilitiesFor(interface)})


def _find(interface: Any, name: str) -> Any:
    part = components.queryUtility(interface, name)
    if part is None and (interface, name) in _BUILT_IN:
        module, _, attribute = _BUILT_IN[interface, name].partition(":")
        part = getattr(importlib.import_module(module), attribute)
    return part


def _entry_points() -> Iterable[Any]:
    from importlib import metadata  # slow to import, and most programs never need it

    found: Any = metadata.entry_points()
    if hasattr(found, "select"):
        group: Iterable[Any] = found.select(group=ENTRY_POINT_GROUP)
        return group
    old_style: Iterable[Any] = found.get(ENTRY_POINT_GROUP, ())  # Python 3.9
    return old_style


def engine(name: str) -> Any:
    return lookup(IEngineFactory, name)


def mechanism(name: str) -> Any:
    return lookup(IMechanism, name)


def monitor(name: str) -> Any:
    return lookup(IMonitorFactory, name)


def routing(socket_type: str) -> Any:
    return lookup(IRoutingFactory, socket_type)


def transport(scheme: str) -> Any:
    return lookup(ITransport, scheme)
