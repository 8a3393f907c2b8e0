"""ZeroMQ for gevent, in pure Python."""

import logging as _logging

from omq_gevent._version import __version__ as __version__
from omq_gevent.context import Context
from omq_gevent.errors import *  # noqa: F403  (the error tree is public as a whole)
from omq_gevent.errors import __all__ as _errors
from omq_gevent.monitors.callable import CallableMonitor
from omq_gevent.monitors.event import MonitorEvent
from omq_gevent.monitors.logging import LoggingMonitor
from omq_gevent.monitors.queue import QueueMonitor
from omq_gevent.poller import POLLERR, POLLIN, POLLOUT, Poller, select
from omq_gevent.proxy import proxy
from omq_gevent.socket import Peer, Socket, Stats
from omq_gevent.sockets import DEALER, PAIR, PUB, PULL, PUSH, REP, REQ, ROUTER, SUB, XPUB, XSUB
from omq_gevent.threadsafe import ThreadsafeSocket

_logging.getLogger("omq_gevent").addHandler(_logging.NullHandler())

__all__ = [
    "DEALER",
    "PAIR",
    "POLLERR",
    "POLLIN",
    "POLLOUT",
    "PUB",
    "PULL",
    "PUSH",
    "REP",
    "REQ",
    "ROUTER",
    "SUB",
    "XPUB",
    "XSUB",
    "CallableMonitor",
    "Context",
    "LoggingMonitor",
    "MonitorEvent",
    "Peer",
    "Poller",
    "QueueMonitor",
    "Socket",
    "Stats",
    "ThreadsafeSocket",
    "proxy",
    "select",
    *_errors,
]
