"""The contracts of omq_gevent: what every pluggable part promises, as zope interfaces.

Installed, and imported, as ``omq_gevent.interfaces`` only. Imported under the name of its folder it
would make a second set of interfaces that no object provides, so that is refused.
"""

if __name__ != "omq_gevent.interfaces":
    raise ImportError(
        f"the contracts cannot be imported as {__name__!r}: import omq_gevent.interfaces instead"
    )

from omq_gevent.interfaces.connection import IConnection
from omq_gevent.interfaces.engine import IEngine, IEngineFactory
from omq_gevent.interfaces.lifecycle import IConnectionLifecycle, ISocketLifecycle
from omq_gevent.interfaces.mechanism import IMechanism, IMechanismSession
from omq_gevent.interfaces.monitor import (
    IClosableMonitor,
    IMonitor,
    IMonitorEvent,
    IMonitorFactory,
)
from omq_gevent.interfaces.routing import IRouting, IRoutingFactory
from omq_gevent.interfaces.transport import (
    IDialer,
    IDirectDialer,
    IDirectListener,
    IDirectTransport,
    IListener,
    IStream,
    ITransport,
    ITransportHost,
)

__all__ = [
    "IClosableMonitor",
    "IConnection",
    "IConnectionLifecycle",
    "IDialer",
    "IDirectDialer",
    "IDirectListener",
    "IDirectTransport",
    "IEngine",
    "IEngineFactory",
    "IListener",
    "IMechanism",
    "IMechanismSession",
    "IMonitor",
    "IMonitorEvent",
    "IMonitorFactory",
    "IRouting",
    "IRoutingFactory",
    "ISocketLifecycle",
    "IStream",
    "ITransport",
    "ITransportHost",
]
