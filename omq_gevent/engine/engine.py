"""The default engine: sockets as greenlets."""

from __future__ import annotations

import errno
import logging
import os
from typing import Any, Callable

from gevent import get_hub, getcurrent
from gevent.event import Event
from zope.interface import implementer, provider

from omq_gevent import endpoint as endpoints
from omq_gevent import registry
from omq_gevent.engine.accept import Acceptor
from omq_gevent.engine.backoff import Backoff
from omq_gevent.engine.connection_lifecycle import ConnectionLifecycle
from omq_gevent.engine.dial import Dial
from omq_gevent.engine.socket_lifecycle import SocketLifecycle
from omq_gevent.engine.thread_owner import ThreadOwner, everywhere, nowhere
from omq_gevent.errors import EndpointError, ForeignThread, SocketClosed, SocketDead, SocketForked
from omq_gevent.flow import abandon
from omq_gevent.flow.deadline import DEFAULT, Deadline, Timeout
from omq_gevent.interfaces import IDirectTransport, IEngine, IEngineFactory, ITransportHost
from omq_gevent.monitors.broadcast import Broadcast
from omq_gevent.monitors.event import MonitorEvent
from omq_gevent.options import Options

logger = logging.getLogger("omq_gevent.engine")


@provider(IEngineFactory)
@implementer(IEngine, ITransportHost)
class GeventEngine:
    """Ties routing, transports and connections of one socket together.

    Made without side effects; the first call that needs the hub opens it.
    """

    def __init__(self, socket_type: str, options: Options, context: Any) -> None:
        self.socket_type = socket_type
        self.options = options
        self.context = context
        self.lifecycle = SocketLifecycle()
        self.monitors = Broadcast(socket_type, self._choose_calls)
        self.routing: Any = None
        self.compatible: frozenset[str] = frozenset()
        self.mechanism: Any = None
        self.hub: Any = None
        self.last_endpoint = ""
        self.connections: dict[Any, ConnectionLifecycle] = {}
        self.lifecycles: set[ConnectionLifecycle] = set()
        self.acceptors: dict[str, Any] = {}
        self.dials: dict[str, list[Any]] = {}
        self.assigned_identities: dict[Any, bytes] = {}  # by dial
        self._owner = ThreadOwner()
        self._process = 0  # that has opened it
        self._abandoned = False
        self._fatal_error: BaseException | None = None
        self._guardian_done: Event | None = None

    # -- opening ---------------------------------------------------------------------------

    def is_here(self) -> bool:
        """Whether the calling thread is the one that opened this; replaced by `open`."""
        return True

    def open(self) -> None:
        """Build the routing strategy and capture this thread's hub; once."""
        if self.routing is not None:
            if not self.is_here():
                raise self._foreign()
            return
        if self.lifecycle.state != "new":
            raise self._closed_error()
        if not self._owner.claim():
            raise self._foreign()
        try:
            self._open()
        except BaseException:
            self._owner.disclaim()
            raise

    def _open(self) -> None:
        factory = registry.routing(self.socket_type)
        self.options.check_for(self.socket_type)
        self.hub = get_hub()
        self._choose_mechanism()
        self.mechanism.check()
        self.compatible = factory.compatible
        self.routing = factory(self.options, self._routing_event)
        self._process = os.getpid()
        self.is_here = self._owner.is_here  # type: ignore[method-assign]
        abandon.watch(self)
        self.readable = self.routing.readable  # type: ignore[method-assign]
        self.writable = self.routing.writable  # type: ignore[method-assign]
        self._choose_calls()
        self.lifecycle.transition("open")

    def _foreign(self) -> ForeignThread:
        return ForeignThread(f"this {self.socket_type} socket belongs to another thread")

    def attach_to(self, parent: Any) -> None:
        """Let the death of a greenlet in *parent*, a gevent `Group`, stop this socket."""
        self.open()
        self._guardian_done = Event()
        guardian = parent.spawn(self._guardian_done.wait)
        guardian.rawlink(lambda _greenlet: self.stop())

    def send(self, message: list[bytes], timeout: Timeout = DEFAULT) -> None:
        self.open()
        self.routing.send(message, timeout)

    def receive(self, timeout: Timeout = DEFAULT) -> list[bytes]:
        self.open()
        message: list[bytes] = self.routing.receive(timeout)
        return message

    def _choose_calls(self) -> None:
        """Let calls go straight to the strategy, or past the verbose monitors if there are any."""
        routing = self.routing
        if routing is None:
            return
        verbose = self.monitors.verbose
        self.send = self._send_and_tell if verbose else routing.send  # type: ignore[method-assign]
        self.receive = (  # type: ignore[method-assign]
            self._receive_and_tell if verbose else routing.receive
        )

    def _send_and_tell(self, message: list[bytes], timeout: Timeout = DEFAULT) -> None:
        self.routing.send(message, timeout)
        self.monitors.tell_message("message_sent", message)

    def _receive_and_tell(self, timeout: Timeout = DEFAULT) -> list[bytes]:
        message: list[bytes] = self.routing.receive(timeout)
        self.monitors.tell_message("message_received", message)
        return message

    def add_monitor(self, monitor: Any, verbose: bool = False) -> None:
        self.monitors.add(monitor, verbose)

    def remove_monitor(self, monitor: Any) -> None:
        self.monitors.remove(monitor)

    def give_back(self, message: list[bytes]) -> None:
        if not self._abandoned:
            self.routing.give_back(message)

    def readable(self) -> bool:
        return self._closed_or_open() or self.routing.readable()

    def writable(self) -> bool:
        return self._closed_or_open() or self.routing.writable()

    def _closed_or_open(self) -> bool:
        if self.lifecycle.state == "closed":
            return True
        self.open()
        return False

    def call_when_readable(self, function: Callable[[], None]) -> Callable[[], None]:
        cancel: Callable[[], None] = self.routing.call_when_readable(function)
        return cancel

    def call_when_writable(self, function: Callable[[], None]) -> Callable[[], None]:
        cancel: Callable[[], None] = self.routing.call_when_writable(function)
        return cancel

    def option_changed(self, name: str) -> None:
        if self.routing is not None:
            self.options.check_for(self.socket_type)
            if name == "mechanism":
                self._choose_mechanism()
            self.routing.option_changed(name)

    def _choose_mechanism(self) -> None:
        self.mechanism = self.options.mechanism or registry.mechanism("NULL")

    def _usable(self) -> None:
        self.open()
        if self.lifecycle.state != "open":
            raise self._closed_error()
        if self._fatal_error is not None:
            raise self._dead_error()

    def _closed_error(self) -> SocketClosed:
        if self._abandoned:
            return self._abandoned_error()
        return SocketClosed(f"this {self.socket_type} socket is {self.lifecycle.state}")

    # -- endpoints -------------------------------------------------------------------------

    def bind(self, endpoint: str) -> str:
        """Listen on *endpoint*; the resolved endpoint comes back."""
        self._usable()
        try:
            parsed = endpoints.parse(endpoint)
            endpoints.check_bind(parsed)
            transport = registry.transport(parsed.scheme)
            listener = transport.listen(parsed, self)
            if self.lifecycle.state != "open":  # closed while a name was looked up
                listener.close()
                raise self._closed_error()
        except Exception as error:
            self.emit("bind_failed", endpoint, error=error)
            raise
        acceptor = Acceptor(self, listener)
        self.acceptors[acceptor.endpoint] = acceptor
        self.last_endpoint = acceptor.endpoint
        self.emit("listening", acceptor.endpoint)
        if IDirectTransport.providedBy(transport):
            listener.start()
        return acceptor.endpoint

    def connect(self, endpoint: str) -> str:
        """Dial *endpoint* in the background, again whenever the link was lost."""
        self._usable()
        parsed = endpoints.parse(endpoint)
        endpoints.check_connect(parsed)
        transport = registry.transport(parsed.scheme)
        dialer = transport.dialer(parsed, self)
        direct = IDirectTransport.providedBy(transport)
        dial = dialer if direct else Dial(self, dialer)
        self.dials.setdefault(str(parsed), []).append(dial)
        if self.options.connect_routing_id is not None:
            self.assigned_identities[dial] = self.options.connect_routing_id
            self.options.connect_routing_id = None
        self.last_endpoint = str(parsed)
        dial.start()
        return str(parsed)

    def unbind(self, endpoint: str) -> None:
        """Stop listening on *endpoint* (resolved, as ``bind`` gave it) and close what it accepted.

        :raises EndpointError: ENOENT when it is not bound.
        """
        self.open()
        acceptor = self.acceptors.pop(self._canonical(endpoint), None)
        if acceptor is None:
            raise EndpointError(errno.ENOENT, f"{endpoint!r} is not bound by this socket")
        acceptor.stop()
        self._close_connections(lambda lifecycle: lifecycle.dial is None, acceptor.endpoint)
        self.emit("unbound", acceptor.endpoint)

    def disconnect(self, endpoint: str) -> None:
        """Stop dialing *endpoint* and close its connection.

        :raises EndpointError: ENOENT when it is not connected.
        """
        self.open()
        dials = self.dials.pop(self._canonical(endpoint), None)
        if dials is None:
            raise EndpointError(errno.ENOENT, f"{endpoint!r} is not connected by this socket")
        for dial in dials:
            dial.cancel()
            self.assigned_identities.pop(dial, None)
        self._close_connections(lambda lifecycle: lifecycle.dial in dials, None)

    @staticmethod
    def _canonical(endpoint: str) -> str:
        return str(endpoints.parse(endpoint))

    def _close_connections(
        self, concerned: Callable[[ConnectionLifecycle], bool], endpoint: str | None
    ) -> None:
        for lifecycle in list(self.lifecycles):
            if concerned(lifecycle) and endpoint in (None, lifecycle.endpoint):
                lifecycle.close()

    # -- what transports call --------------------------------------------------------------

    def link_ready(self, connection: Any, endpoint: str, dial: Any = None) -> None:
        """Take a *connection* that needs no handshake."""
        ConnectionLifecycle(self, endpoint, _as_it_is, dial).ready_direct(connection)

    def link_lost(self, connection: Any, reason: BaseException | None = None) -> None:
        """The other end of a direct *connection* is gone."""
        lifecycle = self.connections.get(connection)
        if lifecycle is not None:
            lifecycle.lost(reason)

    def stream_accepted(self, stream: Any, endpoint: str, mechanism: Any = None) -> None:
        """Take a *stream* that came in by another way than an acceptor."""
        self.emit("accepted", endpoint, stream=stream)
        lifecycle = ConnectionLifecycle(self, endpoint, _as_it_is)
        lifecycle.handshake(stream, accepted=True, mechanism=mechanism)

    def stream_dialed(self, stream: Any, endpoint: str, dial: Any, mechanism: Any = None) -> None:
        """Take a *stream* to the peer that a direct transport has made."""
        self.emit("connected", endpoint, stream=stream)
        lifecycle = ConnectionLifecycle(self, endpoint, _as_it_is, dial)
        lifecycle.handshake(stream, accepted=False, mechanism=mechanism)

    def backoff(self) -> Backoff:
        """What counts failed attempts to reach one endpoint."""
        return Backoff(self.options.reconnect_interval, self.options.reconnect_jitter)

    # -- what lifecycles call --------------------------------------------------------------

    def track(self, lifecycle: ConnectionLifecycle) -> None:
        self.lifecycles.add(lifecycle)

    def accepted_count(self) -> int:
        """How many links there are, handshakes under way included, that peers have opened."""
        return sum(1 for lifecycle in self.lifecycles if lifecycle.dial is None)

    def register(self, lifecycle: ConnectionLifecycle) -> None:
        self.connections[lifecycle.connection] = lifecycle

    def unregister(self, lifecycle: ConnectionLifecycle) -> None:
        self.lifecycles.discard(lifecycle)
        self.connections.pop(lifecycle.connection, None)

    def emit(
        self,
        kind: str,
        endpoint: str | None = None,
        *,
        connection: Any = None,
        stream: Any = None,
        **facts: Any,
    ) -> None:
        """Tell monitors and the log; never blocks, never raises."""
        if connection is not None:
            facts["peer"] = connection.peer
            facts["address"] = connection.address
        elif stream is not None:
            facts["address"] = stream.remote
        self.monitors.emit(MonitorEvent(kind, endpoint, socket_type=self.socket_type, **facts))

    def _routing_event(self, kind: str, connection: Any = None, **facts: Any) -> None:
        endpoint = None if connection is None else connection.endpoint
        self.emit(kind, endpoint, connection=connection, **facts)
        self.lifecycle.changed()

    def fatal(self, error: BaseException) -> None:
        """A pump crashed: this socket can no longer be trusted, and says so from now on."""
        logger.error("%s socket is dead", self.socket_type, exc_info=error)
        if self._fatal_error is not None or self.lifecycle.state == "closed":
            return
        self._fatal_error = error
        if self.lifecycle.alive:
            self.routing.fail(self._dead_error)
        self.emit("socket_dead", error=error)
        self.lifecycle.changed()

    def _dead_error(self) -> SocketDead:
        dead = SocketDead(
            f"this {self.socket_type} socket is dead: an internal error "
            f"({type(self._fatal_error).__name__}: {self._fatal_error}); close it and make another"
        )
        dead.__cause__ = self._fatal_error
        return dead

    # -- closing ---------------------------------------------------------------------------

    def close(self, linger: float | None) -> None:
        """Drain for at most *linger* seconds (None: forever), then end everything.

        Only this greenlet waits; blocked senders and receivers are woken with `SocketClosed`.
        """
        state = self.lifecycle.state
        if state in ("closing", "closed"):
            if state == "closing" and linger == 0:
                self.stop()
            self.lifecycle.wait_until(lambda: self.lifecycle.state == "closed", None)
            return
        if state == "open" and self._fatal_error is None and linger != 0:
            self.lifecycle.transition("closing")
            self.routing.fail(self._closed_error)
            try:
                self._drain(linger)
            finally:
                self.stop()
        else:
            self.stop()
        barrier = self.lifecycle.barrier
        if getcurrent() is not self.hub and getcurrent() not in barrier.greenlets:
            barrier.stop_and_wait()

    def _drain(self, linger: float | None) -> None:
        deadline = Deadline(linger, None)
        routing = self.routing
        while not routing.drained() and self.lifecycle.state == "closing":
            if deadline.over or not routing.emptied.wait(deadline.remaining()):
                return

    def stop(self) -> None:
        """End everything now, whatever is still queued; never switches."""
        lifecycle = self.lifecycle
        if lifecycle.state == "closed":
            return
        lifecycle.transition("closed")
        if self.routing is not None:
            self.routing.fail(self._closed_error)
            self.routing.emptied.wake_all()
        for dials in self.dials.values():
            for dial in dials:
                dial.cancel()
        for acceptor in self.acceptors.values():
            acceptor.stop()
        for link in list(self.lifecycles):
            link.close()
        lifecycle.barrier.stop()
        if self._guardian_done is not None:
            self._guardian_done.set()
        self.emit("closed")
        self.monitors.stop()

    def abandon(self) -> None:
        """Release what is there, without a word to anybody: this process is a fork and the socket
        its parent's, or the thread of the socket has ended. Whoever calls is told which."""
        if self.lifecycle.state == "closed":
            return
        if os.getpid() == self._process:
            logger.warning("a thread has ended and left a %s socket open", self.socket_type)
            if self.hub.loop is None:  # destroyed before, and nothing of it can be reached
                self.is_here = nowhere  # type: ignore[method-assign]
                return
        routing = self.routing
        is_here = self.is_here()  # else the thread of the greenlets is not, after the fork
        self._abandoned = True
        self.is_here = everywhere  # type: ignore[method-assign]
        self.emit = _tell_nobody  # type: ignore[method-assign]
        self.monitors.abandon()
        self.lifecycle.transition("closed")
        for link in self.lifecycles:
            link.abandon()
        for acceptor in self.acceptors.values():
            acceptor.stop()
        for dials in self.dials.values():
            for dial in dials:
                dial.cancel()
        routing.fail(self._closed_error)
        routing.emptied.wake_all()
        if is_here:
            self.lifecycle.barrier.stop_others()
        for mine in (self.lifecycles, self.connections, self.acceptors, self.dials):
            mine.clear()
        self.routing = self.hub = None

    def _abandoned_error(self) -> SocketClosed:
        if os.getpid() == self._process:
            return SocketClosed(
                f"the thread that this {self.socket_type} socket belonged to has ended"
            )
        return SocketForked(
            f"this {self.socket_type} socket was made in process {self._process}, and this is "
            f"process {os.getpid()}; make a new socket after the fork"
        )


def _tell_nobody(*_args: Any, **_facts: Any) -> None:
    """The socket is abandoned, and what is left of it is nobody's business."""


def _as_it_is(connection: Any) -> Any:
    return connection
