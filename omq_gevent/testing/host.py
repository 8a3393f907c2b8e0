"""A socket's side of a transport, without a socket."""

from __future__ import annotations

from typing import Any

from gevent import get_hub
from zope.interface import implementer
from zope.interface.verify import verifyObject

from omq_gevent.context import Context
from omq_gevent.engine.backoff import Backoff
from omq_gevent.engine.socket_lifecycle import SocketLifecycle
from omq_gevent.flow.outlet import Outlet
from omq_gevent.interfaces import IConnection, IStream, ITransportHost
from omq_gevent.options import Options
from omq_gevent.testing.switching import eventually


@implementer(ITransportHost)
class TestHost:
    """Says it is a PAIR, takes every link, and notes what the transport does with it."""

    __test__ = False  # pytest looks for classes of this name

    socket_type = "PAIR"
    compatible = frozenset({"PAIR"})

    def __init__(self, context: Context | None = None) -> None:
        self.options = Options(backlog=16)
        self.context = context or Context()
        self.hub = get_hub()
        self.lifecycle = SocketLifecycle()
        self.lifecycle.transition("open")
        self.links: list[Any] = []
        self.lost: list[Any] = []
        self.streams: list[Any] = []
        self.received: list[Any] = []
        self.kinds: list[str] = []

    def link_ready(self, connection: Any, endpoint: str, dial: Any = None) -> None:
        verifyObject(IConnection, connection)
        connection.outlet = Outlet(connection, None)
        connection.deliver = self.received.extend
        connection.on_command = lambda name, data: self.received.append((name, data))
        self.links.append(connection)
        if dial is not None:
            dial.succeeded()
        connection.start()

    def link_lost(self, connection: Any, reason: BaseException | None = None) -> None:
        self.lost.append(connection)

    def stream_accepted(self, stream: Any, endpoint: str, mechanism: Any = None) -> None:
        verifyObject(IStream, stream)
        self.streams.append(stream)

    def stream_dialed(self, stream: Any, endpoint: str, dial: Any, mechanism: Any = None) -> None:
        verifyObject(IStream, stream)
        self.streams.append(stream)

    def backoff(self) -> Backoff:
        return Backoff(0.01, jitter=False)

    def fatal(self, error: BaseException) -> None:
        raise AssertionError(f"the transport reported a fault of the socket: {error!r}") from error

    def emit(self, kind: str, endpoint: str | None = None, **facts: Any) -> None:
        self.kinds.append(kind)

    def arrived(self, count: int) -> list[Any]:
        """The next *count* messages and commands of all links."""
        eventually(lambda: len(self.received) >= count, f"delivering {count} messages")
        arrived, self.received[:] = list(self.received), []
        return arrived

    def close(self) -> None:
        """End what the transport has spawned for this host."""
        self.lifecycle.transition("closed")
        self.lifecycle.barrier.stop_and_wait()
